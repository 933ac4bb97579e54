//! GET_PART: some bytes of a value.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::KeyValue;

use super::answer::{awaitable, found};
use super::entry::{Entry, Metadata};
use super::extension::require;
use crate::core::{Manner, Request};
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

/// A GET_PART, made by [`crate::ops::Get::part`]: an extension, which only some drives know. `None`
/// is an absent key.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetPart {
    connection: Connection,
    manner: Manner,
    key: Bytes,
    offset: u64,
    length: Option<u64>,
}

/// A part of a value, and what is known of the whole entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The key, version, tag and algorithm of the entry.
    pub metadata: Metadata,
    /// Bytes of the whole value.
    pub value_length: u64,
    /// The part; shorter than asked where the value ends, and empty behind its end.
    pub value: Bytes,
}

impl GetPart {
    pub(super) fn new(
        connection: Connection,
        key: Bytes,
        (offset, length): (u64, Option<u64>),
    ) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            key,
            offset,
            length,
        }
    }

    /// As whoever made it was to be done.
    pub(super) fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    async fn run(self) -> Result<Option<Part>, Error> {
        let kind = MessageType::GET_PART;
        require(&self.connection, kind, self.manner).await?;
        let key_value = KeyValue {
            key: Some(self.key.clone()),
            offset: Some(self.offset),
            length: self.length,
            ..KeyValue::default()
        };
        let request = Request::of_key(kind, key_value);
        let reply = found(self.connection.call(request, self.manner).await)?;
        let Some(reply) = reply else { return Ok(None) };
        let told = reply.body.key_value.as_ref();
        let value_length = told.and_then(|told| told.value_length);
        let value_length = value_length.ok_or(Error::Unusable {
            request: kind,
            problem: AnswerProblem::Missing("valueLength"),
        })?;
        let entry = Entry::read(reply, Some(&self.key))?;
        Ok(Some(Part {
            metadata: entry.metadata,
            value_length,
            value: entry.value,
        }))
    }
}

awaitable!(GetPart => Option<Part>);
