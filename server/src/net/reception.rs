//! Letting connections in: from the server's own doors, and from whoever stands before it.
//!
//! Guarantees: no more connections than were configured; each ends with the server, drained or cut
//! off. Whoever holds a [`Reception`] keeps nothing alive.
//! Not here: listening (`server`), and what a connection does (`connection`). In a file of its own:
//! handshakes (`tls`).

pub(super) mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::clock::Clock;
use super::connection::Connection;
use super::executor::Executor;
use super::registry::Registry;
use super::workers::Workers;
use crate::auth::Channel;
use crate::config::Config;
use crate::device::statistics::Incident;
use crate::limits::LINGER_MS;
use crate::session::unsolicited::Farewell;
use crate::session::{Drive, Session};

/// How a connection comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// As it is.
    Plain,
    /// With a TLS handshake first.
    Tls,
    /// As one under TLS, of which whoever hands it over has taken care.
    Secured,
}

/// The server does not take a connection: it stops, or has no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server takes no connection by this door: it stops, or it serves no TLS")]
pub struct NotAdmitted;

/// Where connections can be handed to a server that runs.
#[derive(Debug, Clone)]
pub struct Reception {
    hall: Weak<Hall>,
    guests: mpsc::Sender<Guest>,
}

/// A connection to its end.
pub(super) type Guest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What every connection gets.
pub(super) struct Hall {
    pub(super) drive: Arc<Drive>,
    pub(super) workers: Workers,
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) next_id: AtomicI64,
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hall")
            .field("open", &self.registry.len())
            .finish_non_exhaustive()
    }
}

impl Reception {
    pub(super) fn of(hall: &Arc<Hall>, guests: mpsc::Sender<Guest>) -> Self {
        Self {
            hall: Arc::downgrade(hall),
            guests,
        }
    }

    /// Hands a connection over, which is then served to its end like any other. Where it is not
    /// admitted, it is closed by being dropped.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub async fn admit<S>(&self, stream: S, peer: SocketAddr, door: Door) -> Result<(), NotAdmitted>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hall = self.hall.upgrade().ok_or(NotAdmitted)?;
        let guest = hall.receive(stream, peer, door).ok_or(NotAdmitted)?;
        // Nobody keeps the server's threads while this waits.
        drop(hall);
        self.guests.send(guest).await.map_err(|_ended| NotAdmitted)
    }
}

impl Hall {
    /// What is to be done with a connection, if anything.
    pub(super) fn receive<S>(&self, stream: S, peer: SocketAddr, door: Door) -> Option<Guest>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (channel, accepted, refused) = match door {
            Door::Plain => (
                Channel::Plain,
                Incident::AcceptedPlain,
                Incident::RefusedPlain,
            ),
            Door::Tls | Door::Secured => {
                (Channel::Tls, Incident::AcceptedTls, Incident::RefusedTls)
            }
        };
        let acceptor = match door {
            Door::Tls => Some(self.acceptor.clone()?),
            Door::Plain | Door::Secured => None,
        };
        let limit = self.config.max_connections;
        let incidents = &self.drive.device.incidents;
        if self.registry.len() >= limit as usize {
            incidents.count(refused);
            tracing::warn!(%peer, limit, "refused: too many connections");
            let told = acceptor.is_none();
            return told.then(|| -> Guest {
                Box::pin(refuse(stream, Farewell::TooManyConnections(limit)))
            });
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        incidents.count(accepted);
        let session = Session::new(id, channel);
        let (drive, workers) = (Arc::clone(&self.drive), self.workers.clone());
        let executor = Executor::new(drive, workers, self.clock, session).of_peer(peer.ip());
        let entry = self.registry.enter(id, executor.inbox());
        let connection = Connection {
            stream,
            peer,
            executor,
            entry,
            clock: self.clock,
            write_stall: self.config.write_stall,
        };
        Some(match acceptor {
            None => Box::pin(connection.serve()),
            Some(acceptor) => {
                let drive = Arc::clone(&self.drive);
                Box::pin(serve_tls(acceptor, connection, drive))
            }
        })
    }
}

/// Shakes hands, then serves.
async fn serve_tls<S>(acceptor: TlsAcceptor, connection: Connection<S>, drive: Arc<Drive>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let peer = connection.peer;
    let inbox = Arc::clone(connection.executor.inbox());
    match tls::shake_hands(acceptor, connection.stream, &inbox).await {
        Ok(stream) => {
            let connection = Connection {
                stream,
                peer,
                executor: connection.executor,
                entry: connection.entry,
                clock: connection.clock,
                write_stall: connection.write_stall,
            };
            connection.serve().await;
        }
        Err(error) => {
            drive.device.incidents.count(Incident::FailedHandshake);
            tracing::warn!(%peer, %error, "closed before it was a connection");
        }
    }
}

/// Tells a peer why it is not let in.
async fn refuse<S: AsyncWrite + Unpin>(mut stream: S, farewell: Farewell) {
    let mut out = BytesMut::new();
    farewell.encode(&mut out);
    let tell = async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    };
    // It is refused whether it hears it or not.
    let _ = timeout(Duration::from_millis(LINGER_MS), tell).await;
}
