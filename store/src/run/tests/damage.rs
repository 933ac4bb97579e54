//! Flipped bytes and disks that fail.

use std::io::IoSlice;
use std::ops::Bound;
use std::sync::Arc;

use super::{Bench, small};
use crate::disk::Disk;
use crate::effort::Effort;
use crate::run::format::block::{BlockFault, BlockHandle, Kind};
use crate::run::format::node::Node;
use crate::run::{BlockError, Direction, Finding, Run, RunCursor, RunMeta};

fn flip(bench: &Bench, handle: BlockHandle, at: u32) {
    let position = bench.geometry.position(handle.location) + u64::from(at);
    let mut byte = [0];
    bench.disk.read_at(position, &mut byte).unwrap();
    byte[0] ^= 0x10;
    bench
        .disk
        .write_at(position, &[IoSlice::new(&byte)])
        .unwrap();
}

/// Handles of a leaf in the middle, of its node, and of that node's filter.
fn blocks(bench: &Bench, run: &Run) -> (BlockHandle, BlockHandle, BlockHandle) {
    let meta = run.meta();
    let (mut node_handle, mut filter) = (meta.root, meta.root_filter);
    for height in (1..=meta.height).rev() {
        let expected = run.expect(node_handle, Kind::Node).unwrap();
        let node = bench.cold().read(&expected, Effort::Disk).unwrap();
        let view = Node::new(node.payload(), node.count()).unwrap();
        let child = view.child(view.count() / 2).unwrap();
        if height == 1 {
            return (child.handle, node_handle, filter);
        }
        (node_handle, filter) = (child.handle, child.filter);
    }
    unreachable!("a run has a node over leaves")
}

#[test]
fn a_flipped_byte_anywhere_in_a_leaf_or_node_is_an_error_for_the_keys_below() {
    let mut bench = Bench::new(1 << 20, 64);
    let model = small(6000);
    let run = bench.build_model(1024, &model);
    assert!(run.meta().height >= 2);
    let (leaf, node, _) = blocks(&bench, &run);
    for handle in [leaf, node] {
        for at in [0, 5, 9, 17, 25, 33, 40, handle.length - 1] {
            flip(&bench, handle, at);
            let reader = bench.cold();
            let (mut right, mut failed) = (0, 0);
            for (key, entry) in &model {
                match run.get(&reader, key, Effort::Disk) {
                    Ok(found) => {
                        assert_eq!(found.as_ref(), Some(entry));
                        right += 1;
                    }
                    Err(BlockError::Unreadable(bad)) => {
                        assert_eq!(bad.handle, handle);
                        failed += 1;
                    }
                    Err(BlockError::NotCached) => panic!("the disk may be read"),
                }
            }
            assert!(right > 0 && failed > 0);
            assert!(matches!(bench.check(&run), Finding::Bad(bad) if bad.handle == handle));
            flip(&bench, handle, at);
        }
    }
    assert_eq!(bench.check(&run), Finding::Done);
}

#[test]
fn without_its_filter_everything_is_still_found() {
    let mut bench = Bench::new(1 << 20, 64);
    let model = small(6000);
    let run = bench.build_model(1024, &model);
    let (_, _, filter) = blocks(&bench, &run);
    flip(&bench, filter, 50);
    let reader = bench.cold();
    for (key, entry) in &model {
        let found = run.get(&reader, key, Effort::Disk).unwrap();
        assert_eq!(found.as_ref(), Some(entry));
        let mut absent = key.clone();
        absent.push(b'x');
        assert_eq!(run.get(&reader, &absent, Effort::Disk), Ok(None));
    }
    assert!(matches!(bench.check(&run), Finding::Bad(bad)
        if bad.handle == filter && bad.fault == BlockFault::Checksum));
}

#[test]
fn a_cursor_stops_at_an_unreadable_leaf_and_does_not_step_over_it() {
    let mut bench = Bench::new(1 << 20, 64);
    let model = small(3000);
    let run = bench.build_model(1024, &model);
    let (leaf, ..) = blocks(&bench, &run);
    flip(&bench, leaf, 60);
    let keys: Vec<_> = model.keys().collect();
    for direction in [Direction::Forward, Direction::Backward] {
        let reader = bench.cold();
        let mut cursor = RunCursor::new(run.clone(), direction);
        cursor
            .seek(&reader, Bound::Unbounded, Effort::Disk)
            .unwrap();
        let mut seen = 0;
        let error = loop {
            let (key, _) = cursor.current().unwrap();
            let at = match direction {
                Direction::Forward => seen,
                Direction::Backward => keys.len() - 1 - seen,
            };
            assert_eq!(key, keys[at]);
            seen += 1;
            if let Err(error) = cursor.advance(&reader, Effort::Disk) {
                break error;
            }
        };
        let stands = cursor.current().unwrap().0.to_vec();
        assert_eq!(cursor.advance(&reader, Effort::Disk), Err(error));
        assert_eq!(cursor.current().unwrap().0, stands);
        assert_eq!(error, BlockError::unreadable(leaf, BlockFault::Checksum));
    }
}

#[test]
fn a_block_from_another_life_of_its_zone_is_refused() {
    let mut bench = Bench::new(1 << 20, 64);
    let model = small(10);
    let run = bench.build_model(8192, &model);
    let mut meta: RunMeta = run.meta().clone();
    meta.extents[0].stamp.epoch += 1;
    let other = Run::new(meta.clone());
    let key = model.keys().next().unwrap();
    let error = other.get(&bench.cold(), key, Effort::Disk).unwrap_err();
    assert_eq!(
        error,
        BlockError::unreadable(meta.root, BlockFault::Checksum)
    );
    meta.extents.clear();
    let nowhere = Run::new(meta.clone());
    let error = nowhere.get(&bench.cold(), key, Effort::Disk).unwrap_err();
    let outside = BlockError::Unreadable(crate::run::cache::Unreadable {
        handle: meta.root_filter,
        fault: BlockFault::Outside,
    });
    assert!(error == outside || error == BlockError::unreadable(meta.root, BlockFault::Outside));
}

/// A disk that never has anything in memory.
struct Slow(Arc<dyn Disk>);

impl Disk for Slow {
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }
    fn sector_size(&self) -> u32 {
        self.0.sector_size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(offset, buffer)
    }
    fn try_read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<bool> {
        Ok(false)
    }
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> std::io::Result<()> {
        self.0.write_at(offset, parts)
    }
    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
    fn discard(&self, offset: u64, length: u64) -> std::io::Result<()> {
        self.0.discard(offset, length)
    }
}

#[test]
fn what_is_not_cached_is_said_and_the_call_can_be_repeated() {
    let mut bench = Bench::new(1 << 20, 64);
    let model = small(3000);
    let run = bench.build_model(1024, &model);
    let slow = Arc::new(Slow(bench.disk.clone()));
    let cache = bench.cold().cache().clone();
    let reader = crate::run::BlockReader::new(slow, bench.geometry, cache);
    let mut cursor = RunCursor::new(run.clone(), Direction::Forward);
    let mut waited = 0;
    let seek = cursor.seek(&reader, Bound::Unbounded, Effort::Cached);
    assert_eq!(seek, Err(BlockError::NotCached));
    cursor
        .seek(&reader, Bound::Unbounded, Effort::Disk)
        .unwrap();
    for (key, entry) in &model {
        assert_eq!(cursor.current(), Some((key.as_slice(), entry)));
        if cursor.advance(&reader, Effort::Cached).is_err() {
            assert_eq!(cursor.current(), Some((key.as_slice(), entry)));
            cursor.advance(&reader, Effort::Disk).unwrap();
            waited += 1;
        }
    }
    assert_eq!(cursor.current(), None);
    assert!(waited > 10);
    let (key, entry) = model.iter().next().unwrap();
    let found = run.get(&reader, key, Effort::Disk).unwrap();
    assert_eq!(found.as_ref(), Some(entry));
    assert_eq!(run.get(&reader, key, Effort::Cached), Ok(found));
    assert!(reader.cache().hits() > 0 && reader.cache().weight() > 0);
}
