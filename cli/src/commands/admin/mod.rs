//! Commands that change drives themselves: locks, power, PINs, identities, cluster version,
//! firmware.
//!
//! Guarantees: each works on every drive that is named, and reports for each; what cannot be
//! taken back is done after consent only; no secret is printed.
//! Not here: keys and values.
//!
//! In layer order: `fleet` (many drives), `list` (the file of an access control list), then the
//! commands.

mod fleet;

mod list;

mod acl;
mod locks;
mod pins;
mod power;
mod setup;

pub(super) use acl::acl;
pub(super) use locks::{erase, lock, unlock};
pub(super) use pins::pin;
pub(super) use power::power;
pub(super) use setup::{cluster_version, firmware};
