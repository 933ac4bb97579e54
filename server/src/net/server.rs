//! The running server: listens, lets connections in, and brings all of it to an end.
//!
//! Guarantees: the factory key is not served beyond this machine unless that was asked for; a
//! stopped server has answered what had arrived, or given up on it after the drain time, and has
//! ended its threads. Stopping the medium is up to whoever opened it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use kinetic_proto::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::clock::{Clock, epoch_ms};
use super::connection::Connection;
use super::executor::Executor;
use super::host::Sampler;
use super::readers::Readers;
use super::registry::Registry;
use crate::auth::{Channel, Identity, IdentityTable};
use crate::config::{Config, FactoryKeyReach};
use crate::device::{Device, Medium, Ports};
use crate::limits::{ACCEPT_PAUSE_MS, LINGER_MS};
use crate::session::unsolicited::Farewell;
use crate::session::{Drive, Session};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}{}", advice(.source, *.address))]
    Listen {
        /// The address as it was given.
        address: SocketAddr,
        /// What the host reported.
        source: io::Error,
    },
    /// Anybody who reaches the port would own the drive.
    #[error(
        "{0} can be reached from other machines, and identity 1 has the key that everybody knows: \
         give it another with --factory-key, listen on 127.0.0.1, or accept that whoever reaches \
         the port owns the drive with --insecure-factory"
    )]
    FactoryKeyExposed(SocketAddr),
    /// A thread could not be started.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

fn advice(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another program has port {}: stop it, or take another port with --listen",
            address.port()
        ),
        io::ErrorKind::AddrNotAvailable => {
            "; this machine does not have that address: see `ip address`".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 are for root: take a higher one with --listen".to_owned()
        }
        _ => String::new(),
    }
}

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    plain: SocketAddr,
    drive: Arc<Drive>,
    stop: oneshot::Sender<()>,
    accepting: tokio::task::JoinHandle<()>,
    sampler: Sampler,
    threads: Vec<JoinHandle<()>>,
}

/// What every connection gets.
struct Hall {
    drive: Arc<Drive>,
    readers: Readers,
    registry: Arc<Registry>,
    clock: Clock,
    config: Config,
    next_id: AtomicI64,
}

impl Server {
    /// Listens and serves the drive on this medium until it is stopped. Needs a tokio runtime.
    pub async fn start(medium: Medium, config: Config) -> Result<Self, StartError> {
        let address = config.listen;
        if config.has_factory_key() {
            let reach = config.factory_key_reach;
            if !address.ip().is_loopback() && reach == FactoryKeyReach::ThisMachine {
                return Err(StartError::FactoryKeyExposed(address));
            }
            tracing::warn!("identity 1 has the factory key, which everybody knows");
        }
        let refused = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let plain = listener.local_addr().map_err(refused)?;
        let ports = Ports {
            plain: Some(plain.port()),
            tls: None,
        };
        let limits = Limits {
            max_connections: Some(config.max_connections),
            ..Limits::default()
        };
        let drive = Arc::new(Drive {
            device: Device::new(medium, ports, limits),
            identities: IdentityTable::new([Identity::factory(&config.factory_key)]),
        });
        drive.device.messages.note(&format!("listening on {plain}"));
        let sampler = Sampler::start(&drive).map_err(StartError::Thread)?;
        let (readers, threads) =
            Readers::start(&drive, config.read_threads).map_err(StartError::Thread)?;
        let hall = Arc::new(Hall {
            drive: Arc::clone(&drive),
            readers,
            registry: Arc::default(),
            clock: Clock::start(),
            config,
            next_id: AtomicI64::new(epoch_ms()),
        });
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, hall, stopped));
        Ok(Self {
            plain,
            drive,
            stop,
            accepting,
            sampler,
            threads,
        })
    }

    /// Where the plain listener listens, with its real port.
    #[must_use]
    pub fn plain_addr(&self) -> SocketAddr {
        self.plain
    }

    /// The drive that it serves.
    #[must_use]
    pub fn drive(&self) -> &Arc<Drive> {
        &self.drive
    }

    /// Stops accepting, answers what has arrived, closes every connection, ends all threads.
    pub async fn stop(self) {
        // If nobody listens the task has ended already.
        let _ = self.stop.send(());
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "the listener ended by itself");
        }
        let (sampler, threads) = (self.sampler, self.threads);
        let ended = tokio::task::spawn_blocking(move || {
            sampler.stop();
            for thread in threads {
                // A thread that panicked has said so on stderr already.
                let _ = thread.join();
            }
        });
        let _ = ended.await;
    }
}

/// Lets connections in until told to stop, then sees them out.
async fn accept(listener: TcpListener, hall: Arc<Hall>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = connections.join_next() => log_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&hall, &mut connections, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            },
        }
    }
    drop(listener);
    hall.registry.stop();
    let drained = timeout(hall.config.drain, async {
        while let Some(ended) = connections.join_next().await {
            log_panic(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(
            left = connections.len(),
            "connections cut off: they did not drain in time"
        );
        connections.shutdown().await;
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended by a fault of the drive");
    }
}

fn admit(hall: &Arc<Hall>, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let limit = hall.config.max_connections;
    if hall.registry.len() >= limit as usize {
        tracing::warn!(%peer, limit, "refused: too many connections");
        connections.spawn(refuse(stream, Farewell::TooManyConnections(limit)));
        return;
    }
    let id = hall.next_id.fetch_add(1, Ordering::Relaxed);
    let session = Session::new(id, Channel::Plain);
    let (drive, readers) = (Arc::clone(&hall.drive), hall.readers.clone());
    let executor = Executor::new(drive, readers, hall.clock, session);
    let entry = hall.registry.enter(id, executor.inbox());
    let connection = Connection {
        stream,
        peer,
        executor,
        entry,
        clock: hall.clock,
        write_stall: hall.config.write_stall,
    };
    connections.spawn(connection.serve());
}

/// Tells a peer why it is not let in.
async fn refuse(mut stream: TcpStream, farewell: Farewell) {
    let mut out = BytesMut::new();
    farewell.encode(&mut out);
    let tell = async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    };
    // It is refused whether it hears it or not.
    let _ = timeout(Duration::from_millis(LINGER_MS), tell).await;
}
