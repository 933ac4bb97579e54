//! Requests whose drive is erased between their judgement and their execution; full queues; writes
//! for which something is looked up first; and, in `urgency`, priorities and times.

mod urgency;

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use bytes::Bytes;
use kinetic_proto::schema::Command;
use kinetic_proto::{FrameDecoder, Limits, MessageType, Received, StatusCode};
use kinetic_store::disk::{Disk, MemoryDisk};

use super::*;
use crate::auth::{Channel, FACTORY_KEY, Identity, IdentityTable};
use crate::device::{Device, Medium, Ports};
use crate::limits::{LOOK_AHEAD_INLINE, MANY_KEYS_COST};
use crate::net::buffers::inbox::Known;
use crate::net::workers::Staff;
use crate::ram_drive::{body, command, entry, frame, medium, policy};
use crate::session::manner::Manner;

fn executor() -> Executor {
    executor_on(medium())
}

fn executor_on(medium: Medium) -> Executor {
    let drive = Arc::new(Drive {
        device: Device::new(medium, Ports::default(), Limits::default(), policy()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
        batches: Arc::default(),
    });
    let clock = Clock::start();
    let (workers, _handles) = Workers::start(&drive, Staff::of_tests(), clock).unwrap();
    Executor::new(drive, workers, clock, Session::new(1, Channel::Plain))
}

fn decoded(command: &Command, value: &[u8]) -> Frame {
    let mut bytes = frame(command, value);
    let frame = FrameDecoder::default().decode(&mut bytes).unwrap();
    frame.unwrap()
}

impl Executor {
    fn judged(&mut self, command: &Command, value: &[u8]) -> Step {
        let drive = Arc::clone(&self.drive);
        self.session.receive(&drive, &decoded(command, value), 0)
    }

    fn judged_put(&mut self, sequence: u64) -> (Route, Write) {
        let entry = kinetic_proto::schema::command::KeyValue {
            force: Some(true),
            ..entry(b"key")
        };
        let put = command(sequence, MessageType::PUT, body(entry));
        match self.judged(&put, b"old") {
            Step::Write(route, write) => (route, write),
            other => panic!("{other:?}"),
        }
    }

    /// The statuses of all answers, in their order.
    fn answered(&mut self) -> Vec<StatusCode> {
        let answers = self.acknowledged().into_iter();
        answers.map(|(_, code)| code).collect()
    }

    /// The sequences and statuses of all answers, in their order.
    fn acknowledged(&mut self) -> Vec<(u64, StatusCode)> {
        let mut sent = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while !self.outbox.is_empty() {
            let written = self.outbox.poll_write(&mut sent, &mut context);
            assert!(written.is_ready());
        }
        let (mut sent, mut codes) = (bytes::BytesMut::from(&sent[..]), Vec::new());
        let mut decoder = FrameDecoder::default();
        while let Some(frame) = decoder.decode(&mut sent).unwrap() {
            let received = Received::decode(&frame.message).unwrap();
            if !received.is_unsolicited() {
                let sequence = received.ack_sequence().unwrap_or_default();
                codes.push((sequence, received.status_code()));
            }
        }
        codes
    }

    /// Waits for news, then does what that allows.
    async fn go_on(&mut self) {
        let inbox = Arc::clone(self.inbox());
        let known = Known::Running;
        let news = std::future::poll_fn(|context| inbox.poll(context, &known));
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, news).await.unwrap();
        self.collect();
        let _maybe_more_is_waited_for = self.resume();
        self.kick();
    }

    fn erase(&self) {
        self.drive.device.medium.erase(b"", &|_| ()).unwrap();
    }

    fn is_empty(&self) -> bool {
        let store = self.drive.device.store().unwrap();
        store.get(b"key", Effort::Disk).is_err()
    }
}

#[test]
fn a_write_that_was_judged_before_an_erase_is_not_done_after_it() {
    let mut executor = executor();
    let (route, write) = executor.judged_put(1);
    executor.erase();
    assert_eq!(executor.write(Waiting::of(route, 3), write), Flow::Go);
    assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    assert!(executor.is_idle() && executor.is_empty());
}

#[test]
fn a_write_that_was_held_when_the_drive_was_erased_is_not_done_after_it() {
    let mut executor = executor();
    let (route, write) = executor.judged_put(1);
    let epoch = route.epoch;
    let commit = Commit {
        mutations: write.mutations,
        durability: write.durability,
        priority: Priority::NORMAL,
        token: executor.pending.insert(Waiting::of(route, 3)),
        completion: completion(&executor.inbox),
    };
    let state = State::Ready;
    executor.upcoming.push(UpcomingWrite {
        commit,
        epoch,
        due_us: None,
        state,
    });
    executor.erase();
    assert_eq!(executor.resume(), Flow::Go);
    assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    assert!(executor.is_idle() && executor.is_empty());
    // What is asked from now on is done again.
    let (route, write) = executor.judged_put(2);
    assert_eq!(executor.write(Waiting::of(route, 3), write), Flow::Go);
    assert!(!executor.is_idle());
}

#[test]
fn a_read_that_was_held_when_the_drive_was_locked_meanwhile_is_refused() {
    for kind in [MessageType::GET, MessageType::GETKEYRANGE] {
        let mut executor = executor();
        let range = kinetic_proto::schema::command::Body {
            range: Some(kinetic_proto::schema::command::Range {
                start_key: Some(Bytes::from_static(b"a")),
                end_key: Some(Bytes::from_static(b"z")),
                max_returned: Some(1),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = match kind {
            MessageType::GET => body(entry(b"key")),
            _ => Some(range),
        };
        let Step::Read(route, read) = executor.judged(&command(1, kind, body), b"") else {
            panic!("{kind} is a read")
        };
        executor.held = Some(Held::Read(route, read));
        executor.erase();
        assert_eq!(executor.resume(), Flow::Go);
        assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    }
}

#[tokio::test]
async fn a_write_that_finds_the_queue_full_goes_on_when_the_store_tells_of_room() {
    let mut executor = executor();
    let (route, _write) = executor.judged_put(1);
    let mut sent = 0_u64;
    let mut flow = Flow::Go;
    // Nothing gets the commits under way but the store's own threads.
    while flow == Flow::Go && sent < 1000 {
        sent += 1;
        let mutation = kinetic_store::Mutation::Put {
            key: Bytes::copy_from_slice(&sent.to_be_bytes()),
            value: Bytes::from_static(&[7; 1 << 20]),
            attributes: kinetic_store::Attributes::default(),
            expected: kinetic_store::Expected::Any,
        };
        let write = Write {
            mutations: vec![mutation],
            durability: kinetic_store::Durability::WriteBack,
        };
        flow = executor.write(Waiting::of(route.clone(), 3), write);
    }
    assert!(flow == Flow::Wait && executor.is_holding(), "{sent}");
    assert!(sent > 8, "a lone connection has half of the queue: {sent}");
    while executor.is_holding() {
        executor.go_on().await;
    }
}

/// A disk of which nothing is ever in memory. Who reads or writes it waits while the gate is held.
struct Cold(MemoryDisk, Arc<Gate>);

#[derive(Default)]
pub(in crate::net) struct Gate {
    pub(in crate::net) reads: Mutex<()>,
    pub(in crate::net) waiting: AtomicUsize,
    /// How many reads there were.
    reads_begun: AtomicUsize,
    /// So many more of them fail then.
    failing: AtomicUsize,
    writes: Mutex<()>,
    writing: AtomicUsize,
}

impl Disk for Cold {
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.0.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.reads_begun.fetch_add(1, Ordering::SeqCst);
        self.1.waiting.fetch_add(1, Ordering::SeqCst);
        drop(self.1.reads.lock());
        self.1.waiting.fetch_sub(1, Ordering::SeqCst);
        let (order, less) = (Ordering::SeqCst, |left: usize| left.checked_sub(1));
        if self.1.failing.fetch_update(order, order, less).is_ok() {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.read_at(offset, buffer)
    }

    fn try_read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<bool> {
        Ok(false)
    }

    fn write_at(&self, offset: u64, parts: &[io::IoSlice<'_>]) -> io::Result<()> {
        self.1.writing.fetch_add(1, Ordering::SeqCst);
        drop(self.1.writes.lock());
        self.1.writing.fetch_sub(1, Ordering::SeqCst);
        self.0.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.discard(offset, length)
    }
}

/// On a drive whose index lies on the disk and nowhere else, with `key` stored as version `one`.
fn cold_executor() -> Executor {
    gated_executor(&Arc::default())
}

/// The same, whose reads of the disk wait at a gate.
pub(in crate::net) fn gated_executor(gate: &Arc<Gate>) -> Executor {
    let disk = MemoryDisk::new(256 << 20);
    let options = kinetic_store::FormatOptions {
        uuid: [1; 16],
        entropy: [7; 32],
        zone_size: None,
    };
    kinetic_store::format(&disk, &options).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Cold(disk, Arc::clone(gate)));
    let open = || Medium::open(Arc::clone(&disk), kinetic_store::Options::default()).unwrap();
    let medium = open();
    let inbox = Arc::<Inbox>::default();
    let put = kinetic_store::Mutation::Put {
        key: "key".into(),
        value: "old".into(),
        attributes: kinetic_store::Attributes::new(b"one", b"", None),
        expected: kinetic_store::Expected::Any,
    };
    let commit = Commit {
        mutations: vec![put],
        durability: kinetic_store::Durability::WriteThrough,
        priority: Priority::NORMAL,
        token: 1,
        completion: completion(&inbox),
    };
    let store = medium.store().unwrap();
    let _ticket = store.submit(commit).unwrap();
    store.kick();
    let mut done = Vec::new();
    while done.is_empty() {
        std::thread::yield_now();
        inbox.take(&mut done);
    }
    let asked = store.optimize();
    while !store.is_optimized(asked) {
        std::thread::yield_now();
    }
    drop(store);
    assert!(medium.stop());
    drop(medium);
    executor_on(open())
}

fn versioned_put(sequence: u64, old: &'static [u8], new: &'static [u8]) -> Command {
    let entry = kinetic_proto::schema::command::KeyValue {
        db_version: Some(Bytes::from_static(old)),
        new_version: Some(Bytes::from_static(new)),
        ..entry(b"key")
    };
    command(sequence, MessageType::PUT, body(entry))
}

#[tokio::test]
async fn what_the_writer_will_look_up_is_read_before_a_write_is_queued_and_order_is_kept() {
    let mut executor = cold_executor();
    let forced = kinetic_proto::schema::command::KeyValue {
        force: Some(true),
        new_version: Some(Bytes::from_static(b"three")),
        ..entry(b"key")
    };
    let requests = [
        versioned_put(1, b"one", b"two"),
        // It needs no look and waits for the one before it all the same.
        command(2, MessageType::PUT, body(forced)),
        versioned_put(3, b"two", b"four"),
        versioned_put(4, b"three", b"five"),
    ];
    for request in &requests {
        assert_eq!(executor.execute(&decoded(request, b"new"), 0), Flow::Go);
    }
    assert!(
        !executor.upcoming.is_empty(),
        "nothing was looked up before"
    );
    let get = command(5, MessageType::GETVERSION, body(entry(b"key")));
    assert_eq!(executor.execute(&decoded(&get, b""), 0), Flow::Wait);
    while !executor.is_idle() {
        executor.go_on().await;
    }
    let success = StatusCode::SUCCESS;
    let mut codes = executor.answered();
    codes.sort_unstable_by_key(|code| *code != success);
    assert_eq!(
        codes,
        [
            success,
            success,
            success,
            success,
            StatusCode::VERSION_MISMATCH
        ]
    );
    let store = executor.drive.device.store().unwrap();
    let stored = store.metadata(b"key", Effort::Cached).unwrap();
    assert_eq!(stored.attributes.version(), b"five");
    assert_eq!(store.status().writer_reads, 0);
}

#[tokio::test]
async fn a_write_that_was_looking_ahead_when_the_drive_was_erased_is_not_done_after_it() {
    let mut executor = cold_executor();
    let put = versioned_put(1, b"", b"two");
    assert_eq!(executor.execute(&decoded(&put, b"new"), 0), Flow::Go);
    assert!(!executor.is_idle() && !executor.upcoming.is_empty());
    executor.erase();
    while !executor.is_idle() {
        executor.go_on().await;
    }
    assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    assert!(executor.is_empty());
}

fn checked(keys: impl Iterator<Item = Bytes>) -> Commit {
    let delete = |key| kinetic_store::Mutation::Delete {
        key,
        expected: kinetic_store::Expected::Version(Bytes::from_static(b"one")),
    };
    Commit {
        mutations: keys.map(delete).collect(),
        durability: kinetic_store::Durability::WriteBack,
        priority: Priority::NORMAL,
        token: 1,
        completion: completion(&Arc::<Inbox>::default()),
    }
}

#[test]
fn no_more_keys_are_looked_for_on_the_connections_task_than_the_limit_says() {
    let batch = || {
        let keys = (0_u32..100).map(|number| Bytes::copy_from_slice(&number.to_be_bytes()));
        checked(keys)
    };
    let executor = executor();
    let epoch = Some(executor.drive.device.store().unwrap().epoch());
    let unread = executor.unread(&batch(), epoch);
    assert_eq!(unread.len(), 100 - LOOK_AHEAD_INLINE);
    let cold = cold_executor();
    let epoch = Some(cold.drive.device.store().unwrap().epoch());
    let keys = [&b"key"[..], b"a", b"b"].map(Bytes::from_static);
    assert_eq!(cold.unread(&checked(keys.iter().cloned()), epoch), keys);
}

#[tokio::test]
async fn a_write_whose_look_ahead_finds_no_room_waits_for_some_and_the_writer_reads_nothing() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    let closed = gate.reads.lock().unwrap();
    let epoch = Some(executor.drive.device.store().unwrap().epoch());
    let other = Arc::<Inbox>::default();
    let fill = || {
        let job = Job {
            task: Task::LookAhead(vec![Bytes::from_static(b"key")]),
            manner: Manner::default(),
            length: Length::Short,
            claim: None,
            epoch,
            token: 1,
            inbox: Arc::clone(&other),
        };
        executor.workers.readers.submit(Box::new(job))
    };
    fill().unwrap();
    while gate.waiting.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    while fill().is_ok() {}
    let [first, second] = [
        versioned_put(1, b"one", b"two"),
        versioned_put(2, b"two", b"three"),
    ];
    for request in [&first, &second] {
        assert_eq!(executor.execute(&decoded(request, b"new"), 0), Flow::Go);
    }
    assert_eq!(executor.resume(), Flow::Go);
    assert!(
        !executor.upcoming.is_empty(),
        "nothing waits for the readers"
    );
    drop(closed);
    while !executor.is_idle() {
        executor.go_on().await;
    }
    assert_eq!(executor.answered(), [StatusCode::SUCCESS; 2]);
    let store = executor.drive.device.store().unwrap();
    assert_eq!(store.status().writer_reads, 0);
}
