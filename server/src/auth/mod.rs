//! Who asks, and what they may do.
//!
//! In layer order: [`identity`] (keys, scopes, permissions), [`table`] (the identities in force),
//! [`grant`] (the proof that a check was made), [`penalties`] (who must wait after wrong PINs).

pub mod identity;

pub mod table;

pub mod grant;

pub mod penalties;

pub use grant::{Access, Denied, Grant, Known};
pub use identity::{Channel, FACTORY_KEY, Identity, Permission, Scope};
pub use penalties::Penalties;
pub use table::{IdentityTable, factory_record, with_known_key};
