//! Blocks in memory, and reading those that are not.
//!
//! Guarantee: the blocks kept weigh no more than the budget; every block given out was verified;
//! the hasher is fixed, so that the same reads keep the same blocks.
//! Not here: which blocks a search needs (`reader`, `cursor`).

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::disk::Disk;
use crate::effort::Effort;
use crate::layout::geometry::Geometry;
use crate::limits::{RUN_BLOCK_MAX, RUN_BLOCK_TARGET};
use crate::seal::Keys;

use super::format::Malformed;
use super::format::block::{
    Block, BlockFault, BlockHandle, Expected, HEADER, Kind, UncheckedBlock,
};
use super::format::guide::Guide;
use super::format::leaf::Leaf;
use super::format::node::Node;

/// Bytes that the cache needs for a block beside the block.
const BOOKKEEPING: usize = 128;
/// Least budget of a shard: a few of the largest blocks.
const SHARD_BYTES: u64 = 16 * RUN_BLOCK_MAX as u64;
const MOST_SHARDS: u64 = 16;
const HIT_COUNTERS: usize = 8;

/// Why a block could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlockError {
    /// It is not in memory, and the read was not to wait for the disk.
    #[error("the block is not in memory")]
    NotCached,
    /// It cannot be read, now or again.
    #[error("{0}")]
    Unreadable(Unreadable),
}

/// A block that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the block of {} bytes at offset {} of zone {} is unreadable: {fault}",
    handle.length, handle.location.offset, handle.location.zone.0
)]
pub struct Unreadable {
    /// The block.
    pub handle: BlockHandle,
    /// What is wrong with it.
    pub fault: BlockFault,
}

impl BlockError {
    /// The block at `handle` cannot be read.
    #[must_use]
    pub fn unreadable(handle: BlockHandle, fault: BlockFault) -> Self {
        Self::Unreadable(Unreadable { handle, fault })
    }

    /// The block at `handle` was verified, but its content makes no sense.
    pub(crate) fn malformed(handle: BlockHandle) -> impl Fn(Malformed) -> Self {
        move |_malformed| Self::unreadable(handle, BlockFault::Malformed)
    }
}

/// Zone, offset and epoch: one block over the life of the drive.
type Place = (u32, u32, u64);

#[derive(Debug, Clone, Copy)]
struct Weight;

impl Weighter<Place, Arc<Block>> for Weight {
    fn weight(&self, _: &Place, block: &Arc<Block>) -> u64 {
        u64::try_from(block.weight() + BOOKKEEPING).unwrap_or(u64::MAX)
    }
}

type FixedHasher = BuildHasherDefault<Xxh3>;

/// The blocks kept in memory.
#[derive(Debug)]
pub struct BlockCache {
    blocks: Cache<Place, Arc<Block>, Weight, FixedHasher>,
    /// One counter for each part of the places, so that threads rarely write to the same.
    hits: [CachePadded<AtomicU64>; HIT_COUNTERS],
    misses: AtomicU64,
}

impl BlockCache {
    /// A cache of at most `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let shards = (bytes / SHARD_BYTES).clamp(1, MOST_SHARDS);
        let items = (bytes / RUN_BLOCK_TARGET as u64).max(32 * shards);
        let as_usize = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let mut options = OptionsBuilder::new();
        options
            .shards(as_usize(shards))
            .estimated_items_capacity(as_usize(items))
            .weight_capacity(bytes);
        let hasher = FixedHasher::default();
        let lifecycle = DefaultLifecycle::default();
        let blocks = match options.build() {
            Ok(options) => Cache::with_options(options, Weight, hasher, lifecycle),
            Err(_incomplete) => Cache::with(as_usize(items), bytes, Weight, hasher, lifecycle),
        };
        Self {
            blocks,
            hits: Default::default(),
            misses: AtomicU64::new(0),
        }
    }

    /// Reads answered from memory.
    #[must_use]
    pub fn hits(&self) -> u64 {
        let count = |part: &CachePadded<AtomicU64>| part.load(Ordering::Relaxed);
        self.hits.iter().map(count).sum()
    }

    /// Reads that were not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.blocks.weight()
    }

    /// Forgets everything, for a drive that is locked.
    pub fn clear(&self) {
        self.blocks.clear();
    }

    fn get(&self, place: &Place) -> Option<Arc<Block>> {
        let block = self.blocks.get(place);
        let (zone, offset, _) = *place;
        let part = (zone as usize + offset as usize / RUN_BLOCK_TARGET) % HIT_COUNTERS;
        let counter = match (&block, self.hits.get(part)) {
            (Some(_), Some(hits)) => hits,
            _ => &self.misses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        block
    }
}

/// A guide to what is searched; whoever searches a malformed block will be told so there.
fn guide_of(block: &Block, kind: Kind) -> Option<Guide> {
    let (payload, count) = (block.payload(), block.count());
    match kind {
        Kind::Leaf => Leaf::new(payload, count).and_then(|leaf| leaf.guide()).ok(),
        Kind::Node => Node::new(payload, count).and_then(|node| node.guide()).ok(),
        Kind::Filter => None,
    }
}

/// Whether blocks read from the disk stay in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// They do, for searches.
    Keep,
    /// They don't, for merges, which read everything once.
    Pass,
}

/// What a search does at a block that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtDamage {
    /// It stops: what older runs hold may have been deleted since.
    Stop,
    /// A deliberate bug: it asks older runs.
    LookFurther,
}

/// Reads blocks, from memory if they are there.
#[derive(Clone)]
pub struct BlockReader {
    disk: Arc<dyn Disk>,
    geometry: Geometry,
    cache: Arc<BlockCache>,
    keys: Arc<Keys>,
    admission: Admission,
    at_damage: AtDamage,
}

impl BlockReader {
    /// A reader that keeps in `cache` what it reads from `disk`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, geometry: Geometry, cache: Arc<BlockCache>) -> Self {
        Self {
            disk,
            geometry,
            cache,
            keys: Arc::default(),
            admission: Admission::Keep,
            at_damage: AtDamage::Stop,
        }
    }

    /// The same reader of a drive that is sealed with these.
    #[must_use]
    pub fn with_keys(self, keys: Arc<Keys>) -> Self {
        Self { keys, ..self }
    }

    /// The same reader, for searches that do this at damage.
    #[must_use]
    pub fn at_damage(self, at_damage: AtDamage) -> Self {
        Self { at_damage, ..self }
    }

    /// Whether a search ends at this error.
    #[must_use]
    pub fn ends_at(&self, error: &BlockError) -> bool {
        self.at_damage == AtDamage::Stop || *error == BlockError::NotCached
    }

    /// The same reader with another admission.
    #[must_use]
    pub fn with_admission(&self, admission: Admission) -> Self {
        Self {
            admission,
            ..self.clone()
        }
    }

    /// The cache behind it.
    #[must_use]
    pub fn cache(&self) -> &Arc<BlockCache> {
        &self.cache
    }

    /// The expected block.
    ///
    /// # Errors
    /// [`BlockError::NotCached`] only for [`Effort::Cached`].
    pub fn read(&self, expected: &Expected, effort: Effort) -> Result<Arc<Block>, BlockError> {
        let location = expected.handle.location;
        let place = (location.zone.0, location.offset, expected.stamp.epoch);
        let look = effort != Effort::Medium;
        if let Some(block) = look.then(|| self.cache.get(&place)).flatten() {
            return Ok(block);
        }
        let block = self.read_cold(expected, effort)?;
        if self.admission == Admission::Pass || !look {
            return Ok(Arc::new(block));
        }
        let guide = guide_of(&block, expected.kind);
        let block = Arc::new(block.with_guide(guide));
        self.cache.blocks.insert(place, Arc::clone(&block));
        Ok(block)
    }

    /// The expected block as the disk has it, whatever is in memory.
    ///
    /// # Errors
    /// As [`BlockReader::read`].
    pub fn read_cold(&self, expected: &Expected, effort: Effort) -> Result<Block, BlockError> {
        let handle = expected.handle;
        let refuse = |fault| BlockError::unreadable(handle, fault);
        let length = usize::try_from(handle.length).unwrap_or(usize::MAX);
        if !(HEADER..=RUN_BLOCK_MAX).contains(&length) {
            return Err(refuse(BlockFault::WrongLength(handle.length)));
        }
        if !self.geometry.holds(handle.location, handle.length) {
            return Err(refuse(BlockFault::Outside));
        }
        let life = self.keys.at(handle.location.zone);
        let life = life.ok_or_else(|| refuse(BlockFault::Outside))?;
        let mut bytes = vec![0; length];
        let position = self.geometry.position(handle.location);
        let result = match effort {
            Effort::Cached => self.disk.try_read_at(position, &mut bytes),
            Effort::Disk => self.disk.read_at(position, &mut bytes).map(|()| true),
            Effort::Medium => {
                let read = self.disk.read_medium_at(position, &mut bytes);
                read.map(|()| true)
            }
        };
        match result {
            Ok(true) => UncheckedBlock { bytes }
                .verify(expected, &life.cipher)
                .map_err(refuse),
            Ok(false) => Err(BlockError::NotCached),
            Err(error) => Err(refuse(BlockFault::Io(error.kind()))),
        }
    }
}
