//! The whole engine on a disk in memory, against a `BTreeMap`, and what it does when bytes rot.

mod damage;
mod host;
mod optimize;
mod reclaim;
mod rot;
mod sealing;
mod secrets;
mod stopping;
mod survey;
mod tombstones;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::disk::{Disk, MemoryDisk};
use crate::{
    Attributes, Commit, CommitError, CommitFailure, Completion, Direction, Durability, Effort,
    Expected, FormatOptions, Health, KeyRange, Mutation, Need, OpenError, Options, Priority,
    ReadError, Seal, Step, Store, format, format_as,
};

const ZONE: u32 = 64 << 10;
const ZONES: u64 = 512;

/// Remembers outcomes by token.
#[derive(Default)]
struct Outcomes(Mutex<BTreeMap<u64, Result<(), CommitError>>>);

impl Completion for Outcomes {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        let told = self.0.lock().unwrap().insert(token, outcome);
        assert!(told.is_none(), "told twice");
    }
}

struct Drive {
    disk: Arc<MemoryDisk>,
    store: Store,
    outcomes: Arc<Outcomes>,
    next_token: u64,
    now: u64,
}

fn options() -> Options {
    Options {
        memtable_bytes: 6 << 10,
        log_bytes: 64 << 10,
        // What is read is to come from the disk.
        value_cache_bytes: 0,
        ..Options::default()
    }
}

fn entropy(boot: u8) -> [u8; 32] {
    [boot; 32]
}

impl Drive {
    fn new() -> Self {
        Self::with_zones(ZONES)
    }

    /// One whose bytes can be found on the disk.
    fn plain() -> Self {
        Self::sealed_as(ZONES, Seal::Plain)
    }

    fn with_zones(zones: u64) -> Self {
        Self::sealed_as(zones, Seal::Sealed)
    }

    fn sealed_as(zones: u64, seal: Seal) -> Self {
        let disk = Arc::new(MemoryDisk::new(zones * u64::from(ZONE)));
        let options = FormatOptions {
            uuid: [7; 16],
            entropy: entropy(0),
            zone_size: Some(ZONE),
        };
        format_as(&*disk, &options, seal).unwrap();
        let store = Self::open(&disk, 1);
        Self {
            disk,
            store,
            outcomes: Arc::default(),
            next_token: 0,
            now: 0,
        }
    }

    fn open(disk: &Arc<MemoryDisk>, boot: u8) -> Store {
        Self::open_with(disk, boot, options())
    }

    fn open_with(disk: &Arc<MemoryDisk>, boot: u8, options: Options) -> Store {
        let disk: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(disk);
        Store::open(disk, options, entropy(boot), None).unwrap()
    }

    fn reopen(&mut self) {
        self.reopen_with(options());
    }

    fn reopen_with(&mut self, options: Options) {
        let boot = u8::try_from(self.store.status().boot + 1).unwrap();
        self.store = Self::open_with(&self.disk, boot, options);
    }

    fn submit(&mut self, mutations: Vec<Mutation>, durability: Durability) -> u64 {
        self.next_token += 1;
        let completion = Arc::<Outcomes>::clone(&self.outcomes);
        let commit = Commit {
            mutations,
            durability,
            priority: Priority::NORMAL,
            token: self.next_token,
            completion,
        };
        self.store.submit(commit).unwrap();
        self.next_token
    }

    fn outcome(&self, token: u64) -> Option<Result<(), CommitError>> {
        self.outcomes.0.lock().unwrap().get(&token).copied()
    }

    /// Steps all workers until a commit is answered.
    fn finish(&mut self, token: u64) -> Result<(), CommitFailure> {
        for _ in 0..10_000 {
            if let Some(outcome) = self.outcome(token) {
                return outcome.map_err(|error| error.failure);
            }
            self.step();
        }
        panic!("commit {token} is never answered");
    }

    fn step(&mut self) -> bool {
        self.now += 100_000;
        let steps = [
            self.store.step_writer(),
            self.store.step_syncer(self.now),
            self.store.step_upkeep(self.now),
        ];
        steps.contains(&Step::Worked)
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the workers never come to rest");
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), CommitFailure> {
        let token = self.submit(vec![put(key, value, Expected::Any)], Durability::WriteBack);
        self.finish(token)
    }

    /// Deletes so many keys, one after the other; none of that is refused.
    fn delete_each(&mut self, count: u32, key: impl Fn(u32) -> Vec<u8>) {
        for number in 0..count {
            let gone = vec![delete(&key(number), Expected::Any)];
            let token = self.submit(gone, Durability::WriteBack);
            assert_eq!(self.finish(token), Ok(()), "delete {number} of {count}");
        }
    }

    fn value(&self, key: &[u8]) -> Result<Bytes, ReadError> {
        self.store.get(key, Effort::Disk).map(|object| object.value)
    }
}

fn put(key: &[u8], value: &[u8], expected: Expected) -> Mutation {
    Mutation::Put {
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        attributes: Attributes::new(b"v", b"tag", Some(2)),
        expected,
    }
}

fn delete(key: &[u8], expected: Expected) -> Mutation {
    Mutation::Delete {
        key: Bytes::copy_from_slice(key),
        expected,
    }
}

/// A small generator of repeatable choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn model_key(choices: &mut Choices) -> Vec<u8> {
    let number = choices.below(400);
    let mut key = format!("key{number:05}").into_bytes();
    if number.is_multiple_of(50) {
        key.resize(300, b'x');
    }
    key
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn check_ranges(drive: &Drive, model: &Model, choices: &mut Choices) {
    let (a, b) = (model_key(choices), model_key(choices));
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let limit = usize::try_from(choices.below(30)).unwrap();
    let start = match choices.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(low.clone()),
        _ => Bound::Excluded(low.clone()),
    };
    let end = match choices.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(high.clone()),
        _ => Bound::Excluded(high.clone()),
    };
    let empty = low == high && (start != Bound::Included(low.clone()) || start != end);
    let inside: Vec<Bytes> = if empty && start != Bound::Unbounded && end != Bound::Unbounded {
        Vec::new()
    } else {
        model
            .range((start.clone(), end.clone()))
            .map(|(key, _)| Bytes::from(key.clone()))
            .collect()
    };
    let bounds = (start.map(Bytes::from), end.map(Bytes::from));
    let range = |direction| KeyRange {
        start: bounds.0.clone(),
        end: bounds.1.clone(),
        direction,
    };
    let forward = drive
        .store
        .range(&range(Direction::Forward), limit, Effort::Disk)
        .unwrap();
    assert_eq!(
        forward,
        inside.iter().take(limit).cloned().collect::<Vec<_>>()
    );
    let backward = drive
        .store
        .range(&range(Direction::Backward), limit, Effort::Disk)
        .unwrap();
    assert_eq!(
        backward,
        inside.iter().rev().take(limit).cloned().collect::<Vec<_>>()
    );
    check_entries(drive, model, (&range(Direction::Forward), &inside));
    check_entries(drive, model, (&range(Direction::Backward), &inside));
    let next = drive
        .store
        .next(&low, Effort::Disk)
        .ok()
        .map(|(key, _)| key.to_vec());
    let above = (Bound::Excluded(low.clone()), Bound::Unbounded);
    assert_eq!(next, model.range(above).next().map(|(key, _)| key.clone()));
    let previous = drive
        .store
        .previous(&high, Effort::Disk)
        .ok()
        .map(|(key, _)| key.to_vec());
    assert_eq!(
        previous,
        model.range(..high).next_back().map(|(key, _)| key.clone())
    );
}

/// A walk in turns of seven comes by each entry once and in order.
fn check_entries(drive: &Drive, model: &Model, (range, inside): (&KeyRange, &[Bytes])) {
    let (mut rest, mut walked) = (range.clone(), Vec::new());
    loop {
        let turn = drive.store.entries(&rest, 7, Effort::Disk).unwrap();
        walked.extend(turn.entries);
        let Some(key) = turn.beyond else { break };
        rest.go_behind(key);
    }
    for (key, metadata) in &walked {
        assert_eq!(metadata.value_length as usize, model[&key[..]].len());
    }
    let mut found: Vec<Bytes> = walked.into_iter().map(|(key, _)| key).collect();
    if range.direction == Direction::Backward {
        found.reverse();
    }
    assert_eq!(found, inside);
}

fn random_mutation(choices: &mut Choices, model: &mut Model) -> Mutation {
    let key = model_key(choices);
    if choices.below(3) == 0 {
        model.remove(&key);
        return delete(&key, Expected::Any);
    }
    let length = usize::try_from(choices.below(3000)).unwrap();
    let byte = u8::try_from(choices.below(256)).unwrap();
    let value = vec![byte; length];
    model.insert(key.clone(), value.clone());
    put(&key, &value, Expected::Any)
}

#[test]
fn random_histories_with_reopenings_agree_with_a_map() {
    for seed in 0..6 {
        let mut choices = Choices(seed);
        let mut drive = Drive::new();
        let mut model = Model::new();
        for _ in 0..1500 {
            match choices.below(40) {
                0 => drive.reopen(),
                1 => drive.settle(),
                2..=5 => check_ranges(&drive, &model, &mut choices),
                6..=9 => {
                    let count = choices.below(8) + 1;
                    let mutations = (0..count)
                        .map(|_| random_mutation(&mut choices, &mut model))
                        .collect();
                    let token = drive.submit(mutations, Durability::WriteThrough);
                    assert_eq!(drive.finish(token), Ok(()), "seed {seed}");
                }
                10..=19 => {
                    let key = model_key(&mut choices);
                    let value = drive.value(&key).ok().map(|value| value.to_vec());
                    assert_eq!(value, model.get(&key).cloned(), "seed {seed}");
                }
                _ => {
                    let mutation = random_mutation(&mut choices, &mut model);
                    let token = drive.submit(vec![mutation], Durability::WriteBack);
                    assert_eq!(drive.finish(token), Ok(()), "seed {seed}");
                }
            }
        }
        drive.settle();
        drive.reopen();
        let all = KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            direction: Direction::Forward,
        };
        let keys = drive.store.range(&all, usize::MAX, Effort::Disk).unwrap();
        assert_eq!(keys.len(), model.len());
        for (key, value) in &model {
            assert_eq!(drive.value(key).unwrap(), value);
        }
        let live = drive.store.live_bytes_by_scan().unwrap();
        assert_eq!(live.accounted, live.scanned);
        let status = drive.store.status();
        assert!(status.runs > 0, "{status:?}");
    }
}

#[test]
fn flushes_and_merges_happen_in_the_model_test() {
    let mut drive = Drive::new();
    for number in 0..4000_u32 {
        drive.put(&number.to_be_bytes(), &[1; 100]).unwrap();
    }
    drive.settle();
    let status = drive.store.status();
    assert!(status.flushes > 20 && status.merges > 4, "{status:?}");
    assert!(status.runs < 12, "{status:?}");
    let keys = drive.store.range(
        &KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            direction: Direction::Backward,
        },
        5000,
        Effort::Disk,
    );
    assert_eq!(keys.unwrap().len(), 4000);
}

#[test]
fn versions_decide_and_a_batch_sees_the_store_as_before_it() {
    let mut drive = Drive::new();
    let version = |text: &'static str| Expected::Version(Bytes::from_static(text.as_bytes()));
    let run = |drive: &mut Drive, mutations| {
        let token = drive.submit(mutations, Durability::WriteBack);
        drive.finish(token)
    };
    let mismatch = Err(CommitFailure::VersionMismatch);
    assert_eq!(
        run(&mut drive, vec![put(b"k", b"1", version("other"))]),
        mismatch
    );
    assert_eq!(run(&mut drive, vec![put(b"k", b"1", version(""))]), Ok(()));
    assert_eq!(
        run(&mut drive, vec![put(b"k", b"2", version(""))]),
        mismatch
    );
    assert_eq!(run(&mut drive, vec![put(b"k", b"2", version("v"))]), Ok(()));
    let missing = Err(CommitFailure::NotFound);
    assert_eq!(run(&mut drive, vec![delete(b"none", version(""))]), missing);
    assert_eq!(
        run(&mut drive, vec![delete(b"none", Expected::Any)]),
        Ok(())
    );
    assert_eq!(run(&mut drive, vec![delete(b"k", version("x"))]), mismatch);
    let both = vec![
        put(b"new", b"1", version("")),
        put(b"new", b"2", version("")),
    ];
    assert_eq!(run(&mut drive, both), Ok(()));
    assert_eq!(drive.value(b"new").unwrap(), "2");
    let chained = vec![
        put(b"new", b"3", version("v")),
        delete(b"none", version("")),
        put(b"k", b"9", version("other")),
    ];
    let token = drive.submit(chained, Durability::WriteBack);
    assert_eq!(drive.finish(token), missing);
    assert_eq!(drive.outcome(token).unwrap().unwrap_err().index, 1);
    assert_eq!(drive.value(b"new").unwrap(), "2");
    let deleted_first = vec![
        delete(b"new", version("v")),
        put(b"new", b"4", version("v")),
    ];
    assert_eq!(run(&mut drive, deleted_first), Ok(()));
    assert_eq!(drive.value(b"new").unwrap(), "4");
    let twice = vec![delete(b"new", version("v")), delete(b"new", version("v"))];
    assert_eq!(run(&mut drive, twice), Ok(()));
    assert_eq!(drive.value(b"new"), Err(ReadError::NotFound));
    let half = vec![put(b"a", b"1", Expected::Any), delete(b"none", version(""))];
    let token = drive.submit(half, Durability::WriteBack);
    drive.finish(token).unwrap_err();
    assert_eq!(drive.outcome(token).unwrap().unwrap_err().index, 1);
    assert_eq!(drive.value(b"a"), Err(ReadError::NotFound));
}

#[test]
fn a_forced_delete_of_a_missing_key_logs_nothing() {
    let mut drive = Drive::new();
    drive.put(b"k", b"1").unwrap();
    let before = drive.store.status().group_bytes;
    let token = drive.submit(
        vec![delete(b"none", Expected::Any)],
        Durability::WriteThrough,
    );
    assert_eq!(drive.finish(token), Ok(()));
    assert_eq!(drive.store.status().group_bytes, before);
}

#[test]
fn write_through_waits_for_a_sync_and_write_back_does_not() {
    let mut drive = Drive::new();
    drive.settle();
    let back = drive.submit(vec![put(b"a", b"1", Expected::Any)], Durability::WriteBack);
    let through = drive.submit(
        vec![put(b"b", b"1", Expected::Any)],
        Durability::WriteThrough,
    );
    let flush = drive.submit(Vec::new(), Durability::Flush);
    drive.store.step_writer();
    assert_eq!(drive.outcome(back), Some(Ok(())));
    assert_eq!((drive.outcome(through), drive.outcome(flush)), (None, None));
    assert_eq!(
        drive.value(b"b").unwrap(),
        "1",
        "visible before it is durable"
    );
    for _ in 0..3 {
        drive.store.step_syncer(0);
    }
    assert_eq!(
        (drive.outcome(through), drive.outcome(flush)),
        (Some(Ok(())), Some(Ok(())))
    );
}

#[test]
fn a_durable_delete_of_a_key_whose_deletion_is_not_synced_waits_for_the_sync() {
    let mut drive = Drive::new();
    drive.put(b"k", b"1").unwrap();
    drive.settle();
    let back = drive.submit(vec![delete(b"k", Expected::Any)], Durability::WriteBack);
    assert_eq!(drive.finish(back), Ok(()));
    let again = vec![delete(b"k", Expected::Any)];
    let through = drive.submit(again, Durability::WriteThrough);
    drive.store.step_writer();
    assert_eq!(drive.outcome(through), None);
    assert_eq!(drive.finish(through), Ok(()));
}

#[test]
fn replay_stays_bounded_when_every_boot_writes_less_than_a_flush_takes() {
    let mut drive = Drive::new();
    let mut flushes = 0;
    for boot in 0..8_u8 {
        for key in 0..4_u8 {
            drive.put(&[boot, key], &[1; 5000]).unwrap();
        }
        drive.settle();
        flushes += drive.store.status().flushes;
        drive.reopen();
    }
    assert!(
        flushes >= 2,
        "160 kB of log, a flush due every 64 KiB, and {flushes} flushes"
    );
}

#[test]
fn a_full_drive_refuses_puts_and_takes_deletes_until_there_is_room_again() {
    let mut drive = Drive::with_zones(100);
    let mut stored = 0_u32;
    let refusal = loop {
        match drive.put(&stored.to_be_bytes(), &[5; 20_000]) {
            Ok(()) => stored += 1,
            Err(failure) => break failure,
        }
        drive.step();
    };
    assert_eq!(refusal, CommitFailure::NoSpace);
    assert_eq!(drive.store.status().health, Health::Full);
    assert!(stored > 100, "{stored} values of 20 kB in 6.4 MB");
    for number in 0..stored {
        assert_eq!(drive.value(&number.to_be_bytes()).unwrap(), vec![5; 20_000]);
    }
    for number in 0..stored {
        let token = drive.submit(
            vec![delete(&number.to_be_bytes(), Expected::Any)],
            Durability::WriteThrough,
        );
        assert_eq!(drive.finish(token), Ok(()), "delete {number} of {stored}");
    }
    for _ in 0..2000 {
        drive.step();
    }
    assert_eq!(
        drive.store.status().health,
        Health::Healthy,
        "{:?}",
        drive.store.status()
    );
    assert_eq!(drive.put(b"again", &[1; 20_000]), Ok(()));
    drive.reopen();
    assert_eq!(drive.value(b"again").unwrap(), vec![1; 20_000]);
}

#[test]
fn a_drive_full_of_small_values_can_be_emptied_although_its_index_is_large() {
    let mut drive = Drive::with_zones(100);
    let key = |number: u32| format!("a key that is longer than its value {number:08}").into_bytes();
    let mut stored = 0_u32;
    while drive.put(&key(stored), b"a short value").is_ok() {
        stored += 1;
        drive.step();
    }
    assert_eq!(drive.store.status().health, Health::Full);
    drive.delete_each(stored, key);
    for _ in 0..20_000 {
        drive.step();
    }
    let status = drive.store.status();
    assert_eq!(
        status.health,
        Health::Healthy,
        "{status:?} after {stored} keys"
    );
    assert_eq!(drive.put(b"again", b"1"), Ok(()));
}

#[test]
fn filling_and_deleting_again_and_again_does_not_lose_space() {
    let mut drive = Drive::with_zones(100);
    let mut rounds = Vec::new();
    for _ in 0..4 {
        let mut stored = 0_u32;
        while drive.put(&stored.to_be_bytes(), &[5; 9000]).is_ok() {
            stored += 1;
            drive.step();
        }
        drive.delete_each(stored, |number| number.to_be_bytes().to_vec());
        for _ in 0..3000 {
            drive.step();
        }
        rounds.push(stored);
    }
    assert!(
        rounds.iter().all(|stored| stored * 10 >= rounds[0] * 8),
        "{rounds:?}"
    );
}
