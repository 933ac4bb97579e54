//! PUT: stores an entry if the stored version is the expected one, or by force.
//!
//! The tag is stored as it came, never verified, and so is an algorithm that the drive does not
//! know; `metadataOnly` means nothing here.

use bytes::Bytes;
use kinetic_proto::KeyValueView;
use kinetic_store::{Attributes, Durability, Expected, Mutation};

use super::entry::{Source, durability, within};
use super::invalid::Invalid;
use crate::auth::{Grant, grant};

/// A PUT that keeps all limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: Bytes,
    /// What must hold of the stored version.
    pub expected: Expected,
    /// New version, tag and algorithm.
    pub attributes: Attributes,
    /// When it is answered.
    pub durability: Durability,
    /// The value.
    pub value: Bytes,
}

impl Put {
    /// Reads the fields that a PUT has.
    pub fn parse(entry: &KeyValueView<'_>, source: &Source<'_>) -> Result<Self, Invalid> {
        within("value", Some(&source.value), source.limits.max_value_size)?;
        Ok(Self {
            durability: durability(entry)?,
            key: source.key(entry)?,
            attributes: source.attributes(entry)?,
            expected: source.expected(entry)?,
            value: source.keep_value(),
        })
    }
}

/// What the store is to do.
#[must_use]
pub fn mutation(grant: Grant<grant::Write>, put: Put) -> Mutation {
    Mutation::Put {
        key: grant.into_key(),
        value: put.value,
        attributes: put.attributes,
        expected: put.expected,
    }
}
