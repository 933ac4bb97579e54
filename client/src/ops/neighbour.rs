//! GETNEXT and GETPREVIOUS: the entry behind or before a key, which need not exist itself.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::KeyValue;

use super::answer::{awaitable, found};
use super::entry::Entry;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// A GETNEXT or GETPREVIOUS, made by [`crate::Client::next`] and [`crate::Client::previous`].
/// `None`: there is no such entry.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Neighbour {
    connection: Connection,
    manner: Manner,
    direction: MessageType,
    key_value: KeyValue,
}

impl Neighbour {
    pub(crate) fn new(connection: Connection, direction: MessageType, key: Bytes) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            direction,
            key_value: KeyValue {
                key: Some(key),
                ..KeyValue::default()
            },
        }
    }

    /// Leaves the value where it is: the entry comes with an empty one.
    pub fn without_value(mut self) -> Self {
        self.key_value.metadata_only = Some(true);
        self
    }

    async fn run(self) -> Result<Option<Entry>, Error> {
        let request = Request::of_key(self.direction, self.key_value);
        let reply = found(self.connection.call(request, self.manner).await)?;
        reply.map(|reply| Entry::read(reply, None)).transpose()
    }
}

awaitable!(Neighbour => Option<Entry>);
