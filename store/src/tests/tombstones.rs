//! Scans across what was deleted: they stay right, let others have a turn, and ask for a merge that
//! makes them short. Where many entries are tombstones, that merge comes by itself.

use super::*;
use crate::entry::{Entry, Key, Seqno, State};
use crate::limits::{SCAN_SHARE, SCAN_TOMBSTONES, TURN_TOMBSTONES};
use crate::services::ranges::{Keys, Neighbour};

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Backward];

fn name(number: u64) -> Vec<u8> {
    format!("key{number:08}").into_bytes()
}

impl Drive {
    /// One whose memtables take a thousand tombstones.
    fn roomy() -> Self {
        let mut drive = Self::with_zones(ZONES);
        drive.reopen_with(Options::default());
        drive
    }

    /// Commits in batches what is made of each of these numbers.
    fn each(&mut self, numbers: std::ops::Range<u64>, make: impl Fn(&[u8]) -> Mutation) {
        let numbers: Vec<u64> = numbers.collect();
        for part in numbers.chunks(100) {
            let batch = part.iter().map(|number| make(&name(*number))).collect();
            let token = self.submit(batch, Durability::WriteBack);
            self.finish(token).unwrap();
        }
    }

    fn put_all(&mut self, numbers: std::ops::Range<u64>) {
        self.each(numbers, |key| put(key, b"", Expected::Any));
    }

    fn delete_all(&mut self, numbers: std::ops::Range<u64>) {
        self.each(numbers, |key| delete(key, Expected::Any));
    }

    /// Entries and tombstones of all runs; nothing is in memory.
    fn counts(&self) -> (u64, u64) {
        let view = self.store.inner.shared.view();
        assert!(view.active.is_empty() && view.frozen.is_none());
        let metas = view.runs.iter().map(|run| run.meta());
        metas.fold((0, 0), |(entries, tombstones), meta| {
            (entries + meta.entries, tombstones + meta.tombstones)
        })
    }

    fn merges(&self) -> u64 {
        self.store.status().merges
    }

    fn next_of(&self, number: u64) -> Result<Bytes, ReadError> {
        let found = self.store.next(&name(number), Effort::Disk);
        found.map(|(key, _)| key)
    }

    /// Flushes what is in memory.
    fn flush(&mut self) {
        self.store.inner.shared.progress().freeze_wanted = true;
        self.settle();
        assert!(self.store.inner.shared.view().active.is_empty());
    }
}

#[test]
fn a_scan_that_steps_over_a_thousand_tombstones_asks_for_a_merge_that_drops_them() {
    let deleted = SCAN_TOMBSTONES as u64;
    let all = deleted * SCAN_SHARE - deleted;
    let mut drive = Drive::roomy();
    drive.put_all(0..all);
    drive.flush();
    drive.delete_all(1..deleted + 1);
    drive.settle();
    let merges = drive.merges();
    let in_memory = drive.store.inner.shared.view().active.len();
    assert_eq!(in_memory, SCAN_TOMBSTONES);
    assert_eq!(drive.next_of(0).unwrap(), name(deleted + 1));
    drive.settle();
    assert_eq!(drive.counts(), (all - deleted, 0));
    assert_eq!(drive.merges(), merges + 1);
    for _ in 0..3 {
        assert_eq!(drive.next_of(0).unwrap(), name(deleted + 1));
        drive.settle();
    }
    assert_eq!(drive.merges(), merges + 1, "once is enough");
}

#[test]
fn a_large_index_is_not_merged_before_scans_have_lost_as_much_as_that_would_take() {
    let deleted = SCAN_TOMBSTONES as u64 + 500;
    let all = 3 * deleted * SCAN_SHARE;
    let mut drive = Drive::roomy();
    drive.put_all(0..all);
    drive.flush();
    drive.delete_all(1..deleted + 1);
    drive.settle();
    let merges = drive.merges();
    let entries = drive.store.inner.shared.view().entries();
    let mut scans = 0;
    while drive.merges() == merges {
        assert_eq!(drive.next_of(0).unwrap(), name(deleted + 1));
        drive.settle();
        scans += 1;
        assert!(scans < 100);
    }
    // Only whole thousands count.
    let due = entries.div_ceil(SCAN_SHARE * SCAN_TOMBSTONES as u64);
    assert_eq!(scans, due);
    assert_eq!(drive.counts(), (all - deleted, 0));
    let few = SCAN_TOMBSTONES as u64 - 1;
    drive.delete_all(deleted + 1..deleted + few + 1);
    for _ in 0..100 {
        drive.next_of(deleted).unwrap();
    }
    drive.settle();
    assert_eq!(drive.merges(), merges + 1, "fewer do not count");
}

#[test]
fn ranges_and_looks_backwards_count_like_looks_forwards() {
    let deleted = SCAN_TOMBSTONES as u64;
    for kind in 0..3 {
        let mut drive = Drive::roomy();
        drive.put_all(0..deleted + 2);
        drive.delete_all(1..deleted + 1);
        let range = KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            direction: BOTH[kind % 2],
        };
        if kind < 2 {
            let keys = drive.store.range(&range, 100, Effort::Disk).unwrap();
            assert_eq!(keys.len(), 2);
        } else {
            let found = drive.store.previous(&name(deleted + 1), Effort::Disk);
            assert_eq!(found.unwrap().0, name(0));
        }
        drive.settle();
        assert_eq!(drive.counts(), (2, 0));
    }
}

#[test]
fn dense_tombstones_are_merged_away_without_a_scan() {
    let mut drive = Drive::roomy();
    drive.put_all(0..4000);
    drive.optimize(None);
    drive.delete_all(0..900);
    drive.flush();
    assert_eq!(drive.counts(), (4900, 900), "fewer than a quarter");
    drive.delete_all(900..1400);
    drive.flush();
    assert_eq!(drive.counts(), (2600, 0), "a quarter of all entries");
    drive.delete_all(1400..4000);
    drive.flush();
    assert_eq!((drive.store.status().runs, drive.counts()), (0, (0, 0)));
}

#[test]
fn nothing_is_merged_for_scans_while_a_damaged_run_keeps_tombstones_alive() {
    let deleted = SCAN_TOMBSTONES as u64;
    let mut drive = Drive::roomy();
    drive.put_all(0..deleted + 2);
    drive.flush();
    let oldest = drive.store.inner.shared.view().runs[0].meta().id;
    drive.store.inner.upkeep.lock().unwrap().distrust(oldest);
    drive.delete_all(1..deleted + 1);
    let merges = drive.merges();
    for _ in 0..SCAN_SHARE {
        assert_eq!(drive.next_of(0).unwrap(), name(deleted + 1));
        drive.settle();
    }
    let view = drive.store.inner.shared.view();
    assert_eq!(drive.merges(), merges);
    assert!(!view.active.is_empty(), "nor flushed");
    assert!(!drive.store.inner.shared.stepped.pays(&view), "forgotten");
}

#[test]
fn a_turn_ends_after_so_many_tombstones_and_the_next_one_goes_on() {
    let deleted = TURN_TOMBSTONES as u64 + 10;
    let mut drive = Drive::roomy();
    drive.put_all(0..1);
    drive.put_all(deleted + 1..deleted + 2);
    let tombstone = |number: u64| {
        let state = State::Deleted;
        let seqno = Seqno(number);
        (Key::from_slice(&name(number)), Entry { seqno, state })
    };
    let tombstones = (1..deleted + 1).map(tombstone);
    drive.store.inner.shared.view().active.apply(tombstones);
    for (direction, from) in BOTH.into_iter().zip([0, deleted + 1]) {
        let far = deleted + 1 - from;
        let turn = drive.store.neighbour(&name(from), direction, Effort::Disk);
        let Ok(Neighbour::Beyond(key)) = turn else {
            panic!("{turn:?}");
        };
        let stepped = TURN_TOMBSTONES as u64;
        assert_eq!(key, name(from.abs_diff(stepped)));
        let turn = drive.store.neighbour(&key, direction, Effort::Disk);
        assert!(matches!(turn, Ok(Neighbour::Found(key, _)) if key == name(far)));
        let mut range = KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            direction,
        };
        let Keys { keys, beyond } = drive.store.keys(&range, 10, Effort::Disk).unwrap();
        assert_eq!(keys, [name(from)]);
        range.go_behind(beyond.expect("there is more"));
        let Keys { keys, beyond } = drive.store.keys(&range, 10, Effort::Disk).unwrap();
        assert_eq!((keys, beyond), (vec![Bytes::from(name(far))], None));
    }
}

/// A scan sees what was there when each of its turns began, whatever merges do meanwhile.
#[test]
fn scans_stay_right_while_what_they_step_over_is_merged_away() {
    let mut drive = Drive::new();
    let (mut model, mut choices) = (Model::new(), Choices(4));
    for round in 0..400 {
        let from = choices.below(300);
        let many = choices.below(200);
        if round % 3 == 0 {
            drive.put_all(from..from + many);
            model.extend((from..from + many).map(|number| (name(number), Vec::new())));
        } else {
            drive.delete_all(from..from + many);
            (from..from + many).for_each(|number| drop(model.remove(&name(number))));
        }
        // As a scan of a thousand would ask.
        let stepped = &drive.store.inner.shared.stepped;
        stepped.add(stepped.begin(), 1000);
        for _ in 0..choices.below(20) {
            drive.step();
        }
        let at = name(choices.below(500));
        let above = (Bound::Excluded(at.clone()), Bound::Unbounded);
        let next = drive.store.next(&at, Effort::Disk).ok();
        let expected = model.range::<Vec<u8>, _>(above).next();
        assert_eq!(
            next.map(|(key, _)| key.to_vec()),
            expected.map(|(key, _)| key.clone())
        );
    }
    assert!(drive.merges() > 20);
}

/// Its memtables take zones, and each entry takes as much in a run as in memory.
#[test]
fn a_drive_full_of_long_keys_can_be_emptied_although_memtables_make_its_index_grow() {
    let mut drive = Drive::with_zones(ZONES);
    drive.reopen_with(Options::default());
    let key = |number: u32| number.to_be_bytes().repeat(1000);
    let mut stored = 0_u32;
    while drive.put(&key(stored), b"1").is_ok() {
        stored += 1;
    }
    assert_eq!(drive.store.status().health, Health::Full);
    drive.delete_each(stored, key);
    for _ in 0..20_000 {
        drive.step();
    }
    assert_eq!(drive.store.status().health, Health::Healthy);
}
