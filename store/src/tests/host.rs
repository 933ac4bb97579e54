//! What the engine does when the host does not take writes of runs.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::run::format::block;

/// A disk that refuses blocks of runs while it is told to.
struct Picky {
    disk: MemoryDisk,
    refuses: AtomicBool,
    kind: io::ErrorKind,
}

impl Disk for Picky {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let is_run = parts[0].starts_with(&block::MAGIC.to_le_bytes());
        if is_run && self.refuses.load(Ordering::Relaxed) {
            return Err(self.kind.into());
        }
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}

fn picky(kind: io::ErrorKind) -> (Arc<Picky>, Store) {
    let disk = MemoryDisk::new(ZONES * u64::from(ZONE));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: Some(ZONE),
    };
    format(&disk, &options).unwrap();
    let refuses = AtomicBool::new(true);
    let disk = Arc::new(Picky {
        disk,
        refuses,
        kind,
    });
    let store = Store::open(
        Arc::<Picky>::clone(&disk),
        super::options(),
        entropy(1),
        None,
    )
    .unwrap();
    (disk, store)
}

/// Puts until one is refused or so many are stored; a put that is never answered fails the test.
fn put_many(store: &Store, count: u64, now: &mut u64) -> Option<CommitFailure> {
    for number in 0..count {
        let outcomes = Arc::<Outcomes>::default();
        let completion = Arc::<Outcomes>::clone(&outcomes);
        let mutations = vec![put(&number.to_be_bytes(), &[1; 500], Expected::Any)];
        let durability = Durability::WriteBack;
        let token = 1;
        let commit = Commit {
            mutations,
            durability,
            priority: Priority::NORMAL,
            token,
            completion,
        };
        store.submit(commit).unwrap();
        let answered = (0..5000).find_map(|_| {
            *now += 10_000;
            store.step_writer();
            store.step_syncer(*now);
            store.step_upkeep(*now);
            outcomes.0.lock().unwrap().get(&token).copied()
        });
        if let Err(error) = answered.expect("the put is answered") {
            return Some(error.failure);
        }
    }
    None
}

#[test]
fn puts_are_refused_while_a_flush_finds_the_host_full_and_work_afterwards() {
    let (disk, store) = picky(io::ErrorKind::StorageFull);
    let mut now = 0;
    let failure = put_many(&store, 2000, &mut now);
    assert_eq!(
        failure,
        Some(CommitFailure::WriteFailed(io::ErrorKind::StorageFull))
    );
    assert_eq!(
        store.status().health,
        Health::Stuck(io::ErrorKind::StorageFull)
    );
    disk.refuses.store(false, Ordering::Relaxed);
    now += 1_000_000;
    store.step_upkeep(now);
    assert_eq!(put_many(&store, 500, &mut now), None);
    assert!(store.status().flushes > 0);
}

#[test]
fn a_run_zone_that_fails_is_left_alone_and_another_one_taken() {
    let (disk, store) = picky(io::ErrorKind::Other);
    let mut now = 0;
    let failed = (0..2000).any(|_| {
        now += 10_000;
        let _refused = put_many(&store, 20, &mut now);
        store.status().health == Health::Stuck(io::ErrorKind::Other)
    });
    assert!(failed, "no flush met the failing zone");
    disk.refuses.store(false, Ordering::Relaxed);
    now += 1_000_000;
    assert_eq!(put_many(&store, 1000, &mut now), None);
    assert!(store.status().flushes > 0);
}
