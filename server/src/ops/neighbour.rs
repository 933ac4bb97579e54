//! GETNEXT and GETPREVIOUS: the nearest entry after or before a key, which need not exist.
//!
//! Guarantee: the right to read is asked for the key that was found; one that may not be read is
//! refused, not skipped.

use bytes::Bytes;
use kinetic_proto::{KeyValueView, StatusCode};
use kinetic_store::{Effort, ReadError};

use super::answer::Answer;
use super::entry::{self, Source};
use super::get::{self, Extent};
use super::invalid::Invalid;
use super::status::{NotCached, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::NEIGHBOUR_TRIES;

/// Which neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The smallest key that is greater.
    Next,
    /// The greatest key that is smaller.
    Previous,
}

/// A GETNEXT or GETPREVIOUS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The key to start at; it is never the answer.
    pub key: Bytes,
    /// Which way to go.
    pub side: Side,
    /// How much of the entry.
    pub extent: Extent,
}

impl Neighbour {
    /// Reads the fields that either has.
    pub fn parse(
        side: Side,
        entry: &KeyValueView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            key: source.key(entry)?,
            side,
            extent: Extent::of(entry),
        })
    }
}

/// Finds the neighbour and reads it.
pub fn run(
    access: &Access,
    request: &Neighbour,
    device: &Device,
    effort: Effort,
) -> Result<Answer, NotCached> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()).with_entry());
    };
    // Between finding a key and reading its value it may be deleted: then look again.
    for _ in 0..NEIGHBOUR_TRIES {
        let found = match request.side {
            Side::Next => store.next(&request.key, effort),
            Side::Previous => store.previous(&request.key, effort),
        };
        let (key, metadata) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Answer::of(of_read(error)?).with_entry()),
        };
        let grant = match access.to_key::<grant::Read>(key) {
            Ok(grant) => grant,
            Err(denied) => return Ok(Answer::of(denied.into()).with_entry()),
        };
        if request.extent == Extent::Metadata {
            let key = grant.into_key();
            return Ok(entry::answer(key, metadata.attributes, Bytes::new()));
        }
        match get::fetch(&grant, request.extent, &store, effort) {
            Ok(answer) => return Ok(answer),
            Err(ReadError::NotFound) => {}
            Err(error) => return Ok(Answer::of(of_read(error)?).with_entry()),
        }
    }
    let text = "the neighbouring entries are being deleted; try again";
    Ok(Answer::of(StatusCode::SERVICE_BUSY.with_text(text)).with_entry())
}
