//! One run, ready to be searched, and the search for one key.
//!
//! Guarantee: filters are asked before what they cover, so that a miss usually needs no leaf; an
//! unreadable filter costs time, never an answer. An unreadable node or leaf is an error, never
//! "not here": an older run must not answer instead.
//! Not here: keys in order (`cursor`), which run is asked first (`upkeep`).

use std::sync::{Arc, OnceLock};

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
    /// The root once a search has read it: every search begins there, and counting the references
    /// to a block that all threads share would cost more than searching it.
    root: OnceLock<Arc<Block>>,
}

impl Run {
    /// Makes a run of what the manifest keeps of it.
    #[must_use]
    pub fn new(meta: RunMeta) -> Self {
        let mut by_place = meta.extents.clone();
        by_place.sort_by_key(|extent| (extent.stamp.zone, extent.start));
        Self {
            meta,
            by_place,
            root: OnceLock::new(),
        }
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
        let RunMeta {
            root,
            root_filter,
            height,
            ..
        } = self.run.meta;
        if height > 0 && self.denied(root_filter)? {
            return Ok(None);
        }
        let mut handle = root;
        let mut block = self.root(if height > 0 { Kind::Node } else { Kind::Leaf })?;
        let mut kept;
        for left in (0..height).rev() {
            let malformed = BlockError::malformed(handle);
            let node = Node::new(block.payload(), block.count()).map_err(&malformed)?;
            let node = node.guided(block.guide());
            let index = node.index_for(self.key).map_err(&malformed)?;
            let child = node.child(index).map_err(&malformed)?;
            if left > 0 && self.denied(child.filter)? {
                return Ok(None);
            }
            handle = child.handle;
            kept = self.block(handle, if left > 0 { Kind::Node } else { Kind::Leaf })?;
            block = &*kept;
        }
        let malformed = BlockError::malformed(handle);
        let leaf = Leaf::new(block.payload(), block.count()).map_err(&malformed)?;
        let leaf = leaf.guided(block.guide());
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

    fn root(&self, kind: Kind) -> Result<&Block, BlockError> {
        if let Some(root) = self.run.root.get() {
            return Ok(root);
        }
        let root = self.block(self.run.meta.root, kind)?;
        Ok(self.run.root.get_or_init(|| root))
    }

    fn block(&self, handle: BlockHandle, kind: Kind) -> Result<Arc<Block>, BlockError> {
        let expected = self.run.expect(handle, kind)?;
        self.reader.read(&expected, self.effort)
    }
}
