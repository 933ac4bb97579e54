//! The seam to the world: a flat space of bytes that can be read, written and made durable.
//!
//! What it is: the [`Disk`] trait, the one thing the engine knows of its host, and its two
//! implementations for production and tests. The simulated one, which breaks on command, lives
//! in the simulator crate. Guarantees: those of [`Disk`], held by every implementation. Not here:
//! what lies on a disk.
//!
//! Files, lowest first: `contract` (the trait), `error` (why a disk could not be opened),
//! `direct` (large writes past the page cache), `file` (a regular file or block device), `memory`
//! (RAM), `patient` (failed reads are tried again), `host` (is somebody else using this file or
//! device, does something else lie on it?).

mod contract;

mod error;

mod direct;

mod file;

mod memory;

mod patient;

mod host;

pub use contract::{Disk, read};
pub use error::{DiskOpenError, PastEnd};
pub use file::FileDisk;
pub use host::{HostRefusal, Occupant, occupant, refuse_if_mounted_or_open, wipe_signatures};
pub use memory::MemoryDisk;
pub use patient::{PatientDisk, Traffic, may_be_passing};

#[cfg(test)]
mod tests;
