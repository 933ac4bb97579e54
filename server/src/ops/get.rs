//! GET: one entry, with its value or only what is known about it.

use bytes::Bytes;
use kinetic_proto::KeyValueView;
use kinetic_store::{Effort, ReadError, Store};

use super::answer::Answer;
use super::entry::{self, Source};
use super::invalid::Invalid;
use super::status::{NotCached, locked, of_read};
use crate::auth::{Grant, grant};
use crate::device::Device;

/// How much of an entry is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The value, too.
    Whole,
    /// Version, tag and algorithm only.
    Metadata,
}

impl Extent {
    /// As `metadataOnly` says it.
    #[must_use]
    pub fn of(entry: &KeyValueView<'_>) -> Self {
        match entry.metadata_only {
            Some(true) => Self::Metadata,
            Some(false) | None => Self::Whole,
        }
    }
}

/// A GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: Bytes,
    /// How much of it.
    pub extent: Extent,
}

impl Get {
    /// Reads the fields that a GET has.
    pub fn parse(entry: &KeyValueView<'_>, source: &Source<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            key: source.key(entry)?,
            extent: Extent::of(entry),
        })
    }
}

/// Looks the entry up.
pub fn run(
    grant: &Grant<grant::Read>,
    extent: Extent,
    device: &Device,
    effort: Effort,
) -> Result<Answer, NotCached> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()).with_entry());
    };
    match fetch(grant, extent, &store, effort) {
        Ok(answer) => Ok(answer),
        Err(error) => Ok(Answer::of(of_read(error)?).with_entry()),
    }
}

/// The entry of a key that may be read.
pub(super) fn fetch(
    grant: &Grant<grant::Read>,
    extent: Extent,
    store: &Store,
    effort: Effort,
) -> Result<Answer, ReadError> {
    let key = grant.key();
    match extent {
        Extent::Whole => {
            let object = store.get(key, effort)?;
            Ok(entry::answer(
                key.clone(),
                object.metadata.attributes,
                object.value,
            ))
        }
        Extent::Metadata => {
            let metadata = store.metadata(key, effort)?;
            Ok(entry::answer(
                key.clone(),
                metadata.attributes,
                Bytes::new(),
            ))
        }
    }
}
