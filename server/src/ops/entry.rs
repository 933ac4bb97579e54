//! Fields that operations on entries share: key, versions, synchronization, and their limits.

use bytes::Bytes;
use kinetic_proto::schema::command::Synchronization;
use kinetic_proto::{KeyValueView, Limits};
use kinetic_store::{Attributes, Durability, Expected};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use crate::limits::KEPT_BY_COPY_BYTES;

/// What comes with a request beside its fields: where its bytes lie, its value, and the limits.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The message. Fields that are kept are copied: a slice would hold all of it, with whatever
    /// else the peer put in.
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
            Some(field) => Bytes::copy_from_slice(field),
        }
    }

    /// Keeps the value; a copy where it is small beside what its frame would hold with it.
    pub fn keep_value(&self) -> Bytes {
        if self.value.len() <= KEPT_BY_COPY_BYTES || self.value.len() < self.message.len() {
            return Bytes::copy_from_slice(&self.value);
        }
        self.value.clone()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_request_does_not_hold_its_message() {
        let message = Bytes::from(vec![b'k'; 64 << 10]);
        let source = Source {
            message: &message,
            value: message.slice(..32 << 10),
            limits: &Limits::default(),
        };
        let lies_in_message = |kept: &Bytes| message.as_ptr_range().contains(&kept.as_ptr());
        assert!(!lies_in_message(&source.keep(message.get(..8))));
        assert!(!lies_in_message(&source.keep_value()));
    }
}
