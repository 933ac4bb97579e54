//! Simulated drives for the tests of whoever stores on drives, and simulated disks that break on
//! command, the same way for the same seed.
//!
//! A [`SimDrive`] is the production server on the production engine, in this process, on a port of
//! 127.0.0.1, started in milliseconds: as many as a test wants, in memory unless they are given an
//! image file, each with identities of its own. They run on threads of their own that all drives of
//! the process share, so they serve whatever runtime the test has, or none.
//!
//! ```
//! use kinetic_client::{Client, Config};
//! use kinetic_simulator::Chassis;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chassis = Chassis::of(3).start().await?;
//! for drive in chassis.iter() {
//!     let client = Client::connect(drive.addr(), Config::default()).await?;
//!     client.put("photos/1", "a replica").force().await?;
//! }
//! // One of them loses its power, as disks do.
//! chassis[0].power_cut().await;
//! let client = Client::connect(chassis[1].addr(), Config::default()).await?;
//! assert!(client.get("photos/1").await?.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! In `Cargo.toml` a service names it without its default features, which are for the engine's own
//! tests:
//!
//! ```toml
//! [dev-dependencies]
//! kinetic-simulator = { version = "0.1", default-features = false }
//! ```
//!
//! Guarantee of what is seeded ([`rng`], [`disk`], `history`): nothing there reads a clock or the
//! host's randomness; whoever replays a seed from one thread sees every byte and every failure
//! again, and the trace hash proves it.
//!
//! In layer order, lowest first:
//! - [`limits`]: every bound of simulated drives;
//! - [`rng`]: the one source of chance, a seeded generator;
//! - [`disk`]: [`SimDisk`], a disk with power cuts, kills, lying syncs, full hosts and bit rot;
//! - [`sparse`]: [`SparseDisk`], a platter of any nominal size that costs what is written;
//! - [`drive`]: [`SimDrive`] and [`Chassis`];
//! - `history` (feature `histories`): the production engine on a simulated disk, beside a model of
//!   what must survive.

pub mod limits;

pub mod rng;

pub mod disk;

pub mod sparse;

pub mod drive;

#[cfg(feature = "histories")]
pub mod history;

pub use disk::SimDisk;
pub use drive::{Chassis, ChassisBuilder, SimDrive, SimDriveBuilder, SimError};
pub use rng::Rng;
pub use sparse::SparseDisk;
