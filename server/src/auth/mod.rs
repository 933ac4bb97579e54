//! Who asks, and what they may do.
//!
//! In layer order: [`identity`] (keys, scopes, permissions), [`table`] (the identities in force),
//! [`grant`] (the proof that a check was made).

pub mod identity;

pub mod table;

pub mod grant;

pub use grant::{Access, Denied, Grant, Known};
pub use identity::{Channel, FACTORY_KEY, Identity, Permission, Scope};
pub use table::IdentityTable;
