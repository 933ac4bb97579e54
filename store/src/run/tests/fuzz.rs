//! Decoders against bytes that nobody wrote.

use super::{Bench, Dice, small};
use crate::disk::Disk;
use crate::run::format::block::{HEADER, fuzz_block};
use crate::run::format::filter::fuzz_filter;
use crate::run::format::leaf::fuzz_leaf;
use crate::run::format::meta::fuzz_run_meta;
use crate::run::format::node::fuzz_node;

/// Feeds `bytes` cut and changed in many ways.
fn mutate(bytes: &[u8], fuzz: fn(&[u8])) {
    let mut dice = Dice(11);
    fuzz(bytes);
    fuzz(&[]);
    for _ in 0..3000 {
        let mut other = bytes.to_vec();
        for _ in 0..=dice.roll(4) {
            let at = dice.size(u64::try_from(other.len()).unwrap());
            other[at] = dice.roll(256).to_le_bytes()[0];
        }
        if dice.roll(3) == 0 {
            other.truncate(dice.size(u64::try_from(other.len()).unwrap()));
        }
        fuzz(&other);
    }
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let mut bench = Bench::new(1 << 20, 64);
    let run = bench.build_model(1024, &small(500));
    let meta = run.meta();
    let mut bytes = Vec::new();
    meta.encode(&mut bytes);
    mutate(&bytes, fuzz_run_meta);
    let first = meta.extents[0];
    let mut leaf = vec![0; 1024];
    let start = bench.geometry.start(first.stamp.zone) + u64::from(first.start);
    bench.disk.read_at(start, &mut leaf).unwrap();
    mutate(&leaf, fuzz_block);
    let payload = u32::from_le_bytes(*leaf[8..].first_chunk().unwrap());
    leaf.truncate(HEADER + usize::try_from(payload).unwrap());
    for count in [leaf[12], 1, 16, 17, 40] {
        leaf[HEADER - 1] = count;
        mutate(&leaf[HEADER - 1..], fuzz_leaf);
    }
    let length = usize::try_from(meta.root.length).unwrap();
    let mut node = vec![0; length];
    let position = bench.geometry.position(meta.root.location);
    bench.disk.read_at(position, &mut node).unwrap();
    node[HEADER - 1] = node[12];
    mutate(&node[HEADER - 1..], fuzz_node);
    mutate(&node, fuzz_filter);
}
