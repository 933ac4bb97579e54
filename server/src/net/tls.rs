//! Taking connections in by TLS 1.2 and 1.3.
//!
//! Guarantees: a handshake has [`HANDSHAKE_SECONDS`], counts as a connection while it lasts, and
//! ends when the server stops; who speaks the plain protocol here is told so in the log.
//! Not here: what comes after it (`connection`), and where the certificate comes from.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::buffers::inbox::{Inbox, Known};
use crate::certificate::Certificate;
use crate::limits::HANDSHAKE_SECONDS;

/// First byte of a frame of the plain protocol.
const PLAIN: u8 = b'F';

/// Why a connection did not come to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// It began with a frame.
    #[error("it speaks the plain protocol, and this is the TLS port")]
    Plain,
    /// It took too long; a client of the plain port waits for the hello without a word.
    #[error(
        "no TLS handshake within {HANDSHAKE_SECONDS} s; a client that waits without a word may \
         take this for the plain port"
    )]
    Stalled,
    /// The server stops.
    #[error("the drive is stopping")]
    Stopping,
    /// It failed.
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
}

/// Takes connections in under this certificate.
pub(crate) fn acceptor(certificate: &Certificate) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(certificate.chain().to_vec(), certificate.key().clone_key())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Shakes hands, unless the server stops meanwhile.
pub(crate) async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    inbox: &Inbox,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let shaking = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first == [PLAIN] {
            return Err(HandshakeError::Plain);
        }
        Ok(acceptor.accept(stream).await?)
    };
    let stopping = poll_fn(|context| inbox.poll(context, &Known::Running));
    tokio::select! {
        shaken = timeout(Duration::from_secs(HANDSHAKE_SECONDS), shaking) => {
            shaken.unwrap_or(Err(HandshakeError::Stalled))
        }
        _ = stopping => Err(HandshakeError::Stopping),
    }
}
