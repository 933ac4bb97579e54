//! The doors of a drive, which stay open when it has no power.
//!
//! Guarantee: the ports are the drive's own from its start to its end. Each connection passes
//! [`pass`] on its way in: faults of links stand there, as a relay between the socket and the
//! server. Whoever comes while nobody serves is turned away.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kinetic_server::{Door, Reception};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::limits::ACCEPT_PAUSE_MS;

/// Who lets connections in, while somebody does.
type Gate = Arc<RwLock<Option<Reception>>>;

/// The doors.
#[derive(Debug)]
pub(super) struct Front {
    gate: Gate,
    tasks: Vec<AbortHandle>,
}

impl Front {
    /// Opens them; on the plant's runtime.
    pub(super) fn open(doors: Vec<(TcpListener, Door)>) -> Self {
        let gate = Gate::default();
        let stand = |(listener, door)| {
            let task = tokio::spawn(stand(listener, door, Arc::clone(&gate)));
            task.abort_handle()
        };
        let tasks = doors.into_iter().map(stand).collect();
        Self { gate, tasks }
    }

    /// Hands connections to this server from now on, or turns them away.
    pub(super) fn lead_to(&self, reception: Option<Reception>) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = reception;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn stand(listener: TcpListener, door: Door, gate: Gate) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let reception = gate.read().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(reception) = reception {
                    pass(stream, (peer, door), &reception).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// The way of a connection to the server.
async fn pass(stream: TcpStream, (peer, door): (SocketAddr, Door), reception: &Reception) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    if let Err(error) = reception.admit(stream, peer, door).await {
        tracing::debug!(%peer, %error, "turned away");
    }
}
