//! A rotten block of a run costs the keys that it may hold, and no more.

use super::*;

fn range(start: Bound<&[u8]>, end: Bound<&[u8]>, direction: Direction) -> KeyRange {
    let own = |bound: Bound<&[u8]>| bound.map(Bytes::copy_from_slice);
    KeyRange {
        start: own(start),
        end: own(end),
        direction,
    }
}

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Backward];

fn is_unreadable<T>(read: &Result<T, ReadError>) -> bool {
    matches!(read, Err(ReadError::Unreadable(_)))
}

#[test]
fn every_other_key_is_served_and_no_key_of_the_block_is_said_to_be_absent() {
    let (mut drive, model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    let lost = model.keys().filter(|key| holds(&gap, key)).count();
    assert!(lost > 0 && lost < 200, "{lost} keys lost");
    for (key, value) in &model {
        match drive.value(key) {
            Ok(found) => assert!(found == value[..] && !holds(&gap, key)),
            Err(error) => {
                assert!(matches!(error, ReadError::Unreadable(_)), "{error}");
                assert!(holds(&gap, key));
            }
        }
    }
    let absent = [&gap.start[..], b"+"].concat();
    assert!(holds(&gap, &absent));
    assert!(matches!(
        drive.value(&absent),
        Err(ReadError::Unreadable(_) | ReadError::NotFound)
    ));
}

#[test]
fn ranges_and_neighbours_fail_where_they_ask_for_what_is_lost_and_only_there() {
    let (mut drive, model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    let end = gap.end.clone().unwrap();
    let sides = [
        range(Bound::Unbounded, Bound::Excluded(&gap.start), BOTH[0]),
        range(Bound::Included(&end), Bound::Unbounded, BOTH[0]),
    ];
    for side in sides {
        for direction in BOTH {
            let side = KeyRange {
                direction,
                ..side.clone()
            };
            let keys = drive.store.range(&side, usize::MAX, Effort::Disk).unwrap();
            let bounds = (side.start.clone(), side.end.clone());
            let inside = |key: &&Vec<u8>| {
                std::ops::RangeBounds::contains(&bounds, &Bytes::copy_from_slice(key))
            };
            assert_eq!(keys.len(), model.keys().filter(inside).count());
        }
    }
    let sound: Vec<&Vec<u8>> = model.keys().filter(|key| !holds(&gap, key)).collect();
    for pair in sound.windows(2) {
        let across = *pair[0] < gap.start && *pair[1] >= end;
        let next = drive.store.next(pair[0], Effort::Disk);
        let previous = drive.store.previous(pair[1], Effort::Disk);
        let both = range(Bound::Included(pair[0]), Bound::Included(pair[1]), BOTH[0]);
        let both = drive.store.range(&both, 10, Effort::Disk);
        if across {
            assert!(is_unreadable(&next) && is_unreadable(&previous) && is_unreadable(&both));
        } else {
            assert_eq!(next.unwrap().0, pair[1][..]);
            assert_eq!(previous.unwrap().0, pair[0][..]);
            assert_eq!(both.unwrap().len(), 2);
        }
    }
}

#[test]
fn a_page_says_what_cannot_be_read_and_the_next_one_goes_on_behind_it() {
    let (mut drive, model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    for direction in BOTH {
        let whole = range(Bound::Unbounded, Bound::Unbounded, direction);
        let first = drive
            .store
            .page(&whole, usize::MAX, Effort::Medium)
            .unwrap();
        assert_eq!(first.gap.as_ref().map(|(gap, _)| gap), Some(&gap));
        let rest = match direction {
            Direction::Forward => KeyRange {
                start: Bound::Included(gap.end.clone().unwrap().into()),
                ..whole
            },
            Direction::Backward => KeyRange {
                end: Bound::Excluded(gap.start.clone().into()),
                ..whole
            },
        };
        let second = drive.store.page(&rest, usize::MAX, Effort::Medium).unwrap();
        assert_eq!(second.gap, None);
        let keys = first.entries.iter().chain(&second.entries);
        let keys = keys.filter(|(key, _)| model.contains_key(&key[..]));
        let sound = model.keys().filter(|key| !holds(&gap, key)).count();
        assert_eq!(keys.count(), sound);
    }
}

#[test]
fn writes_over_what_is_lost_make_keys_readable_again() {
    let (mut drive, model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    let mut lost = model.keys().filter(|key| holds(&gap, key));
    let (first, second, third) = (lost.next(), lost.next(), lost.next());
    let [first, second, third] = [first.unwrap(), second.unwrap(), third.unwrap()];
    for mutation in [
        put(first, b"new", Expected::Version(Bytes::from_static(b"v"))),
        delete(first, Expected::Version(Bytes::from_static(b"v"))),
    ] {
        let token = drive.submit(vec![mutation], Durability::WriteBack);
        let refused = drive.finish(token);
        assert!(matches!(refused, Err(CommitFailure::Unreadable(_))));
    }
    drive.put(first, b"new").unwrap();
    let token = drive.submit(vec![delete(second, Expected::Any)], Durability::WriteBack);
    drive.finish(token).unwrap();
    for _ in 0..2 {
        assert_eq!(drive.value(first).unwrap(), &b"new"[..]);
        assert_eq!(drive.value(second), Err(ReadError::NotFound));
        assert!(is_unreadable(&drive.value(third)));
        drive.settle();
        drive.reopen();
    }
}

#[test]
fn a_damaged_run_stays_out_of_merges_and_the_drive_goes_on() {
    let (mut drive, mut model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    for round in 0..3 {
        for number in 0..3000_u32 {
            let key = format!("new{:05}", number % 700).into_bytes();
            let value = format!("{round} {number}").into_bytes();
            drive.put(&key, &value).unwrap();
            model.insert(key, value);
        }
        drive.settle();
        let status = drive.store.status();
        assert!(status.merges > 0, "{status:?}");
        assert!(status.runs <= 12, "{} runs pile up", status.runs);
        for (key, value) in &model {
            let found = drive.value(key);
            if holds(&gap, key) {
                assert!(is_unreadable(&found), "an older run must not answer");
            } else {
                assert_eq!(found.unwrap(), value[..]);
            }
        }
        drive.reopen();
    }
}

#[test]
fn a_drive_with_a_damaged_run_can_be_filled_and_serves_on() {
    let (mut drive, mut model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    let mut number = 0_u32;
    let full = loop {
        let key = format!("fill{number:06}").into_bytes();
        let value = vec![7; 9000];
        match drive.put(&key, &value) {
            Ok(()) => model.insert(key, value),
            Err(failure) => break failure,
        };
        number += 1;
        assert!(number < 10_000, "it never fills");
    };
    assert_eq!(full, CommitFailure::NoSpace);
    drive.settle();
    for _ in 0..2 {
        for (key, value) in &model {
            assert_eq!(drive.value(key).is_ok(), !holds(&gap, key));
            if !holds(&gap, key) {
                assert_eq!(drive.value(key).unwrap(), value[..]);
            }
        }
        let gone = vec![delete(&key_of(1), Expected::Any)];
        let token = drive.submit(gone, Durability::WriteThrough);
        drive.finish(token).unwrap();
        model.remove(&key_of(1));
        drive.settle();
        drive.reopen();
    }
}

#[test]
fn putting_the_index_in_order_ends_where_a_run_is_damaged() {
    let (mut drive, model) = one_run(1500);
    let gap = drive.rot_a_leaf();
    for number in 0..900_u32 {
        drive.put(&number.to_be_bytes(), &[1; 200]).unwrap();
    }
    let asked = drive.store.optimize();
    drive.settle();
    assert!(drive.store.is_optimized(asked));
    for (key, value) in &model {
        match drive.value(key) {
            Ok(found) => assert_eq!(found, value[..]),
            Err(_) => assert!(holds(&gap, key)),
        }
    }
}
