//! A drive put in order on demand: one run is left, what was deleted is gone, zones that hold
//! little are emptied, and it always ends.

use super::*;

impl Drive {
    /// Asks for it and steps until it is done, with a put now and then where asked for.
    pub(super) fn optimize(&mut self, load: Option<&mut Choices>) {
        let asked = self.store.optimize();
        let mut load = load;
        for turn in 0..50_000 {
            if self.store.is_optimized(asked) {
                return;
            }
            self.step();
            if let Some(choices) = load.as_deref_mut()
                && turn % 3 == 0
            {
                let key = model_key(choices);
                self.put(&key, &[7; 900]).unwrap();
            }
        }
        panic!("it never ends: {:?}", self.store.status());
    }
}

#[test]
fn one_run_without_tombstones_is_left_and_dead_zones_are_free() {
    let mut drive = Drive::new();
    let keys: Vec<Vec<u8>> = (0..3000_u32)
        .map(|key| key.to_be_bytes().to_vec())
        .collect();
    for key in &keys {
        drive.put(key, &[1; 1000]).unwrap();
    }
    drive.settle();
    for key in &keys[500..1100] {
        let gone = vec![delete(key, Expected::Any)];
        let token = drive.submit(gone, Durability::WriteBack);
        drive.finish(token).unwrap();
    }
    let before = drive.store.status();
    assert!(before.runs > 1, "{before:?}");
    drive.optimize(None);
    let view = drive.store.inner.shared.view();
    assert_eq!((view.runs.len(), view.runs[0].meta().tombstones), (1, 0));
    assert_eq!(view.runs[0].meta().entries, 2400);
    drop(view);
    drive.settle();
    assert!(drive.store.status().used_bytes < before.used_bytes);
    for (key, number) in keys.iter().zip(0..) {
        assert_eq!(drive.value(key).is_ok(), !(500..1100).contains(&number));
    }
}

#[test]
fn it_ends_where_there_is_nothing_to_do_and_where_writes_go_on() {
    let mut drive = Drive::new();
    drive.optimize(None);
    drive.put(b"key", b"value").unwrap();
    drive.optimize(None);
    assert_eq!(drive.store.status().runs, 1);
    drive.optimize(None);
    let mut choices = Choices(3);
    for _ in 0..3 {
        drive.optimize(Some(&mut choices));
    }
    assert_eq!(drive.value(b"key").unwrap(), &b"value"[..]);
}

#[test]
fn two_who_ask_at_once_wait_for_the_same() {
    let mut drive = Drive::new();
    drive.put(b"key", b"value").unwrap();
    let (one, other) = (drive.store.optimize(), drive.store.optimize());
    assert_eq!(one, other);
    drive.optimize(None);
    assert!(drive.store.is_optimized(one));
    assert!(drive.store.optimize() > one);
}

/// Values of 1000 bytes in groups that fill their zones, of which every `nth` is deleted again.
fn thinned(nth: usize) -> (Drive, Vec<Vec<u8>>) {
    let mut drive = Drive::new();
    let keys: Vec<Vec<u8>> = (0..3000_u32)
        .map(|key| key.to_be_bytes().to_vec())
        .collect();
    for part in keys.chunks(23) {
        let batch = part.iter().map(|key| put(key, &[1; 1000], Expected::Any));
        let token = drive.submit(batch.collect(), Durability::WriteBack);
        drive.finish(token).unwrap();
    }
    for key in keys.iter().step_by(nth) {
        let gone = vec![delete(key, Expected::Any)];
        let token = drive.submit(gone, Durability::WriteBack);
        drive.finish(token).unwrap();
    }
    drive.settle();
    (drive, keys)
}

#[test]
fn zones_that_are_half_dead_are_emptied_although_there_is_room() {
    let (mut drive, keys) = thinned(2);
    let before = drive.store.status();
    assert_eq!(before.moves, 0, "there is room enough");
    drive.optimize(None);
    let after = drive.store.status();
    assert!(after.moves > 1000, "{after:?}");
    assert_eq!(after.runs, 1);
    // It is so when it is said to be done, not some time later.
    assert!(
        after.used_bytes * 10 < before.used_bytes * 7,
        "{before:?} {after:?}"
    );
    for (key, number) in keys.iter().zip(0..) {
        assert_eq!(drive.value(key).is_ok(), number % 2 == 1);
    }
    drive.settle();
    let live = drive.store.live_bytes_by_scan().unwrap();
    assert_eq!(live.accounted, live.scanned);
    drive.optimize(None);
    assert_eq!(drive.store.status().moves, after.moves, "nothing is left");
    drive.reopen();
    for (key, number) in keys.iter().zip(0..) {
        assert_eq!(drive.value(key).is_ok(), number % 2 == 1);
    }
}

#[test]
fn zones_that_are_nearly_full_are_left_alone() {
    let (mut drive, _) = thinned(6);
    drive.optimize(None);
    // The zone with the last puts and the first deletes is another one.
    assert!(drive.store.status().moves < 60);
}

#[test]
fn it_leaves_the_disk_to_others_after_each_write_and_gets_done() {
    let (mut drive, _) = thinned(2);
    let asked = drive.store.optimize();
    let copied = |drive: &Drive| drive.store.status().moved_bytes;
    let (mut rests, mut last) = (0, copied(&drive));
    for turn in 0..200_000 {
        if drive.store.is_optimized(asked) {
            break;
        }
        let value = vec![put(b"another key", b"value", Expected::Any)];
        drive.submit(value, Durability::WriteBack);
        drive.now += 100_000;
        drive.store.step_writer();
        drive.store.step_syncer(drive.now);
        let wrote = copied(&drive) != last;
        last = copied(&drive);
        let step = drive.store.step_upkeep(drive.now);
        if wrote && drive.store.under_way().reclaim {
            rests += u64::from(step == Step::Blocked(Need::Time));
        }
        assert!(turn < 199_999, "{:?}", drive.store.status());
    }
    assert!(drive.store.status().moves > 1000 && rests > 10, "{rests}");
}

#[test]
fn a_merge_that_ran_out_of_room_is_not_begun_again_before_something_has_changed() {
    let mut drive = Drive::new();
    let grow = |drive: &mut Drive, key: u8| {
        drive.put(&[key], &[1; 1000]).unwrap();
        let runs = drive.store.status().runs;
        drive.store.inner.shared.progress().freeze_wanted = true;
        while drive.store.status().runs == runs {
            drive.step();
        }
        drive.settle();
    };
    grow(&mut drive, 1);
    grow(&mut drive, 2);
    drive.store.inner.upkeep.lock().unwrap().cramp();
    let before = drive.store.status();
    drive.optimize(None);
    assert_eq!(drive.store.status().merges, before.merges, "as much room");
    grow(&mut drive, 3);
    drive.optimize(None);
    assert_eq!(drive.store.status().merges, before.merges + 1, "a new run");
}
