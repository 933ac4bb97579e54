//! Immutable sorted runs: static B-trees on the disk, streamed out bottom-up, read on demand.
//!
//! Guarantee: every function works by step, without threads, clock or randomness; the same
//! entries in the same room make the same bytes. Memory of builder, reader and cursor is bounded
//! whatever the size of the run.
//! Not here: which runs exist (`manifest`), when they are made and merged (`upkeep`).
//!
//! In layer order: [`format`](mod@format) (what a run is made of), [`output`] (room in, aligned
//! writes out),
//! [`builder`] (entries to blocks), [`cache`] (blocks in memory), [`reader`] (one key),
//! [`cursor`] (keys in order), [`verify`] (the whole run against itself).

pub mod format;

pub mod output;

pub mod builder;

pub mod cache;

pub mod reader;

pub mod cursor;

pub mod verify;

pub use builder::{BuildError, RunBuilder};
pub use cache::{Admission, AtDamage, BlockCache, BlockError, BlockReader};
pub use cursor::{Direction, Gap, RunCursor};
pub use format::block::{BlockFault, BlockHandle, Kind as BlockKind, RunId};
pub use format::meta::{Extent, RunMeta};
pub use output::{PendingWrite, ZoneRoom};
pub use reader::Run;
pub use verify::{Finding, RunCheck};

#[cfg(test)]
mod tests;
