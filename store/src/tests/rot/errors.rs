//! A disk that reports read errors: tried again, counted, and then told to whom it concerns.

use super::*;
use crate::error::Damage;
use crate::limits::READ_TRIES;

/// Where the value of a key lies.
fn value_place(drive: &Drive, key: &[u8]) -> Range<u64> {
    let shared = &drive.store.inner.shared;
    let entry = shared.view().lookup(&shared.reader, key, Effort::Disk);
    let value = entry.unwrap().and_then(|entry| entry.live()).unwrap();
    let start = drive.place(value.location);
    start..start + u64::from(value.length)
}

const FOR_GOOD: u32 = u32::MAX;

#[test]
fn a_read_that_fails_once_or_twice_is_tried_again_and_counted() {
    let (mut drive, model) = one_run(200);
    let disk = drive.on_brittle();
    let (key, value) = model.iter().next().unwrap();
    disk.spoil(value_place(&drive, key), READ_TRIES - 1);
    assert_eq!(drive.value(key).unwrap(), value[..]);
    let status = drive.store.status();
    assert_eq!(status.read_failures, u64::from(READ_TRIES - 1));
    assert_eq!(status.damage_seen, 0);
}

#[test]
fn a_read_that_must_not_wait_leaves_the_error_to_one_that_may() {
    let (mut drive, model) = one_run(200);
    let disk = drive.on_brittle();
    let key = model.keys().next().unwrap();
    disk.spoil(value_place(&drive, key), FOR_GOOD);
    let hasty = drive.store.get(key, Effort::Cached).unwrap_err();
    assert_eq!(hasty, ReadError::NotCached);
    let patient = drive.value(key).unwrap_err();
    assert!(matches!(patient, ReadError::Unreadable(Damage::Disk(_))));
    assert_eq!(drive.store.status().damage_seen, 1);
}

#[test]
fn who_wants_one_try_gets_no_other_and_is_told_that_another_may_help() {
    let (mut drive, model) = one_run(200);
    let disk = drive.on_brittle();
    let (key, value) = model.iter().next().unwrap();
    disk.spoil(value_place(&drive, key), 1);
    let hasty = drive.store.get(key, Effort::Once).unwrap_err();
    assert!(matches!(hasty, ReadError::Unreadable(Damage::DiskOnce(_))));
    let status = drive.store.status();
    assert_eq!((status.read_failures, status.damage_seen), (1, 0));
    let object = drive.store.get(key, Effort::Once).unwrap();
    assert_eq!(object.value, value[..]);
}

#[test]
fn an_unreadable_value_costs_its_key_and_an_unreadable_block_the_keys_below_it() {
    let (mut drive, model) = one_run(1500);
    let disk = drive.on_brittle();
    let victim = model.keys().nth(7).unwrap();
    disk.spoil(value_place(&drive, victim), FOR_GOOD);
    let runs = drive.runs();
    let run = runs.iter().max_by_key(|run| run.meta().entries).unwrap();
    let (gap, handle) = drive.leaves(run).pop().unwrap();
    let start = drive.place(handle.location);
    disk.spoil(start..start + 1, FOR_GOOD);
    drive.store.inner.shared.reader.cache().clear();
    for (key, value) in &model {
        let found = drive.value(key);
        if holds(&gap, key) || key == victim {
            let error = found.unwrap_err();
            assert!(matches!(error, ReadError::Unreadable(Damage::Disk(_))));
        } else {
            assert_eq!(found.unwrap(), value[..]);
        }
    }
}

#[test]
fn a_merge_whose_input_cannot_be_read_leaves_it_out_and_goes_on_after_a_restart() {
    let (mut drive, model) = one_run(1500);
    let disk = drive.on_brittle();
    let runs = drive.runs();
    let run = runs.iter().max_by_key(|run| run.meta().entries).unwrap();
    let leaves = drive.leaves(run);
    let (gap, handle) = leaves[leaves.len() / 2].clone();
    let start = drive.place(handle.location);
    disk.spoil(start..start + 1, FOR_GOOD);
    drive.store.inner.shared.reader.cache().clear();
    for number in 0..4000_u32 {
        let key = format!("new{:05}", number % 900);
        drive.put(key.as_bytes(), b"value").unwrap();
    }
    drive.settle();
    let status = drive.store.status();
    assert!(status.merges > 0 && status.runs <= 12, "{status:?}");
    let lost = model.keys().filter(|key| drive.value(key).is_err());
    assert_eq!(
        lost.count(),
        model.keys().filter(|key| holds(&gap, key)).count()
    );
    // The disk reads it again: nothing was lost.
    drive.reopen();
    for number in 0..4000_u32 {
        let key = format!("new{:05}", number % 900);
        drive.put(key.as_bytes(), b"value").unwrap();
    }
    drive.settle();
    assert!(model.keys().all(|key| drive.value(key).is_ok()));
}

#[test]
fn opening_tries_again_and_refuses_with_the_disks_error_where_that_does_not_help() {
    let (drive, _model) = one_run(50);
    drop(drive.store.clone());
    for (reads, opens) in [(READ_TRIES - 1, true), (FOR_GOOD, false)] {
        let disk = Brittle::over(&drive.disk);
        let superblock = crate::open::slots::choose(&*disk).unwrap();
        let zone = u64::from(superblock.manifest.zone.0) * u64::from(ZONE);
        disk.spoil(zone + 4096..zone + 4097, reads);
        let opened = Store::open(disk, options(), entropy(90 + u8::from(opens)), None);
        match opened {
            Ok(_) => assert!(opens),
            Err(error) => assert!(!opens && error.to_string().contains("manifest"), "{error}"),
        }
    }
}

#[test]
fn one_unreadable_superblock_or_settings_slot_is_what_the_other_one_is_for() {
    let (drive, model) = one_run(50);
    for (boot, place) in [(100, 0), (101, 32 << 10), (102, 4096), (103, 36 << 10)] {
        let disk = Brittle::over(&drive.disk);
        disk.spoil(place..place + 1, FOR_GOOD);
        let store = Store::open(disk, options(), entropy(boot), None).unwrap();
        for key in model.keys() {
            assert!(store.get(key, Effort::Disk).is_ok());
        }
    }
}
