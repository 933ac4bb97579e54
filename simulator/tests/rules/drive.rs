//! A drive on a simulated disk, worked by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use kinetic_simulator::SimDisk;
use kinetic_simulator::disk::{Stopped, Survival};
use kinetic_simulator::rng::Rng;
use kinetic_store::disk::Disk;
use kinetic_store::{
    Attributes, Commit, CommitError, CommitFailure, Completion, Durability, Effort, Expected,
    FormatOptions, Lane, Mutation, OpenError, Options, Priority, ReadError, Seal, Step, Store,
    SubmitError, Ticket, format_as,
};

/// Bytes of a zone of most drives here.
pub(crate) const ZONE: u32 = 64 << 10;

/// What commits were told.
#[derive(Default)]
pub(crate) struct Told(Mutex<BTreeMap<u64, Result<(), CommitError>>>);

impl Completion for Told {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        self.0
            .lock()
            .expect("scenes go as written")
            .insert(token, outcome);
    }
}

/// A drive, its disk, and a process that has it open.
pub(crate) struct Drive {
    pub(crate) disk: SimDisk,
    pub(crate) store: Option<Store>,
    pub(crate) options: Options,
    told: Arc<Told>,
    next_token: u64,
    boots: u8,
    now: u64,
}

impl Drive {
    /// A fresh one of many small zones.
    pub(crate) fn new(seal: Seal) -> Self {
        Self::of(256 * u64::from(ZONE), (Some(ZONE), seal))
    }

    /// A fresh one.
    pub(crate) fn of(capacity: u64, (zone_size, seal): (Option<u32>, Seal)) -> Self {
        let disk = SimDisk::new(capacity, 1).expect("scenes go as written");
        let options = FormatOptions {
            uuid: [7; 16],
            entropy: [1; 32],
            zone_size,
        };
        format_as(&disk, &options, seal).expect("scenes go as written");
        let mut drive = Self {
            disk,
            store: None,
            options: Options::default(),
            told: Arc::default(),
            next_token: 0,
            boots: 1,
            now: 0,
        };
        drive.start().expect("scenes go as written");
        drive
    }

    /// Starts the next process.
    pub(crate) fn start(&mut self) -> Result<(), OpenError> {
        self.store = None;
        self.disk.restart();
        self.boots += 1;
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        self.store = Some(Store::open(
            disk,
            self.options.clone(),
            [self.boots; 32],
            None,
        )?);
        // The log gets its first zones.
        while self.store().step_upkeep(0) == Step::Worked {}
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("scenes go as written")
    }

    /// The process is killed; what it wrote is in the cache of the host.
    pub(crate) fn kill(&mut self) {
        self.disk.stop_now(Stopped::Killed);
        self.store = None;
    }

    /// Power fails, and nothing survives that was not synced.
    pub(crate) fn cut_power(&mut self) {
        self.disk.power_cut_as(Survival::LoseAll, &mut Rng::new(1));
        self.store = None;
    }

    pub(crate) fn try_submit(
        &mut self,
        mutations: Vec<Mutation>,
        durability: Durability,
    ) -> Result<Ticket, SubmitError> {
        let commit = self.prepare(mutations, durability);
        self.store().submit(commit)
    }

    fn prepare(&mut self, mutations: Vec<Mutation>, durability: Durability) -> Commit {
        self.next_token += 1;
        let completion: Arc<dyn Completion> = Arc::<Told>::clone(&self.told);
        Commit {
            mutations,
            durability,
            priority: Priority::NORMAL,
            token: self.next_token,
            completion,
        }
    }

    /// A lane that tells with this token when it has room.
    pub(crate) fn lane(&self, token: u64) -> Lane {
        let completion: Arc<dyn Completion> = Arc::<Told>::clone(&self.told);
        self.store().lane(token, completion)
    }

    pub(crate) fn try_submit_in(
        &mut self,
        lane: &Lane,
        mutations: Vec<Mutation>,
    ) -> Result<u64, SubmitError> {
        let commit = self.prepare(mutations, Durability::WriteBack);
        self.store().submit_in(lane, commit)?;
        Ok(self.next_token)
    }

    pub(crate) fn submit_in(&mut self, lane: &Lane, mutations: Vec<Mutation>) -> u64 {
        self.try_submit_in(lane, mutations)
            .expect("scenes go as written")
    }

    pub(crate) fn submit(&mut self, mutations: Vec<Mutation>, durability: Durability) -> u64 {
        self.try_submit(mutations, durability)
            .expect("scenes go as written");
        self.next_token
    }

    pub(crate) fn submit_flush_in(&mut self, lane: &Lane) -> u64 {
        let commit = self.prepare(Vec::new(), Durability::Flush);
        let submitted = self.store().submit_in(lane, commit);
        submitted.expect("scenes go as written");
        self.next_token
    }

    pub(crate) fn outcome(&self, token: u64) -> Option<Result<(), CommitFailure>> {
        let told = self.told.0.lock().expect("scenes go as written");
        let outcome = told.get(&token).copied();
        outcome.map(|outcome| outcome.map_err(|error| error.failure))
    }

    /// Every worker does a step.
    pub(crate) fn step(&mut self) {
        self.now += 100_000;
        self.store().step_writer();
        self.store().step_syncer(self.now);
        self.store().step_upkeep(self.now);
    }

    /// Submits, and works until that is answered.
    pub(crate) fn commit(
        &mut self,
        mutations: Vec<Mutation>,
        durability: Durability,
    ) -> Result<(), CommitFailure> {
        let token = self.submit(mutations, durability);
        for _ in 0..10_000 {
            if let Some(outcome) = self.outcome(token) {
                return outcome;
            }
            self.step();
        }
        panic!("commit {token} is never answered");
    }

    /// One durable put.
    pub(crate) fn put(&mut self, key: &str, value: &[u8]) {
        self.commit(vec![put(key, value)], Durability::WriteThrough)
            .expect("scenes go as written");
    }

    pub(crate) fn value(&self, key: &str) -> Result<Bytes, ReadError> {
        let object = self.store().get(key.as_bytes(), Effort::Disk);
        object.map(|object| object.value)
    }

    /// Places of all groups with these bytes in their first block, by the cache of the host.
    pub(crate) fn groups_with(&self, needle: &[u8]) -> Vec<u64> {
        let bytes = self.bytes();
        let starts = (0..bytes.len()).step_by(8).filter(|start| {
            let end = bytes.len().min(start + 4096);
            let block = bytes.get(*start..end).unwrap_or_default();
            block.starts_with(b"KGRP") && block.windows(needle.len()).any(|it| it == needle)
        });
        starts.map(|start| start as u64).collect()
    }

    /// All bytes, by the cache of the host.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            vec![0; usize::try_from(self.disk.capacity()).expect("scenes go as written")];
        self.disk
            .read_at(0, &mut bytes)
            .expect("scenes go as written");
        bytes
    }
}

pub(crate) fn put(key: &str, value: &[u8]) -> Mutation {
    Mutation::Put {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value),
        attributes: Attributes::new(b"v", b"tag", Some(2)),
        expected: Expected::Any,
    }
}

pub(crate) fn delete(key: &str) -> Mutation {
    Mutation::Delete {
        key: Bytes::copy_from_slice(key.as_bytes()),
        expected: Expected::Any,
    }
}
