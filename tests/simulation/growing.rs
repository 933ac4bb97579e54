//! A drive that grows while the power fails: its old size or its new one, and all its data.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use kinetic_simulator::disk::SimDisk;
use kinetic_store::disk::Disk;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Durability, Effort, Expected, FormatOptions,
    GrowError, Mutation, Options, Priority, Seal, Store, format_as, grow,
};

const ZONE: u32 = 64 << 10;
const OLD: u64 = 80 * ZONE as u64;
const NEW: u64 = 100 * ZONE as u64 + 77;
const KEYS: u8 = 40;

/// The front of a disk: what an image was before it was made longer.
#[derive(Debug)]
struct Front(SimDisk);

impl Disk for Front {
    fn capacity(&self) -> u64 {
        OLD
    }

    fn sector_size(&self) -> u32 {
        self.0.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.0.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.0.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.discard(offset, length)
    }
}

/// What became of the last commit.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Result<(), CommitError>>>);

impl Completion for Last {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

fn put(store: &Store, key: u8, length: usize) {
    let last = Arc::new(Last::default());
    let mutation = Mutation::Put {
        key: Bytes::copy_from_slice(&[key]),
        value: Bytes::from(vec![key; length]),
        attributes: Attributes::default(),
        expected: Expected::Any,
    };
    let completion = Arc::<Last>::clone(&last);
    let commit = Commit {
        mutations: vec![mutation],
        durability: Durability::WriteThrough,
        priority: Priority::NORMAL,
        token: 1,
        completion,
    };
    store.submit(commit).expect("room in the queue");
    for now in 0..10_000 {
        let outcome = *last.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = outcome {
            return outcome.expect("a commit");
        }
        store.step_writer();
        store.step_syncer(now * 100_000);
        store.step_upkeep(now * 100_000);
    }
    panic!("the commit of {key} is never answered");
}

fn open(disk: Arc<dyn Disk>, boot: u8) -> Store {
    let options = Options {
        memtable_bytes: 6 << 10,
        log_bytes: 64 << 10,
        ..Options::default()
    };
    Store::open(disk, options, [boot; 32], None).expect("the drive opens")
}

/// A drive with data that takes the front of a longer disk.
fn drive(seed: u64) -> SimDisk {
    let disk = SimDisk::new(NEW, seed).expect("address space");
    let front: Arc<dyn Disk> = Arc::new(Front(disk.clone()));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: [1; 32],
        zone_size: Some(ZONE),
    };
    format_as(&*front, &options, Seal::Sealed).expect("a drive");
    let store = open(front, 2);
    for key in 0..KEYS {
        put(&store, key, 3000);
    }
    disk
}

fn holds_all(store: &Store) {
    for key in 0..KEYS {
        let found = store.get(&[key], Effort::Disk).expect("the key");
        assert_eq!(found.value, vec![key; 3000]);
    }
}

#[test]
fn a_drive_on_a_longer_disk_stays_as_large_as_it_was_until_it_grows() {
    let disk = drive(1);
    let store = open(Arc::new(disk.clone()), 3);
    let before = store.status().capacity_bytes;
    assert_eq!(before, OLD - u64::from(ZONE));
    drop(store);
    let grown = grow(&disk, NEW).expect("it grows");
    assert_eq!((grown.before, grown.after), (OLD, NEW));
    let store = open(Arc::new(disk.clone()), 4);
    assert_eq!(store.status().capacity_bytes, 99 * u64::from(ZONE));
    holds_all(&store);
    // More than the old drive takes beside what it holds.
    for key in 0..150 {
        put(&store, 100 + key, 24_000);
    }
    for key in 0..150 {
        let found = store.get(&[100 + key], Effort::Disk).expect("the key");
        assert_eq!(found.value.len(), 24_000);
    }
}

#[test]
fn power_cut_at_each_write_of_growing_leaves_the_old_or_the_new_size_with_all_data() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..12 {
        for nth in 1..=4 {
            let disk = drive(seed);
            disk.cut_power_after(nth);
            let failed = grow(&disk, NEW).expect_err("the power is cut");
            assert!(matches!(failed, GrowError::Write(_)), "{failed}");
            disk.restart();
            let store = open(Arc::new(disk.clone()), 3);
            match store.status().capacity_bytes / u64::from(ZONE) {
                79 => old += 1,
                99 => new += 1,
                other => panic!("{other} zones"),
            }
            holds_all(&store);
            put(&store, 99, 3000);
            // Whatever it was, it grows now.
            drop(store);
            let after = grow(&disk, NEW);
            assert!(matches!(after, Ok(_) | Err(GrowError::NoZone { .. })));
            holds_all(&open(Arc::new(disk), 4));
        }
    }
    assert!(
        old > 5 && new > 5,
        "{old} of the old size, {new} of the new one"
    );
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let disk = drive(5);
    let counts = disk.counts();
    let refused = |bytes| grow(&disk, bytes).expect_err("refused").to_string();
    assert!(refused(OLD - 1).contains("does not shrink"));
    assert!(refused(OLD).contains("no whole zone"));
    assert!(refused(NEW + u64::from(ZONE)).contains("the disk has"));
    assert!(refused(1 << 40).contains("too many for zones"));
    assert_eq!(disk.counts().writes, counts.writes);
}
