//! Sockets, tasks, threads and clocks: the only room that knows tokio.
//!
//! In layer order: [`clock`], [`surroundings`] (who does its work, and by which doors connections
//! come), [`buffers`] (what waits at a connection), [`workers`] (threads for what takes its time),
//! [`registry`] (all connections), [`executor`] (doing what the session says), [`connection`] (the
//! loop), [`host`] (load and addresses of the host), [`watch`] (metrics and health), [`heartbeat`]
//! (announcing the drive), [`reception`] (letting connections in), [`server`].

mod clock;

pub mod surroundings;

mod buffers;

mod workers;

mod registry;

mod executor;

mod connection;

mod host;

mod watch;

mod heartbeat;

mod reception;

mod server;

#[cfg(test)]
mod tests;

pub use reception::{Door, NotAdmitted, Reception};
pub use server::{Server, StartError};
pub use surroundings::Surroundings;
