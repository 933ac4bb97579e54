//! One run, ready to be searched, and the search for one key.
//!
//! Guarantee: filters are asked before what they cover, so that a miss usually needs no leaf; an
//! unreadable filter costs time, never an answer. An unreadable node or leaf is an error, never
//! "not here": an older run must not answer instead.
//! Not here: keys in order (`cursor`), which run is asked first (`upkeep`).

use std::sync::Arc;

use crate::effort::Effort;
use crate::entry::Entry;

use super::cache::{BlockError, BlockReader};
use super::format::block::{Block, BlockFault, BlockHandle, Expected, Kind};
use super::format::filter;
use super::format::leaf::Leaf;
use super::format::meta::{Extent, RunMeta};
use super::format::node::Node;

/// A run that can be searched.
#[derive(Debug)]
pub struct Run {
    meta: RunMeta,
    by_place: Vec<Extent>,
}

impl Run {
    /// Makes a run of what the manifest keeps of it.
    #[must_use]
    pub fn new(meta: RunMeta) -> Self {
        let mut by_place = meta.extents.clone();
        by_place.sort_by_key(|extent| (extent.stamp.zone, extent.start));
        Self { meta, by_place }
    }

    /// What the manifest keeps of it.
    #[must_use]
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// What this run knows of `key`; `None` if nothing, which says nothing of older runs.
    ///
    /// # Errors
    /// When a block on the way cannot be had.
    pub fn get(
        &self,
        reader: &BlockReader,
        key: &[u8],
        effort: Effort,
    ) -> Result<Option<Entry>, BlockError> {
        let search = Search {
            run: self,
            reader,
            key,
            hash: filter::hash(key),
            effort,
        };
        search.answer()
    }

    /// What is known of the block at `handle` before it is read.
    ///
    /// # Errors
    /// When the handle points outside the run.
    pub fn expect(&self, handle: BlockHandle, kind: Kind) -> Result<Expected, BlockError> {
        let place = (handle.location.zone, handle.location.offset);
        let after = self
            .by_place
            .partition_point(|extent| (extent.stamp.zone, extent.start) <= place);
        let end = handle.location.offset.checked_add(handle.length);
        after
            .checked_sub(1)
            .and_then(|index| self.by_place.get(index))
            .filter(|extent| extent.stamp.zone == handle.location.zone)
            .filter(|extent| end.is_some_and(|end| end <= extent.end))
            .map(|extent| Expected {
                handle,
                kind,
                run: self.meta.id,
                stamp: extent.stamp,
            })
            .ok_or(BlockError::unreadable(handle, BlockFault::Outside))
    }
}

/// One search down the tree.
struct Search<'a> {
    run: &'a Run,
    reader: &'a BlockReader,
    key: &'a [u8],
    hash: u64,
    effort: Effort,
}

impl Search<'_> {
    fn answer(&self) -> Result<Option<Entry>, BlockError> {
        let mut handle = self.run.meta.root;
        let mut hint = self.run.meta.root_filter;
        for _ in 0..self.run.meta.height {
            if self.denied(hint)? {
                return Ok(None);
            }
            let block = self.block(handle, Kind::Node)?;
            let malformed = BlockError::malformed(handle);
            let node = Node::new(block.payload(), block.count()).map_err(&malformed)?;
            let index = node.index_for(self.key).map_err(&malformed)?;
            let child = node.child(index).map_err(&malformed)?;
            (handle, hint) = (child.handle, child.filter);
        }
        let block = self.block(handle, Kind::Leaf)?;
        let malformed = BlockError::malformed(handle);
        let leaf = Leaf::new(block.payload(), block.count()).map_err(&malformed)?;
        leaf.find(self.key).map_err(&malformed)
    }

    /// Whether the filter at `hint` says that the key is not below.
    fn denied(&self, hint: BlockHandle) -> Result<bool, BlockError> {
        if hint.is_none() {
            return Ok(false);
        }
        match self.block(hint, Kind::Filter) {
            Ok(block) => Ok(filter::may_hold(block.payload(), self.hash) == Ok(false)),
            Err(BlockError::NotCached) => Err(BlockError::NotCached),
            Err(BlockError::Unreadable(_)) => Ok(false),
        }
    }

    fn block(&self, handle: BlockHandle, kind: Kind) -> Result<Arc<Block>, BlockError> {
        let expected = self.run.expect(handle, kind)?;
        self.reader.read(&expected, self.effort)
    }
}
