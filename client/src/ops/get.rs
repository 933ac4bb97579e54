//! GET and GETVERSION: an entry, its metadata, its version.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::KeyValue;

use super::answer::{awaitable, found};
use super::entry::{Entry, Metadata};
use super::part::GetPart;
use crate::core::{Manner, Patience, Reply, Request};
use crate::error::Error;
use crate::net::Connection;

macro_rules! read {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a request is sent when it is awaited"]
        pub struct $name {
            connection: Connection,
            manner: Manner,
            key: Bytes,
        }

        impl $name {
            pub(crate) fn new(connection: Connection, key: Bytes) -> Self {
                Self {
                    connection,
                    manner: Manner::default(),
                    key,
                }
            }

            /// The drive gives up at the first error of its disk, with DATA_ERROR, instead of
            /// trying again. For whoever has another drive to ask.
            pub fn early_exit(mut self) -> Self {
                self.manner.patience = Patience::GivesUp;
                self
            }
        }
    };
}

read! {
    /// A GET, made by [`crate::Client::get`]. `None` is an absent key.
    Get
}

read! {
    /// A GET without the value, made by [`crate::Client::metadata`]. `None` is an absent key.
    GetMetadata
}

read! {
    /// A GETVERSION, made by [`crate::Client::version`]. `None` is an absent key; a key that was
    /// stored without a version has the empty one.
    GetVersion
}

impl Get {
    /// Only so many bytes of the value from this one on, to its end where nothing is said: an
    /// extension, which only some drives know.
    pub fn part(self, offset: u64, length: impl Into<Option<u64>>) -> GetPart {
        let part = GetPart::new(self.connection, self.key, (offset, length.into()));
        part.in_manner(self.manner)
    }

    async fn run(self) -> Result<Option<Entry>, Error> {
        let request = Request::of_key(MessageType::GET, keyed(&self.key, None));
        let reply = found(self.connection.call(request, self.manner).await)?;
        reply
            .map(|reply| Entry::read(reply, Some(&self.key)))
            .transpose()
    }
}

impl GetMetadata {
    async fn run(self) -> Result<Option<Metadata>, Error> {
        let request = Request::of_key(MessageType::GET, keyed(&self.key, Some(true)));
        let reply = found(self.connection.call(request, self.manner).await)?;
        let entry = reply
            .map(|reply| Entry::read(reply, Some(&self.key)))
            .transpose()?;
        Ok(entry.map(|entry| entry.metadata))
    }
}

impl GetVersion {
    async fn run(self) -> Result<Option<Bytes>, Error> {
        let request = Request::of_key(MessageType::GETVERSION, keyed(&self.key, None));
        let reply = found(self.connection.call(request, self.manner).await)?;
        let version = |reply: Reply| reply.body.key_value.and_then(|found| found.db_version);
        Ok(reply.map(|reply| version(reply).unwrap_or_default()))
    }
}

awaitable!(Get => Option<Entry>);
awaitable!(GetMetadata => Option<Metadata>);
awaitable!(GetVersion => Option<Bytes>);

fn keyed(key: &Bytes, metadata_only: Option<bool>) -> KeyValue {
    KeyValue {
        key: Some(key.clone()),
        metadata_only,
        ..KeyValue::default()
    }
}
