//! The running server: listens, lets connections in, and brings all of it to an end.
//!
//! Guarantees: the factory key is not served beyond this machine unless that was asked for; a
//! stopped server has answered what had arrived, or given up on it after the drain time, and has
//! ended its threads. Stopping the medium is up to whoever opened it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::clock::{Clock, epoch_ms};
use super::connection::Connection;
use super::executor::Executor;
use super::heartbeat::announce;
use super::host::{Host, Sampler};
use super::registry::Registry;
use super::tls;
use super::watch::{Watched, watch};
use super::workers::Workers;
use crate::auth::{Channel, IdentityTable};
use crate::certificate::{Certificate, CertificateError};
use crate::config::heartbeat::Heartbeat;
use crate::config::{Config, Exposed, MetricsListen, TlsListen};
use crate::device::opaque::Opaque;
use crate::device::settings::TlsPair;
use crate::device::statistics::Incident;
use crate::device::{Device, Medium, Ports};
use crate::limits::{ACCEPT_PAUSE_MS, LINGER_MS};
use crate::ops::get_log::warnings;
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
    /// Anybody who reaches a port could do harm.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// There is no certificate for the TLS port.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate is of no use.
    #[error("TLS cannot be served with this certificate and key: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// A thread could not be started.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

fn advice(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another program has port {}: stop it, or take another port with --listen, \
             --tls-listen or --metrics",
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
    tls: Option<SocketAddr>,
    watching: Option<(SocketAddr, tokio::task::JoinHandle<()>)>,
    announcing: Option<tokio::task::JoinHandle<()>>,
    drive: Arc<Drive>,
    stop: oneshot::Sender<()>,
    /// Hears that a client has told the drive to shut down.
    asked: Arc<Notify>,
    accepting: tokio::task::JoinHandle<()>,
    sampler: Sampler,
    threads: Vec<JoinHandle<()>>,
}

/// What every connection gets.
struct Hall {
    drive: Arc<Drive>,
    workers: Workers,
    registry: Arc<Registry>,
    clock: Clock,
    config: Config,
    next_id: AtomicI64,
}

impl Server {
    /// Listens and serves the drive on this medium until it is stopped. Needs a tokio runtime.
    pub async fn start(medium: Medium, config: Config) -> Result<Self, StartError> {
        config.refuse_exposure(&medium.settings())?;
        let (listener, plain) = listen(config.listen).await?;
        let tls = match config.tls_listen {
            TlsListen::Off => None,
            TlsListen::At(address) => Some(listen(address).await?),
        };
        let (tls_listener, tls) = tls.unzip();
        let metrics = match config.metrics {
            None => None,
            Some(address) => Some(metrics_door(address).await?),
        };
        let ports = Ports {
            plain: Some(plain.port()),
            tls: tls.map(|address| address.port()),
        };
        let limits = config.limits(&medium);
        let drive = Arc::new(Drive {
            identities: IdentityTable::of(&medium.settings(), &config.factory_key),
            device: Device::new(medium, ports, limits, config.policy()),
            batches: Arc::default(),
        });
        let asked = Arc::<Notify>::default();
        let ask = Arc::clone(&asked);
        drive.device.on_stop(move || ask.notify_one());
        drive.device.messages.note(&format!("listening on {plain}"));
        for warning in warnings(&drive.device) {
            tracing::warn!("{warning}");
        }
        let mut doors = vec![(listener, Door::Plain)];
        if let Some((listener, address)) = tls_listener.zip(tls) {
            let acceptor = tls_door(&drive, &config, address).await?;
            doors.push((listener, Door::Tls(acceptor)));
        }
        let sampler =
            Sampler::start(&drive, Host::here(config.host_disk)).map_err(StartError::Thread)?;
        let clock = Clock::start();
        let hands = (config.read_threads, config.peers.clone());
        let (workers, threads) =
            Workers::start(&drive, hands, clock).map_err(StartError::Thread)?;
        let hall = Arc::new(Hall {
            drive: Arc::clone(&drive),
            workers,
            registry: Arc::default(),
            clock,
            config,
            next_id: AtomicI64::new(epoch_ms()),
        });
        let watching = metrics.map(|door| watching(&hall, door));
        let announcing = announcing(&hall, plain);
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(doors, hall, stopped));
        Ok(Self {
            plain,
            tls,
            watching,
            announcing,
            drive,
            stop,
            asked,
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

    /// Where the TLS listener listens, with its real port; `None` without one.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Where metrics are served, with the real port; `None` where they are not.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.watching.as_ref().map(|(address, _)| *address)
    }

    /// The drive that it serves.
    #[must_use]
    pub fn drive(&self) -> &Arc<Drive> {
        &self.drive
    }

    /// Waits until a client has told the drive to shut down.
    pub async fn asked_to_stop(&self) {
        self.asked.notified().await;
    }

    /// Stops accepting, answers what has arrived, closes every connection, ends all threads.
    pub async fn stop(self) {
        // If nobody listens the task has ended already.
        let _ = self.stop.send(());
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "the listener ended by itself");
        }
        let watching = self.watching.map(|(_, watching)| watching);
        for task in watching.into_iter().chain(self.announcing) {
            task.abort();
            // It has ended, which is what was wanted.
            let _ = task.await;
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

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// Where metrics are served. They tell no keys, but whoever reads them knows what the drive does.
async fn metrics_door(wanted: MetricsListen) -> Result<(TcpListener, SocketAddr), StartError> {
    let (listener, address) = listen(wanted.0).await?;
    tracing::info!(metrics = %address, "serving metrics");
    if wanted.is_exposed() {
        tracing::warn!(
            metrics = %address,
            "other machines can read the drive's metrics: there is neither TLS nor a key for them"
        );
    }
    Ok((listener, address))
}

/// Serves metrics and health at this door.
fn watching(
    hall: &Hall,
    (listener, address): (TcpListener, SocketAddr),
) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let watched = Watched {
        drive: Arc::clone(&hall.drive),
        registry: Arc::clone(&hall.registry),
        workers: hall.workers.clone(),
    };
    (address, tokio::spawn(watch(listener, Arc::new(watched))))
}

/// Announces the drive, if it is to be.
fn announcing(hall: &Hall, plain: SocketAddr) -> Option<tokio::task::JoinHandle<()>> {
    let heartbeat = hall.config.heartbeat;
    let drive = Arc::clone(&hall.drive);
    (heartbeat != Heartbeat::Off).then(|| tokio::spawn(announce(drive, heartbeat, plain)))
}

/// What connections come in by.
enum Door {
    Plain,
    Tls(TlsAcceptor),
}

/// The TLS door, with the certificate that was given or the drive's own.
async fn tls_door(
    drive: &Arc<Drive>,
    config: &Config,
    at: SocketAddr,
) -> Result<TlsAcceptor, StartError> {
    let certificate = match &config.certificate {
        Some(given) => Arc::clone(given),
        None => {
            let drive = Arc::clone(drive);
            let own = tokio::task::spawn_blocking(move || own_certificate(&drive.device, at));
            let ended = own.await;
            Arc::new(ended.map_err(|error| StartError::Thread(io::Error::other(error)))??)
        }
    };
    let acceptor = tls::acceptor(&certificate)?;
    let fingerprint = certificate.fingerprint();
    tracing::info!(tls = %at, %fingerprint, "serving TLS");
    let note = format!("listening on {at} for TLS, certificate SHA-256 {fingerprint}");
    drive.device.messages.note(&note);
    Ok(acceptor)
}

/// The certificate that the drive keeps; a new one, kept from now on, if there is none.
fn own_certificate(device: &Device, at: SocketAddr) -> Result<Certificate, CertificateError> {
    if let Some(kept) = &device.medium.settings().tls {
        let (certificate, key) = (kept.certificate.0.clone(), kept.key.0.clone());
        return Ok(Certificate::of_kept(certificate, key));
    }
    let name = format!("kineticd {}", device.names.serial_number);
    let mut reached_by = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if !at.ip().is_unspecified() && !at.ip().is_loopback() {
        reached_by.push(at.ip().to_string());
    }
    let new = Certificate::of_drive(&name, reached_by)?;
    let (certificate, key) = new.to_kept();
    let (certificate, key) = (Opaque(certificate), Opaque(key));
    let kept = device.medium.change(|settings| {
        settings.tls = Some(TlsPair { certificate, key });
        Ok::<(), std::convert::Infallible>(())
    });
    if let Err(error) = kept {
        tracing::warn!(%error, "the certificate is for this start only: it could not be kept");
    }
    Ok(new)
}

/// Lets connections in until told to stop, then sees them out.
async fn accept(
    doors: Vec<(TcpListener, Door)>,
    hall: Arc<Hall>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    let mut first = 0;
    let mut tidying = std::pin::pin!(hall.workers.pushes.clone().keep_tidy());
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = &mut tidying => {}
            Some(ended) = connections.join_next() => log_panic(ended),
            (accepted, served) = next(&doors, first) => match accepted {
                Ok((stream, peer)) => {
                    first = served + 1;
                    if let Some((_listener, door)) = doors.get(served) {
                        admit(&hall, &mut connections, (stream, peer), door);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            },
        }
    }
    drop(doors);
    hall.registry.stop();
    hall.workers.changes.stop();
    hall.workers.pushes.stop();
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

/// The next connection at any door, and which door that is. The first door to look at is the one
/// after the last that was served, so that a crowd at one does not keep the others shut.
async fn next<D>(
    doors: &[(TcpListener, D)],
    first: usize,
) -> (io::Result<(TcpStream, SocketAddr)>, usize) {
    poll_fn(|context| {
        let all = doors.iter().enumerate().cycle();
        let turn = all.skip(first % doors.len().max(1)).take(doors.len());
        for (number, (listener, _door)) in turn {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready((accepted, number));
            }
        }
        Poll::Pending
    })
    .await
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended by a fault of the drive");
    }
}

fn admit(
    hall: &Arc<Hall>,
    connections: &mut JoinSet<()>,
    (stream, peer): (TcpStream, SocketAddr),
    door: &Door,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let limit = hall.config.max_connections;
    let incidents = &hall.drive.device.incidents;
    if hall.registry.len() >= limit as usize {
        incidents.count(match door {
            Door::Plain => Incident::RefusedPlain,
            Door::Tls(_) => Incident::RefusedTls,
        });
        tracing::warn!(%peer, limit, "refused: too many connections");
        if let Door::Plain = door {
            connections.spawn(refuse(stream, Farewell::TooManyConnections(limit)));
        }
        return;
    }
    let id = hall.next_id.fetch_add(1, Ordering::Relaxed);
    let (channel, accepted) = match door {
        Door::Plain => (Channel::Plain, Incident::AcceptedPlain),
        Door::Tls(_) => (Channel::Tls, Incident::AcceptedTls),
    };
    incidents.count(accepted);
    let session = Session::new(id, channel);
    let (drive, workers) = (Arc::clone(&hall.drive), hall.workers.clone());
    let executor = Executor::new(drive, workers, hall.clock, session).of_peer(peer.ip());
    let entry = hall.registry.enter(id, executor.inbox());
    let connection = Connection {
        stream,
        peer,
        executor,
        entry,
        clock: hall.clock,
        write_stall: hall.config.write_stall,
    };
    match door {
        Door::Plain => connections.spawn(connection.serve()),
        Door::Tls(acceptor) => {
            let drive = Arc::clone(&hall.drive);
            connections.spawn(serve_tls(acceptor.clone(), connection, drive))
        }
    };
}

/// Shakes hands, then serves.
async fn serve_tls(acceptor: TlsAcceptor, connection: Connection<TcpStream>, drive: Arc<Drive>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crowd_at_one_door_does_not_keep_the_other_shut() {
        let (mut doors, mut crowd) = (Vec::new(), Vec::new());
        for _door in 0..2 {
            let (listener, address) = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
            for _peer in 0..3 {
                crowd.push(TcpStream::connect(address).await.unwrap());
            }
            doors.push((listener, ()));
        }
        let (mut first, mut served) = (0, Vec::new());
        for _peer in 0..4 {
            let (accepted, door) = next(&doors, first).await;
            accepted.unwrap();
            served.push(door);
            first = door + 1;
        }
        assert_eq!(served, [0, 1, 0, 1]);
    }
}
