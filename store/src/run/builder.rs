//! Entries in key order become the blocks of a run, bottom-up.
//!
//! Guarantee: memory is bounded: one open leaf, one open node for each level, the hashes of the
//! keys below one level-1 node, and what was not taken of the writes. While `wants_room` is false,
//! the next `add` or `finish` has room enough.
//! Not here: writing (`engine` takes the writes and syncs them before it uses the run).

use std::cmp::Ordering;
use std::sync::Arc;

use thiserror::Error;

use crate::entry::{Entry, Seqno, State};
use crate::limits::{
    FILTER_BITS_PER_KEY, LEAVES_PER_FILTER, MAX_KEY, MAX_TAG, MAX_VERSION, RUN_BLOCK_MAX,
    RUN_BLOCK_TARGET,
};
use crate::seal::Cipher;

use super::format::block::{BlockHandle, FRAMING, Kind, NewBlock, RunId};
use super::format::filter;
use super::format::leaf::{LeafBuilder, SMALLEST_ENTRY};
use super::format::meta::RunMeta;
use super::format::node::{Child, MIN_CHILDREN, NodeBuilder, child_length, separator};
use super::output::{Output, PendingWrite, ZoneRoom};

const MOST_KEYS: usize = LEAVES_PER_FILTER * (RUN_BLOCK_TARGET / SMALLEST_ENTRY + 1);
const _: () = assert!(FRAMING + 9 + MOST_KEYS * FILTER_BITS_PER_KEY / 8 <= RUN_BLOCK_MAX);

/// Why a run cannot be built on. After an error the builder must be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BuildError {
    /// Keys must come in ascending order, each once.
    #[error("a key of {0} bytes is not above the key before it")]
    NotAscending(usize),
    /// The formats hold no such key, version or tag.
    #[error("{0} bytes of key, version or tag are more than the limit of {limit}", limit = MAX_KEY)]
    TooLong(usize),
    /// A block was due but the room given is too small for it.
    #[error("the room left in the zone is {0} bytes and the next block does not fit it")]
    NoRoom(usize),
}

/// Builds one run.
#[derive(Debug)]
pub struct RunBuilder {
    id: RunId,
    level: u8,
    target: usize,
    output: Output,
    leaf: LeafBuilder,
    leaf_fence: Vec<u8>,
    nodes: Vec<NodeBuilder>,
    hashes: Vec<u64>,
    scratch: Vec<u8>,
    last_key: Vec<u8>,
    longest_fence: usize,
    counts: Counts,
    rest: Option<ZoneRoom>,
    finished: bool,
}

#[derive(Debug, Default)]
struct Counts {
    entries: u64,
    tombstones: u64,
    max_seqno: Seqno,
}

impl RunBuilder {
    /// Starts run `id` of merge level `level`.
    #[must_use]
    pub fn new(id: RunId, level: u8) -> Self {
        Self {
            id,
            level,
            target: RUN_BLOCK_TARGET,
            output: Output::default(),
            leaf: LeafBuilder::default(),
            leaf_fence: Vec::new(),
            nodes: vec![NodeBuilder::default()],
            hashes: Vec::new(),
            scratch: Vec::new(),
            last_key: Vec::new(),
            longest_fence: 0,
            counts: Counts::default(),
            rest: None,
            finished: false,
        }
    }

    /// Seals its blocks with this.
    #[must_use]
    pub fn with_cipher(mut self, cipher: Arc<Cipher>) -> Self {
        self.output = Output::new(cipher);
        self
    }

    /// Aims at blocks of `target` bytes instead of [`RUN_BLOCK_TARGET`], which is the most.
    #[must_use]
    pub fn with_block_target(mut self, target: usize) -> Self {
        self.target = target.min(RUN_BLOCK_TARGET);
        self
    }

    /// Whether room must be given before the next `add` or `finish`.
    #[must_use]
    pub fn wants_room(&self) -> bool {
        !self.finished && self.output.left() < self.finish_length()
    }

    /// Continues in another room and returns what is left of the one before, if anything is.
    pub fn give_room(&mut self, room: ZoneRoom) -> Option<ZoneRoom> {
        self.output.give_room(room)
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// When the key is not above the last one, something is longer than the formats hold, or no
    /// room was given though it was wanted.
    pub fn add(&mut self, key: &[u8], entry: &Entry) -> Result<(), BuildError> {
        check_lengths(key, entry)?;
        let first = self.counts.entries == 0;
        if !first && self.last_key.as_slice().cmp(key) != Ordering::Less {
            return Err(BuildError::NotAscending(key.len()));
        }
        if self.leaf.count() > 0 && self.leaf.length_with(key, entry) > self.target {
            self.close_leaf()?;
        }
        if self.leaf.count() == 0 {
            let fence = if first {
                &[]
            } else {
                separator(&self.last_key, key)
            };
            self.leaf_fence.clear();
            self.leaf_fence.extend_from_slice(fence);
            self.longest_fence = self.longest_fence.max(fence.len());
        }
        self.leaf.add(key, entry);
        self.hashes.push(filter::hash(key));
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.counts.entries += 1;
        self.counts.tombstones += u64::from(entry.state == State::Deleted);
        self.counts.max_seqno = self.counts.max_seqno.max(entry.seqno);
        Ok(())
    }

    /// The next write, if one is due.
    pub fn take_write(&mut self) -> Option<PendingWrite> {
        self.output.take_write()
    }

    /// Ends the run; `None` if it has no entries. Writes must be taken until none is left.
    ///
    /// # Errors
    /// When no room was given though it was wanted.
    pub fn finish(&mut self) -> Result<Option<RunMeta>, BuildError> {
        self.finished = true;
        if self.counts.entries == 0 {
            self.rest = self.output.close_room();
            return Ok(None);
        }
        if self.leaf.count() > 0 {
            self.close_leaf()?;
        }
        let mut index = 0;
        let (height, (root, root_filter)) = loop {
            let top = index + 1 == self.nodes.len();
            let node = self.nodes.get(index);
            match node.and_then(NodeBuilder::only_child) {
                Some(only) if top && index > 0 => break (index, only),
                _ if top => break (index + 1, self.write_node(index)?),
                _ => self.close_node(index)?,
            }
            index += 1;
        };
        self.rest = self.output.close_room();
        Ok(Some(RunMeta {
            id: self.id,
            level: self.level,
            height: u8::try_from(height).unwrap_or(u8::MAX),
            root,
            root_filter,
            entries: self.counts.entries,
            tombstones: self.counts.tombstones,
            bytes: self.output.bytes(),
            max_seqno: self.counts.max_seqno,
            extents: self.output.take_extents(),
        }))
    }

    /// Room behind the finished run, for the next one; starts at a multiple of 4096.
    pub fn take_rest(&mut self) -> Option<ZoneRoom> {
        self.rest.take()
    }

    /// Most bytes of blocks if the run ended now; an `add` writes a part of the same blocks.
    fn finish_length(&self) -> usize {
        let child = child_length(self.longest_fence);
        let leaf = FRAMING + self.leaf.length();
        let filter = FRAMING + filter::payload_length(self.hashes.len());
        let nodes = self
            .nodes
            .iter()
            .map(|node| FRAMING + node.length() + child);
        leaf + filter + nodes.sum::<usize>() + FRAMING + 2 * child
    }

    fn close_leaf(&mut self) -> Result<(), BuildError> {
        let count = self.leaf.count();
        let block = NewBlock {
            kind: Kind::Leaf,
            run: self.id,
            count,
            payload: self.leaf.finish(),
        };
        let handle = place(&mut self.output, &block)?;
        self.leaf.clear();
        if let Some(parent) = self.nodes.first_mut() {
            parent.add(&Child {
                fence: &self.leaf_fence,
                handle,
                filter: BlockHandle::default(),
            });
        }
        self.close_full_nodes()
    }

    fn close_full_nodes(&mut self) -> Result<(), BuildError> {
        let mut index = 0;
        while self
            .nodes
            .get(index)
            .is_some_and(|node| self.is_full(index, node))
        {
            self.close_node(index)?;
            index += 1;
        }
        Ok(())
    }

    fn is_full(&self, index: usize, node: &NodeBuilder) -> bool {
        let leaves = usize::try_from(node.count()).unwrap_or(usize::MAX);
        (index == 0 && leaves >= LEAVES_PER_FILTER)
            || (node.count() >= MIN_CHILDREN && node.length() >= self.target)
    }

    /// Writes node `index`, if it has children, and makes it a child of the level above.
    fn close_node(&mut self, index: usize) -> Result<(), BuildError> {
        if self.nodes.get(index).is_none_or(|node| node.count() == 0) {
            return Ok(());
        }
        let (handle, filter) = self.write_node(index)?;
        if self.nodes.len() == index + 1 {
            self.nodes.push(NodeBuilder::default());
        }
        if let Some((node, [parent, ..])) = self
            .nodes
            .get_mut(index..)
            .and_then(<[NodeBuilder]>::split_first_mut)
        {
            parent.add(&Child {
                fence: node.fence(),
                handle,
                filter,
            });
            node.clear();
        }
        Ok(())
    }

    /// Writes node `index` and, in front of a node over leaves, its filter.
    fn write_node(&mut self, index: usize) -> Result<(BlockHandle, BlockHandle), BuildError> {
        let filter = if index == 0 {
            self.write_filter()?
        } else {
            BlockHandle::default()
        };
        let node = self.nodes.get_mut(index).ok_or(BuildError::NoRoom(0))?;
        let block = NewBlock {
            kind: Kind::Node,
            run: self.id,
            count: node.count(),
            payload: node.finish(),
        };
        Ok((place(&mut self.output, &block)?, filter))
    }

    fn write_filter(&mut self) -> Result<BlockHandle, BuildError> {
        self.scratch.clear();
        filter::encode(&self.hashes, &mut self.scratch);
        let block = NewBlock {
            kind: Kind::Filter,
            run: self.id,
            count: u32::try_from(self.hashes.len()).unwrap_or(u32::MAX),
            payload: &self.scratch,
        };
        let handle = place(&mut self.output, &block)?;
        self.hashes.clear();
        Ok(handle)
    }
}

fn place(output: &mut Output, block: &NewBlock<'_>) -> Result<BlockHandle, BuildError> {
    let left = output.left();
    output.place(block).ok_or(BuildError::NoRoom(left))
}

fn check_lengths(key: &[u8], entry: &Entry) -> Result<(), BuildError> {
    let (version, tag) = match &entry.state {
        State::Live(attributes, _) => (attributes.version().len(), attributes.tag().len()),
        State::Deleted => (0, 0),
    };
    for (length, limit) in [(key.len(), MAX_KEY), (version, MAX_VERSION), (tag, MAX_TAG)] {
        if length > limit {
            return Err(BuildError::TooLong(length));
        }
    }
    Ok(())
}
