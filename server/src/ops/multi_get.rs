//! MULTI_GET, an extension: several entries in one answer.
//!
//! Guarantees: each key has a status of its own, in the order of the keys, and values follow in
//! that order; a key without READ is NOT_AUTHORIZED and says nothing else. From the first entry on
//! that the answer has no room for all are NOT_ATTEMPTED; the first one always fits, so that who
//! asks again for those gets on. Each entry is read for itself: between two something may change.

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::limits::{MAX_FOUND_SIZE, MAX_KEYS_PER_REQUEST};
use kinetic_proto::schema::command::{Body, Found, KeyList};
use kinetic_store::{Effort, Store};
use prost::Message as _;

use super::answer::{Answer, AnswerBody};
use super::entry::{Source, within};
use super::invalid::Invalid;
use super::range_metadata::told;
use super::status::{NotCached, Unfinished, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::{KEYS_TURN, LISTED_BYTES};

/// A MULTI_GET.
#[derive(Debug, Clone)]
pub struct MultiGet {
    keys: Vec<Bytes>,
    found: Vec<Found>,
    listed_bytes: usize,
    values: Vec<Bytes>,
    value_bytes: usize,
}

/// The keys of a request about several.
pub(super) fn keys_of(list: Option<KeyList>, source: &Source<'_>) -> Result<Vec<Bytes>, Invalid> {
    let keys = list.unwrap_or_default().key;
    let limit = MAX_KEYS_PER_REQUEST as usize;
    if keys.len() > limit {
        let count = keys.len();
        return Err(Invalid::TooManyKeysNamed { count, limit });
    }
    for key in &keys {
        within("key", Some(key), source.limits.max_key_size)?;
    }
    // Copies: the keys are slices of the whole message.
    Ok(keys.iter().map(|key| source.keep(Some(key))).collect())
}

impl MultiGet {
    /// Reads the keys.
    pub fn parse(list: Option<KeyList>, source: &Source<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            keys: keys_of(list, source)?,
            found: Vec::new(),
            listed_bytes: 0,
            values: Vec::new(),
            value_bytes: 0,
        })
    }

    /// The keys that it names.
    #[must_use]
    pub fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    /// Adds an entry, if the answer has room for it.
    fn add(&mut self, found: Found, value: Bytes) -> bool {
        let listed_bytes = self.listed_bytes + found.encoded_len();
        let value_bytes = self.value_bytes + value.len();
        if listed_bytes > LISTED_BYTES || value_bytes > MAX_FOUND_SIZE as usize {
            return false;
        }
        self.listed_bytes = listed_bytes;
        self.value_bytes = value_bytes;
        self.found.push(found);
        if !value.is_empty() {
            self.values.push(value);
        }
        true
    }

    fn answer(&mut self) -> Answer {
        let mut found = std::mem::take(&mut self.found);
        found.resize_with(self.keys.len(), || Found {
            status: Some(StatusCode::NOT_ATTEMPTED.to_message()),
            ..Found::default()
        });
        let mut values = std::mem::take(&mut self.values);
        let value = match (values.pop(), values.is_empty()) {
            (None, _) => Bytes::new(),
            (Some(only), true) => only,
            (Some(last), false) => {
                values.push(last);
                values.concat().into()
            }
        };
        let body = AnswerBody::Extended(Box::new(Body {
            found,
            ..Body::default()
        }));
        Answer {
            value,
            ..Answer::success().with_body(body)
        }
    }
}

/// Reads the entries that have not been read, until the answer is full or its turn is over.
pub fn run(
    access: &Access,
    request: &mut MultiGet,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    for _ in 0..KEYS_TURN {
        let Some(key) = request.keys.get(request.found.len()) else {
            return Ok(request.answer());
        };
        let (found, value) = look(access, key.clone(), (&*store, effort))?;
        if !request.add(found, value) {
            return Ok(request.answer());
        }
    }
    Err(Unfinished::OutOfTurn)
}

/// What is to be told of one key, and its value.
fn look(
    access: &Access,
    key: Bytes,
    (store, effort): (&Store, Effort),
) -> Result<(Found, Bytes), NotCached> {
    let refused = |status| Found {
        status: Some(status),
        ..Found::default()
    };
    let grant = match access.to_key::<grant::Read>(key) {
        Ok(grant) => grant,
        Err(denied) => return Ok((refused(denied.into()), Bytes::new())),
    };
    Ok(match store.get(grant.key(), effort) {
        Ok(object) => {
            let found = Found {
                status: Some(StatusCode::SUCCESS.to_message()),
                key_value: Some(told(grant.key(), &object.metadata)),
                value_length: Some(object.value.len() as u64),
            };
            (found, object.value)
        }
        Err(error) => (refused(of_read(error)?), Bytes::new()),
    })
}
