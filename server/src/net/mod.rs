//! Sockets, tasks, threads and clocks: the only room that knows tokio.
//!
//! In layer order: [`clock`], [`inbox`] (what a connection hears of), [`pending`] (what it waits
//! for), [`readers`] (threads for reads of the disk), [`outbox`] and [`intake`] (its buffers),
//! [`executor`] (doing what the session says), [`registry`] (all connections), [`connection`] (the
//! loop), [`host`] and [`sampler`] (load and addresses of the host), [`server`].

mod clock;

mod inbox;

mod pending;

mod readers;

mod outbox;

mod intake;

mod executor;

mod registry;

mod connection;

mod host;

mod sampler;

mod server;

#[cfg(test)]
mod tests;

pub use server::{Server, StartError};
