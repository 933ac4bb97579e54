//! A disk that fills up or fails under a running drive: the production server over a simulated one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::schema::command::{KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_server::device::Medium;
use kinetic_server::{Config, Server};
use kinetic_simulator::SimDisk;
use kinetic_simulator::disk::SyncFailure;
use kinetic_store::{FormatOptions, Options};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::Door;
use kinetic_tests::tls::Version;
use tokio::runtime::Runtime;

use crate::{KEPT, KEPT_VALUE, serves};

const DISK_BYTES: u64 = 256 << 20;

/// A server in this process, over a disk that breaks on command.
pub(crate) struct Patient {
    pub(crate) disk: SimDisk,
    plain: SocketAddr,
    server: Server,
    runtime: Runtime,
}

/// With an empty drive on it.
pub(crate) fn disk() -> SimDisk {
    let disk = SimDisk::new(DISK_BYTES, 7).expect("a simulated disk");
    let options = FormatOptions {
        uuid: [1; 16],
        entropy: [2; 32],
        zone_size: None,
    };
    kinetic_store::format(&disk, &options).expect("an empty drive");
    disk
}

impl Patient {
    pub(crate) fn start(disk: SimDisk) -> Self {
        let medium = Medium::open(Arc::new(disk.clone()), Options::default());
        let medium = medium.expect("a drive");
        let runtime = Runtime::new().expect("a runtime");
        let started = runtime.block_on(Server::start(medium, Config::local()));
        let server = started.expect("a server");
        Self {
            disk,
            plain: server.plain_addr(),
            server,
            runtime,
        }
    }

    fn talk(&self) -> Conversation {
        Conversation::begin(self.plain).expect("a hello")
    }

    pub(crate) fn talk_tls(&self) -> Conversation {
        let tls = self.server.tls_addr().expect("a port for TLS");
        Conversation::begin(Door::Tls(tls, Version::Tls13)).expect("a hello")
    }

    /// Stops it; whether everything is on the disk.
    pub(crate) fn stop(self) -> bool {
        let drive = Arc::clone(self.server.drive());
        self.runtime.block_on(self.server.stop());
        drive.device.medium.stop()
    }
}

fn put(talk: &mut Conversation, number: u32, synchronization: Synchronization) -> Reply {
    let entry = KeyValue {
        force: Some(true),
        synchronization: Some(synchronization.into()),
        ..key_only(&number.to_be_bytes())
    };
    talk.ask_entry(MessageType::PUT, entry, &value(number))
}

fn value(number: u32) -> Bytes {
    Bytes::from(vec![number.to_le_bytes(); 1000].concat())
}

/// Asks until it is done, at most so long; waiting is in the asking itself.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline for a server that runs in real time"
)]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(20),
            "{what} did not come in {waited:?}"
        );
    }
}

#[test]
fn a_full_host_is_no_space_nothing_acknowledged_is_lost_and_it_goes_on_when_there_is_room() {
    let patient = Patient::start(disk());
    let mut talk = patient.talk();
    talk.put(KEPT, KEPT_VALUE).success();
    let mut acknowledged = Vec::new();
    for number in 0..10 {
        put(&mut talk, number, Synchronization::Writethrough).success();
        acknowledged.push(number);
    }
    // In the middle of what comes now the host has no room, for as long as it takes.
    patient.disk.fail_writes(3, u64::MAX);
    let mut refused = 0;
    for number in 10..40 {
        let reply = put(&mut talk, number, Synchronization::Writethrough);
        match reply.code() {
            StatusCode::SUCCESS => acknowledged.push(number),
            code => {
                assert_eq!(code, StatusCode::NO_SPACE, "{}", reply.text());
                assert!(!reply.text().is_empty());
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "only {refused} refused");
    // Reads go on, and other connections too.
    let mut other = patient.talk();
    assert_eq!(&*other.get(KEPT).success().value, KEPT_VALUE);
    for &number in &acknowledged {
        let reply = other.get(&number.to_be_bytes()).success();
        assert_eq!(reply.value, value(number));
    }

    patient.disk.clear_faults();
    until("room", || {
        put(&mut talk, 100, Synchronization::Writethrough).code() == StatusCode::SUCCESS
    });
    acknowledged.push(100);
    serves(patient.plain);
    drop((talk, other));
    let disk = patient.disk.clone();
    assert!(patient.stop(), "not everything is on the disk");

    // What was acknowledged is there after the next start, refused keys are old or absent.
    let patient = Patient::start(disk);
    serves(patient.plain);
    let mut talk = patient.talk();
    for number in acknowledged {
        let reply = talk.get(&number.to_be_bytes()).success();
        assert_eq!(reply.value, value(number));
    }
}

#[test]
fn a_failed_sync_makes_the_drive_read_only_and_it_says_so() {
    let patient = Patient::start(disk());
    let mut talk = patient.talk();
    talk.put(KEPT, KEPT_VALUE).success();
    patient.disk.fail_sync(1, SyncFailure::LosesAll);
    let reply = put(&mut talk, 1, Synchronization::Writethrough);
    assert_eq!(reply.code(), StatusCode::INTERNAL_ERROR, "{}", reply.text());
    for synchronization in [Synchronization::Writethrough, Synchronization::Writeback] {
        let reply = put(&mut talk, 2, synchronization);
        assert_eq!(reply.code(), StatusCode::INTERNAL_ERROR, "{}", reply.text());
        assert!(reply.text().contains("read-only"), "{}", reply.text());
    }
    let delete = talk.ask(MessageType::DELETE, about(key_only(KEPT)), &[]);
    assert_eq!(delete.code(), StatusCode::INTERNAL_ERROR);
    let flush = talk.ask(MessageType::FLUSHALLDATA, about(key_only(b"")), &[]);
    assert_ne!(
        flush.code(),
        StatusCode::SUCCESS,
        "a flush that flushed nothing"
    );
    // Reading works, here and for others.
    assert_eq!(&*talk.get(KEPT).success().value, KEPT_VALUE);
    let mut other = patient.talk();
    assert_eq!(&*other.get(KEPT).success().value, KEPT_VALUE);
    // The write that was not acknowledged may be there or not; what was is.
    assert!(other.ask_range_of_all().iter().any(|key| key == KEPT));
    other.noop().success();
    // Stopping it says that not everything is on the disk.
    drop((talk, other));
    assert!(!patient.stop(), "it claims that everything is on the disk");
}

#[test]
fn a_sector_that_cannot_be_read_is_a_permanent_data_error_and_the_drive_goes_on() {
    let disk = disk();
    let patient = Patient::start(disk.clone());
    let mut talk = patient.talk();
    talk.put(KEPT, KEPT_VALUE).success();
    put(&mut talk, 1, Synchronization::Writethrough).success();
    drop(talk);
    assert!(patient.stop());

    let patient = Patient::start(disk);
    let mut talk = patient.talk();
    patient.disk.fail_reads(0, DISK_BYTES);
    let reply = talk.get(&1_u32.to_be_bytes());
    // What lies in memory may still be served; what is served is right.
    match reply.code() {
        StatusCode::SUCCESS => assert_eq!(reply.value, value(1)),
        code => assert_eq!(code, StatusCode::PERM_DATA_ERROR, "{}", reply.text()),
    }
    talk.noop().success();
    patient.disk.clear_faults();
    assert_eq!(talk.get(&1_u32.to_be_bytes()).success().value, value(1));
    serves(patient.plain);
}
