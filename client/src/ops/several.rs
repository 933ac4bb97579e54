//! EXISTS and MULTI_GET: several keys at a time.
//!
//! Guarantees: any number of keys, in as many requests as the drive's limits make of them; answers
//! are in the order of the keys. Each key is looked at for itself: between two of them something
//! may change.

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, Found, KeyList};
use kinetic_proto::{MessageType, StatusCode};

use super::answer::awaitable;
use super::entry::{Entry, Metadata};
use super::extension::require;
use crate::core::{Manner, Request};
use crate::error::{AnswerProblem, Error};
use crate::limits::KEY_LIST_BYTES;
use crate::net::Connection;

/// An EXISTS, made by [`crate::Client::exists`]: an extension, which only some drives know. It
/// takes the permission RANGE on each of the keys, or nothing is told.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct Exists {
    connection: Connection,
    /// The time for each request.
    manner: Manner,
    keys: Vec<Bytes>,
}

/// A MULTI_GET, made by [`crate::Client::multi_get`]: an extension, which only some drives know.
/// For each key there is its entry, `None` where there is none, or why it is not told. All values
/// together have to fit in memory.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct MultiGet {
    connection: Connection,
    /// The time for each request.
    manner: Manner,
    keys: Vec<Bytes>,
}

/// What a MULTI_GET has found of one key.
pub type Looked = Result<Option<Entry>, Error>;

impl Exists {
    pub(crate) fn new(connection: Connection, keys: Vec<Bytes>) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            keys,
        }
    }

    async fn run(self) -> Result<Vec<bool>, Error> {
        let kind = MessageType::EXISTS;
        let can = require(&self.connection, kind, self.manner).await?;
        let mut present = Vec::new();
        let mut left = &self.keys[..];
        while !left.is_empty() {
            let (now, later) = left.split_at(fitting(left, can.max_keys_per_request));
            let request = about(kind, now);
            let reply = self.connection.call(request, self.manner).await?;
            let told = reply.body.key_list.unwrap_or_default().present;
            if told.len() != now.len() {
                return Err(unusable(kind, AnswerProblem::Missing("part for each key")));
            }
            present.extend(told);
            left = later;
        }
        Ok(present)
    }
}

awaitable!(Exists => Vec<bool>);

impl MultiGet {
    pub(crate) fn new(connection: Connection, keys: Vec<Bytes>) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            keys,
        }
    }

    async fn run(self) -> Result<Vec<Looked>, Error> {
        let kind = MessageType::MULTI_GET;
        let can = require(&self.connection, kind, self.manner).await?;
        let mut entries = Vec::new();
        let mut left = &self.keys[..];
        while !left.is_empty() {
            let (now, _) = left.split_at(fitting(left, can.max_keys_per_request));
            let request = about(kind, now);
            let reply = self.connection.call(request, self.manner).await?;
            let found = reply.body.found;
            if found.len() != now.len() {
                return Err(unusable(kind, AnswerProblem::Missing("part for each key")));
            }
            let looked = entries_of(found, (now, reply.value))?;
            if looked.is_empty() {
                return Err(unusable(kind, AnswerProblem::NothingDone));
            }
            left = left.get(looked.len()..).unwrap_or_default();
            entries.extend(looked);
        }
        Ok(entries)
    }
}

awaitable!(MultiGet => Vec<Looked>);

/// How many keys fit one request: one at least.
fn fitting(keys: &[Bytes], most: u32) -> usize {
    let mut bytes = 0;
    let fits = |key: &&Bytes| {
        bytes += key.len() + KEY_OVERHEAD;
        bytes <= KEY_LIST_BYTES
    };
    let fitting = keys.iter().take_while(fits).count();
    fitting.min(most as usize).clamp(1, keys.len().max(1))
}

/// Bytes that a key takes in a message beside its own.
const KEY_OVERHEAD: usize = 4;

fn about(kind: MessageType, keys: &[Bytes]) -> Request {
    let list = KeyList {
        key: keys.to_vec(),
        ..KeyList::default()
    };
    let body = Body {
        key_list: Some(list),
        ..Body::default()
    };
    Request::with_body(kind, body)
}

/// What was attempted, up to the first that was not.
pub(crate) fn entries_of(
    found: Vec<Found>,
    (keys, mut values): (&[Bytes], Bytes),
) -> Result<Vec<Looked>, Error> {
    let kind = MessageType::MULTI_GET;
    let mut looked = Vec::new();
    for (found, asked) in found.into_iter().zip(keys) {
        let length = usize::try_from(found.value_length.unwrap_or(0)).unwrap_or(usize::MAX);
        if length > values.len() {
            return Err(unusable(
                kind,
                AnswerProblem::Missing("whole value of each entry"),
            ));
        }
        let value = values.split_to(length);
        let status = found.status.unwrap_or_default();
        looked.push(match StatusCode::of(&status) {
            StatusCode::NOT_ATTEMPTED => break,
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::SUCCESS => {
                let key_value = found.key_value.unwrap_or_default();
                if key_value.key.as_ref().is_some_and(|key| key != asked) {
                    return Err(unusable(kind, AnswerProblem::OutOfOrder));
                }
                let metadata = Metadata::read(key_value, Some(asked));
                let metadata = metadata.ok_or(unusable(kind, AnswerProblem::Missing("key")))?;
                Ok(Some(Entry { metadata, value }))
            }
            code => Err(Error::Refused {
                status: code,
                message: status.status_message.unwrap_or_default(),
                cluster_version: None,
                failed_operation: None,
            }),
        });
    }
    Ok(looked)
}

fn unusable(request: MessageType, problem: AnswerProblem) -> Error {
    Error::Unusable { request, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parted_by_number_and_by_bytes() {
        let short = vec![Bytes::from_static(b"key"); 2500];
        assert_eq!(fitting(&short, 1000), 1000);
        assert_eq!(fitting(&short[..7], 1000), 7);
        let long = vec![Bytes::from(vec![0; 4096]); 1000];
        let fits = fitting(&long, 1000);
        assert!((100..256).contains(&fits), "{fits}");
        let oversized = [Bytes::from(vec![0; 2 << 20])];
        assert_eq!(fitting(&oversized, 1000), 1);
    }
}
