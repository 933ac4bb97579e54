//! Connections under TLS: whose certificate is accepted, and what those are told who refuse.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use kinetic_client::{
    Authorities, Client, Config, ConnectError, Disconnected, Error, Fingerprint, TlsError, Trust,
};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use crate::fake_drive::FakeDrive;

/// A certificate with its key, and the authority's where it has one.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    authority: CertificateDer<'static>,
}

fn names() -> CertificateParams {
    CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

fn self_signed() -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = names().self_signed(&key).unwrap().der().clone();
    Identity {
        authority: certificate.clone(),
        certificate,
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

fn issued() -> Identity {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = names().signed_by(&key, &authority).unwrap();
    Identity {
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        authority: authority.der().clone(),
    }
}

impl Identity {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    fn authorities(&self) -> Authorities {
        let base64 = BASE64_STANDARD.encode(&self.authority);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        Authorities::from_pem(pem.as_bytes()).unwrap()
    }

    /// The drive's side of one connection: greets, and answers NOOPs until the client goes.
    async fn serve(&self, listener: &TcpListener, versions: &[&'static SupportedProtocolVersion]) {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let Ok(stream) = acceptor.accept(stream).await else {
            return;
        };
        let mut drive = FakeDrive::new(stream);
        drive.greet().await;
        for _ in 0..2 {
            let asked = drive.next().await;
            drive.succeed(&asked).await;
        }
    }

    /// One connection to this drive: two requests on it, and what the third one says.
    async fn meet(
        &self,
        trust: Trust,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Option<Fingerprint>, ConnectError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let visit = async {
            let client = connect(address, trust).await?;
            client.noop().await.unwrap();
            client.put("key", vec![7; 1 << 20]).await.unwrap();
            // The drive hangs up without TLS's own farewell.
            let ended = client.noop().await.unwrap_err();
            assert!(
                matches!(ended, Error::Disconnected(Disconnected::EndOfStream)),
                "{ended}"
            );
            Ok(client.certificate_fingerprint())
        };
        tokio::join!(visit, self.serve(&listener, versions)).0
    }
}

async fn connect(address: SocketAddr, trust: Trust) -> Result<Client, ConnectError> {
    let config = Config {
        trust,
        connect_timeout: Duration::from_secs(20),
        ..Config::default()
    };
    Client::connect(address, config).await
}

fn tls_error(outcome: Result<Option<Fingerprint>, ConnectError>) -> TlsError {
    match outcome {
        Err(ConnectError::Tls { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_accepted_by_tls_1_2_and_1_3() {
    let identity = self_signed();
    let pinned = identity.fingerprint();
    let other = Fingerprint::of(b"another certificate");
    for versions in [[&TLS12], [&TLS13]] {
        let trust = Trust::Fingerprints(vec![other, pinned]);
        let met = identity.meet(trust, &versions).await.unwrap();
        assert_eq!(met, Some(pinned));
    }
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_shows_both() {
    let identity = self_signed();
    let expected = Fingerprint::of(b"another certificate");
    let trust = Trust::Fingerprints(vec![expected]);
    let refused = tls_error(identity.meet(trust, &[&TLS12, &TLS13]).await);
    let text = refused.to_string();
    assert!(
        matches!(refused, TlsError::WrongFingerprint { .. }),
        "{text}"
    );
    for fingerprint in [expected, identity.fingerprint()] {
        assert!(text.contains(&fingerprint.to_string()), "{text}");
    }
}

#[tokio::test]
async fn no_fingerprints_trust_nobody() {
    let refused = self_signed()
        .meet(Trust::Fingerprints(Vec::new()), &[&TLS13])
        .await;
    let refused = tls_error(refused).to_string();
    assert!(refused.contains("none at all"), "{refused}");
}

#[tokio::test]
async fn an_authority_vouches_for_what_it_issued_and_a_certificate_for_itself() {
    for identity in [issued(), self_signed()] {
        let trust = Trust::Authorities(identity.authorities());
        let met = identity.meet(trust, &[&TLS12, &TLS13]).await.unwrap();
        assert_eq!(met, Some(identity.fingerprint()));
    }
}

#[tokio::test]
async fn what_another_authority_issued_is_refused_with_its_fingerprint() {
    let identity = issued();
    let trust = Trust::Authorities(issued().authorities());
    let refused = tls_error(identity.meet(trust, &[&TLS12, &TLS13]).await);
    let text = refused.to_string();
    assert!(matches!(refused, TlsError::Untrusted { .. }), "{text}");
    assert!(text.contains(&identity.fingerprint().to_string()), "{text}");
}

#[tokio::test]
async fn a_certificate_made_for_an_authority_is_refused_with_what_to_do() {
    let mut parameters = names();
    parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    let identity = Identity {
        authority: certificate.clone(),
        certificate,
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    };
    let trust = Trust::Authorities(identity.authorities());
    let refused = tls_error(identity.meet(trust, &[&TLS13]).await).to_string();
    for part in ["basicConstraints=critical,CA:FALSE", "fingerprint"] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let key = KeyPair::generate().unwrap();
    let elsewhere = CertificateParams::new(["drive-8.example".to_owned()]).unwrap();
    let certificate = elsewhere.self_signed(&key).unwrap().der().clone();
    let identity = Identity {
        authority: certificate.clone(),
        certificate,
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    };
    let trust = Trust::Authorities(identity.authorities());
    let refused = tls_error(identity.meet(trust, &[&TLS13]).await);
    assert!(matches!(refused, TlsError::Untrusted { .. }), "{refused}");
}

#[tokio::test]
async fn anybody_is_accepted_where_that_was_said() {
    let identity = self_signed();
    let met = identity.meet(Trust::Anybody, &[&TLS12, &TLS13]).await;
    assert_eq!(met.unwrap(), Some(identity.fingerprint()));
}

/// Accepts one connection and plays something that is no drive under TLS.
async fn visit_something_else(
    trust: Trust,
    play: impl AsyncFnOnce(TcpStream),
) -> Result<Client, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream).await;
    };
    tokio::join!(connect(address, trust), accept).0
}

#[tokio::test]
async fn tls_to_the_plain_port_is_told_as_such() {
    let refused = visit_something_else(Trust::Anybody, async |stream| {
        let mut drive = FakeDrive::new(stream);
        drive.greet().await;
        drive.drain().await;
    });
    let text = refused.await.unwrap_err().to_string();
    assert!(text.contains("port for plain connections"), "{text}");
    let hung_up = visit_something_else(Trust::Anybody, async |stream| drop(stream));
    let text = hung_up.await.unwrap_err().to_string();
    assert!(text.contains("port for plain connections"), "{text}");
}

#[tokio::test]
async fn plain_to_the_tls_port_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config {
        connect_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    // A drive under TLS waits for the client to speak first.
    let silent = Client::connect(address, config).await.unwrap_err();
    assert!(matches!(silent, ConnectError::Silent { .. }), "{silent:?}");
    assert!(silent.to_string().contains("port for TLS"), "{silent}");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config {
        trust: Trust::Anybody,
        connect_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let stalled = Client::connect(address, config).await.unwrap_err();
    let expected = matches!(
        stalled,
        ConnectError::Tls {
            source: TlsError::Timeout { .. },
            ..
        }
    );
    assert!(expected, "{stalled:?}");
}
