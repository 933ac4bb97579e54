//! The disk engine of a Kinetic drive: one log and one index on one flat disk.
//!
//! In layer order, each file importing only what stands above it here.

pub mod limits;

pub mod effort;

pub mod layout;

pub mod entry;

pub mod disk;
