//! DELETE: removing a key.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::KeyValue;

use super::answer::awaitable;
use super::entry::Durability;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// A DELETE, made by [`crate::Client::delete`]. Without [`Delete::force`] an absent key is
/// NOT_FOUND and another version than the expected one VERSION_MISMATCH; with it, both succeed.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Delete {
    connection: Connection,
    manner: Manner,
    durability: Durability,
    key_value: KeyValue,
}

impl Delete {
    pub(crate) fn new(connection: Connection, key: Bytes) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            durability: Durability::default(),
            key_value: KeyValue {
                key: Some(key),
                ..KeyValue::default()
            },
        }
    }

    /// The version that the entry must have now.
    pub fn expected_version(mut self, version: impl Into<Bytes>) -> Self {
        self.key_value.db_version = Some(version.into());
        self
    }

    /// Removes whatever version the entry has, if there is one.
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
        Request::of_key(MessageType::DELETE, self.key_value)
    }

    async fn run(self) -> Result<(), Error> {
        let (connection, manner) = (self.connection.clone(), self.manner);
        connection.call(self.into_request(), manner).await.map(drop)
    }
}

awaitable!(Delete => ());
