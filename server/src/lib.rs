//! The Kinetic drive as a server: `net > session > ops > auth > device`.
//!
//! In layer order, each file importing only what stands above it here: [`limits`], [`entropy`],
//! [`device`] (the drive as operations see it), [`auth`] (who may do what), [`certificate`] (for
//! TLS), [`config`], [`image`] (finding or creating the disk), [`ops`] (one operation, one file),
//! [`session`] (a conversation without sockets and clocks), [`exposition`] (metrics and health),
//! [`net`] (sockets, tasks, threads).

pub mod limits;

pub mod entropy;

pub mod device;

pub mod auth;

#[cfg(test)]
mod ram_drive;

pub mod certificate;

pub mod config;

pub mod image;

pub mod ops;

pub mod session;

pub mod exposition;

pub mod net;

pub use config::{BatchLimits, Config, FactoryKeyReach, OutOfRange};
pub use net::{Door, Reception, Server, StartError, Surroundings};
