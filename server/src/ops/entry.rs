//! Fields that operations on entries share: key, versions, synchronization, and their limits.

use bytes::Bytes;
use kinetic_proto::envelope::share;
use kinetic_proto::schema::command::Synchronization;
use kinetic_proto::{KeyValueView, Limits};
use kinetic_store::{Attributes, Durability, Expected};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;

/// What comes with a request beside its fields: where its bytes lie, its value, and the limits.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The message; fields that are kept become slices of it.
    pub message: &'a Bytes,
    /// The value behind the message.
    pub value: Bytes,
    /// What the drive takes.
    pub limits: &'a Limits,
}

impl Source<'_> {
    /// Keeps a field, whose absence means the same as no bytes.
    pub fn keep(&self, field: Option<&[u8]>) -> Bytes {
        match field {
            None | Some([]) => Bytes::new(),
            Some(field) => share(self.message, field),
        }
    }

    /// Checks and keeps the key.
    pub fn key(&self, entry: &KeyValueView<'_>) -> Result<Bytes, Invalid> {
        within("key", entry.key, self.limits.max_key_size)?;
        Ok(self.keep(entry.key))
    }

    /// Checks what must hold of the stored version.
    pub fn expected(&self, entry: &KeyValueView<'_>) -> Result<Expected, Invalid> {
        within("dbVersion", entry.db_version, self.limits.max_version_size)?;
        if entry.force == Some(true) {
            return Ok(Expected::Any);
        }
        Ok(Expected::Version(self.keep(entry.db_version)))
    }

    /// Checks new version and tag, and keeps them with the algorithm.
    pub fn attributes(&self, entry: &KeyValueView<'_>) -> Result<Attributes, Invalid> {
        within(
            "newVersion",
            entry.new_version,
            self.limits.max_version_size,
        )?;
        within("tag", entry.tag, self.limits.max_tag_size)?;
        let version = entry.new_version.unwrap_or_default();
        let tag = entry.tag.unwrap_or_default();
        Ok(Attributes::new(version, tag, entry.algorithm))
    }
}

/// Refuses a field over its limit.
pub fn within(
    field: &'static str,
    bytes: Option<&[u8]>,
    limit: Option<u32>,
) -> Result<(), Invalid> {
    let size = bytes.map_or(0, <[u8]>::len);
    match limit {
        Some(limit) if size > limit as usize => Err(Invalid::TooLarge { field, size, limit }),
        _ => Ok(()),
    }
}

/// When a write is to be answered. Absent is the safe reading: on the disk.
pub fn durability(entry: &KeyValueView<'_>) -> Result<Durability, Invalid> {
    let Some(number) = entry.synchronization else {
        return Ok(Durability::WriteThrough);
    };
    match Synchronization::try_from(number) {
        Ok(Synchronization::Writethrough) => Ok(Durability::WriteThrough),
        Ok(Synchronization::Writeback) => Ok(Durability::WriteBack),
        Ok(Synchronization::Flush) => Ok(Durability::Flush),
        Ok(Synchronization::InvalidSynchronization) | Err(_) => {
            Err(Invalid::Synchronization(number))
        }
    }
}

/// An entry as GET answers it: version and tag always, the algorithm only if one was stored.
pub fn answer(key: Bytes, attributes: Attributes, value: Bytes) -> Answer {
    Answer {
        value,
        ..Answer::success().with_body(AnswerBody::Entry(key, attributes))
    }
}
