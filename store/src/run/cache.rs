//! Blocks in memory, and reading those that are not.
//!
//! Guarantee: every block given out was verified.
//! Not here: which blocks a search needs (`reader`, `cursor`).

use std::sync::Arc;

use thiserror::Error;

use crate::cache::{Budget, Place, PlaceCache, Weighed};
use crate::disk::{self, Disk};
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

impl Weighed for Arc<Block> {
    fn weight(&self) -> usize {
        Block::weight(self)
    }
}

/// The blocks kept in memory.
pub type BlockCache = PlaceCache<Arc<Block>>;

impl BlockCache {
    /// A cache of blocks, of at most `bytes`.
    #[must_use]
    pub fn of_blocks(bytes: u64) -> Self {
        Self::new(Budget {
            bytes,
            usual: RUN_BLOCK_TARGET as u64,
            most: RUN_BLOCK_MAX as u64,
        })
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
        let place = Place {
            location: expected.handle.location,
            life: expected.stamp.epoch,
        };
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
        self.cache.insert(place, Arc::clone(&block));
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
        let result = disk::read(&*self.disk, effort, position, &mut bytes);
        match result {
            Ok(true) => UncheckedBlock { bytes }
                .verify(expected, &life.cipher)
                .map_err(refuse),
            Ok(false) => Err(BlockError::NotCached),
            Err(error) => Err(refuse(BlockFault::Io(error.kind()))),
        }
    }
}
