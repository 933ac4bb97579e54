//! Requests as builders: one file for each kind, each builder can be awaited.
//!
//! Guarantees: a builder sends nothing until it is awaited; every one has a `timeout`
//! and a `priority`. Builders own what they need and may outlive the [`crate::Client`] that made
//! them. Not here: how requests travel.
//!
//! In layer order: `entry` (keys' metadata), `answer` (how builders become futures), then the
//! operations, and `acl_log`, `batch` and `replicate`, which are made of some of them.

mod entry;

mod answer;

mod delete;
mod get;
mod log;
mod media;
mod neighbour;
mod pin;
mod plain;
mod power;
mod push;
mod put;
mod range;
mod security;
mod setup;

mod acl_log;

mod batch;

mod replicate;

pub(crate) use acl_log::read as read_acls;
pub use acl_log::{ACL_LOG, GetAcls, HmacAlgorithm, ListedAcl};
pub use answer::Answer;
pub use batch::{Batch, BatchError, BatchOperation};
pub use delete::Delete;
pub use entry::{Algorithm, Durability, Entry, Metadata};
pub use get::{Get, GetMetadata, GetVersion};
pub use log::{GetLog, Log, LogType};
pub use media::{MediaOptimize, MediaScan, Scanned};
pub use neighbour::Neighbour;
pub use pin::PinOperation;
pub use plain::Plain;
pub use power::{PowerLevel, SetPowerLevel};
pub use push::{CutShort, Peer, PeerError, Push, Pushed, Transfer, Transferred};
pub use put::Put;
pub use range::{Keys, Range};
pub use replicate::{Copied, Replicate, Replication, Way};
pub use security::{Acl, Permission, PinKind, Priority, Scope, SetAcls, SetPin};
pub use setup::Setup;
