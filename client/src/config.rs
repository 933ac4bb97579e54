//! Who a client is and how long it waits.
//!
//! Guarantees: printing a configuration shows no key. Not here: addresses.

use std::time::Duration;

use kinetic_proto::SigningKey;
use kinetic_proto::schema::command::Priority;

use crate::limits::{
    DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_IN_FLIGHT_BYTES, DEFAULT_REQUEST_TIMEOUT_MS,
};
use crate::trust::Trust;

/// The identity every drive knows when it leaves the factory.
pub const FACTORY_IDENTITY: i64 = 1;

/// The key of [`FACTORY_IDENTITY`], known to everybody.
pub const FACTORY_KEY: &[u8] = b"asdfasdf";

/// How to connect. The default is the factory's identity and key.
#[derive(Debug, Clone)]
pub struct Config {
    /// The identity that signs.
    pub identity: i64,
    /// Its key.
    pub key: SigningKey,
    /// Whether the connection is under TLS, and whose certificates it accepts.
    pub trust: Trust,
    /// The cluster version that requests carry; a drive refuses those that carry another than
    /// its own. `None` takes over the one of the drive's hello.
    pub cluster_version: Option<i64>,
    /// The time for connecting, for the TLS handshake and for the drive's hello together.
    pub connect_timeout: Duration,
    /// The time from a call to its answer, waiting for room included, unless a request has its
    /// own.
    pub request_timeout: Duration,
    /// How urgent requests are to the drive beside those of others, unless one has its own; `None`
    /// says nothing, which a drive reads as NORMAL.
    pub priority: Option<Priority>,
    /// Bytes of requests in flight on the connection; further callers wait. A request that is
    /// larger goes alone. Answers are not counted: whoever asks for many large values at once
    /// has to have the memory for them.
    pub in_flight_bytes: usize,
}

impl Config {
    /// An identity with its key, and defaults for the rest.
    pub fn new(identity: i64, key: &[u8]) -> Self {
        Self {
            identity,
            key: SigningKey::new(key),
            trust: Trust::Plain,
            cluster_version: None,
            connect_timeout: Duration::from_millis(DEFAULT_CONNECT_TIMEOUT_MS),
            request_timeout: Duration::from_millis(DEFAULT_REQUEST_TIMEOUT_MS),
            priority: None,
            in_flight_bytes: DEFAULT_IN_FLIGHT_BYTES,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new(FACTORY_IDENTITY, FACTORY_KEY)
    }
}
