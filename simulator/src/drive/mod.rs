//! Simulated drives: the production server on the production engine, many in one process.
//!
//! Guarantee: a drive is what `kineticd` is, but for who does its work: its connections are tasks
//! of one runtime that all drives of the process share, its store is in the hands of one crew of
//! threads, its disk is memory or an image file. A drive's address stays its own through power
//! cuts and restarts.
//!
//! In layer order: [`error`], `power` (a disk that can be switched off: the place for faults of
//! disks), `plant` (the runtime and the crew), `front` (the doors, and the place for faults of
//! links), [`builder`] (what a drive is to be), [`sim_drive`] (one that runs), [`chassis`]
//! (several).

pub mod error;

mod power;

mod plant;

mod front;

pub mod builder;

pub mod sim_drive;

pub mod chassis;

pub use builder::SimDriveBuilder;
pub use chassis::{Chassis, ChassisBuilder};
pub use error::SimError;
pub use sim_drive::SimDrive;
