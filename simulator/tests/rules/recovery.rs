//! What opening makes of what it finds.

use kinetic_simulator::disk::SyncFailure;
use kinetic_store::disk::Disk as _;
use kinetic_store::{CommitFailure, Durability, Kept, OpenError, ReadError, Seal};

use crate::drive::{Drive, ZONE, delete, put};

#[test]
fn a_torn_group_before_an_intact_one_is_cut_and_the_drive_opens() {
    let mut drive = Drive::new(Seal::Plain);
    drive.put("kept", b"kept");
    for key in ["torn", "late"] {
        drive.submit(vec![put(key, b"lost")], Durability::WriteBack);
        drive.store().step_writer();
    }
    let torn = drive.groups_with(b"torn")[0];
    drive.disk.flip_bit(torn + 60, 0);
    drive.kill();
    drive.start().unwrap();
    assert_eq!(drive.value("kept").unwrap(), &b"kept"[..]);
    assert_eq!(drive.value("torn"), Err(ReadError::NotFound));
    assert_eq!(drive.value("late"), Err(ReadError::NotFound));
}

#[test]
fn a_group_that_a_later_one_says_is_durable_is_never_cut_and_nothing_is_written() {
    for at in [0, 20, 59, 60, 70] {
        let mut drive = Drive::new(Seal::Plain);
        drive.put("first", b"value");
        drive.put("later", b"value");
        let first = drive.groups_with(b"first")[0];
        drive.disk.flip_bit(first + at, 3);
        drive.kill();
        let writes = drive.disk.counts().writes;
        let refused = drive.start().unwrap_err();
        assert!(matches!(refused, OpenError::Log(_)), "byte {at}: {refused}");
        assert_eq!(drive.disk.counts().writes, writes, "it is left as it is");
        drive.disk.flip_bit(first + at, 3);
        drive.start().unwrap();
        assert_eq!(drive.value("first").unwrap(), &b"value"[..]);
    }
}

#[test]
fn a_value_that_contains_groups_does_no_harm() {
    let mut drive = Drive::new(Seal::Plain);
    drive.put("old", b"must not come back");
    let group = drive.groups_with(b"old")[0];
    let mut forged = vec![0; 512];
    drive.disk.read_at(group, &mut forged).unwrap();
    drive
        .commit(vec![delete("old")], Durability::WriteThrough)
        .unwrap();
    // As the group that comes next, and as one that says that everything before it is durable.
    let mut value = Vec::new();
    for (number, durable) in [(0_u64, 0_u64), (3, 2), (4, 3), (1000, 999)] {
        if number > 0 {
            forged[16..24].copy_from_slice(&number.to_le_bytes());
            forged[24..32].copy_from_slice(&durable.to_le_bytes());
        }
        value.extend_from_slice(&forged);
        value.resize(value.len().next_multiple_of(4096), 0);
        value.extend_from_slice(&forged);
    }
    drive.submit(vec![put("mine", &value)], Durability::WriteBack);
    drive.store().step_writer();
    drive.kill();
    drive.start().unwrap();
    assert_eq!(drive.value("mine").unwrap(), value);
    assert_eq!(drive.value("old"), Err(ReadError::NotFound));

    // The group that holds the value is torn: what is looked through behind it is the value.
    drive.submit(vec![put("mine", &value)], Durability::WriteBack);
    drive.store().step_writer();
    let torn = drive.groups_with(b"minevtag");
    let torn = torn.into_iter().max().unwrap();
    drive.disk.flip_bit(torn + 4, 1);
    drive.kill();
    drive.start().unwrap();
    assert_eq!(drive.value("old"), Err(ReadError::NotFound));
    assert_eq!(drive.value("mine").unwrap(), value, "the one before it");
}

#[test]
fn what_was_read_once_is_there_after_a_failed_sync_a_kill_and_a_power_cut() {
    for failure in [SyncFailure::LosesAll, SyncFailure::LosesSome] {
        let mut drive = Drive::new(Seal::Sealed);
        drive.submit(vec![put("read", b"once")], Durability::WriteBack);
        drive.store().step_writer();
        drive.disk.fail_sync(1, failure);
        let refused = drive.commit(vec![put("other", b"x")], Durability::WriteThrough);
        assert_eq!(refused, Err(CommitFailure::ReadOnly));
        drive.kill();
        drive.start().unwrap();
        assert_eq!(drive.value("read").unwrap(), &b"once"[..]);
        drive.cut_power();
        drive.start().unwrap();
        assert_eq!(drive.value("read").unwrap(), &b"once"[..], "{failure:?}");
    }
}

#[test]
fn what_a_host_could_not_write_back_is_there_once_the_drive_was_opened() {
    let mut drive = Drive::new(Seal::Sealed);
    drive.submit(vec![put("read", b"once")], Durability::WriteBack);
    drive.store().step_writer();
    drive.kill();
    drive.disk.fail_write_back(SyncFailure::LosesAll);
    drive.start().unwrap();
    assert_eq!(drive.value("read").unwrap(), &b"once"[..]);
    drive.cut_power();
    drive.start().unwrap();
    assert_eq!(drive.value("read").unwrap(), &b"once"[..]);
}

#[test]
fn settings_that_a_host_could_not_write_back_are_written_again_before_others() {
    // The process is killed at each call of a write of settings, and the cache lies ever after.
    for killed_in in 1..=4 {
        for cut_in in 1..=4 {
            let mut drive = Drive::new(Seal::Sealed);
            drive.store().write_settings(b"old").unwrap();
            drive.disk.kill_after(killed_in);
            let _killed = drive.store().write_settings(b"new");
            drive.store = None;
            drive.disk.fail_write_back(SyncFailure::LosesAll);
            drive.start().unwrap();
            drive.disk.cut_power_after(cut_in);
            let _cut = drive.store().write_settings(b"newer");
            drive.start().unwrap();
            let found = kinetic_store::read_settings(&drive.disk).unwrap();
            let any: [&[u8]; 3] = [b"old", b"new", b"newer"];
            assert!(
                any.contains(&&found[..]),
                "{killed_in}, {cut_in}: {found:?}"
            );
        }
    }
}

#[test]
fn settings_that_were_acknowledged_outlive_a_failed_sync_and_a_sector_that_turns_bad() {
    // The syncs of the two copies, and one that comes later.
    for failing in 1..=3 {
        for slot in [0x1000, 0x9000] {
            let mut drive = Drive::new(Seal::Sealed);
            drive.store().write_settings(b"old").unwrap();
            drive.disk.fail_sync(failing, SyncFailure::LosesAll);
            let told = drive.store().write_settings(b"new");
            let is_safe = matches!(told, Ok(Kept::Twice));
            assert_eq!(is_safe, failing == 3, "{failing}: {told:?}");
            drive.kill();
            drive.disk.restart();
            if is_safe {
                drive.disk.fail_reads(slot, 0x200);
            }
            let found = kinetic_store::read_settings(&drive.disk).unwrap();
            let expected: &[u8] = if failing == 1 { b"old" } else { b"new" };
            assert_eq!(found, expected, "{failing}");
        }
    }
}

#[test]
fn a_value_is_verified_when_it_may_be_torn_and_not_when_it_is_known_to_be_durable() {
    let mut drive = Drive::new(Seal::Plain);
    drive.put("durable", &[0xAA; 3000]);
    drive.put("evidence", b"x");
    drive.submit(vec![put("unsure", &[0xBB; 3000])], Durability::WriteBack);
    drive.store().step_writer();
    let bytes = drive.bytes();
    let place_of = |byte: u8| {
        let found = bytes.windows(64).position(|it| it == [byte; 64]);
        found.unwrap() as u64
    };
    drive.disk.flip_bit(place_of(0xAA), 0);
    drive.disk.flip_bit(place_of(0xBB), 0);
    drive.kill();
    drive.start().unwrap();
    assert!(matches!(
        drive.value("durable"),
        Err(ReadError::Unreadable(_))
    ));
    assert_eq!(drive.value("evidence").unwrap(), &b"x"[..]);
    assert_eq!(drive.value("unsure"), Err(ReadError::NotFound), "it is cut");
}

#[test]
fn no_boot_writes_to_a_zone_of_the_log_of_another_boot() {
    let mut drive = Drive::new(Seal::Plain);
    let mut zones = Vec::new();
    for key in ["boot1", "boot2", "boot3"] {
        drive.put(key, b"value");
        let places = drive.groups_with(key.as_bytes());
        zones.extend(places.first().map(|place| place / u64::from(ZONE)));
        drive.kill();
        drive.start().unwrap();
    }
    let mut different = zones.clone();
    different.dedup();
    assert_eq!(different.len(), 3, "{zones:?}");
}

#[test]
fn after_a_sync_the_next_group_starts_on_a_block_of_the_disk() {
    let mut drive = Drive::new(Seal::Plain);
    for key in ["one", "two", "three"] {
        drive.put(key, b"value");
        let group = drive.groups_with(key.as_bytes())[0];
        assert_eq!(group % 4096, 0, "{key}");
    }
    drive.submit(vec![put("four", b"value")], Durability::WriteBack);
    drive.store().step_writer();
    drive.submit(vec![put("five", b"value")], Durability::WriteBack);
    drive.store().step_writer();
    let five = drive.groups_with(b"fivevtag");
    assert!(
        five.iter().any(|group| group % 4096 != 0),
        "without a sync it does not"
    );
}

#[test]
fn a_sparse_image_of_twenty_terabytes_opens() {
    let mut drive = Drive::of(20_000_000_000_000, (None, Seal::Sealed));
    drive.put("key", b"value");
    drive.cut_power();
    drive.start().unwrap();
    assert_eq!(drive.value("key").unwrap(), &b"value"[..]);
    let written = drive.disk.counts().bytes_written;
    assert!(written < 1 << 20, "{written} bytes were written");
}
