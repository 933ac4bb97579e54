//! What is bounded, and what is told when.

use kinetic_store::{
    Attributes, CommitFailure, Durability, Effort, Expected, Mutation, Need, Options, ReadError,
    Seal, Step, Store, SubmitError,
};

use crate::drive::{Drive, delete, put};

fn with_options(options: Options) -> Drive {
    let mut drive = Drive::new(Seal::Sealed);
    drive.options = options;
    drive.start().expect("it opens with other options");
    drive
}

#[test]
fn the_largest_batch_fits_the_smallest_drive_and_comes_back_whole() {
    let mut drive = Drive::of(256 << 20, (None, Seal::Sealed));
    // Two of the largest values are too much for a group of the smallest zones: it says how much.
    let half = vec![1; 1 << 20];
    let refused = drive.commit(
        vec![put("a", &half), put("b", &half)],
        Durability::WriteThrough,
    );
    let Err(CommitFailure::TooLarge(_, _, limit)) = refused else {
        panic!("{refused:?}");
    };
    let mut length = usize::try_from(limit).unwrap() - (1 << 20);
    let largest = loop {
        let value = vec![2; length];
        let batch = vec![put("a", &half), put("b", &value)];
        match drive.commit(batch, Durability::WriteThrough) {
            Ok(()) => break value,
            Err(CommitFailure::TooLarge(..)) => length -= 8,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(largest.len() as u64 + (1 << 20) + 2048 > limit, "{length}");
    drive.cut_power();
    drive.start().unwrap();
    assert_eq!(drive.value("a").unwrap(), half);
    assert_eq!(drive.value("b").unwrap(), largest);
}

#[test]
fn the_queue_is_bounded_in_bytes_and_takes_one_commit_of_any_size() {
    let mut drive = with_options(Options {
        queue_bytes: 10_000,
        ..Options::default()
    });
    let large = vec![put("large", &[1; 20_000])];
    drive.submit(large, Durability::WriteBack);
    let refused = drive.try_submit(vec![delete("x")], Durability::WriteBack);
    assert!(matches!(refused, Err(SubmitError::Busy(_))), "{refused:?}");
    drive.store().step_writer();
    // A lane may hold as much as it leaves to others: that is half when it is alone.
    let lanes = [drive.lane(0), drive.lane(0), drive.lane(0)];
    let taken = lanes.map(|lane| {
        let puts = (0..20).map(|_| drive.try_submit_in(&lane, vec![put("small", &[1; 900])]));
        puts.take_while(Result::is_ok).count()
    });
    assert!((4..=5).contains(&taken[0]), "{taken:?}");
    assert!((1..=3).contains(&taken[1]), "{taken:?}");
    assert!((1..=2).contains(&taken[2]), "{taken:?}");
}

#[test]
fn a_small_put_waits_for_one_group_of_a_backlog_of_large_ones() {
    let mut drive = Drive::of(256 << 20, (None, Seal::Sealed));
    let (deep, small) = (drive.lane(0), drive.lane(0));
    let large = vec![1; 512 << 10];
    let mut backlog = Vec::new();
    while let Ok(token) = drive.try_submit_in(&deep, vec![put("large", &large)]) {
        backlog.push(token);
    }
    assert!(
        backlog.len() > 25,
        "four groups at least: {}",
        backlog.len()
    );
    // As many of its puts as there are groups of the backlog: each is in the very next group.
    for number in 0..4 {
        let token = drive.submit_in(&small, vec![put(&format!("small{number}"), b"value")]);
        let before = drive.store().status().group_bytes;
        drive.step();
        assert_eq!(drive.outcome(token), Some(Ok(())), "{number}");
        let bytes = drive.store().status().group_bytes - before;
        assert!(bytes <= 4 << 20, "{bytes} bytes in one group");
    }
    let last = *backlog.last().expect("it is deep");
    assert_eq!(drive.outcome(last), None, "the backlog is not deep enough");
    // Nor does what is behind in its own lane come before what is in front of it.
    let told = backlog.iter().map(|token| drive.outcome(*token).is_some());
    assert!(told.is_sorted_by(|before, after| before >= after));
}

#[test]
fn a_flush_covers_what_other_lanes_had_queued_before_it() {
    let mut drive = Drive::of(256 << 20, (None, Seal::Sealed));
    let (deep, other) = (drive.lane(0), drive.lane(0));
    for number in 0..20 {
        let value = vec![number; 512 << 10];
        drive.submit_in(&deep, vec![put(&format!("key{number}"), &value)]);
    }
    let flush = drive.submit_flush_in(&other);
    let later = drive.submit_in(&drive.lane(0), vec![put("later", b"value")]);
    drive.step();
    assert_eq!(
        drive.outcome(later),
        Some(Ok(())),
        "nobody waits for a flush"
    );
    for _ in 0..100 {
        drive.step();
        if drive.outcome(flush).is_some() {
            break;
        }
    }
    assert_eq!(drive.outcome(flush), Some(Ok(())));
    drive.cut_power();
    drive.start().unwrap();
    for number in 0..20 {
        assert_eq!(drive.value(&format!("key{number}")).unwrap()[0], number);
    }
}

/// By which lanes are told of room.
const ROOM: u64 = 1 << 40;

#[test]
fn who_finds_the_queue_full_is_told_when_there_is_room_and_when_the_drive_is_read_only() {
    let mut drive = with_options(Options {
        queue_bytes: 10_000,
        ..Options::default()
    });
    for fails in [false, true] {
        let lane = drive.lane(ROOM + u64::from(fails));
        if fails {
            let sync = kinetic_simulator::disk::SyncFailure::LosesAll;
            drive.disk.fail_sync(1, sync);
            let refused = drive.commit(vec![put("key", b"value")], Durability::WriteThrough);
            assert_eq!(refused, Err(CommitFailure::ReadOnly));
        }
        while drive
            .try_submit_in(&lane, vec![put("key", &[1; 900])])
            .is_ok()
        {}
        let room = ROOM + u64::from(fails);
        assert_eq!(drive.outcome(room), None);
        drive.store().step_writer();
        assert_eq!(drive.outcome(room), Some(Ok(())));
        let token = drive.submit_in(&lane, vec![put("key", &[1; 900])]);
        drive.store().step_writer();
        let expected = if fails {
            Err(CommitFailure::ReadOnly)
        } else {
            Ok(())
        };
        assert_eq!(drive.outcome(token), Some(expected));
    }
}

/// Puts without upkeep and syncs until the writer waits; for what, and bytes written.
fn write_until_it_waits(store: &Store, drive: &mut Drive) -> (Need, u64) {
    for number in 0..1000 {
        drive.submit(
            vec![put(&format!("key{number}"), &[1; 1000])],
            Durability::WriteBack,
        );
        if let Step::Blocked(need) = store.step_writer() {
            return (need, store.status().group_bytes);
        }
    }
    panic!("the writer never waits");
}

#[test]
fn writes_wait_for_a_flush_once_two_memtables_are_full() {
    let mut drive = with_options(Options {
        memtable_bytes: 3000,
        ..Options::default()
    });
    let store = drive.store().clone();
    let (need, bytes) = write_until_it_waits(&store, &mut drive);
    assert_eq!(need, Need::Flush);
    assert!(bytes < 60 * 1100, "{bytes} bytes of log");
}

#[test]
fn writes_wait_for_a_sync_once_too_much_is_unsynced() {
    let mut drive = with_options(Options {
        unsynced_bytes: 10_000,
        ..Options::default()
    });
    let store = drive.store().clone();
    let (need, bytes) = write_until_it_waits(&store, &mut drive);
    assert_eq!(need, Need::Sync);
    assert!((10_000..13_000).contains(&bytes), "{bytes}");
}

#[test]
fn what_nobody_asked_to_be_durable_is_synced_within_its_time() {
    let mut drive = with_options(Options::default());
    drive.submit(vec![put("key", b"value")], Durability::WriteBack);
    drive.store().step_writer();
    let syncs = drive.disk.counts().syncs;
    let age = Options::default().unsynced_age_us;
    assert!(age <= 1_000_000, "a second at most");
    assert_eq!(drive.store().step_syncer(5), Step::Blocked(Need::Time));
    assert_eq!(
        drive.store().step_syncer(4 + age),
        Step::Blocked(Need::Time)
    );
    while drive.store().step_syncer(5 + age) == Step::Worked {}
    assert_eq!(drive.disk.counts().syncs, syncs + 1);
    drive.cut_power();
    drive.start().unwrap();
    assert_eq!(drive.value("key").unwrap(), &b"value"[..]);
}

#[test]
fn a_flush_covers_everything_that_was_queued_before_it() {
    let mut drive = Drive::new(Seal::Sealed);
    for number in 0..20 {
        let mutations = vec![put(&format!("key{number}"), b"value")];
        drive.submit(mutations, Durability::WriteBack);
    }
    drive.commit(Vec::new(), Durability::Flush).unwrap();
    drive.cut_power();
    drive.start().unwrap();
    for number in 0..20 {
        assert_eq!(drive.value(&format!("key{number}")).unwrap(), &b"value"[..]);
    }
}

#[test]
fn a_commit_is_visible_after_its_write_and_durable_after_the_sync_behind_it() {
    let mut drive = Drive::new(Seal::Sealed);
    let token = drive.submit(vec![put("key", b"value")], Durability::WriteThrough);
    assert_eq!(drive.value("key"), Err(ReadError::NotFound));
    drive.store().step_writer();
    assert_eq!(drive.value("key").unwrap(), &b"value"[..]);
    assert_eq!(drive.outcome(token), None);
    // It starts, it is done, and only then is it told.
    for _ in 0..2 {
        drive.store().step_syncer(1);
        assert_eq!(drive.outcome(token), None);
    }
    drive.store().step_syncer(1);
    assert_eq!(drive.outcome(token), Some(Ok(())));
}

#[test]
fn a_failed_sync_makes_the_drive_read_only_before_another_one_can_begin() {
    let mut drive = Drive::new(Seal::Sealed);
    drive.put("before", b"value");
    drive
        .disk
        .fail_sync(1, kinetic_simulator::disk::SyncFailure::LosesAll);
    let refused = drive.commit(vec![put("key", b"value")], Durability::WriteThrough);
    assert_eq!(refused, Err(CommitFailure::ReadOnly));
    let counts = drive.disk.counts();
    for durability in [Durability::WriteBack, Durability::WriteThrough] {
        let refused = drive.commit(vec![delete("before")], durability);
        assert_eq!(refused, Err(CommitFailure::ReadOnly));
    }
    drive.step();
    assert_eq!(drive.disk.counts().syncs, counts.syncs, "no sync is tried");
    assert_eq!(
        drive.disk.counts().writes,
        counts.writes,
        "nothing is written"
    );
    assert_eq!(drive.value("before").unwrap(), &b"value"[..]);
}

#[test]
fn the_writer_reads_no_disk_for_what_was_looked_up_before_it_was_queued() {
    let mut drive = with_options(Options {
        memtable_bytes: 3000,
        ..Options::default()
    });
    for number in 0..100 {
        drive.put(&format!("key{number:03}"), b"value");
    }
    while drive.store().step_upkeep(0) == Step::Worked {}
    let cases = [("key000", None, 1), ("key001", Some(Effort::Disk), 0)];
    for (key, look, reads) in cases {
        drive.start().unwrap();
        drive.disk.wait_for_reads(1000);
        let in_memory = |effort| drive.store().look_ahead(key.as_bytes(), effort);
        assert!(!in_memory(Effort::Cached), "{key} is not cold");
        assert!(look.is_none_or(in_memory));
        let overwrite = Mutation::Put {
            key: key.into(),
            value: "new".into(),
            attributes: Attributes::new(b"v", b"", None),
            expected: Expected::Version("v".into()),
        };
        drive
            .commit(vec![overwrite], Durability::WriteThrough)
            .unwrap();
        assert_eq!(drive.store().status().writer_reads, reads, "{key}");
        drive.disk.clear_faults();
    }
}
