//! Requests as builders: one file for each kind, each builder can be awaited.
//!
//! Guarantees: a builder sends nothing until it is awaited; every one has a `timeout`
//! and a `priority`. Builders own what they need and may outlive the [`crate::Client`] that made
//! them. Not here: how requests travel.
//!
//! In layer order: `entry` (keys' metadata), `answer` (how builders become futures), then the
//! operations, `extension` (what those beyond the protocol share) before those, and `acl_log`,
//! `batch`, `compare` and `replicate`, which are made of some of them.

mod entry;

mod answer;

mod log;

mod extension;

mod part;

mod media;

mod count;
mod delete;
mod digest;
mod get;
mod neighbour;
mod pin;
mod plain;
mod power;
mod push;
mod put;
mod security;
mod setup;
mod several;

mod range;

mod compare;

mod acl_log;

mod batch;

mod replicate;

pub(crate) use acl_log::read as read_acls;
pub use acl_log::{ACL_LOG, GetAcls, HmacAlgorithm, ListedAcl};
pub use answer::Answer;
pub use batch::{Batch, BatchError, BatchOperation};
pub use compare::{CompareError, Compared, Comparison, Difference};
pub use count::Count;
pub use delete::Delete;
pub(crate) use digest::parts_of as read_digest;
pub use digest::{Digest, DigestContent, DigestPart, Digested};
pub use entry::{Algorithm, Durability, Entry, Metadata};
pub use get::{Get, GetMetadata, GetVersion};
pub use log::{GetLog, Log, LogType};
pub use media::{MediaOptimize, MediaScan, Scanned};
pub use neighbour::Neighbour;
pub use part::{GetPart, Part};
pub use pin::PinOperation;
pub use plain::Plain;
pub use power::{PowerLevel, SetPowerLevel};
pub use push::{CutShort, Peer, PeerError, Push, Pushed, Transfer, Transferred};
pub use put::Put;
pub use range::{Entries, Keys, Listed, ListedEntry, Listing, Range};
pub use replicate::{Copied, Replicate, Replication, Way};
pub use security::{Acl, Permission, PinKind, Priority, Scope, SetAcls, SetPin};
pub use setup::Setup;
pub(crate) use several::entries_of as read_found;
pub use several::{Exists, Looked, MultiGet};
