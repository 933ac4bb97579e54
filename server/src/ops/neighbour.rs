//! GETNEXT and GETPREVIOUS: the nearest entry after or before a key, which need not exist.
//!
//! Guarantees: keys that may not be read are passed over as if they were not there, since a refusal
//! would tell what they are called; an identity that may read nothing at all is refused. Where many
//! entries were deleted, others have their turn while they are stepped over.

use bytes::Bytes;
use kinetic_proto::{KeyValueView, StatusCode};
use kinetic_store::{Direction, Effort, Neighbour as Found, ReadError};

use super::answer::Answer;
use super::entry::{self, Source};
use super::get::{self, Extent};
use super::invalid::Invalid;
use super::status::{Unfinished, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::{NEIGHBOUR_TRIES, NEIGHBOURS_INLINE, NEIGHBOURS_TURN};

/// A GETNEXT or GETPREVIOUS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The key to start at; it is never the answer.
    pub key: Bytes,
    /// Which way to go.
    pub direction: Direction,
    /// How much of the entry.
    pub extent: Extent,
}

impl Neighbour {
    /// Reads the fields that either has.
    pub fn parse(
        direction: Direction,
        entry: &KeyValueView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            key: source.key(entry)?,
            direction,
            extent: Extent::of(entry),
        })
    }
}

/// Finds the neighbour and reads it, or says that its turn is over; it goes on from where it was.
pub fn run(
    access: &Access,
    request: &mut Neighbour,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()).with_entry());
    };
    if let Err(denied) = access.to_drive::<grant::Read>() {
        return Ok(Answer::of(denied.into()).with_entry());
    }
    let turn = match effort {
        Effort::Cached => NEIGHBOURS_INLINE,
        Effort::Once | Effort::Disk | Effort::Medium => NEIGHBOURS_TURN,
    };
    let (mut passed, mut tries) = (0, 0);
    while tries < NEIGHBOUR_TRIES {
        let found = store.neighbour(&request.key, request.direction, effort);
        let (key, metadata) = match found {
            Ok(Found::Found(key, metadata)) => (key, metadata),
            Ok(Found::Beyond(key)) => {
                request.key = key;
                return Err(Unfinished::OutOfTurn);
            }
            Err(error) => return Ok(Answer::of(of_read(error)?).with_entry()),
        };
        let Ok(grant) = access.to_key::<grant::Read>(key.clone()) else {
            request.key = key;
            if passed == turn {
                return Err(Unfinished::OutOfTurn);
            }
            passed += 1;
            continue;
        };
        if request.extent == Extent::Metadata {
            return Ok(entry::answer(key, metadata.attributes, Bytes::new()));
        }
        match get::fetch(&grant, request.extent, &store, effort) {
            Ok(answer) => return Ok(answer),
            // Between finding a key and reading its value it was deleted: look again.
            Err(ReadError::NotFound) => tries += 1,
            Err(error) => return Ok(Answer::of(of_read(error)?).with_entry()),
        }
    }
    let text = "the neighbouring entries are being deleted; try again";
    Ok(Answer::of(StatusCode::SERVICE_BUSY.with_text(text)).with_entry())
}
