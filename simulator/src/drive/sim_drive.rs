//! A simulated drive that runs.
//!
//! Guarantees: it serves as `kineticd` does; its address, names and content stay through power cuts
//! and restarts; what is told as durable is there after one, what is not synced is not, in memory;
//! it ends when it is dropped.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kinetic_client::Fingerprint;
use kinetic_server::certificate::Certificate;
use kinetic_server::device::identity::DriveNames;
use kinetic_server::device::{Means, Medium, Ports};
use kinetic_server::entropy;
use kinetic_server::image::{ImageSize, NewImage, disk_at};
use kinetic_server::net::surroundings::{Doors, Labour, Surroundings};
use kinetic_server::{Config, Door, Server};
use kinetic_store::disk::Disk;
use kinetic_store::{FormatOptions, Options, format_as};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::builder::SimDriveBuilder;
use super::error::SimError;
use super::front::Front;
use super::plant::Plant;
use super::power::{Power, PoweredDisk};
use crate::sparse::SparseDisk;

/// A drive in this process, served by the production server on ports of 127.0.0.1.
///
/// ```
/// use kinetic_client::{Client, Config};
/// use kinetic_simulator::SimDrive;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let drive = SimDrive::builder().start().await?;
/// let client = Client::connect(drive.addr(), Config::default()).await?;
/// client.put("greeting", "hello").force().await?;
/// drive.power_cut().await;
/// drive.restart().await?;
/// let client = Client::connect(drive.addr(), Config::default()).await?;
/// let entry = client.get("greeting").await?.expect("it was durable");
/// assert_eq!(entry.value, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SimDrive {
    body: Arc<Body>,
    front: Front,
}

/// The drive, whether it has power or not.
struct Body {
    plant: &'static Plant,
    disk: Arc<dyn Disk>,
    /// The same, where it is memory.
    platter: Option<Arc<SparseDisk>>,
    options: Options,
    config: Config,
    ports: Ports,
    plain: SocketAddr,
    names: DriveNames,
    fingerprint: Option<Fingerprint>,
    running: Mutex<Option<Running>>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body")
            .field("plain", &self.plain)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A drive that has power.
struct Running {
    server: Server,
    power: Arc<Power>,
}

impl SimDriveBuilder {
    /// Starts the drive; on any runtime, or none that tokio knows.
    pub async fn start(self) -> Result<SimDrive, SimError> {
        let plant = Plant::get()?;
        plant.run(SimDrive::start(plant, self)).await
    }

    /// Starts the drive and waits for it, from code that is not asynchronous. In asynchronous code
    /// it holds up whatever else its thread has to do.
    pub fn start_blocking(self) -> Result<SimDrive, SimError> {
        let plant = Plant::get()?;
        plant.run_blocking(SimDrive::start(plant, self))
    }
}

impl SimDrive {
    /// A drive of 4 TB in memory, unless it is told otherwise.
    pub fn builder() -> SimDriveBuilder {
        SimDriveBuilder::new()
    }

    pub(super) async fn start(
        plant: &'static Plant,
        builder: SimDriveBuilder,
    ) -> Result<Self, SimError> {
        let (mut doors, plain) = (Vec::new(), listen().await?);
        let at = plain.local_addr().map_err(SimError::Listen)?;
        doors.push((plain, Door::Plain));
        let mut tls = None;
        if builder.tls {
            let listener = listen().await?;
            let address = listener.local_addr().map_err(SimError::Listen)?;
            tls = Some(address.port());
            doors.push((listener, Door::Tls));
        }
        let mut config = builder.config(at);
        let (options, version) = (builder.options.clone(), builder.cluster_version);
        let made = in_turn(plant, move || make(builder)).await?;
        let names = DriveNames::of(made.uuid);
        config.certificate = match tls {
            Some(_) => Some(SimDriveBuilder::certificate(&names.serial_number)?),
            None => None,
        };
        let own = config.certificate.as_deref().map(Certificate::to_kept);
        let fingerprint = own.map(|(certificate, _key)| Fingerprint::of(&certificate));
        let body = Arc::new(Body {
            plant,
            disk: made.disk,
            platter: made.platter,
            options,
            config,
            ports: Ports {
                plain: Some(at.port()),
                tls,
            },
            plain: at,
            names,
            fingerprint,
            running: Mutex::default(),
        });
        let front = Front::open(doors);
        let drive = Self { body, front };
        drive
            .power_on(Some(version).filter(|version| *version != 0))
            .await?;
        Ok(drive)
    }

    /// Where it serves the plain protocol.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.body.plain
    }

    /// Where it serves TLS, where it does.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        let port = self.body.ports.tls?;
        Some(SocketAddr::new(self.body.plain.ip(), port))
    }

    /// Of its certificate, where it serves TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.body.fingerprint
    }

    /// Its serial number and world wide name.
    #[must_use]
    pub fn names(&self) -> &DriveNames {
        &self.body.names
    }

    /// The key of identity 1, unless somebody has changed it since.
    #[must_use]
    pub fn factory_key(&self) -> &[u8] {
        &self.body.config.factory_key
    }

    /// The cluster version that requests must carry now; `None` while it has no power.
    pub async fn cluster_version(&self) -> Option<i64> {
        let running = self.body.running.lock().await;
        let server = &running.as_ref()?.server;
        Some(server.drive().device.medium.cluster_version())
    }

    /// Whether it has power.
    pub async fn is_on(&self) -> bool {
        self.body.running.lock().await.is_some()
    }

    /// Cuts the power: connections end in the midst of whatever they are at, and of a drive in
    /// memory all is lost that was not synced. An image file keeps what was written, as after a
    /// kill of the process. Without power, connections are accepted and closed.
    pub async fn power_cut(&self) {
        self.front.lead_to(None);
        let body = Arc::clone(&self.body);
        let cut = async move {
            body.cut().await;
            Ok(())
        };
        // It is off, even if the whole runtime is.
        let _ = self.body.plant.run(cut).await;
    }

    /// Power is back: opens the drive again, as `kineticd` would, at the same address. A drive that
    /// has power is stopped in order first.
    pub async fn restart(&self) -> Result<(), SimError> {
        self.stop().await?;
        self.power_on(None).await
    }

    /// Stops it in order: what has arrived is answered, what is written is synced.
    pub async fn stop(&self) -> Result<(), SimError> {
        self.front.lead_to(None);
        let body = Arc::clone(&self.body);
        self.body.plant.run(async move { body.stop().await }).await
    }

    async fn power_on(&self, cluster_version: Option<i64>) -> Result<(), SimError> {
        let body = Arc::clone(&self.body);
        let started = async move {
            let mut running = body.running.lock().await;
            let now = body.boot(cluster_version).await?;
            let reception = now.server.reception();
            *running = Some(now);
            Ok(reception)
        };
        let reception = self.body.plant.run(started).await?;
        self.front.lead_to(Some(reception));
        Ok(())
    }
}

impl Drop for SimDrive {
    fn drop(&mut self) {
        self.front.lead_to(None);
        let body = Arc::clone(&self.body);
        self.body.plant.leave(async move { body.cut().await });
    }
}

impl Body {
    async fn boot(&self, cluster_version: Option<i64>) -> Result<Running, SimError> {
        let power = Power::on();
        let disk: Arc<dyn Disk> = Arc::new(PoweredDisk {
            disk: Arc::clone(&self.disk),
            power: Arc::clone(&power),
        });
        let means = Means {
            hands: Arc::new(self.plant.crew.clone()),
            ..Means::default()
        };
        let options = self.options.clone();
        let medium = in_turn(self.plant, move || {
            let medium = Medium::open_by(disk, options, means)?;
            if let Some(version) = cluster_version {
                medium.change(|settings| {
                    settings.cluster_version = version;
                    Ok::<(), Infallible>(())
                })?;
            }
            Ok(medium)
        });
        let surroundings = Surroundings {
            doors: Doors::Given(self.ports),
            labour: Labour::Pool,
            ..Surroundings::default()
        };
        let server = Server::start_in(medium.await?, self.config.clone(), surroundings).await?;
        Ok(Running { server, power })
    }

    async fn cut(&self) {
        let mut running = self.running.lock().await;
        if let Some(Running { server, power }) = running.take() {
            power.cut();
            if let Some(platter) = &self.platter {
                platter.lose_unsynced();
            }
            server.abort().await;
        }
    }

    async fn stop(&self) -> Result<(), SimError> {
        let mut running = self.running.lock().await;
        let Some(Running { server, power }) = running.take() else {
            return Ok(());
        };
        let drive = Arc::clone(server.drive());
        server.stop().await;
        let flushed = in_turn(self.plant, move || Ok(drive.device.medium.stop())).await?;
        power.cut();
        match flushed {
            true => Ok(()),
            false => Err(SimError::NotFlushed),
        }
    }
}

/// What a drive lies on.
struct Made {
    disk: Arc<dyn Disk>,
    platter: Option<Arc<SparseDisk>>,
    uuid: [u8; 16],
}

fn make(builder: SimDriveBuilder) -> Result<Made, SimError> {
    if let Some(path) = &builder.image {
        let new = NewImage {
            size: ImageSize(builder.capacity),
            seal: builder.seal,
        };
        let (disk, _origin) = disk_at(path, new)?;
        let uuid = kinetic_store::open::slots::choose(&disk)
            .map_err(kinetic_server::device::MediumError::from)?
            .uuid;
        return Ok(Made {
            disk: Arc::new(disk),
            platter: None,
            uuid,
        });
    }
    let uuid = match builder.uuid {
        Some(uuid) => uuid,
        None => random_uuid()?,
    };
    let platter = Arc::new(SparseDisk::new(builder.capacity));
    let options = FormatOptions {
        uuid,
        entropy: entropy::random()?,
        zone_size: None,
    };
    format_as(&*platter, &options, builder.seal)?;
    Ok(Made {
        disk: Arc::<SparseDisk>::clone(&platter),
        platter: Some(platter),
        uuid,
    })
}

/// Does what waits for a disk on a thread for that, few at a time.
async fn in_turn<T: Send + 'static>(
    plant: &'static Plant,
    work: impl FnOnce() -> Result<T, SimError> + Send + 'static,
) -> Result<T, SimError> {
    let _turn = plant.openings.acquire().await;
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(SimError::Ended))
}

async fn listen() -> Result<TcpListener, SimError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    bound.map_err(SimError::Listen)
}

/// A random UUID, RFC 9562 version 4.
fn random_uuid() -> Result<[u8; 16], SimError> {
    let mut uuid: [u8; 16] = entropy::random()?;
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(uuid)
}
