//! The TLS handshake: the drive's certificate against what the caller trusts.
//!
//! Guarantees: TLS 1.2 or 1.3; whoever completes the handshake holds the key of the certificate
//! whose fingerprint is returned; a refusal names that fingerprint. Not here: the deadline.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
};

use crate::error::TlsError;
use crate::trust::{Fingerprint, Trust};

/// Makes a stream one under TLS; `host` is the name or address that was connected to.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &str,
    trust: &Trust,
) -> Result<(TlsStream<TcpStream>, Fingerprint), TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(trust, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Handshake(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(server_name(host, trust)?, stream).await;
    let stream = stream.map_err(read_error)?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().ok_or(TlsError::NoCertificate)?;
    let fingerprint = Fingerprint::of(certificate);
    Ok((stream, fingerprint))
}

/// The name that the drive is told, and that its certificate must have where authorities decide.
fn server_name(host: &str, trust: &Trust) -> Result<ServerName<'static>, TlsError> {
    match (ServerName::try_from(host.to_owned()), trust) {
        (Ok(name), _) => Ok(name),
        (Err(_), Trust::Authorities(_)) => Err(TlsError::Name(host.to_owned())),
        // An address is not told, and nobody compares it.
        (Err(_), _) => Ok(ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())),
    }
}

/// What the standard library's error of the handshake stands for.
fn read_error(error: io::Error) -> TlsError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let Some(inner) = inner else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => TlsError::HungUp,
            _ => TlsError::Io(error),
        };
    };
    match inner {
        Error::InvalidMessage(_) => TlsError::NotTls,
        Error::InvalidCertificate(CertificateError::Other(OtherError(distrust))) => {
            match distrust.downcast_ref::<Distrust>() {
                Some(distrust) => distrust.to_error(),
                None => TlsError::Handshake(inner.to_string()),
            }
        }
        other => TlsError::Handshake(other.to_string()),
    }
}

/// Decides about the certificate, and then has the signatures of the handshake checked, so that
/// a copied certificate without its key is of no use to anybody.
#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Judge {
    Authorities(Arc<WebPkiServerVerifier>),
    Fingerprints(Vec<Fingerprint>),
    Anybody,
}

/// Why a certificate was refused, on its way through the TLS library.
#[derive(Debug, thiserror::Error)]
#[error("the certificate {found} is not trusted")]
struct Distrust {
    found: Fingerprint,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Authority(String),
    Other(Vec<Fingerprint>),
}

impl Distrust {
    fn to_error(&self) -> TlsError {
        let found = self.found;
        match &self.reason {
            Reason::Authority(reason) => TlsError::Untrusted {
                found,
                reason: reason.clone(),
            },
            Reason::Other(expected) => TlsError::WrongFingerprint {
                found,
                expected: expected.clone(),
            },
        }
    }

    fn to_tls(found: Fingerprint, reason: Reason) -> Error {
        let distrust = Self { found, reason };
        CertificateError::Other(OtherError(Arc::new(distrust))).into()
    }
}

impl Verifier {
    fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let judge = match trust {
            Trust::Authorities(authorities) => {
                let roots = Arc::clone(&authorities.roots);
                let built =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
                let built = built.build();
                Judge::Authorities(built.map_err(|error| TlsError::Handshake(error.to_string()))?)
            }
            Trust::Fingerprints(known) => Judge::Fingerprints(known.clone()),
            // Plain connections do not come here.
            Trust::Anybody | Trust::Plain => Judge::Anybody,
        };
        Ok(Self {
            judge,
            provider: Arc::clone(provider),
        })
    }
}

/// Why authorities do not vouch for a certificate.
fn reason(error: &Error) -> String {
    match error {
        // The library that verifies has no type of its own in what it tells.
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))
            if cause.to_string() == "CaUsedAsEndEntity" =>
        {
            "it is made for an authority (CA:TRUE), not for a drive; make one with `openssl req \
             -x509 -addext basicConstraints=critical,CA:FALSE ...`, or trust this one by its \
             fingerprint"
                .to_owned()
        }
        other => other.to_string(),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(certificate);
        match &self.judge {
            Judge::Authorities(authorities) => authorities
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map_err(|error| Distrust::to_tls(found, Reason::Authority(reason(&error)))),
            Judge::Fingerprints(known) if !known.contains(&found) => {
                Err(Distrust::to_tls(found, Reason::Other(known.clone())))
            }
            Judge::Fingerprints(_) | Judge::Anybody => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
