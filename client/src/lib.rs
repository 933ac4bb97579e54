//! An asynchronous client for Kinetic key-value drives.
//!
//! One connection carries any number of requests at a time; a [`Client`] is a handle to it that
//! can be cloned and shared. Guarantees: answers are matched by sequence and their signatures
//! verified; memory for requests in flight is bounded in bytes, callers wait beyond that; every
//! request ends, at the latest with [`Error::Timeout`], and a time-out leaves the connection
//! usable; when the connection ends, every pending request learns why. Not here: reconnecting,
//! pools, retries: whoever calls knows whether a request may be repeated. Programs without
//! asynchronous code take [`blocking`].
//!
//! ```no_run
//! use kinetic_client::{Client, Config, Durability};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:8123", Config::default()).await?;
//! client.put("greeting", "hello").durability(Durability::WriteBack).force().await?;
//! if let Some(entry) = client.get("greeting").await? {
//!     println!("{} bytes", entry.value.len());
//! }
//! let mut keys = client.prefix("photos/").keys();
//! while let Some(key) = keys.next().await {
//!     println!("{:?}", key?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In layer order, each file importing only what stands above it here:
//!
//! - [`limits`]: every bound of the client
//! - [`trust`]: plain or TLS, and whose certificates
//! - [`config`]: identity, key, time-outs
//! - [`error`]: what can go wrong, and how a person is told
//! - [`pdu`]: a captured PDU taken apart, for debugging
//! - [`discover`]: drives that announce themselves
//! - [`core`]: the protocol as a state machine, without sockets and clock
//! - `net`: the one task that drives a connection
//! - [`ops`]: one file per kind of request, each a builder that can be awaited
//! - [`fuzz`]: what must hold whatever a drive sends
//! - [`client`]: the handle
//! - [`blocking`]: the same for programs without asynchronous code

pub mod limits;

pub mod trust;

pub mod config;
pub mod error;

pub mod pdu;

pub mod discover;

pub mod core;

mod net;

pub mod ops;

pub mod fuzz;

pub mod client;

pub mod blocking;

pub use client::Client;
pub use config::Config;
pub use error::{AnswerProblem, ConnectError, Disconnected, Error, HelloError, TlsError};
pub use ops::{Acl, ListedAcl, Permission, PinKind, PowerLevel, Priority, Scope};
pub use ops::{Algorithm, BatchError, Durability, Entry, Log, LogType, Metadata, Range, Scanned};
pub use ops::{
    CompareError, Compared, Comparison, Difference, DigestContent, DigestPart, Digested,
    ListedEntry, Part,
};
pub use ops::{Copied, CutShort, Peer, PeerError, Pushed, Replication, Transfer, Transferred, Way};

pub use trust::{Authorities, AuthoritiesError, Fingerprint, FingerprintError, Trust};

pub use kinetic_proto::{Limits, MessageType, SigningKey, StatusCode, schema, wire};
