//! GET_PART, an extension: some bytes of a value.
//!
//! Guarantees: version, tag, algorithm and length of the answer are those of the whole entry, of
//! which the part is a part; the part was verified. To that end the whole value is read: what is
//! saved is the way to the client, not the disk.

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, KeyValue};
use kinetic_store::Effort;

use super::answer::{Answer, AnswerBody};
use super::entry::{Source, within};
use super::invalid::Invalid;
use super::range_metadata::told;
use super::status::{Unfinished, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;

/// A GET_PART.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPart {
    key: Bytes,
    offset: u64,
    length: Option<u64>,
}

impl GetPart {
    /// Reads the fields that a GET_PART has.
    pub fn parse(entry: Option<KeyValue>, source: &Source<'_>) -> Result<Self, Invalid> {
        let entry = entry.unwrap_or_default();
        within("key", entry.key.as_deref(), source.limits.max_key_size)?;
        Ok(Self {
            key: source.keep(entry.key.as_deref()),
            offset: entry.offset.unwrap_or(0),
            length: entry.length,
        })
    }

    /// The part of a value; empty where it begins behind the end.
    fn of(&self, value: &Bytes) -> Bytes {
        let whole = value.len() as u64;
        let start = self.offset.min(whole);
        let end = start
            .saturating_add(self.length.unwrap_or(whole))
            .min(whole);
        // Both are at most the length of a value in memory.
        let index = |at| usize::try_from(at).unwrap_or(value.len());
        value.slice(index(start)..index(end))
    }
}

/// Looks the entry up and cuts the part out.
pub fn run(
    access: &Access,
    request: &GetPart,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let grant = match access.to_key::<grant::Read>(request.key.clone()) {
        Ok(grant) => grant,
        Err(denied) => return Ok(Answer::of(denied.into())),
    };
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    let object = match store.get(grant.key(), effort) {
        Ok(object) => object,
        Err(error) => return Ok(Answer::of(of_read(error)?)),
    };
    let body = AnswerBody::Extended(Box::new(Body {
        key_value: Some(told(grant.key(), &object.metadata)),
        ..Body::default()
    }));
    Ok(Answer {
        value: request.of(&object.value),
        ..Answer::success().with_body(body)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_with_the_value_and_is_empty_behind_it() {
        let value = Bytes::from_static(b"0123456789");
        let part = |offset, length| {
            let request = GetPart {
                key: Bytes::new(),
                offset,
                length,
            };
            request.of(&value)
        };
        assert_eq!(part(0, None), value);
        assert_eq!(&part(3, Some(4))[..], b"3456");
        assert_eq!(&part(8, Some(4))[..], b"89");
        assert_eq!(&part(8, Some(u64::MAX))[..], b"89");
        assert_eq!(part(2, Some(0)), Bytes::new());
        assert_eq!(part(10, None), Bytes::new());
        assert_eq!(part(u64::MAX, Some(1)), Bytes::new());
    }
}
