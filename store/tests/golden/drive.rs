//! A drive whose workers are stepped by hand, so that the same calls always do the same.
//!
//! Guarantee: nothing happens but what is asked for; the clock is a number that steps count up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use kinetic_store::disk::Disk;
use kinetic_store::{
    Commit, CommitError, Completion, Direction, Durability, Effort, KeyRange, Mutation, OpenError,
    Options, PinKey, Priority, ReadError, Step, Store,
};

use crate::expected::Stored;
use crate::image::sum;

/// Microseconds from one step to the next.
const TICK: u64 = 100_000;

/// Remembers outcomes by token.
#[derive(Default)]
struct Outcomes(Mutex<BTreeMap<u64, Result<(), CommitError>>>);

impl Completion for Outcomes {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert(token, outcome);
    }
}

/// An open drive.
pub(crate) struct Drive {
    /// The store.
    pub(crate) store: Store,
    outcomes: Arc<Outcomes>,
    tokens: u64,
    now: u64,
}

impl Drive {
    /// Opens the drive on a disk.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        entropy: [u8; 32],
        pin: Option<&PinKey>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            store: Store::open(disk, options, entropy, pin)?,
            outcomes: Arc::default(),
            tokens: 0,
            now: 0,
        })
    }

    /// Queues a commit and lets the writer write it; it is not synced by that.
    pub(crate) fn write(&mut self, mutations: Vec<Mutation>, durability: Durability) -> u64 {
        self.tokens += 1;
        let completion = Arc::<Outcomes>::clone(&self.outcomes);
        let commit = Commit {
            mutations,
            durability,
            priority: Priority::NORMAL,
            token: self.tokens,
            completion,
        };
        assert!(self.store.submit(commit).is_ok(), "the queue is full");
        self.store.step_writer();
        self.tokens
    }

    /// Does a commit, whatever it takes.
    pub(crate) fn commit(&mut self, mutations: Vec<Mutation>, durability: Durability) {
        let token = self.write(mutations, durability);
        for _ in 0..100_000 {
            if let Some(outcome) = self.outcome(token) {
                assert_eq!(outcome, Ok(()));
                return;
            }
            self.step();
        }
        panic!("the commit is never answered: {:?}", self.store.status());
    }

    fn outcome(&self, token: u64) -> Option<Result<(), CommitError>> {
        let outcomes = &self.outcomes.0;
        let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.get(&token).copied()
    }

    /// One step of every worker; whether there was anything to do.
    pub(crate) fn step(&mut self) -> bool {
        self.now += TICK;
        let steps = [
            self.store.step_writer(),
            self.store.step_syncer(self.now),
            self.store.step_upkeep(self.now),
        ];
        steps.contains(&Step::Worked)
    }

    /// Steps until nothing is left to do.
    pub(crate) fn rest(&mut self) {
        for _ in 0..200_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the workers never come to rest: {:?}", self.store.status());
    }

    /// One run of everything.
    pub(crate) fn optimize(&mut self) {
        let asked = self.store.optimize();
        for _ in 0..200_000 {
            if self.store.is_optimized(asked) {
                return;
            }
            self.step();
        }
        panic!("it never ends: {:?}", self.store.status());
    }

    /// Stops it as a server does: what was written is durable, and no more is done.
    pub(crate) fn close(mut self) {
        self.commit(Vec::new(), Durability::Flush);
    }

    /// Panics where it does not show exactly these entries.
    pub(crate) fn shows(&self, entries: &BTreeMap<Vec<u8>, Stored>, gone: &BTreeSet<Vec<u8>>) {
        for (key, stored) in entries {
            let name = String::from_utf8_lossy(key);
            let metadata = self.store.metadata(key, Effort::Disk);
            let object = self.store.get(key, Effort::Disk);
            let object = object.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(metadata.as_ref(), Ok(&object.metadata), "{name}");
            let found = Stored {
                version: object.metadata.attributes.version().to_vec(),
                tag: object.metadata.attributes.tag().to_vec(),
                algorithm: object.metadata.attributes.algorithm,
                length: object.value.len() as u64,
                sum: sum(&object.value),
            };
            assert_eq!(found, *stored, "{name}");
        }
        for key in gone {
            let found = self.store.metadata(key, Effort::Disk);
            assert_eq!(found, Err(ReadError::NotFound), "{key:?}");
        }
        let mut keys: Vec<Bytes> = entries.keys().cloned().map(Bytes::from).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let range = KeyRange {
                start: Bound::Unbounded,
                end: Bound::Unbounded,
                direction,
            };
            let listed = self.store.range(&range, usize::MAX, Effort::Disk);
            assert_eq!(listed.as_ref(), Ok(&keys));
            keys.reverse();
        }
        for pair in keys.windows(2) {
            let [one, other] = pair else { continue };
            let next = self.store.next(one, Effort::Disk).map(|(key, _)| key);
            assert_eq!(next.as_ref(), Ok(other));
            let previous = self.store.previous(other, Effort::Disk);
            assert_eq!(previous.map(|(key, _)| key).as_ref(), Ok(one));
        }
        let live = self
            .store
            .live_bytes_by_scan()
            .expect("all runs can be read");
        assert_eq!(live.accounted, live.scanned);
    }
}
