//! Hostile: bytes, peers, images and disks as they should not be, one test for each.
//!
//! What must come of it: an error that says what is wrong, nothing lost that was acknowledged, and
//! a drive that goes on serving others. [`Target::still_serves`] asks for the last after each act.

mod disks;
mod offline;

mod damage;
mod export;
mod frames;
mod images;
mod peers;
mod requests;
mod settings;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::{Drive, DriveError};
use kinetic_tests::raw::{Door, RawConnection};
use kinetic_tests::tls::Version;
use tempfile::TempDir;

/// A drive with one entry, gone with this value.
struct Target {
    drive: Drive,
    image: PathBuf,
    _folder: TempDir,
}

/// How long a drive may take to stop whatever its peers do: the ten seconds that it gives them, and
/// as long again for the disk of a loaded machine.
const STOP_BOUND: Duration = Duration::from_secs(20);

/// The key of that entry.
const KEPT: &[u8] = b"kept";
/// Its value.
const KEPT_VALUE: &[u8] = b"must not be lost";

impl Target {
    fn new() -> Self {
        Self::on(|image| Drive::start(image, &["--size", "256MiB"]))
    }

    /// One with these settings in its configuration file.
    fn with_settings(settings: &str) -> Self {
        Self::on(|image| {
            let file = image.with_extension("toml");
            fs::write(&file, settings).expect("a configuration file");
            let file = file.to_string_lossy();
            Drive::start(image, &["--size", "256MiB", "--config", &file])
        })
    }

    fn on(start: impl FnOnce(&Path) -> Result<Drive, DriveError>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the image");
        let image = folder.path().join("drive.img");
        let drive = start(&image).expect("a running drive");
        let target = Self {
            drive,
            image,
            _folder: folder,
        };
        target.talk().put(KEPT, KEPT_VALUE).success();
        target
    }

    fn talk(&self) -> Conversation {
        Conversation::begin(self.drive.plain()).expect("a hello")
    }

    /// A conversation over TLS, with which a drive can be locked and erased.
    fn talk_tls(&self) -> Conversation {
        Conversation::begin(Door::Tls(self.drive.tls(), Version::Tls13)).expect("a hello")
    }

    /// A connection whose hello was taken off the line.
    fn connect(&self) -> RawConnection {
        let (connection, _) =
            RawConnection::connect_and_greet(self.drive.plain()).expect("a hello");
        connection
    }

    /// Another client reads what was stored, and stores and reads.
    fn still_serves(&self) {
        serves(self.drive.plain());
    }

    /// Stops the drive by SIGTERM while `meanwhile` runs, and starts it on the same image.
    fn restarted(self, meanwhile: impl FnOnce() + Send) -> Self {
        let Self {
            drive,
            image,
            _folder,
        } = self;
        let status = std::thread::scope(|scope| {
            let others = scope.spawn(meanwhile);
            let (status, took) = timed(|| drive.stop().expect("a drive that stops"));
            assert!(took < STOP_BOUND, "the drive took {took:?} to stop");
            others.join().expect("what peers see of the stop");
            status
        });
        assert!(status.success(), "{status}");
        let drive = Drive::start(&image, &[]).expect("a running drive");
        Self {
            drive,
            image,
            _folder,
        }
    }

    /// The most bytes of memory that the drive's process ever had.
    fn peak_memory_bytes(&self) -> u64 {
        self.memory_bytes("VmHWM:")
    }

    /// The time that processors have spent on the drive so far.
    fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.drive.id());
        let stat = fs::read_to_string(path).expect("the drive's process lives");
        // Behind the name, which may hold anything: the 12th and 13th are in user and system.
        let (_, behind) = stat.rsplit_once(')').expect("a name");
        let ticks = behind.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|number| number.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// What the kernel says of the memory of the drive's process.
    fn memory_bytes(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.drive.id());
        let status = fs::read_to_string(path).expect("the drive's process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = number.and_then(|text| text.parse().ok()).expect("a number");
        kibibytes << 10
    }
}

/// Does something; how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a real drive keeps its peers waiting"
)]
fn timed<R>(act: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    let done = act();
    (done, begun.elapsed())
}

/// A healthy client is served, and what was stored before is there.
fn serves(drive: SocketAddr) {
    let mut talk = Conversation::begin(drive).expect("a hello");
    assert_eq!(&*talk.get(KEPT).success().value, KEPT_VALUE);
    talk.put(b"after", b"all is well").success();
    assert_eq!(&*talk.get(b"after").success().value, b"all is well");
}
