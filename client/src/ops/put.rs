//! PUT: storing a value under a key.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::KeyValue;

use super::answer::awaitable;
use super::entry::{Algorithm, Durability};
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// A PUT, made by [`crate::Client::put`]. Without [`Put::force`] it succeeds only if the stored
/// version equals the expected one; an absent key has the empty version, and so has, unless
/// told, the expectation.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Put {
    connection: Connection,
    manner: Manner,
    durability: Durability,
    key_value: KeyValue,
    value: Bytes,
}

impl Put {
    pub(crate) fn new(connection: Connection, key: Bytes, value: Bytes) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            durability: Durability::default(),
            key_value: KeyValue {
                key: Some(key),
                ..KeyValue::default()
            },
            value,
        }
    }

    /// The version that the entry gets.
    pub fn version(mut self, version: impl Into<Bytes>) -> Self {
        self.key_value.new_version = Some(version.into());
        self
    }

    /// The version that the entry must have now.
    pub fn expected_version(mut self, version: impl Into<Bytes>) -> Self {
        self.key_value.db_version = Some(version.into());
        self
    }

    /// A checksum or signature of the value, kept with it as it is.
    pub fn tag(mut self, tag: impl Into<Bytes>) -> Self {
        self.key_value.tag = Some(tag.into());
        self
    }

    /// What the tag was made with.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.key_value.algorithm = Some(algorithm.0);
        self
    }

    /// Stores whatever version the entry has.
    pub fn force(mut self) -> Self {
        self.key_value.force = Some(true);
        self
    }

    /// When the drive answers.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    pub(super) fn into_request(mut self) -> Request {
        self.key_value.synchronization = Some(self.durability.to_wire());
        let mut request = Request::of_key(MessageType::PUT, self.key_value);
        request.value = self.value;
        request
    }

    async fn run(self) -> Result<(), Error> {
        let (connection, manner) = (self.connection.clone(), self.manner);
        connection.call(self.into_request(), manner).await.map(drop)
    }
}

awaitable!(Put => ());
