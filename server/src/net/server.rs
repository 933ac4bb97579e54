//! The running server: listens, lets connections in, and brings all of it to an end.
//!
//! Guarantees: the factory key is not served beyond this machine unless that was asked for; a
//! stopped server has answered what had arrived, or given up on it after the drain time, and has
//! ended its threads. Stopping the medium is up to whoever opened it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::clock::{Clock, epoch_ms};
use super::heartbeat::announce;
use super::host::{Host, Sampler};
use super::reception::{Door, Guest, Hall, Reception, tls};
use super::surroundings::labour::AtWork;
use super::surroundings::{Doors, Labour, Surroundings};
use super::watch::{Watched, watch};
use super::workers::{Staff, Workers};
use crate::auth::IdentityTable;
use crate::certificate::{Certificate, CertificateError};
use crate::config::heartbeat::Heartbeat;
use crate::config::{Config, Exposed, MetricsListen, TlsListen};
use crate::device::opaque::Opaque;
use crate::device::settings::TlsPair;
use crate::device::{Device, Medium, Ports};
use crate::limits::{ACCEPT_PAUSE_MS, GUESTS};
use crate::ops::get_log::warnings;
use crate::session::Drive;

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
    reception: Reception,
    stop: oneshot::Sender<()>,
    /// Hears that a client has told the drive to shut down.
    asked: Arc<Notify>,
    accepting: tokio::task::JoinHandle<()>,
    sampler: Sampler,
    staff: Vec<AtWork>,
}

/// A server under way: its listeners, with what is to be said of them.
struct Opened {
    listeners: Vec<(TcpListener, Door)>,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    ports: Ports,
}

impl Server {
    /// Listens and serves the drive on this medium until it is stopped. Needs a tokio runtime.
    pub async fn start(medium: Medium, config: Config) -> Result<Self, StartError> {
        Self::start_in(medium, config, Surroundings::default()).await
    }

    /// The same in other surroundings than a machine of its own.
    pub async fn start_in(
        medium: Medium,
        config: Config,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        config.refuse_exposure(&medium.settings())?;
        let labour = surroundings.labour;
        let opened = Opened::doors(&config, surroundings.doors).await?;
        let metrics = match config.metrics {
            None => None,
            Some(address) => Some(metrics_door(address).await?),
        };
        let (drive, asked) = drive_on(medium, &config, &opened);
        let acceptor = match opened.tls {
            None => None,
            Some(address) => Some(tls_door(&drive, (&config, labour), address).await?),
        };
        let host = Host::here(config.host_disk);
        let sampler = Sampler::start(&drive, labour, host).map_err(StartError::Thread)?;
        let clock = Clock::start();
        let staff = Staff {
            labour,
            reading: config.read_threads,
            peers: config.peers.clone(),
            dial: surroundings.dial,
        };
        let (workers, staff) = Workers::start(&drive, staff, clock).map_err(StartError::Thread)?;
        let first = surroundings.first_connection;
        let hall = Arc::new(Hall {
            drive: Arc::clone(&drive),
            workers,
            registry: Arc::default(),
            clock,
            config,
            acceptor,
            next_id: AtomicI64::new(first.unwrap_or_else(epoch_ms)),
        });
        let watching = metrics.map(|door| watching(&hall, door));
        let announcing = announcing(&hall, opened.plain);
        let (stop, stopped) = oneshot::channel();
        let (guests, coming) = mpsc::channel(GUESTS);
        let reception = Reception::of(&hall, guests);
        let accepting = tokio::spawn(accept(opened.listeners, hall, (coming, stopped)));
        Ok(Self {
            plain: opened.plain,
            tls: opened.tls,
            watching,
            announcing,
            drive,
            reception,
            stop,
            asked,
            accepting,
            sampler,
            staff,
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

    /// Where connections can be handed to it, beside its own doors.
    #[must_use]
    pub fn reception(&self) -> Reception {
        self.reception.clone()
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
        self.sampler.stop().await;
        AtWork::join(self.staff).await;
    }

    /// Ends as the process would if it were killed: every connection is cut off, nothing more is
    /// answered, and the store is let go without a last sync.
    pub async fn abort(self) {
        self.accepting.abort();
        // It has ended, which is what was wanted.
        let _ = self.accepting.await;
        let watching = self.watching.map(|(_, watching)| watching);
        for task in watching.into_iter().chain(self.announcing) {
            task.abort();
            let _ = task.await;
        }
        self.staff.iter().for_each(AtWork::abort);
        self.drive.device.medium.let_go();
        self.sampler.stop().await;
        AtWork::join(self.staff).await;
    }
}

impl Opened {
    /// The doors of a server that is to be.
    async fn doors(config: &Config, doors: Doors) -> Result<Self, StartError> {
        let wanted = match config.tls_listen {
            TlsListen::Off => None,
            TlsListen::At(address) => Some(address),
        };
        if let Doors::Given(ports) = doors {
            let at = |address: SocketAddr, port: Option<u16>| {
                SocketAddr::new(address.ip(), port.unwrap_or(address.port()))
            };
            return Ok(Self {
                listeners: Vec::new(),
                plain: at(config.listen, ports.plain),
                tls: wanted.map(|address| at(address, ports.tls)),
                ports,
            });
        }
        let (listener, plain) = listen(config.listen).await?;
        let mut listeners = vec![(listener, Door::Plain)];
        let tls = match wanted {
            None => None,
            Some(address) => {
                let (listener, address) = listen(address).await?;
                listeners.push((listener, Door::Tls));
                Some(address)
            }
        };
        let ports = Ports {
            plain: Some(plain.port()),
            tls: tls.map(|address| address.port()),
        };
        Ok(Self {
            listeners,
            plain,
            tls,
            ports,
        })
    }
}

/// The drive, and what hears that a client wants it to shut down.
fn drive_on(medium: Medium, config: &Config, opened: &Opened) -> (Arc<Drive>, Arc<Notify>) {
    let limits = config.limits(&medium);
    let drive = Arc::new(Drive {
        identities: IdentityTable::of(&medium.settings(), &config.factory_key),
        device: Device::new(medium, opened.ports, limits, config.policy()),
        batches: Arc::default(),
    });
    let asked = Arc::<Notify>::default();
    let ask = Arc::clone(&asked);
    drive.device.on_stop(move || ask.notify_one());
    let note = format!("listening on {}", opened.plain);
    drive.device.messages.note(&note);
    for warning in warnings(&drive.device) {
        tracing::warn!("{warning}");
    }
    (drive, asked)
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

/// The TLS door, with the certificate that was given or the drive's own.
async fn tls_door(
    drive: &Arc<Drive>,
    (config, labour): (&Config, Labour),
    at: SocketAddr,
) -> Result<TlsAcceptor, StartError> {
    let certificate = match &config.certificate {
        Some(given) => Arc::clone(given),
        None => {
            let drive = Arc::clone(drive);
            let own = labour.carry(move || own_certificate(&drive.device, at));
            let ended = || StartError::Thread(io::ErrorKind::Interrupted.into());
            Arc::new(own.await.ok_or_else(ended)??)
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
    (mut coming, mut stopped): (mpsc::Receiver<Guest>, oneshot::Receiver<()>),
) {
    let mut connections = JoinSet::new();
    let mut first = 0;
    let mut tidying = std::pin::pin!(hall.workers.pushes.clone().keep_tidy());
    loop {
        tokio::select! {
            // The same way each time, for whoever runs many servers by a seed.
            biased;
            _ = &mut stopped => break,
            () = &mut tidying => {}
            Some(ended) = connections.join_next() => log_panic(ended),
            Some(guest) = coming.recv() => {
                connections.spawn(guest);
            }
            (accepted, served) = next(&doors, first) => match accepted {
                Ok((stream, peer)) => {
                    first = served + 1;
                    if let Some((_listener, door)) = doors.get(served) {
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%peer, %error, "no TCP_NODELAY");
                        }
                        if let Some(guest) = hall.receive(stream, peer, *door) {
                            connections.spawn(guest);
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            },
        }
    }
    drop((doors, coming));
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
