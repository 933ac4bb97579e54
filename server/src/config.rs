//! What a server may be told.
//!
//! Guarantee: every setting has a default with which a drive is safe on its own machine. Names in
//! a file are those of the flags. Whom a drive may push to is in [`peers`],
//! and whether it announces itself in [`heartbeat`].

pub mod heartbeat;
pub mod peers;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kinetic_proto::Limits;
use kinetic_proto::limits::{
    MAX_BATCH_SIZE, MAX_BATCHES_PER_DEVICE, MAX_CONNECTIONS, MAX_OPERATIONS_PER_BATCH,
};

use kinetic_store::Options;

use crate::auth::with_known_key;
use crate::certificate::Certificate;
use crate::device::{Medium, Policy, Settings};
use crate::limits::{
    DISK_READ_THREADS, DRAIN_SECONDS, LEAST_BATCH_BYTES, MOST_BATCH_BYTES, MOST_BATCH_OPERATIONS,
    MOST_CONNECTIONS, MOST_OPEN_BATCHES, MOST_SCRUB_DAYS, PIN_ROUNDS, SCRUB_DAYS,
    WRITE_STALL_SECONDS,
};
use heartbeat::Heartbeat;
use peers::Peers;

/// Where a server listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8123";

/// Where a server listens for TLS unless told otherwise.
pub const DEFAULT_TLS_LISTEN: &str = "127.0.0.1:8443";

/// Whether there is a TLS port, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsListen {
    /// There is none, and nothing that demands TLS can be done.
    Off,
    /// At this address; port 0 takes a free one.
    At(SocketAddr),
}

/// A text that is neither `off` nor an address with a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `off` nor an address with a port, such as {DEFAULT_TLS_LISTEN}")]
pub struct BadTlsListen(String);

impl FromStr for TlsListen {
    type Err = BadTlsListen;

    fn from_str(text: &str) -> Result<Self, BadTlsListen> {
        match text {
            _ if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => match text.parse() {
                Ok(address) => Ok(Self::At(address)),
                Err(_why) => Err(BadTlsListen(text.to_owned())),
            },
        }
    }
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsListen(pub SocketAddr);

/// A text that is neither a port nor an address with one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a port, such as 9123, nor an address with a port")]
pub struct BadMetricsListen(String);

impl FromStr for MetricsListen {
    type Err = BadMetricsListen;

    /// A port alone is one of this machine.
    fn from_str(text: &str) -> Result<Self, BadMetricsListen> {
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let address = match text.parse::<u16>() {
            Ok(port) => Ok(here(port)),
            Err(_no_port) => text
                .parse()
                .map_err(|_why| BadMetricsListen(text.to_owned())),
        };
        address.map(Self)
    }
}

impl MetricsListen {
    /// Whether other machines can reach it.
    #[must_use]
    pub fn is_exposed(self) -> bool {
        !self.0.ip().to_canonical().is_loopback()
    }
}

/// How long after one scrub of the whole drive the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrubEvery {
    /// There is none, unless it is asked for.
    Off,
    /// After so many days.
    Days(u32),
}

impl Default for ScrubEvery {
    fn default() -> Self {
        Self::Days(SCRUB_DAYS)
    }
}

impl ScrubEvery {
    /// The options of a store that does so.
    #[must_use]
    pub fn options(self) -> Options {
        let scrub_every_us = match self {
            Self::Off => 0,
            Self::Days(days) => u64::from(days) * 24 * 3_600_000_000,
        };
        Options {
            scrub_every_us,
            ..Options::default()
        }
    }
}

/// A text that is neither `off` nor a number of days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `off` nor a number of days from 1 to {MOST_SCRUB_DAYS}")]
pub struct BadScrubEvery(String);

impl FromStr for ScrubEvery {
    type Err = BadScrubEvery;

    fn from_str(text: &str) -> Result<Self, BadScrubEvery> {
        match text.parse() {
            Ok(days @ 1..=MOST_SCRUB_DAYS) => Ok(Self::Days(days)),
            _ if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(BadScrubEvery(text.to_owned())),
        }
    }
}

/// From where a drive may be used with the key that everybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FactoryKeyReach {
    /// From this machine only.
    #[default]
    ThisMachine,
    /// From anywhere: whoever reaches the port owns the drive.
    Anywhere,
}

/// What batches may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most operations of one batch.
    pub operations: u32,
    /// Most deletes among them.
    pub deletes: u32,
    /// Most bytes of keys, metadata and values in one batch; a drive with small zones takes less.
    pub bytes: u32,
    /// Most batches that the drive keeps open.
    pub open: u32,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            operations: MAX_OPERATIONS_PER_BATCH,
            deletes: MAX_OPERATIONS_PER_BATCH,
            bytes: MAX_BATCH_SIZE,
            open: MAX_BATCHES_PER_DEVICE,
        }
    }
}

/// A setting that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}, and it must be from {least} to {most}")]
pub struct OutOfRange {
    /// Its name in a file.
    pub name: &'static str,
    /// What it was given.
    pub value: u32,
    /// The least that makes sense.
    pub least: u32,
    /// The most that makes sense.
    pub most: u32,
}

/// A number of connections to keep, if it makes sense.
pub fn checked_connections(value: u32) -> Result<u32, OutOfRange> {
    match value {
        1..=MOST_CONNECTIONS => Ok(value),
        _ => Err(OutOfRange {
            name: "max-connections",
            value,
            least: 1,
            most: MOST_CONNECTIONS,
        }),
    }
}

impl BatchLimits {
    /// The same, if it makes sense.
    pub fn checked(self) -> Result<Self, OutOfRange> {
        let settings = [
            (
                "max-batch-operations",
                self.operations,
                1,
                MOST_BATCH_OPERATIONS,
            ),
            ("max-batch-deletes", self.deletes, 0, MOST_BATCH_OPERATIONS),
            (
                "max-batch-bytes",
                self.bytes,
                LEAST_BATCH_BYTES,
                MOST_BATCH_BYTES,
            ),
            ("max-open-batches", self.open, 1, MOST_OPEN_BATCHES),
        ];
        let wrong = |&(_, value, least, most): &(_, u32, u32, u32)| value < least || value > most;
        match settings.into_iter().find(wrong) {
            None => Ok(self),
            Some((name, value, least, most)) => Err(OutOfRange {
                name,
                value,
                least,
                most,
            }),
        }
    }
}

/// Why a drive must not be reached from other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Anybody who reaches the port would own it.
    #[error(
        "{address} can be reached from other machines, and identity {identity} has the key that \
         everybody knows: give it another with --factory-key or SECURITY, listen on 127.0.0.1, or \
         accept that whoever reaches the port owns the drive with --insecure-factory"
    )]
    FactoryKey {
        /// Where it would listen.
        address: SocketAddr,
        /// Whose key it is.
        identity: i64,
    },
    /// Anybody who reaches the port could erase it.
    #[error(
        "{0} can be reached from other machines, and no erase PIN is set, so that whoever reaches \
         the TLS port could erase the drive: start it on 127.0.0.1, set an erase PIN, then listen \
         there; or accept it with --insecure-factory"
    )]
    NoErasePin(SocketAddr),
    /// An erase would leave it to anybody who reaches the port.
    #[error(
        "{0} can be reached from other machines, and after an erase identity 1 would have the key \
         that everybody knows again: give the key that it shall have then with --factory-key, or \
         accept it with --insecure-factory"
    )]
    AfterErase(SocketAddr),
}

/// Settings of a running server.
#[derive(Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it listens for TLS, if at all.
    pub tls_listen: TlsListen,
    /// The certificate to show there; where none is given, the drive's own.
    pub certificate: Option<Arc<Certificate>>,
    /// Where it serves metrics, if at all; port 0 takes a free one.
    pub metrics: Option<MetricsListen>,
    /// Whether it announces itself on its networks.
    pub heartbeat: Heartbeat,
    /// Major and minor number of the disk that the drive lies on, to tell its load; where it is
    /// not known, that of the busiest disk is told.
    pub host_disk: Option<(u32, u32)>,
    /// The key of the factory identity.
    pub factory_key: Vec<u8>,
    /// Whether the key that everybody knows may be used from other machines.
    pub factory_key_reach: FactoryKeyReach,
    /// Rounds of PBKDF2 for PINs; fewer than the default are for tests.
    pub pin_rounds: u32,
    /// The Ed25519 public key that firmware must be signed by, if any.
    pub firmware_key: Option<[u8; 32]>,
    /// The drives that it may push to, and as whom.
    pub peers: Peers,
    /// Connections that it keeps.
    pub max_connections: u32,
    /// What batches may come to.
    pub batches: BatchLimits,
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
            .field("tls_listen", &self.tls_listen)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8123)),
            tls_listen: TlsListen::At(SocketAddr::from(([127, 0, 0, 1], 8443))),
            certificate: None,
            metrics: None,
            heartbeat: Heartbeat::Off,
            host_disk: None,
            factory_key: crate::auth::FACTORY_KEY.to_vec(),
            factory_key_reach: FactoryKeyReach::ThisMachine,
            pin_rounds: PIN_ROUNDS,
            firmware_key: None,
            peers: Peers::default(),
            max_connections: MAX_CONNECTIONS,
            batches: BatchLimits::default(),
            write_stall: Duration::from_secs(WRITE_STALL_SECONDS),
            drain: Duration::from_secs(DRAIN_SECONDS),
            read_threads: DISK_READ_THREADS,
        }
    }
}

impl Config {
    /// What the drive is to do, as far as operations need it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            factory_key: self.factory_key.clone(),
            pin_rounds: self.pin_rounds,
            firmware_key: self.firmware_key,
            exposed: self.exposed_address().is_some(),
        }
    }

    /// Where other machines can reach it.
    fn exposed_address(&self) -> Option<SocketAddr> {
        let tls = match self.tls_listen {
            TlsListen::Off => None,
            TlsListen::At(address) => Some(address),
        };
        let mut addresses = std::iter::once(self.listen).chain(tls);
        addresses.find(|address| !address.ip().to_canonical().is_loopback())
    }

    /// Refuses to serve other machines as long as everybody could do harm, unless that was asked
    /// for.
    pub fn refuse_exposure(&self, settings: &Settings) -> Result<(), Exposed> {
        let here_only = self.factory_key_reach == FactoryKeyReach::ThisMachine;
        let Some(address) = self.exposed_address().filter(|_| here_only) else {
            return Ok(());
        };
        match with_known_key(settings, &self.factory_key).first() {
            Some(&identity) => Err(Exposed::FactoryKey { address, identity }),
            None if settings.erase_pin.is_none() => Err(Exposed::NoErasePin(address)),
            None if self.factory_key == crate::auth::FACTORY_KEY => {
                Err(Exposed::AfterErase(address))
            }
            None => Ok(()),
        }
    }

    /// What the drive on this medium enforces and reports.
    #[must_use]
    pub fn limits(&self, medium: &Medium) -> Limits {
        let batches = &self.batches;
        let room = u32::try_from(medium.commit_bytes(batches.operations)).unwrap_or(u32::MAX);
        Limits {
            max_connections: Some(self.max_connections),
            max_operation_count_per_batch: Some(batches.operations),
            max_deletes_per_batch: Some(batches.deletes.min(batches.operations)),
            max_batch_size: Some(batches.bytes.min(room)),
            max_batch_count_per_device: Some(batches.open),
            ..Limits::default()
        }
    }

    /// The defaults on free ports of this machine, for tests and simulations.
    #[must_use]
    pub fn local() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_listen: TlsListen::At(SocketAddr::from(([127, 0, 0, 1], 0))),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_for_this_machine_unless_an_address_is_written_out() {
        for (text, address, exposed) in [
            ("9123", "127.0.0.1:9123", false),
            ("[::1]:9123", "[::1]:9123", false),
            ("0.0.0.0:9123", "0.0.0.0:9123", true),
            ("10.0.0.7:0", "10.0.0.7:0", true),
        ] {
            let parsed: MetricsListen = text.parse().unwrap();
            assert_eq!(parsed, MetricsListen(address.parse().unwrap()));
            assert_eq!(parsed.is_exposed(), exposed, "{text}");
        }
        for text in ["", "off", "65536", "-1", "localhost", "127.0.0.1", ":9123"] {
            let error = text.parse::<MetricsListen>().unwrap_err().to_string();
            assert!(error.contains("9123") && error.contains(text), "{error}");
        }
    }
}
