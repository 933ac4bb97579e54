//! Simulated disks that break on command, the same way for the same seed.
//!
//! What it is: the place of everything that stands in for hardware in tests of the production
//! code. Guarantee: nothing here reads a clock or the host's randomness; whoever replays a seed
//! from one thread sees every byte and every failure again, and the trace hash proves it.
//!
//! In layer order, lowest first:
//! - [`rng`]: the one source of chance, a seeded generator;
//! - [`disk`]: [`SimDisk`], a disk with power cuts, kills, lying syncs, full hosts and bit rot;
//! - [`history`]: the production engine on such a disk, beside a model of what must survive.

pub mod rng;

pub mod disk;

pub mod history;

pub use disk::SimDisk;
pub use rng::Rng;
