//! Who overtakes whom, and what is given up since its time is over. Nothing here is shown by how
//! long it takes: disk or writer are held while requests queue up, and the order of what comes then
//! counts.

use super::*;

/// A request as its header says how it wants to be done.
fn asked(mut command: Command, priority: i32, timeout_ms: u64) -> Command {
    if let Some(header) = &mut command.header {
        header.priority = Some(priority);
        header.timeout = Some(timeout_ms);
    }
    command
}

fn get(sequence: u64, priority: i32, timeout_ms: u64) -> Command {
    let get = command(sequence, MessageType::GET, body(entry(b"key")));
    asked(get, priority, timeout_ms)
}

fn forced_put(sequence: u64, priority: i32, timeout_ms: u64) -> Command {
    let entry = kinetic_proto::schema::command::KeyValue {
        force: Some(true),
        ..entry(b"key")
    };
    let put = command(sequence, MessageType::PUT, body(entry));
    asked(put, priority, timeout_ms)
}

impl Executor {
    fn start(&mut self, command: &Command, value: &[u8]) -> Flow {
        self.execute(&decoded(command, value), 0)
    }

    async fn settle(&mut self) {
        while !self.is_idle() {
            self.go_on().await;
        }
    }

    /// Another connection to the same drive.
    fn beside(&self) -> Self {
        let (drive, workers) = (Arc::clone(&self.drive), self.workers.clone());
        Self::new(drive, workers, self.clock, Session::new(2, Channel::Plain))
    }
}

fn until(count: &AtomicUsize, wanted: usize) {
    while count.load(Ordering::SeqCst) < wanted {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_highest_read_overtakes_lowest_ones_that_wait_for_the_disk() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    let closed = gate.reads.lock().unwrap();
    // The one thread that reads is with the first one; the others wait.
    assert_eq!(executor.start(&get(1, 1, 0), b""), Flow::Go);
    until(&gate.waiting, 1);
    for sequence in 2..=6 {
        assert_eq!(executor.start(&get(sequence, 1, 0), b""), Flow::Go);
    }
    assert_eq!(executor.start(&get(7, 5, 0), b""), Flow::Go);
    assert_eq!(executor.start(&get(8, 9, 0), b""), Flow::Go);
    drop(closed);
    executor.settle().await;
    let order: Vec<u64> = executor.acknowledged().iter().map(|one| one.0).collect();
    assert_eq!(order, [1, 8, 7, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn what_is_known_to_be_long_makes_way_for_other_reads_of_its_priority() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    let mut put = forced_put(1, 5, 0);
    if let Some(entry) = put.body.as_mut().and_then(|body| body.key_value.as_mut()) {
        entry.key = Some(Bytes::from_static(b"in memory"));
    }
    assert_eq!(executor.start(&put, b"new"), Flow::Go);
    executor.kick();
    executor.settle().await;
    let closed = gate.reads.lock().unwrap();
    assert_eq!(executor.start(&get(2, 5, 0), b""), Flow::Go);
    until(&gate.waiting, 1);
    // More keys than one turn takes, and fewer than two.
    let keys = vec![Bytes::from_static(b"in memory"); crate::limits::KEYS_TURN + 1];
    let list = kinetic_proto::schema::command::KeyList {
        key: keys,
        ..Default::default()
    };
    let body = kinetic_proto::schema::command::Body {
        key_list: Some(list),
        ..Default::default()
    };
    let exists = command(3, MessageType::EXISTS, Some(body));
    assert_eq!(executor.start(&exists, b""), Flow::Go);
    assert_eq!(executor.start(&get(4, 5, 0), b""), Flow::Go);
    executor.acknowledged();
    drop(closed);
    executor.settle().await;
    let order: Vec<u64> = executor.acknowledged().iter().map(|one| one.0).collect();
    assert_eq!(order, [2, 4, 3]);
}

#[tokio::test]
async fn nothing_is_read_any_more_for_a_connection_that_is_gone() {
    let gate = Arc::<Gate>::default();
    let mut leaving = gated_executor(&gate);
    let mut staying = leaving.beside();
    // Too large to be kept in memory: each read of it is one of the disk.
    let value = vec![7; 64 << 10];
    assert_eq!(leaving.start(&forced_put(1, 5, 0), &value), Flow::Go);
    leaving.kick();
    leaving.settle().await;
    let begun = |gate: &Gate| gate.reads_begun.load(Ordering::SeqCst);
    let closed = gate.reads.lock().unwrap();
    assert_eq!(staying.start(&get(1, 5, 0), b""), Flow::Go);
    until(&gate.waiting, 1);
    for sequence in 2..=5 {
        assert_eq!(leaving.start(&get(sequence, 5, 0), b""), Flow::Go);
    }
    leaving.inbox().leave();
    let before = begun(&gate);
    drop(closed);
    staying.settle().await;
    assert_eq!(staying.start(&get(2, 5, 0), b""), Flow::Go);
    staying.settle().await;
    assert_eq!(staying.answered(), [StatusCode::SUCCESS; 2]);
    assert_eq!(begun(&gate) - before, 1);
}

#[tokio::test]
async fn a_highest_write_overtakes_lowest_ones_of_another_connection() {
    let gate = Arc::<Gate>::default();
    let mut bulk = gated_executor(&gate);
    let mut urgent = bulk.beside();
    let closed = gate.writes.lock().unwrap();
    // Somebody is at the log, and waits there for the disk.
    let other = Arc::<Inbox>::default();
    let store = Store::clone(&bulk.drive.device.store().unwrap());
    let mut first = checked(std::iter::empty());
    first.mutations.push(kinetic_store::Mutation::Put {
        key: "other".into(),
        value: "value".into(),
        attributes: kinetic_store::Attributes::default(),
        expected: kinetic_store::Expected::Any,
    });
    first.completion = completion(&other);
    let _ticket = store.submit(first).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| store.kick());
        until(&gate.writing, 1);
        for sequence in 1..=20 {
            assert_eq!(bulk.start(&forced_put(sequence, 1, 0), b"low"), Flow::Go);
        }
        assert_eq!(urgent.start(&forced_put(1, 9, 0), b"high"), Flow::Go);
        drop(closed);
    });
    drop(store);
    bulk.kick();
    urgent.kick();
    bulk.settle().await;
    urgent.settle().await;
    assert_eq!(bulk.answered(), [StatusCode::SUCCESS; 20]);
    assert_eq!(urgent.answered(), [StatusCode::SUCCESS]);
    // What is done last is what stays.
    let store = bulk.drive.device.store().unwrap();
    assert_eq!(store.get(b"key", Effort::Disk).unwrap().value, "low");
}

#[tokio::test]
async fn a_read_whose_time_is_over_before_it_is_begun_is_not_done_and_one_that_is_begun_is() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    let closed = gate.reads.lock().unwrap();
    assert_eq!(executor.start(&get(1, 5, 10), b""), Flow::Go);
    until(&gate.waiting, 1);
    assert_eq!(executor.start(&get(2, 5, 10), b""), Flow::Go);
    assert_eq!(executor.start(&get(3, 5, 0), b""), Flow::Go);
    assert_eq!(executor.next_due_us(), Some(10_000));
    executor.begin_turn(9_999);
    assert!(executor.acknowledged().is_empty());
    executor.begin_turn(10_000);
    assert_eq!(
        executor.acknowledged(),
        [(2, StatusCode::SERVICE_BUSY)],
        "it is told at once, while the disk is as slow as before"
    );
    assert_eq!(executor.next_due_us(), None);
    drop(closed);
    executor.settle().await;
    let left = executor.acknowledged();
    assert_eq!(left, [(1, StatusCode::SUCCESS), (3, StatusCode::SUCCESS)]);
}

#[tokio::test]
async fn a_write_that_waits_for_a_look_is_given_up_in_time_and_those_behind_it_go_on() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    let closed = gate.reads.lock().unwrap();
    let timed = asked(versioned_put(1, b"one", b"two"), 5, 10);
    assert_eq!(executor.start(&timed, b"new"), Flow::Go);
    let behind = versioned_put(2, b"one", b"three");
    assert_eq!(executor.start(&behind, b"new"), Flow::Go);
    // A read waits for both writes, and has its own time.
    assert_eq!(executor.start(&get(3, 5, 10), b""), Flow::Wait);
    executor.begin_turn(10_000);
    let busy = StatusCode::SERVICE_BUSY;
    assert_eq!(executor.acknowledged(), [(1, busy), (3, busy)]);
    drop(closed);
    executor.settle().await;
    assert_eq!(executor.acknowledged(), [(2, StatusCode::SUCCESS)]);
    let store = executor.drive.device.store().unwrap();
    let stored = store.metadata(b"key", Effort::Disk).unwrap();
    assert_eq!(stored.attributes.version(), b"three");
}

#[tokio::test]
async fn a_write_that_is_queued_is_done_however_late_it_is() {
    let mut executor = executor();
    assert_eq!(executor.start(&forced_put(1, 5, 10), b"new"), Flow::Go);
    assert_eq!(executor.next_due_us(), None);
    executor.begin_turn(u64::MAX);
    executor.kick();
    executor.settle().await;
    assert_eq!(executor.acknowledged(), [(1, StatusCode::SUCCESS)]);
}

#[test]
fn a_frame_that_waited_longer_than_its_time_is_not_begun() {
    let mut executor = executor();
    executor.begin_turn(10_000);
    assert_eq!(executor.start(&get(1, 5, 10), b""), Flow::Go);
    assert_eq!(executor.start(&forced_put(2, 5, 10), b"new"), Flow::Go);
    let end = command(3, MessageType::END_BATCH, None);
    assert_eq!(executor.start(&asked(end, 5, 1), b""), Flow::Go);
    let busy = StatusCode::SERVICE_BUSY;
    assert_eq!(executor.acknowledged(), [(1, busy), (2, busy), (3, busy)]);
    // It came at 0, and this one has until 11 ms.
    assert_eq!(executor.start(&get(4, 5, 11), b""), Flow::Go);
    assert_eq!(executor.acknowledged(), [(4, StatusCode::NOT_FOUND)]);
    assert!(executor.is_empty());
}

#[tokio::test]
async fn requests_about_many_keys_have_shorter_turns_and_walks_are_made_by_the_threads() {
    let mut executor = executor();
    for (sequence, kind) in [
        (1, MessageType::GETKEYRANGE),
        (2, MessageType::COUNT),
        (3, MessageType::RANGE_METADATA),
        (4, MessageType::RANGE_DIGEST),
    ] {
        let asked = command(sequence, kind, None);
        assert_eq!(executor.start(&asked, b""), Flow::Go);
        assert_eq!(executor.turn_cost(), MANY_KEYS_COST, "{kind}");
    }
    let success = StatusCode::SUCCESS;
    let at_once = executor.acknowledged();
    assert_eq!(at_once, [(1, success)]);
    executor.settle().await;
    assert_eq!(executor.answered(), [success; 3]);
    assert_eq!(executor.start(&get(5, 5, 0), b""), Flow::Go);
    assert_eq!(executor.turn_cost(), 1);
}

#[test]
fn less_urgent_requests_have_shorter_turns() {
    let mut executor = executor();
    let mut cost = |priority| {
        let noop = command(priority, MessageType::NOOP, None);
        let priority = i32::try_from(priority).unwrap();
        assert_eq!(executor.start(&asked(noop, priority, 0), b""), Flow::Go);
        executor.turn_cost()
    };
    assert!(cost(1) == cost(4) && cost(5) == cost(9));
    assert!(cost(11) == 1 && LESS_URGENT_COST > 1);
}

#[tokio::test]
async fn early_exit_is_one_try_and_says_that_another_may_help() {
    let gate = Arc::<Gate>::default();
    let mut executor = gated_executor(&gate);
    for (sequence, early_exit) in [(1, true), (2, false)] {
        let mut get = get(sequence, 5, 0);
        if let Some(header) = &mut get.header {
            header.early_exit = Some(early_exit);
        }
        gate.failing.store(usize::MAX, Ordering::SeqCst);
        assert_eq!(executor.start(&get, b""), Flow::Go);
        executor.settle().await;
    }
    let (passing, for_good) = (StatusCode::DATA_ERROR, StatusCode::PERM_DATA_ERROR);
    assert_eq!(executor.acknowledged(), [(1, passing), (2, for_good)]);
    // The disk recovers after two tries: the third one is what patience is for.
    gate.failing.store(2, Ordering::SeqCst);
    assert_eq!(executor.start(&get(3, 5, 0), b""), Flow::Go);
    executor.settle().await;
    assert_eq!(executor.acknowledged(), [(3, StatusCode::SUCCESS)]);
}

#[tokio::test]
async fn long_work_answers_what_it_has_when_the_drive_sleeps_or_stops() {
    let stop = |executor: &Executor| executor.inbox().stop();
    let sleep = |executor: &Executor| executor.drive.device.set_power(PowerLevel::Hibernate);
    for end in [stop as fn(&Executor), sleep] {
        let mut executor = executor();
        // Upkeep rests: who waits for it waits until his time is up.
        executor.drive.device.store().unwrap().rest();
        let optimize = command(1, MessageType::MEDIAOPTIMIZE, None);
        let an_hour_ms = 3_600_000;
        let optimize = asked(optimize, 5, an_hour_ms);
        let Step::Read(route, read) = executor.judged(&optimize, b"") else {
            panic!("MEDIAOPTIMIZE is a read")
        };
        end(&executor);
        assert_eq!(executor.read(route, read), Flow::Go);
        executor.settle().await;
        assert_eq!(executor.acknowledged(), [(1, StatusCode::EXPIRED)]);
    }
}

#[tokio::test]
async fn a_long_read_that_is_begun_is_cut_short_when_its_time_is_over() {
    let mut executor = executor();
    let (route, _write) = executor.judged_put(1);
    // More keys that it may not read than one turn passes over.
    let keys = 0..u16::try_from(crate::limits::NEIGHBOURS_TURN + 10).unwrap();
    let put = |number: u16| kinetic_store::Mutation::Put {
        key: Bytes::copy_from_slice(&number.to_be_bytes()),
        value: Bytes::new(),
        attributes: kinetic_store::Attributes::default(),
        expected: kinetic_store::Expected::Any,
    };
    for keys in keys.collect::<Vec<_>>().chunks(2000) {
        let write = Write {
            mutations: keys.iter().copied().map(put).collect(),
            durability: kinetic_store::Durability::WriteBack,
        };
        let waiting = Waiting::of(route.clone(), 0);
        assert_eq!(executor.write(waiting, write), Flow::Go);
    }
    executor.kick();
    executor.settle().await;
    executor.acknowledged();
    let scope = crate::auth::Scope {
        value: Bytes::from_static(b"zz"),
        permissions: [crate::auth::Permission::Read].into_iter().collect(),
        ..Default::default()
    };
    let blind = Identity {
        scopes: vec![scope],
        ..Identity::factory(FACTORY_KEY)
    };
    executor.drive.identities.replace([blind]);
    for (sequence, due_us) in [(2, Some(0)), (3, None)] {
        let next = command(sequence, MessageType::GETNEXT, body(entry(b"")));
        let Step::Read(route, read) = executor.judged(&next, b"") else {
            panic!("GETNEXT is a read")
        };
        let job = Job {
            task: Task::Answer(read),
            manner: Manner {
                due_us,
                ..Manner::default()
            },
            length: Length::Short,
            // It is begun: nobody may give it up any more.
            claim: None,
            epoch: route.epoch,
            token: executor.pending.insert(Waiting::of(route, 0)),
            inbox: Arc::clone(&executor.inbox),
        };
        assert!(executor.workers.readers.submit(Box::new(job)).is_ok());
        executor.settle().await;
    }
    let (expired, done) = (StatusCode::EXPIRED, StatusCode::NOT_FOUND);
    assert_eq!(executor.acknowledged(), [(2, expired), (3, done)]);
}
