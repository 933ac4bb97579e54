//! Zones that still hold live values are emptied: nothing is lost, and space comes back.

use super::*;
use crate::engine::moves::{Move, Moved};
use crate::entry::Entry;
use crate::layout::geometry::{Location, ZoneId};
use crate::layout::zone_header::ZoneKind;
use crate::manifest::edit::ZoneInfo;

impl Drive {
    /// Steps until nothing is left to do, waits for time included.
    fn rest(&mut self) {
        let mut idle = 0;
        for _ in 0..200_000 {
            idle = if self.step() { 0 } else { idle + 1 };
            if idle > 3 && !self.store.under_way().reclaim {
                return;
            }
        }
        panic!("the workers never come to rest: {:?}", self.store.status());
    }

    fn free_zones(&self) -> u64 {
        let status = self.store.status();
        (status.capacity_bytes - status.used_bytes) / u64::from(ZONE)
    }

    fn zones(&self) -> Vec<ZoneInfo> {
        let upkeep = self.store.inner.upkeep.lock().unwrap();
        upkeep.state().zones.values().copied().collect()
    }

    fn cold_zones(&self) -> Vec<ZoneInfo> {
        let mut zones = self.zones();
        zones.retain(|info| info.kind == ZoneKind::Cold);
        zones
    }

    fn entry(&self, key: &[u8]) -> Entry {
        let shared = &self.store.inner.shared;
        let entry = shared.view().lookup(&shared.reader, key, Effort::Disk);
        entry.unwrap().expect("the key is stored")
    }

    fn check_accounting(&mut self) {
        while self.store.under_way().change {
            self.step();
        }
        let live = self.store.live_bytes_by_scan().unwrap();
        assert_eq!(live.accounted, live.scanned);
    }
}

fn number_key(number: u64) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

fn filled_with(choices: &mut Choices, longest: u64) -> Vec<u8> {
    let length = usize::try_from(1 + choices.below(longest)).unwrap();
    vec![u8::try_from(choices.below(256)).unwrap(); length]
}

/// Puts until the drive says that it is full; gives back the keys.
fn fill(drive: &mut Drive, model: &mut Model, choices: &mut Choices) -> u64 {
    for number in 0.. {
        let value = filled_with(choices, 8000);
        match drive.put(&number_key(number), &value) {
            Ok(()) => model.insert(number_key(number), value),
            Err(CommitFailure::NoSpace) => return number,
            Err(other) => panic!("{other}"),
        };
    }
    0
}

/// Overwrites a drive that is so many percent full, many times over.
fn overwritten(percent: u64, seal: Seal) -> (Drive, Model) {
    let mut drive = Drive::sealed_as(200, seal);
    let (mut model, mut choices) = (Model::new(), Choices(percent));
    let all = fill(&mut drive, &mut model, &mut choices);
    let keys = all * percent / 100;
    for number in keys..all {
        let gone = vec![delete(&number_key(number), Expected::Any)];
        let token = drive.submit(gone, Durability::WriteBack);
        assert_eq!(drive.finish(token), Ok(()), "delete {number} of {all}");
        model.remove(&number_key(number));
    }
    drive.rest();
    assert_eq!(drive.store.status().health, Health::Healthy);
    let capacity = drive.store.status().capacity_bytes;
    let mut written = 0;
    while written < 4 * capacity {
        let number = choices.below(keys);
        let key = number_key(number);
        if choices.below(8) == 0 {
            let token = drive.submit(vec![delete(&key, Expected::Any)], Durability::WriteBack);
            assert_eq!(drive.finish(token), Ok(()));
            model.remove(&key);
        }
        let value = filled_with(&mut choices, 8000);
        let outcome = drive.put(&key, &value);
        let status = drive.store.status();
        assert_eq!(outcome, Ok(()), "after {written} bytes: {status:?}");
        written += value.len() as u64;
        model.insert(key, value);
    }
    (drive, model)
}

fn check_all(drive: &mut Drive, model: &Model) {
    for (key, value) in model {
        let stored = drive.value(key);
        assert!(
            stored.as_ref().is_ok_and(|stored| *stored == **value),
            "{}: {:?}",
            String::from_utf8_lossy(key),
            stored.map(|bytes| bytes.len())
        );
    }
    drive.check_accounting();
}

#[test]
fn a_drive_75_percent_full_is_overwritten_many_times_and_never_full() {
    let (mut drive, model) = overwritten(75, Seal::Sealed);
    check_all(&mut drive, &model);
    drive.rest();
    check_all(&mut drive, &model);
    let status = drive.store.status();
    assert!(status.moves > 0, "{status:?}");
    println!("{status:?}");
    drive.reopen();
    check_all(&mut drive, &model);
}

#[test]
fn a_drive_90_percent_full_is_overwritten_many_times_and_never_full() {
    let (mut drive, model) = overwritten(90, Seal::Plain);
    check_all(&mut drive, &model);
    let status = drive.store.status();
    println!("{status:?}");
    drive.rest();
    drive.reopen();
    check_all(&mut drive, &model);
}

#[test]
fn two_hundred_boots_that_each_write_a_little_leave_the_smallest_drive_nearly_empty() {
    let disk = Arc::new(MemoryDisk::new(crate::limits::MIN_CAPACITY));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: None,
    };
    format(&*disk, &options).unwrap();
    let open = |boot: u8| {
        let disk: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&disk);
        Store::open(disk, Options::default(), entropy(boot), None).unwrap()
    };
    let mut drive = Drive {
        store: open(1),
        disk: Arc::clone(&disk),
        outcomes: Arc::default(),
        next_token: 0,
        now: 0,
    };
    for boot in 0..200_u8 {
        for part in 0..3 {
            assert_eq!(
                drive.put(&[boot, part], &[boot; 3000]),
                Ok(()),
                "boot {boot}"
            );
        }
        drive.rest();
        assert!(drive.store.status().used_bytes < drive.store.status().capacity_bytes);
        drive.store = open(boot + 2);
    }
    for boot in 0..200_u8 {
        assert_eq!(drive.value(&[boot, 2]).unwrap(), vec![boot; 3000]);
    }
    assert_eq!(drive.store.status().health, Health::Healthy);
}

#[test]
fn a_drive_with_usual_options_is_overwritten_at_75_percent_and_never_full() {
    let disk = Arc::new(MemoryDisk::new(2 * crate::limits::MIN_CAPACITY));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: None,
    };
    format_as(&*disk, &options, Seal::Plain).unwrap();
    let store = Drive::open_with(&disk, 1, Options::default());
    let mut drive = Drive {
        disk,
        store,
        outcomes: Arc::default(),
        next_token: 0,
        now: 0,
    };
    let mut choices = Choices(9);
    let mut model: BTreeMap<u64, u8> = BTreeMap::new();
    let room = drive.store.status().capacity_bytes / 100 * 75;
    let keys = room / (64 << 10);
    for put in 0..4 * keys {
        let number = if put < keys { put } else { choices.below(keys) };
        let byte = u8::try_from(choices.below(256)).unwrap();
        let outcome = drive.put(&number_key(number), &vec![byte; 64 << 10]);
        assert_eq!(outcome, Ok(()), "put {put}: {:?}", drive.store.status());
        model.insert(number, byte);
    }
    for (number, byte) in model {
        let value = drive.value(&number_key(number)).unwrap();
        assert!(value.iter().all(|stored| *stored == byte), "{number}");
    }
    drive.check_accounting();
    let status = drive.store.status();
    assert!(status.moves > 0, "{status:?}");
    // A round of reclaim does not rewrite the index.
    assert!(status.index_bytes * 20 < status.group_bytes, "{status:?}");
}

#[test]
fn a_zone_in_which_a_group_is_damaged_is_not_given_up() {
    let (mut drive, model) = with_cold_zones(Seal::Plain);
    drive.rest();
    let token = drive.submit(Vec::new(), Durability::Flush);
    drive.finish(token).unwrap();
    // The head of the first group of each log zone that holds live values.
    let victims: Vec<ZoneInfo> = drive
        .zones()
        .into_iter()
        .filter(|info| info.kind == ZoneKind::Log && info.live > 0)
        .collect();
    assert!(victims.len() > 5);
    for info in &victims {
        let start = u64::from(info.stamp.zone.0) * u64::from(ZONE);
        let parts = [std::io::IoSlice::new(b"ROT!")];
        drive.disk.write_at(start + 4096, &parts).unwrap();
    }
    // Most keys are overwritten and others come, so that reclaim needs the room of those zones;
    // every fourth key must stay as it is.
    let mut choices = Choices(11);
    let moved = drive.store.status().moves;
    for round in 0..4000 {
        let number = choices.below(150);
        let key = number_key(match number % 4 {
            0 if round < 1500 => 1000 + round,
            0 => continue,
            _ => number,
        });
        let value = filled_with(&mut choices, 3000);
        match drive.put(&key, &value) {
            Ok(()) | Err(CommitFailure::NoSpace) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert!(drive.store.status().moves > moved);
    for (key, value) in &model {
        let number: u64 = String::from_utf8_lossy(&key[3..]).parse().unwrap();
        if number.is_multiple_of(4) {
            assert!(
                drive.value(key).is_ok_and(|stored| stored == **value),
                "{number}"
            );
        }
    }
    drive.check_accounting();
}

/// A drive with some zones of which little lives, and one key in one of them.
fn with_a_moved_key() -> (Drive, Entry, Location) {
    let mut drive = Drive::new();
    drive.put(b"key", &[1; 900]).unwrap();
    drive.settle();
    let from = drive.entry(b"key");
    let to = Location {
        zone: ZoneId(200),
        offset: 4096,
    };
    (drive, from, to)
}

fn hand_in(drive: &mut Drive, from: &Entry, to: Location) -> Moved {
    let shared = &drive.store.inner.shared;
    shared.moves.hand_in(vec![Move {
        key: b"key"[..].into(),
        from: from.clone(),
        to,
    }]);
    drive.store.step_writer();
    drive.store.inner.shared.moves.outcome().unwrap()
}

#[test]
fn a_move_is_done_where_the_key_is_as_it_was_found() {
    let (mut drive, from, to) = with_a_moved_key();
    assert!(matches!(hand_in(&mut drive, &from, to), Moved::Logged(_)));
    let now = drive.entry(b"key");
    assert_eq!(now.live().unwrap().location, to);
    assert!(now.seqno > from.seqno, "replay must find it the newer one");
}

#[test]
fn a_move_never_undoes_an_overwrite_or_a_delete() {
    let (mut drive, from, to) = with_a_moved_key();
    drive.put(b"key", &[2; 900]).unwrap();
    assert_eq!(hand_in(&mut drive, &from, to), Moved::Outdated);
    assert_eq!(drive.value(b"key").unwrap(), vec![2; 900]);
    let from = drive.entry(b"key");
    let gone = vec![delete(b"key", Expected::Any)];
    let token = drive.submit(gone, Durability::WriteBack);
    drive.finish(token).unwrap();
    assert_eq!(hand_in(&mut drive, &from, to), Moved::Outdated);
    assert_eq!(drive.value(b"key"), Err(ReadError::NotFound));
}

#[test]
fn a_move_that_is_replayed_holds_whatever_was_there_before() {
    let (mut drive, from, to) = with_a_moved_key();
    assert!(matches!(hand_in(&mut drive, &from, to), Moved::Logged(_)));
    let token = drive.submit(Vec::new(), Durability::Flush);
    drive.finish(token).unwrap();
    drive.reopen();
    assert_eq!(drive.entry(b"key").live().unwrap().location, to);
}

#[test]
fn moves_that_wait_can_be_withdrawn_and_others_not() {
    let (drive, from, to) = with_a_moved_key();
    let moves = &drive.store.inner.shared.moves;
    let list = vec![Move {
        key: b"key"[..].into(),
        from,
        to,
    }];
    moves.hand_in(list.clone());
    assert!(moves.withdraw() && !moves.is_waiting());
    moves.hand_in(list);
    assert!(moves.take().is_some());
    assert!(!moves.withdraw(), "the writer has them");
}

/// Overwrites until reclaim has cold zones.
fn with_cold_zones(seal: Seal) -> (Drive, Model) {
    let mut drive = Drive::sealed_as(100, seal);
    let (mut model, mut choices) = (Model::new(), Choices(5));
    for round in 0..40_000 {
        let key = number_key(if round < 300 {
            round
        } else {
            choices.below(150)
        });
        let value = filled_with(&mut choices, 3000);
        drive.put(&key, &value).unwrap();
        model.insert(key, value);
        if drive.cold_zones().iter().any(|info| info.live > 0) {
            return (drive, model);
        }
    }
    panic!("reclaim never began: {:?}", drive.store.status());
}

#[test]
fn no_boot_appends_to_a_cold_zone_of_another_boot() {
    let (mut drive, mut model) = with_cold_zones(Seal::Sealed);
    drive.rest();
    let token = drive.submit(Vec::new(), Durability::Flush);
    drive.finish(token).unwrap();
    drive.reopen();
    let contents = |drive: &Drive, info: &ZoneInfo| {
        let mut bytes = vec![0; ZONE as usize];
        let place = u64::from(info.stamp.zone.0) * u64::from(ZONE);
        drive.disk.read_at(place, &mut bytes).unwrap();
        bytes
    };
    let before: Vec<_> = drive
        .cold_zones()
        .into_iter()
        .map(|info| (info, contents(&drive, &info)))
        .collect();
    assert!(!before.is_empty());
    let mut choices = Choices(6);
    let moved = drive.store.status().moves;
    for _ in 0..3000 {
        let key = number_key(choices.below(150));
        let value = filled_with(&mut choices, 3000);
        drive.put(&key, &value).unwrap();
        model.insert(key, value);
        for (info, bytes) in &before {
            if drive.zones().contains(info) {
                assert!(contents(&drive, info) == *bytes);
            }
        }
    }
    assert!(drive.store.status().moves > moved);
    check_all(&mut drive, &model);
}

#[test]
fn every_zone_that_an_entry_refers_to_is_in_use_though_only_memtables_know_of_it() {
    let (mut drive, mut model) = with_cold_zones(Seal::Plain);
    let mut choices = Choices(7);
    let mut only_in_memory = 0;
    for round in 0..20_000 {
        if only_in_memory > 20 {
            break;
        }
        if round % 4 == 0 {
            let (key, value) = (
                number_key(choices.below(150)),
                filled_with(&mut choices, 3000),
            );
            let token = drive.submit(
                vec![put(&key, &value, Expected::Any)],
                Durability::WriteBack,
            );
            drive.finish(token).unwrap();
            model.insert(key, value);
        }
        drive.step();
        let zones: BTreeMap<ZoneId, ZoneInfo> = drive
            .zones()
            .into_iter()
            .map(|info| (info.stamp.zone, info))
            .collect();
        for key in model.keys() {
            let zone = drive.entry(key).live().unwrap().location.zone;
            let info = zones.get(&zone);
            let info = info.unwrap_or_else(|| panic!("round {round}: {zone:?} is free"));
            let unflushed = drive.store.inner.shared.view().active.get(key).is_some();
            only_in_memory += u64::from(info.kind == ZoneKind::Cold && unflushed);
        }
    }
    assert!(only_in_memory > 0, "the case never came");
    check_all(&mut drive, &model);
}

#[test]
fn what_a_read_has_found_stays_where_it_is_while_it_looks() {
    let (mut drive, model) = with_cold_zones(Seal::Sealed);
    let view = drive.store.inner.shared.view();
    let found: Vec<(Entry, &Vec<u8>)> = model
        .iter()
        .map(|(key, value)| (drive.entry(key), value))
        .collect();
    let mut choices = Choices(3);
    let moved = drive.store.status().moves;
    for _ in 0..3000 {
        let (key, value) = (
            number_key(choices.below(150)),
            filled_with(&mut choices, 3000),
        );
        let commit = vec![put(&key, &value, Expected::Any)];
        if drive.store.inner.shared.queue.waiting().0 == 0 {
            drive.submit(commit, Durability::WriteBack);
        }
        drive.step();
    }
    assert!(drive.store.status().moves > moved);
    for (entry, value) in found {
        let old = entry.live().unwrap();
        let read = drive.store.inner.shared.values.read(&old, Effort::Disk);
        assert_eq!(read.unwrap(), *value);
    }
    drop(view);
    drive.rest();
    assert_eq!(drive.store.status().health, Health::Healthy);
}

#[test]
fn a_rotten_value_keeps_its_zone_and_costs_its_key_alone() {
    let mut drive = Drive::sealed_as(100, Seal::Plain);
    drive.put(b"rotten", &[0xab; 5000]).unwrap();
    let mut choices = Choices(8);
    let (mut model, mut flipped) = (Model::new(), false);
    for round in 0..20_000 {
        let key = number_key(if round < 200 {
            round
        } else {
            choices.below(120)
        });
        let value = filled_with(&mut choices, 3000);
        drive.put(&key, &value).unwrap();
        model.insert(key, value);
        if round == 20 {
            drive.settle();
            let location = drive.entry(b"rotten").live().unwrap().location;
            let place = drive.store.inner.shared.geometry.position(location);
            drive
                .disk
                .write_at(place + 100, &[std::io::IoSlice::new(&[0])])
                .unwrap();
            flipped = true;
        }
    }
    assert!(flipped && drive.store.status().moves > 0);
    let zone = drive.entry(b"rotten").live().unwrap().location.zone;
    assert!(drive.zones().iter().any(|info| info.stamp.zone == zone));
    assert!(matches!(
        drive.value(b"rotten"),
        Err(ReadError::Unreadable(_))
    ));
    for (key, value) in &model {
        assert_eq!(drive.value(key).unwrap(), value);
    }
    drive.check_accounting();
    assert!(drive.free_zones() > 0);
}

/// Counts what is done; waits for it.
#[derive(Default)]
struct Done {
    count: Mutex<u64>,
    more: std::sync::Condvar,
}

impl Completion for Done {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        assert_eq!(outcome, Ok(()), "put {token}");
        *self.count.lock().unwrap() += 1;
        self.more.notify_all();
    }
}

#[test]
fn threads_overwrite_a_drive_that_is_three_quarters_full_without_being_refused() {
    let disk = Arc::new(MemoryDisk::new(crate::limits::MIN_CAPACITY));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: None,
    };
    format_as(&*disk, &options, Seal::Plain).unwrap();
    let store = Store::open(disk, Options::default(), entropy(1), None).unwrap();
    let threads = store.start_threads().unwrap();
    let done = Arc::new(Done::default());
    let value = Bytes::from(vec![7; 64 << 10]);
    // 48 zones of 4 MiB are left beside the reserve, and three quarters of them are in use.
    let (keys, puts) = (36 * 60, 16_000);
    let mut choices = Choices(9);
    for number in 0..puts {
        let key = if number < keys {
            number
        } else {
            choices.below(keys)
        };
        let completion = Arc::<Done>::clone(&done);
        let mutation = Mutation::Put {
            key: Bytes::from(number_key(key)),
            value: value.clone(),
            attributes: Attributes::default(),
            expected: Expected::Any,
        };
        let commit = Commit {
            mutations: vec![mutation],
            durability: Durability::WriteBack,
            priority: Priority::NORMAL,
            token: number,
            completion,
        };
        store.submit(commit).unwrap();
        store.kick();
        let count = done.count.lock().unwrap();
        let enough = |count: &mut u64| *count + 16 < number;
        drop(done.more.wait_while(count, enough).unwrap());
    }
    let status = store.status();
    assert!(threads.stop());
    for number in 0..keys {
        let stored = store.get(&number_key(number), Effort::Disk).unwrap();
        assert_eq!(stored.value, value);
    }
    println!("{status:?}");
    assert!(status.moves > 0);
}
