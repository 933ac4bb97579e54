//! Stores in the hands of a crew, and of their owner.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::by_hand::SELDOM_US;
use super::*;
use crate::bells::Listener;
use crate::disk::{Disk, MemoryDisk};
use crate::limits::UNSYNCED_AGE_US;
use crate::{
    Attributes, Commit, CommitError, Completion, Durability, Effort, Expected, FormatOptions,
    Mutation, Options, Priority, Store, format,
};

const ZONE: u32 = 64 << 10;

fn disk() -> Arc<MemoryDisk> {
    let disk = Arc::new(MemoryDisk::new(128 * u64::from(ZONE)));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: [0; 32],
        zone_size: Some(ZONE),
    };
    format(&*disk, &options).unwrap();
    disk
}

fn open(disk: &Arc<MemoryDisk>, boot: u8) -> Store {
    let disk: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(disk);
    Store::open(disk, Options::default(), [boot; 32], None).unwrap()
}

/// Remembers outcomes by token.
#[derive(Default)]
struct Outcomes {
    told: Mutex<BTreeMap<u64, Result<(), CommitError>>>,
    more: Condvar,
}

impl Completion for Outcomes {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        let before = self.told.lock().unwrap().insert(token, outcome);
        assert!(before.is_none(), "told twice");
        self.more.notify_all();
    }
}

impl Outcomes {
    fn len(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// Waits for so many, all of which must be good.
    fn wait_for(&self, count: usize) {
        let told = self.told.lock().unwrap();
        let wait = |told: &mut BTreeMap<u64, _>| told.len() < count;
        let (told, waited) = self
            .more
            .wait_timeout_while(told, Duration::from_secs(60), wait)
            .unwrap();
        assert!(!waited.timed_out(), "{} of {count}", told.len());
        assert!(told.values().all(Result::is_ok), "{told:?}");
    }
}

fn submit(store: &Store, outcomes: &Arc<Outcomes>, token: u64, durability: Durability) {
    let put = Mutation::Put {
        key: Bytes::from(format!("key {token}")),
        value: Bytes::from(vec![7; 1000]),
        attributes: Attributes::default(),
        expected: Expected::Any,
    };
    let completion: Arc<dyn Completion> = Arc::<Outcomes>::clone(outcomes);
    let commit = Commit {
        mutations: if durability == Durability::Flush {
            Vec::new()
        } else {
            vec![put]
        },
        durability,
        priority: Priority::NORMAL,
        token,
        completion,
    };
    store.submit(commit).unwrap();
    store.kick();
}

fn unsynced(store: &Store) -> u64 {
    store.inner.shared.progress().unsynced()
}

/// Threads of this process whose names begin so.
fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|found| found.starts_with(name))
        .count()
}

#[test]
fn a_thousand_stores_share_two_threads() {
    let crew = Crew::start(2, "thousand").unwrap();
    let outcomes = Arc::<Outcomes>::default();
    let mut members = Vec::new();
    for number in 0..1000 {
        let disk = disk();
        let store = open(&disk, 1);
        let member = crew.take_on(&store);
        submit(&store, &outcomes, 3 * number, Durability::WriteThrough);
        submit(&store, &outcomes, 3 * number + 1, Durability::WriteBack);
        submit(&store, &outcomes, 3 * number + 2, Durability::Flush);
        members.push((disk, store, member, 3 * number));
    }
    outcomes.wait_for(3000);
    assert_eq!(threads_named("thousand"), 2);
    for (disk, store, member, token) in members {
        drop(store);
        assert!(member.stop());
        if token % 100 == 0 {
            let store = open(&disk, 2);
            for token in [token, token + 1] {
                let key = format!("key {token}");
                assert!(store.get(key.as_bytes(), Effort::Disk).is_ok(), "{key}");
            }
        }
    }
    drop(crew);
    assert_eq!(threads_named("thousand"), 0);
}

#[test]
fn a_crew_goes_on_with_others_when_a_store_stops_or_is_dropped() {
    let crew = Crew::start(1, "goes-on").unwrap();
    let outcomes = Arc::<Outcomes>::default();
    let disks = [(); 3].map(|()| disk());
    let stores = disks.each_ref().map(|disk| open(disk, 1));
    let mut members: Vec<Member> = stores.iter().map(|store| crew.take_on(store)).collect();
    drop(crew);
    assert!(members.remove(0).stop());
    drop(members.remove(0));
    submit(&stores[2], &outcomes, 1, Durability::WriteThrough);
    outcomes.wait_for(1);
    let closed = stores[0].submit(Commit {
        mutations: Vec::new(),
        durability: Durability::Flush,
        priority: Priority::NORMAL,
        token: 2,
        completion: Arc::<Outcomes>::clone(&outcomes),
    });
    assert!(closed.is_err());
    assert!(members.remove(0).stop());
}

#[test]
fn a_crew_flushes_and_merges_and_syncs_what_has_grown_old() {
    let crew = Crew::start(2, "upkeep").unwrap();
    let disk = disk();
    let options = Options {
        memtable_bytes: 6 << 10,
        unsynced_age_us: 1000,
        ..Options::default()
    };
    let on: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&disk);
    let store = Store::open(on, options, [1; 32], None).unwrap();
    let member = crew.take_on(&store);
    let outcomes = Arc::<Outcomes>::default();
    for token in 0..2000 {
        submit(&store, &outcomes, token, Durability::WriteThrough);
        outcomes.wait_for(usize::try_from(token).unwrap() + 1);
    }
    let status = store.status();
    assert!(status.flushes > 0 && status.merges > 0, "{status:?}");
    submit(&store, &outcomes, 2000, Durability::WriteBack);
    while unsynced(&store) > 0 {
        std::thread::yield_now();
    }
    assert!(store.settle());
    assert!(member.stop());
}

struct ByHand {
    hand: Hand,
    rings: Arc<AtomicUsize>,
    outcomes: Arc<Outcomes>,
}

impl ByHand {
    fn new() -> Self {
        let rings = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&rings);
        let listener: Listener = Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        Self {
            hand: open(&disk(), 1).by_hand(&listener),
            rings,
            outcomes: Arc::default(),
        }
    }

    /// Steps until nothing is wanted at once. When the next step is.
    fn settle(&mut self, now: u64) -> u64 {
        for _ in 0..1000 {
            if let Pace::At(due) = self.hand.step(now) {
                return due;
            }
        }
        panic!("it never rests");
    }
}

#[test]
fn a_store_in_its_owners_hand_tells_when_it_wants_to_be_stepped() {
    let mut drive = ByHand::new();
    let mut now = 0;
    // At rest it wants less and less.
    let mut looks = 0;
    while now < 86_400_000_000 {
        let due = drive.settle(now);
        assert!(due > now && due <= now + SELDOM_US);
        now = due;
        looks += 1;
    }
    assert!(looks < 400, "{looks} looks in a day");
    let rings = drive.rings.load(Ordering::Relaxed);
    let store = drive.hand.store().clone();
    let outcomes = Arc::clone(&drive.outcomes);
    submit(&store, &outcomes, 1, Durability::WriteThrough);
    assert_eq!(outcomes.len(), 0);
    assert!(drive.rings.load(Ordering::Relaxed) > rings);
    assert_eq!(drive.hand.pace(now), Pace::Now);
    drive.settle(now);
    outcomes.wait_for(1);
}

#[test]
fn what_is_unsynced_is_synced_at_its_age_by_the_paces_alone() {
    let mut drive = ByHand::new();
    let mut now = drive.settle(0);
    // Long at rest, so that no look is due soon.
    while now < 3_600_000_000 {
        now = drive.settle(now);
    }
    now += 1;
    let store = drive.hand.store().clone();
    submit(&store, &drive.outcomes, 1, Durability::WriteBack);
    drive.settle(now);
    drive.outcomes.wait_for(1);
    let begun = now;
    assert!(unsynced(&store) > 0);
    while unsynced(&store) > 0 {
        now = drive.settle(now);
        assert!(now <= begun + 2 * UNSYNCED_AGE_US, "nobody syncs");
    }
    assert!(now >= begun + UNSYNCED_AGE_US);
}

#[test]
fn a_store_in_its_owners_hand_settles_and_stops_on_the_owners_thread() {
    let drive = ByHand::new();
    let store = drive.hand.store().clone();
    submit(&store, &drive.outcomes, 1, Durability::WriteBack);
    assert!(store.settle());
    assert_eq!(unsynced(&store), 0);
    submit(&store, &drive.outcomes, 2, Durability::WriteThrough);
    assert!(drive.hand.stop(5));
    drive.outcomes.wait_for(2);
}
