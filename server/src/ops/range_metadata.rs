//! RANGE_METADATA, an extension: the entries of a range without their values.
//!
//! Guarantees: keys without RANGE and READ are skipped, not the end of the answer; who has one of
//! them nowhere is refused; an answer has at most as many entries as the limit of a range says, and
//! fits a message: it may have fewer than were asked for, and none only at the end.

use std::ops::ControlFlow;

use bytes::Bytes;
use kinetic_proto::Limits;
use kinetic_proto::schema::command::{Body, Found, KeyValue, Range};
use kinetic_store::{Effort, KeyRange, Metadata};
use prost::Message as _;

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use super::range::{bounds, most_keys};
use super::status::{Unfinished, locked};
use super::walk::{Walked, walk};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::LISTED_BYTES;

/// A RANGE_METADATA.
#[derive(Debug, Clone)]
pub struct RangeMetadata {
    /// What is still to be looked at.
    rest: KeyRange,
    count: usize,
    list: List,
}

/// Entries of an answer.
#[derive(Debug, Clone, Default)]
struct List {
    found: Vec<Found>,
    bytes: usize,
}

impl RangeMetadata {
    /// Reads the fields that a RANGE_METADATA has, which are those of a GETKEYRANGE.
    pub fn parse(range: Option<Range>, limits: &Limits) -> Result<Self, Invalid> {
        let range = range.unwrap_or_default();
        Ok(Self {
            count: most_keys(&range, limits)?,
            rest: bounds(range)?,
            list: List::default(),
        })
    }
}

/// An entry as this drive tells it without the value.
pub(super) fn told(key: &Bytes, metadata: &Metadata) -> KeyValue {
    let attributes = &metadata.attributes;
    KeyValue {
        key: Some(key.clone()),
        db_version: Some(Bytes::copy_from_slice(attributes.version())),
        tag: Some(Bytes::copy_from_slice(attributes.tag())),
        algorithm: attributes.algorithm,
        value_length: Some(metadata.value_length.into()),
        ..KeyValue::default()
    }
}

/// Lists until there are as many entries as asked for, or no more, or its turn is over.
pub fn run(
    access: &Access,
    request: &mut RangeMetadata,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let allowed = access.to_drive::<grant::Range>().map(drop);
    if let Err(denied) = allowed.and(access.to_drive::<grant::Read>().map(drop)) {
        return Ok(Answer::of(denied.into()));
    }
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    let RangeMetadata { rest, count, list } = request;
    let walked = walk(&store, rest, effort, |key, metadata| {
        let listed = access.to_key::<grant::Range>(key.clone());
        let Ok(grant) = listed.and_then(|grant| access.to_key::<grant::Read>(grant.into_key()))
        else {
            return ControlFlow::Continue(());
        };
        let found = Found {
            key_value: Some(told(grant.key(), metadata)),
            ..Found::default()
        };
        let bytes = found.encoded_len();
        if list.bytes + bytes > LISTED_BYTES {
            return ControlFlow::Break(());
        }
        list.bytes += bytes;
        list.found.push(found);
        if list.found.len() < *count {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    Ok(match walked {
        Walked::Through | Walked::Stopped(()) => {
            let found = std::mem::take(&mut list.found);
            Answer::success().with_body(AnswerBody::Extended(Box::new(Body {
                found,
                ..Body::default()
            })))
        }
        Walked::Failed(status) => Answer::of(status),
    })
}
