//! Against a `BTreeMap`.

use std::ops::Bound;
use std::sync::Arc;

use super::{Bench, Dice, Model, model, small};
use crate::effort::Effort;
use crate::entry::{Attributes, Entry, Seqno, State};
use crate::layout::codec::Reader;
use crate::run::{
    BlockReader, BuildError, Direction, Finding, Run, RunBuilder, RunCursor, RunId, RunMeta,
};

fn collect(reader: &BlockReader, cursor: &mut RunCursor) -> Vec<(Vec<u8>, Entry)> {
    let mut all = Vec::new();
    while let Some((key, entry)) = cursor.current() {
        all.push((key.to_vec(), entry.clone()));
        cursor.advance(reader, Effort::Disk).unwrap();
    }
    all
}

fn agree(bench: &Bench, run: &Arc<Run>, model: &Model) {
    assert_eq!(bench.check(run), Finding::Done);
    for (key, entry) in model {
        assert_eq!(bench.get(run, key).as_ref(), Some(entry));
        let mut other = key.clone();
        other.push(0);
        assert_eq!(bench.get(run, &other).as_ref(), model.get(&other));
    }
    let all: Vec<_> = model.iter().map(|(k, e)| (k.clone(), e.clone())).collect();
    let mut forward = RunCursor::new(run.clone(), Direction::Forward);
    let seek = |cursor: &mut RunCursor, bound: Bound<&[u8]>| {
        cursor.seek(&bench.reader, bound, Effort::Disk).unwrap();
    };
    seek(&mut forward, Bound::Unbounded);
    assert_eq!(collect(&bench.reader, &mut forward), all);
    let mut backward = RunCursor::new(run.clone(), Direction::Backward);
    seek(&mut backward, Bound::Unbounded);
    let mut reversed = collect(&bench.reader, &mut backward);
    reversed.reverse();
    assert_eq!(reversed, all);
    for key in model.keys() {
        let mut after = key.clone();
        after.push(0);
        let before = key.get(..key.len().saturating_sub(1)).unwrap();
        for key in [key.as_slice(), &after, before] {
            for bound in [Bound::Included(key), Bound::Excluded(key)] {
                seek(&mut forward, bound);
                let next = model.range::<[u8], _>((bound, Bound::Unbounded)).next();
                assert_eq!(forward.current(), next.map(|(k, e)| (k.as_slice(), e)));
                seek(&mut backward, bound);
                let last = model
                    .range::<[u8], _>((Bound::Unbounded, bound))
                    .next_back();
                assert_eq!(backward.current(), last.map(|(k, e)| (k.as_slice(), e)));
            }
        }
    }
}

#[test]
fn keys_of_every_shape_are_found_and_walked_both_ways() {
    for seed in 0..6 {
        let mut bench = Bench::new(1 << 20, 64);
        let model = model(seed, 400);
        for target in [256, 1024, 8192] {
            let run = bench.build_model(target, &model);
            agree(&bench, &run, &model);
        }
    }
}

#[test]
fn a_run_over_many_tiny_zones_reads_like_one_in_a_large_zone() {
    let mut bench = Bench::new(64 << 10, 256);
    let model = small(20_000);
    let run = bench.build_model(1024, &model);
    assert!(run.meta().extents.len() > 5);
    agree(&bench, &run, &model);
}

#[test]
fn two_hundred_thousand_entries_make_a_tree_of_several_levels() {
    let mut bench = Bench::new(4 << 20, 64);
    let model = small(200_000);
    let run = bench.build_model(512, &model);
    assert!(run.meta().height >= 3, "height {}", run.meta().height);
    assert_eq!(bench.check(&run), Finding::Done);
    let mut dice = Dice(1);
    for _ in 0..20_000 {
        let key = format!("key{:08}", dice.roll(400_000)).into_bytes();
        assert_eq!(bench.get(&run, &key).as_ref(), model.get(&key));
    }
}

#[test]
fn one_entry_makes_a_run_and_none_makes_nothing() {
    let mut bench = Bench::new(64 << 10, 64);
    let mut model = Model::new();
    model.insert(Vec::new(), Dice(1).entry());
    let run = bench.build_model(8192, &model);
    agree(&bench, &run, &model);
    assert_eq!(run.meta().entries, 1);
    assert!(bench.build(8192, std::iter::empty()).is_none());
}

#[test]
fn runs_share_a_zone_and_stay_apart() {
    let mut bench = Bench::new(1 << 20, 64);
    let (first, second) = (small(100), model(3, 200));
    let one = bench.build_model(8192, &first);
    let two = bench.build_model(8192, &second);
    let zone = |run: &Run| run.meta().extents.first().unwrap().stamp.zone;
    assert_eq!(zone(&one), zone(&two));
    agree(&bench, &one, &first);
    agree(&bench, &two, &second);
}

#[test]
fn a_meta_reads_back_as_it_was_written() {
    let mut bench = Bench::new(64 << 10, 256);
    let run = bench.build_model(1024, &small(5000));
    let mut bytes = Vec::new();
    run.meta().encode(&mut bytes);
    let mut reader = Reader::new(&bytes);
    assert_eq!(RunMeta::decode(7, &mut reader).as_ref(), Ok(run.meta()));
    assert!(reader.is_empty());
}

#[test]
fn the_same_entries_make_the_same_run() {
    let model = model(9, 500);
    let build = || Bench::new(1 << 20, 64).build_model(1024, &model);
    assert_eq!(build().meta(), build().meta());
}

#[test]
fn keys_out_of_order_and_overlong_keys_are_refused() {
    let mut bench = Bench::new(1 << 20, 64);
    let mut builder = RunBuilder::new(RunId(1), 0);
    builder.give_room(bench.room());
    let entry = Entry {
        seqno: Seqno(1),
        state: State::Deleted,
    };
    builder.add(b"b", &entry).unwrap();
    for key in [b"b", b"a"] {
        assert_eq!(builder.add(key, &entry), Err(BuildError::NotAscending(1)));
    }
    assert_eq!(
        builder.add(&[b'c'; 4097], &entry),
        Err(BuildError::TooLong(4097))
    );
    let attributes = Attributes::new(&[], &[0; 4097], None);
    let state = State::Live(attributes, crate::entry::ValueRef::default());
    let entry = Entry { state, ..entry };
    assert_eq!(builder.add(b"c", &entry), Err(BuildError::TooLong(4097)));
}

#[test]
fn the_longest_entry_of_all_fits_a_leaf() {
    let mut bench = Bench::new(1 << 20, 64);
    let mut model = Model::new();
    for byte in 0..20 {
        let attributes = Attributes::new(&[1; 4096], &[2; 4096], Some(i32::MIN));
        let state = State::Live(attributes, crate::entry::ValueRef::default());
        let entry = Entry {
            seqno: Seqno(u64::MAX),
            state,
        };
        let mut key = vec![0; 4096];
        *key.last_mut().unwrap() = byte;
        model.insert(key, entry);
    }
    let run = bench.build_model(8192, &model);
    agree(&bench, &run, &model);
}
