//! DELETE: removes an entry if the stored version is the expected one, or by force.
//!
//! Without force a missing entry is NOT_FOUND; with force it is a success.

use bytes::Bytes;
use kinetic_proto::KeyValueView;
use kinetic_store::{Durability, Expected, Mutation};

use super::entry::{Source, durability, within};
use super::invalid::Invalid;
use crate::auth::{Grant, grant};

/// A DELETE that keeps all limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// The key.
    pub key: Bytes,
    /// What must hold of the stored version.
    pub expected: Expected,
    /// When it is answered.
    pub durability: Durability,
}

impl Delete {
    /// Reads the fields that a DELETE has. A new version means nothing but keeps its limit.
    pub fn parse(entry: &KeyValueView<'_>, source: &Source<'_>) -> Result<Self, Invalid> {
        within(
            "newVersion",
            entry.new_version,
            source.limits.max_version_size,
        )?;
        Ok(Self {
            durability: durability(entry)?,
            key: source.key(entry)?,
            expected: source.expected(entry)?,
        })
    }
}

/// What the store is to do.
#[must_use]
pub fn mutation(grant: Grant<grant::Delete>, delete: Delete) -> Mutation {
    Mutation::Delete {
        key: grant.into_key(),
        expected: delete.expected,
    }
}
