//! EXISTS, an extension: which of several keys are there.
//!
//! Guarantees: it takes RANGE on each of the keys, or none is told; answers are in the order of the
//! keys. Each is looked up for itself: between two of them something may change. Not here: values.

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, KeyList};
use kinetic_store::{Effort, ReadError};

use super::answer::{Answer, AnswerBody};
use super::entry::Source;
use super::invalid::Invalid;
use super::multi_get::keys_of;
use super::status::{Unfinished, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::KEYS_TURN;

/// An EXISTS.
#[derive(Debug, Clone)]
pub struct Exists {
    keys: Vec<Bytes>,
    present: Vec<bool>,
}

impl Exists {
    /// Reads the keys.
    pub fn parse(list: Option<KeyList>, source: &Source<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            keys: keys_of(list, source)?,
            present: Vec::new(),
        })
    }

    /// The keys that it names.
    #[must_use]
    pub fn keys(&self) -> &[Bytes] {
        &self.keys
    }
}

/// Looks for the keys that have not been looked for, until its turn is over.
pub fn run(
    access: &Access,
    request: &mut Exists,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    let Exists { keys, present } = request;
    for key in keys.iter().skip(present.len()).take(KEYS_TURN) {
        let grant = match access.to_key::<grant::Range>(key.clone()) {
            Ok(grant) => grant,
            Err(denied) => return Ok(Answer::of(denied.into())),
        };
        let is_there = match store.metadata(grant.key(), effort) {
            Ok(_) => true,
            Err(ReadError::NotFound) => false,
            Err(error) => return Ok(Answer::of(of_read(error)?)),
        };
        present.push(is_there);
    }
    if present.len() < keys.len() {
        return Err(Unfinished::OutOfTurn);
    }
    let list = KeyList {
        present: std::mem::take(present),
        ..KeyList::default()
    };
    Ok(
        Answer::success().with_body(AnswerBody::Extended(Box::new(Body {
            key_list: Some(list),
            ..Body::default()
        }))),
    )
}
