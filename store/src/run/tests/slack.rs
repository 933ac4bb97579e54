//! What a run leaves unused at the ends of its zones, which the reserve counts with.

use super::{Bench, Dice};
use crate::entry::{Entry, Seqno, State};
use crate::limits::{MAX_KEY, RUN_BLOCK_TARGET, RUN_SLACK};

const ZONE: u32 = 4 << 20;

/// Bytes unused at the end of any zone but the last, at most, of a run of these keys, which must
/// not take more zones than [`crate::layout::geometry::Geometry::run_zones`] says.
fn unused(keys: impl Iterator<Item = Vec<u8>>, entry: &Entry) -> u64 {
    let mut bench = Bench::new(ZONE, 64);
    let keys: Vec<Vec<u8>> = keys.collect();
    let entries = keys.iter().map(|key| (key.as_slice(), entry));
    let run = bench.build(RUN_BLOCK_TARGET, entries).unwrap();
    let meta = run.meta();
    let (_last, others) = meta.extents.split_last().unwrap();
    assert!(others.len() > 4, "{} zones", others.len());
    assert!(meta.extents.len() <= bench.geometry.run_zones(meta.bytes));
    let ends = others.iter().map(|extent| u64::from(ZONE - extent.end));
    ends.max().unwrap()
}

fn tombstone() -> Entry {
    Entry {
        seqno: Seqno(1),
        state: State::Deleted,
    }
}

#[test]
fn runs_of_usual_keys_leave_no_more_of_a_zone_unused_than_the_reserve_counts() {
    let entry = Dice(5).entry();
    let names = (0..600_000_u32).map(|number| format!("usual/key/{number:014}").into_bytes());
    assert!(unused(names, &entry) <= RUN_SLACK);
    let numbers = (0..3_000_000_u64).map(|number| number.to_be_bytes().to_vec());
    assert!(unused(numbers, &tombstone()) <= RUN_SLACK);
    let long = (0..6000_u32).map(|number| number.to_be_bytes().repeat(MAX_KEY / 4));
    assert!(unused(long, &entry) <= RUN_SLACK);
}

#[test]
fn keys_that_share_a_long_prefix_leave_a_fraction_of_a_zone_unused() {
    let entry = Dice(5).entry();
    let prefix = [7; MAX_KEY - 4];
    let keys = (0..60_000_u32).map(|number| [&prefix[..], &number.to_be_bytes()].concat());
    let most = unused(keys, &entry);
    assert!((RUN_SLACK..3 * RUN_SLACK).contains(&most), "{most}");
}
