//! Taking connections in by TLS 1.2 and 1.3.
//!
//! Guarantees: a handshake has [`HANDSHAKE_SECONDS`], counts as a connection while it lasts, and
//! ends when the server stops; who speaks the plain protocol here is told so in the log.
//! Not here: what comes after it (`connection`), and where the certificate comes from.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::certificate::Certificate;
use crate::limits::HANDSHAKE_SECONDS;
use crate::net::buffers::inbox::{Inbox, Known};

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
pub(crate) async fn shake_hands<S>(
    acceptor: TlsAcceptor,
    stream: S,
    inbox: &Inbox,
) -> Result<TlsStream<Wary<S>>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Wary {
        stream,
        begun: false,
    };
    let shaking = async {
        acceptor.accept(stream).await.map_err(|error| {
            let speaks_plain = error
                .get_ref()
                .is_some_and(|inner| inner.is::<SpeaksPlain>());
            match speaks_plain {
                true => HandshakeError::Plain,
                false => HandshakeError::Failed(error),
            }
        })
    };
    let stopping = poll_fn(|context| inbox.poll(context, &Known::Running));
    tokio::select! {
        biased;
        shaken = timeout(Duration::from_secs(HANDSHAKE_SECONDS), shaking) => {
            shaken.unwrap_or(Err(HandshakeError::Stalled))
        }
        _ = stopping => Err(HandshakeError::Stopping),
    }
}

/// Its first byte was that of a plain frame.
#[derive(Debug, thiserror::Error)]
#[error("a frame of the plain protocol")]
struct SpeaksPlain;

/// A stream that ends where it begins with a plain frame, before anybody answers by an alert.
#[derive(Debug)]
pub(crate) struct Wary<S> {
    stream: S,
    begun: bool,
}

impl<S: AsyncRead + Unpin> AsyncRead for Wary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if !self.begun
            && let Some(first) = buffer.filled().get(before)
        {
            self.begun = true;
            if *first == PLAIN {
                let error = io::Error::new(io::ErrorKind::InvalidData, SpeaksPlain);
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wary<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
