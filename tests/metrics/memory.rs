//! What the drive says of itself comes from memory: it is said while the disk does nothing at all.

use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex};

use kinetic_proto::schema::command::{Body, GetLog, KeyValue};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_simulator::SimDisk;
use kinetic_store::disk::Disk;
use kinetic_tests::conversation::{about, key_only};

use crate::{PATIENCE, Told, Watched, empty_drive, http};

/// A disk that stands still while it is held.
#[derive(Clone)]
struct HeldDisk {
    disk: SimDisk,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    held: bool,
    waiting: usize,
}

impl HeldDisk {
    fn set(&self, held: bool) {
        let (gate, changed) = &*self.gate;
        gate.lock().expect("a sound lock").held = held;
        changed.notify_all();
    }

    /// Waits until somebody waits for the disk.
    fn is_asked(&self) {
        let (gate, changed) = &*self.gate;
        let gate = gate.lock().expect("a sound lock");
        let (gate, waited) = changed
            .wait_timeout_while(gate, PATIENCE, |gate| gate.waiting == 0)
            .expect("a sound lock");
        drop(gate);
        assert!(!waited.timed_out(), "nobody asks the disk for anything");
    }

    fn is_held(&self) -> bool {
        self.gate.0.lock().expect("a sound lock").held
    }

    fn wait(&self) {
        let (gate, changed) = &*self.gate;
        let mut gate = gate.lock().expect("a sound lock");
        gate.waiting += 1;
        changed.notify_all();
        let mut gate = changed
            .wait_while(gate, |gate| gate.held)
            .expect("a sound lock");
        gate.waiting -= 1;
    }
}

impl Disk for HeldDisk {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.wait();
        self.disk.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        if self.is_held() {
            return Ok(false);
        }
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.wait();
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.wait();
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.wait();
        self.disk.discard(offset, length)
    }
}

#[test]
fn logs_metrics_and_health_are_told_while_the_disk_stands_still() {
    let disk = HeldDisk {
        disk: empty_drive(),
        gate: Arc::default(),
    };
    let watched = Watched::over(Arc::new(disk.clone()), disk.disk.clone(), Told::default());
    let (mut writer, mut asker) = (watched.talk(), watched.talk());
    writer.put(b"key", b"value").success();
    disk.set(true);
    let put = about(KeyValue {
        force: Some(true),
        ..key_only(b"key")
    });
    writer.send(MessageType::PUT, put, &vec![7; 1 << 20]);
    disk.is_asked();
    let mut third = watched.talk();
    let small = about(KeyValue {
        force: Some(true),
        ..key_only(b"small")
    });
    third.send(MessageType::PUT, small, b"value");
    let queued = watched.until("a commit in the queue", |now| {
        now.value("kinetic_commit_queue_commits") == 1.0
    });
    assert!(queued.value("kinetic_commit_queue_bytes") > 5.0);
    for kind in 0..=6 {
        let log = GetLog {
            types: vec![kind],
            ..GetLog::default()
        };
        let body = Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        };
        let reply = asker.ask(MessageType::GETLOG, body, &[]);
        assert_eq!(reply.code(), StatusCode::SUCCESS, "{kind}");
    }
    assert_eq!(http::get(watched.metrics, "/health").code, 200);
    let scrape = watched.scrape();
    let answered = |kind| format!("kinetic_request_duration_seconds_count{{type=\"{kind}\"}}");
    assert_eq!(scrape.value(&answered("GETLOG")), 7.0);
    assert_eq!(
        scrape.value(&answered("PUT")),
        1.0,
        "the second waits for the disk"
    );
    disk.set(false);
    assert_eq!(writer.answer().code(), StatusCode::SUCCESS);
    assert_eq!(third.answer().code(), StatusCode::SUCCESS);
    let empty = watched.scrape();
    assert_eq!(empty.value("kinetic_commit_queue_commits"), 0.0);
    assert_eq!(empty.value("kinetic_commit_queue_bytes"), 0.0);
}

/// Reads that one connection has in the queue while the disk stands still.
const READS: usize = 10;

#[test]
fn reads_that_wait_for_a_thread_are_told() {
    let disk = HeldDisk {
        disk: empty_drive(),
        gate: Arc::default(),
    };
    let mut told = Told::default();
    told.config.read_threads = 1;
    told.options.value_cache_bytes = 0;
    let watched = Watched::over(Arc::new(disk.clone()), disk.disk.clone(), told);
    let mut talk = watched.talk();
    talk.put(b"key", &[7; 1000]).success();
    disk.set(true);
    for _read in 0..=READS {
        talk.send(MessageType::GET, about(key_only(b"key")), &[]);
    }
    watched.until("reads in the queue", |now| {
        now.value("kinetic_disk_reads_queued") == READS as f64
    });
    disk.set(false);
    for _read in 0..=READS {
        assert_eq!(talk.answer().value.len(), 1000);
    }
    assert_eq!(watched.scrape().value("kinetic_disk_reads_queued"), 0.0);
}

#[test]
fn what_connections_hold_in_memory_is_told() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    talk.put(b"key", &vec![7; 1 << 20]).success();
    for _answer in 0..24 {
        // Nobody takes the answers.
        talk.send(MessageType::GET, about(key_only(b"key")), &[]);
    }
    watched.until("bytes that nobody takes", |now| {
        now.value("kinetic_buffered_bytes") > 1e6
    });
    drop(talk);
    watched.until("their end", |now| {
        now.value("kinetic_buffered_bytes") == 0.0
    });
}
