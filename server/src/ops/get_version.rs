//! GETVERSION: the version of an entry and nothing else.

use bytes::Bytes;
use kinetic_proto::KeyValueView;
use kinetic_store::Effort;

use super::answer::{Answer, AnswerBody};
use super::entry::Source;
use super::invalid::Invalid;
use super::status::{NotCached, locked, of_read};
use crate::auth::{Grant, grant};
use crate::device::Device;

/// A GETVERSION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetVersion {
    /// The key.
    pub key: Bytes,
}

impl GetVersion {
    /// Reads the fields that a GETVERSION has.
    pub fn parse(entry: &KeyValueView<'_>, source: &Source<'_>) -> Result<Self, Invalid> {
        let key = source.key(entry)?;
        Ok(Self { key })
    }
}

/// Looks the version up.
pub fn run(
    grant: &Grant<grant::Read>,
    device: &Device,
    effort: Effort,
) -> Result<Answer, NotCached> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()).with_entry());
    };
    match store.metadata(grant.key(), effort) {
        Ok(metadata) => {
            let body = AnswerBody::Version(metadata.attributes);
            Ok(Answer::success().with_body(body))
        }
        Err(error) => Ok(Answer::of(of_read(error)?).with_entry()),
    }
}
