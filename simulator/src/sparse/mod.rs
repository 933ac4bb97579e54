//! A platter in memory that costs what is written to it, for drives of any nominal size.
//!
//! In layer order: `extent` (a mapped piece of it), [`sparse_disk`] (all of it, as the store's
//! [`Disk`](kinetic_store::disk::Disk), with what a power cut takes back).
//! Not here: faults. [`SimDisk`](crate::SimDisk) has all those of the engine's histories; it maps
//! its whole capacity twice.

mod extent;

pub mod sparse_disk;

pub use sparse_disk::SparseDisk;
