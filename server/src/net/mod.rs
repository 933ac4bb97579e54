//! Sockets, tasks, threads and clocks: the only room that knows tokio.
//!
//! In layer order: [`clock`], [`buffers`] (what waits at a connection), [`workers`] (threads for
//! what takes its time), [`registry`] (all connections), [`executor`] (doing what the session
//! says), [`connection`] (the loop), [`tls`] (handshakes), [`host`] (load and addresses of the
//! host), [`watch`] (metrics and health), [`heartbeat`] (announcing the drive),
//! [`server`].

mod clock;

mod buffers;

mod workers;

mod registry;

mod executor;

mod connection;

mod tls;

mod host;

mod watch;

mod heartbeat;

mod server;

#[cfg(test)]
mod tests;

pub use server::{Server, StartError};
