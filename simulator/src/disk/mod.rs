//! A disk that breaks on command, and the same way for the same seed.
//!
//! What it is: [`SimDisk`], an implementation of the store's
//! [`Disk`](kinetic_store::disk::Disk) over sparse memory, with what the host's page cache shows
//! kept apart from what the platter holds.
//!
//! Guarantees, which are those that the engine may count on and no more:
//! - reads see every write that returned, until power fails;
//! - what was written before a sync that succeeded survives everything but bit rot;
//! - of what was written since, any part may survive a power cut, each sector old or new
//!   (unless [`Survival::TearSectors`] is asked for);
//! - a sync that failed forgets what it could not write: reads still show it, later syncs
//!   succeed, and a power cut reveals the loss, as on Linux.
//!
//! Time is virtual: calls never wait, but say how long they took where that was asked for;
//! `try_read_at` says by chance alone that it would wait.
//!
//! Files, lowest first: `platter` (sparse bytes), `unsynced` (writes not yet durable, and which of
//! them a power cut leaves), `failure` (what calls fail with), `faults` (what is to go wrong and
//! when), `trace` (hash and counts of all calls), `state` (all of it together, one call at a
//! time), `sim_disk` (the handle).

mod platter;

mod unsynced;

mod failure;

mod faults;

mod trace;

mod state;

mod sim_disk;

pub use failure::{Stopped, stopped_by};
pub use faults::{Slow, SyncFailure};
pub use sim_disk::{SectorSize, SimDisk};
pub use trace::{Counts, Harm};
pub use unsynced::Survival;

#[cfg(test)]
mod tests;
