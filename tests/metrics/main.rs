//! Metrics and health: that the text is valid, that each figure moves when its cause does and only
//! then, and that documents and dashboard speak of what there is.
//!
//! The drive is the production server in this process, over a disk that breaks on command; what
//! flags do is tested with a real process.

mod http;

mod format;

mod documents;
mod memory;
mod moves;
mod port;
mod states;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{KeyValue, Synchronization};
use kinetic_server::config::MetricsListen;
use kinetic_server::device::Medium;
use kinetic_server::{Config, Server};
use kinetic_simulator::SimDisk;
use kinetic_store::disk::Disk;
use kinetic_store::{FormatOptions, Options};
use kinetic_tests::conversation::{Conversation, Reply, key_only};
use kinetic_tests::raw::Door;
use kinetic_tests::tls::Version;
use tokio::runtime::Runtime;

use format::Scrape;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in this process that is watched, over a disk that breaks on command.
struct Watched {
    disk: SimDisk,
    server: Server,
    metrics: SocketAddr,
    runtime: Runtime,
}

/// What a drive of these tests is told.
struct Told {
    options: Options,
    config: Config,
}

impl Default for Told {
    fn default() -> Self {
        let options = Options::default();
        let config = Config {
            metrics: Some(MetricsListen(SocketAddr::from(([127, 0, 0, 1], 0)))),
            // PINs that are quick to check.
            pin_rounds: 1,
            ..Config::local()
        };
        Self { options, config }
    }
}

/// A disk with an empty drive on it.
fn empty_drive() -> SimDisk {
    let disk = SimDisk::new(256 << 20, 7).expect("a simulated disk");
    let options = FormatOptions {
        uuid: [1; 16],
        entropy: [2; 32],
        zone_size: None,
    };
    kinetic_store::format(&disk, &options).expect("an empty drive");
    disk
}

impl Watched {
    fn start() -> Self {
        Self::told(Told::default())
    }

    /// A new drive that is told this.
    fn told(told: Told) -> Self {
        let disk = empty_drive();
        Self::over(Arc::new(disk.clone()), disk, told)
    }

    /// The same over a disk that stands before the simulated one.
    fn over(front: Arc<dyn Disk>, disk: SimDisk, told: Told) -> Self {
        let medium = Medium::open(front, told.options).expect("a drive");
        let runtime = Runtime::new().expect("a runtime");
        let started = runtime.block_on(Server::start(medium, told.config));
        let server = started.expect("a server");
        let metrics = server.metrics_addr().expect("a port for metrics");
        Self {
            disk,
            server,
            metrics,
            runtime,
        }
    }

    fn talk(&self) -> Conversation {
        Conversation::begin(self.server.plain_addr()).expect("a hello")
    }

    fn tls(&self) -> SocketAddr {
        self.server.tls_addr().expect("a port for TLS")
    }

    fn talk_tls(&self) -> Conversation {
        Conversation::begin(Door::Tls(self.tls(), Version::Tls13)).expect("a hello")
    }

    fn scrape(&self) -> Scrape {
        let answer = http::get(self.metrics, "/metrics");
        assert_eq!(answer.code, 200, "{}", answer.body);
        Scrape::of(&answer.body)
    }

    /// Scrapes until this is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a deadline for a server that runs in real time"
    )]
    fn until(&self, what: &str, mut is_so: impl FnMut(&Scrape) -> bool) -> Scrape {
        let start = std::time::Instant::now();
        loop {
            let scrape = self.scrape();
            if is_so(&scrape) {
                return scrape;
            }
            assert!(start.elapsed() < PATIENCE, "{what} did not come");
        }
    }

    /// What changes in the figures from before `act` to after it, but for the host's.
    fn moved<T>(&self, act: impl FnOnce() -> T) -> (T, BTreeMap<String, f64>) {
        let before = self.scrape();
        let done = act();
        (done, self.scrape().since(&before))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The server must not wait for threads of a store that is gone.
        let _stopped = self.server.drive().device.medium.stop();
        let _in_the_runtime = self.runtime.enter();
    }
}

/// Puts by force, on the disk before the answer.
fn put(talk: &mut Conversation, key: &[u8], value: &[u8]) -> Reply {
    let entry = KeyValue {
        force: Some(true),
        synchronization: Some(Synchronization::Writethrough.into()),
        ..key_only(key)
    };
    talk.ask_entry(MessageType::PUT, entry, &Bytes::copy_from_slice(value))
}

/// A series by its name and labels.
fn series(moved: &BTreeMap<String, f64>, name: &str) -> f64 {
    moved.get(name).copied().unwrap_or(0.0)
}
