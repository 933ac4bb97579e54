//! Ways to peers that are no TCP connections of this machine.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

/// What a connection can run over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A peer, as pushes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is to be reached under TLS. Whoever makes the link decides how it is secured.
    pub tls: bool,
}

/// A link that is being made.
pub type Dialled = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Makes links to peers.
#[derive(Clone)]
pub struct Dial(Arc<dyn Fn(PeerAddress) -> Dialled + Send + Sync>);

impl Dial {
    /// By this function.
    pub fn new(make: impl Fn(PeerAddress) -> Dialled + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn link(&self, peer: PeerAddress) -> Dialled {
        (self.0)(peer)
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Dial")
    }
}
