//! What a server may be told.
//!
//! Guarantee: every setting has a default with which a drive is safe on its own machine. Names in
//! a file are those of the flags.

use std::net::SocketAddr;
use std::time::Duration;

use kinetic_proto::limits::MAX_CONNECTIONS;

use crate::limits::{DISK_READ_THREADS, DRAIN_SECONDS, WRITE_STALL_SECONDS};

/// Where a server listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8123";

/// From where a drive may be used with the key that everybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FactoryKeyReach {
    /// From this machine only.
    #[default]
    ThisMachine,
    /// From anywhere: whoever reaches the port owns the drive.
    Anywhere,
}

/// Settings of a running server.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The key of the factory identity.
    pub factory_key: Vec<u8>,
    /// Whether the key that everybody knows may be used from other machines.
    pub factory_key_reach: FactoryKeyReach,
    /// Connections that it keeps.
    pub max_connections: u32,
    /// How long a peer may take no byte of what is sent to it.
    pub write_stall: Duration,
    /// How long a stopping server waits for its connections.
    pub drain: Duration,
    /// Threads that read the disk for requests whose answer is not in memory.
    pub read_threads: usize,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Config")
            .field("listen", &self.listen)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8123)),
            factory_key: crate::auth::FACTORY_KEY.to_vec(),
            factory_key_reach: FactoryKeyReach::ThisMachine,
            max_connections: MAX_CONNECTIONS,
            write_stall: Duration::from_secs(WRITE_STALL_SECONDS),
            drain: Duration::from_secs(DRAIN_SECONDS),
            read_threads: DISK_READ_THREADS,
        }
    }
}

impl Config {
    /// Whether the identity of a new drive has the key that everybody knows.
    #[must_use]
    pub fn has_factory_key(&self) -> bool {
        self.factory_key == crate::auth::FACTORY_KEY
    }

    /// The defaults on a free port of this machine, for tests and simulations.
    #[must_use]
    pub fn local() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..Self::default()
        }
    }
}
