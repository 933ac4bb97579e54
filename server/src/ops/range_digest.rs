//! RANGE_DIGEST, an extension: sums over the entries of a range, part by part, by which two drives
//! find out where they differ without telling each other what they hold.
//!
//! Guarantees: what goes into a sum is told apart field by field and entry by entry, so that equal
//! sums mean equal entries; a key without RANGE and READ makes the whole NOT_AUTHORIZED, for a sum
//! with holes would lie; a value that cannot be read makes it PERM_DATA_ERROR. Others have their
//! turn in between, and where the time is up the answer says how far it got.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use bytes::Bytes;
use kinetic_proto::limits::MAX_DIGEST_PARTS;
use kinetic_proto::schema::command::digest::Part;
use kinetic_proto::schema::command::{self, Body, Range, Status};
use kinetic_proto::{Limits, StatusCode};
use kinetic_store::{Direction, Effort, KeyRange, Metadata, ReadError, Store};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, AnswerBody};
use super::entry::within;
use super::invalid::Invalid;
use super::range::bounds;
use super::status::{Unfinished, locked, of_read};
use super::walk::{Walked, walk};
use crate::auth::{Access, Grant, grant};
use crate::device::Device;
use crate::limits::{SCAN_ENTRY_BYTES, SCAN_TURN_BYTES};

/// A RANGE_DIGEST.
#[derive(Debug, Clone)]
pub struct RangeDigest {
    /// What is still to be summed up.
    rest: KeyRange,
    content: Content,
    parts: Parts,
}

/// What goes into the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Metadata,
    Values,
}

/// The parts that are done, and the one under way.
#[derive(Debug, Clone, Default)]
struct Parts {
    /// Last keys of this part and those to come.
    splits: VecDeque<Bytes>,
    /// Entries of a part, where there are no splits.
    entries: Option<u64>,
    done: Vec<Part>,
    sum: Sha256,
    count: u64,
    bytes: u64,
    /// The last key that is in a sum.
    last: Option<Bytes>,
}

/// Why the walk stops.
enum Stop {
    Turn,
    Full,
    Refused(Status),
}

impl RangeDigest {
    /// Reads the fields that a RANGE_DIGEST has. The order of entries is that of keys, always.
    pub fn parse(range: Option<Range>, limits: &Limits) -> Result<Self, Invalid> {
        let mut range = range.unwrap_or_default();
        let splits = std::mem::take(&mut range.split);
        let entries = range.max_returned.filter(|&entries| entries > 0);
        let limit = MAX_DIGEST_PARTS as usize - 1;
        if splits.len() > limit {
            let count = splits.len();
            return Err(Invalid::TooManySplits { count, limit });
        }
        for split in &splits {
            within("split", Some(split), limits.max_key_size)?;
        }
        if !splits.is_sorted_by(|a, b| a < b) {
            return Err(Invalid::SplitsOutOfOrder);
        }
        if entries.is_some() && !splits.is_empty() {
            return Err(Invalid::SplitsAndEntries);
        }
        let content = match range.with_values {
            Some(true) => Content::Values,
            Some(false) | None => Content::Metadata,
        };
        // Copies: the keys are slices of the whole message.
        let splits = splits.iter().map(|key| Bytes::copy_from_slice(key));
        Ok(Self {
            content,
            parts: Parts {
                splits: splits.collect(),
                entries: entries.map(u64::from),
                ..Parts::default()
            },
            rest: KeyRange {
                direction: Direction::Forward,
                ..bounds(range)?
            },
        })
    }

    /// The answer where the time is up, unless there is no sum yet.
    pub fn cut_short(&mut self) -> Option<Answer> {
        let last = self.parts.last.clone()?;
        if self.parts.count > 0 {
            self.parts.close(Some(last.clone()));
        }
        Some(self.parts.answer(Some(last)))
    }
}

impl Parts {
    /// Adds an entry; whether there is room for one more.
    fn add(&mut self, key: &Bytes, metadata: &Metadata, value: Option<&[u8]>) -> bool {
        while let Some(split) = self.splits.pop_front_if(|split| *split < *key) {
            self.close(Some(split));
        }
        put_entry(&mut self.sum, key, metadata);
        if let Some(value) = value {
            self.sum.update(Sha256::digest(value));
        }
        self.count += 1;
        self.bytes += u64::from(metadata.value_length);
        self.last = Some(key.clone());
        if self.entries == Some(self.count) {
            self.close(self.last.clone());
        }
        self.done.len() < MAX_DIGEST_PARTS as usize
    }

    fn close(&mut self, end_key: Option<Bytes>) {
        let sum = std::mem::take(&mut self.sum).finalize();
        self.done.push(Part {
            end_key,
            count: Some(std::mem::take(&mut self.count)),
            bytes: Some(std::mem::take(&mut self.bytes)),
            digest: Some(Bytes::copy_from_slice(&sum)),
        });
    }

    /// Closes all that are left, for nothing is behind the end.
    fn finish(&mut self) -> Answer {
        while let Some(split) = self.splits.pop_front() {
            self.close(Some(split));
        }
        self.close(None);
        self.answer(None)
    }

    fn answer(&mut self, end_key: Option<Bytes>) -> Answer {
        let part = std::mem::take(&mut self.done);
        let range = end_key.map(|end_key| Range {
            end_key: Some(end_key),
            ..Range::default()
        });
        Answer::success().with_body(AnswerBody::Extended(Box::new(Body {
            digest: Some(command::Digest { part }),
            range,
            ..Body::default()
        })))
    }
}

/// The fields of an entry, each behind its length as four bytes, the length of the value as eight.
/// The algorithm has four bytes or, where there is none, no byte.
fn put_entry(sum: &mut Sha256, key: &[u8], metadata: &Metadata) {
    let attributes = &metadata.attributes;
    let algorithm = attributes.algorithm.map(i32::to_be_bytes);
    let algorithm = algorithm.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    for field in [key, attributes.version(), attributes.tag(), algorithm] {
        // No field comes near 4 GiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        sum.update(length.to_be_bytes());
        sum.update(field);
    }
    sum.update(u64::from(metadata.value_length).to_be_bytes());
}

/// Sums up until the range ends, or the answer is full, or its turn is over.
pub fn run(
    access: &Access,
    request: &mut RangeDigest,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    let RangeDigest {
        rest,
        content,
        parts,
    } = request;
    let content = *content;
    let mut left = SCAN_TURN_BYTES;
    let walked = walk(&store, rest, effort, |key, metadata| {
        let listed = access.to_key::<grant::Range>(key.clone());
        let grant = match listed.and_then(|grant| access.to_key(grant.into_key())) {
            Ok(grant) => grant,
            Err(denied) => return ControlFlow::Break(Stop::Refused(denied.into())),
        };
        let room = match content {
            Content::Metadata => parts.add(grant.key(), metadata, None),
            Content::Values => {
                let length = metadata.value_length as usize;
                left = left.saturating_sub(length + SCAN_ENTRY_BYTES);
                match add_value(parts, &grant, (&*store, effort)) {
                    Ok(room) => room,
                    Err(status) => return ControlFlow::Break(Stop::Refused(status)),
                }
            }
        };
        match (room, left) {
            (false, _) => ControlFlow::Break(Stop::Full),
            (true, 0) => ControlFlow::Break(Stop::Turn),
            (true, _) => ControlFlow::Continue(()),
        }
    })?;
    Ok(match walked {
        Walked::Through => parts.finish(),
        Walked::Stopped(Stop::Full) => {
            let last = parts.last.clone();
            parts.answer(last)
        }
        Walked::Stopped(Stop::Turn) => return Err(Unfinished::OutOfTurn),
        Walked::Stopped(Stop::Refused(status)) | Walked::Failed(status) => Answer::of(status),
    })
}

/// Adds an entry with its value, both as they are now; one that has gone meanwhile is not there.
fn add_value(
    parts: &mut Parts,
    grant: &Grant<grant::Read>,
    (store, effort): (&Store, Effort),
) -> Result<bool, Status> {
    match store.get(grant.key(), effort) {
        Ok(object) => Ok(parts.add(grant.key(), &object.metadata, Some(&object.value))),
        Err(ReadError::NotFound) => Ok(true),
        Err(error) => Err(of_read(error).unwrap_or_else(|_not_cached| {
            StatusCode::INTERNAL_ERROR.with_text("a value was not read in its turn")
        })),
    }
}

#[cfg(test)]
mod tests {
    use kinetic_store::Attributes;

    use super::*;

    fn parsed(range: Range) -> Result<RangeDigest, Invalid> {
        RangeDigest::parse(Some(range), &Limits::default())
    }

    fn keys(keys: &[&'static str]) -> Vec<Bytes> {
        keys.iter().map(|&key| Bytes::from(key)).collect()
    }

    fn metadata(version: &[u8], tag: &[u8], algorithm: Option<i32>) -> Metadata {
        Metadata {
            attributes: Attributes::new(version, tag, algorithm),
            value_length: 5,
        }
    }

    fn sum(entries: &[(&'static str, Metadata)]) -> Option<Bytes> {
        let mut parts = Parts::default();
        for (key, metadata) in entries {
            parts.add(&Bytes::from(*key), metadata, None);
        }
        parts.close(None);
        parts.done.pop().and_then(|part| part.digest)
    }

    #[test]
    fn the_sum_is_that_of_the_fields_in_the_order_that_is_published() {
        let one = sum(&[("key", metadata(b"v1", b"", Some(2)))]);
        let mut expected = Sha256::new();
        expected.update(b"\0\0\0\x03key\0\0\0\x02v1\0\0\0\0\0\0\0\x04\0\0\0\x02");
        expected.update(b"\0\0\0\0\0\0\0\x05");
        assert_eq!(one.as_deref(), Some(&expected.finalize()[..]));
    }

    #[test]
    fn nothing_can_be_shifted_from_one_field_into_another() {
        let sums = [
            sum(&[("ab", metadata(b"c", b"", None))]),
            sum(&[("a", metadata(b"bc", b"", None))]),
            sum(&[("a", metadata(b"b", b"c", None))]),
            sum(&[("ab", metadata(b"c", b"", Some(0)))]),
            sum(&[
                ("a", metadata(b"", b"", None)),
                ("b", metadata(b"", b"", None)),
            ]),
            sum(&[]),
        ];
        for (at, one) in sums.iter().enumerate() {
            assert!(one.is_some() && !sums[..at].contains(one), "{at}");
        }
    }

    #[test]
    fn a_split_ends_its_part_and_parts_without_entries_are_there() {
        let request = Range {
            split: keys(&["b", "c", "x"]),
            ..Range::default()
        };
        let mut parts = parsed(request).unwrap().parts;
        for key in ["a", "b", "d"] {
            assert!(parts.add(&Bytes::from(key), &metadata(b"", b"", None), None));
        }
        let answer = parts.finish();
        let AnswerBody::Extended(body) = answer.body else {
            panic!("{answer:?}");
        };
        let told = body.digest.unwrap().part;
        let told = told
            .iter()
            .map(|part| (part.end_key.as_deref(), part.count));
        let expected = [
            (Some(&b"b"[..]), Some(2)),
            (Some(b"c"), Some(0)),
            (Some(b"x"), Some(1)),
            (None, Some(0)),
        ];
        assert!(told.eq(expected));
    }

    #[test]
    fn splits_that_make_no_parts_are_refused() {
        let many = (0..200_u32).map(|number| Bytes::copy_from_slice(&number.to_be_bytes()));
        let range = |split: Vec<Bytes>, max_returned| Range {
            split,
            max_returned,
            ..Range::default()
        };
        let refused = parsed(range(many.collect(), None)).unwrap_err();
        assert!(refused.to_string().contains("199"), "{refused}");
        for same in [keys(&["b", "a"]), keys(&["a", "a"])] {
            let refused = parsed(range(same, None)).unwrap_err();
            assert_eq!(refused, Invalid::SplitsOutOfOrder);
        }
        let long = Bytes::from(vec![b's'; 4097]);
        let refused = parsed(range(vec![long], None)).unwrap_err();
        assert!(refused.to_string().contains("4097"), "{refused}");
        let refused = parsed(range(keys(&["a"]), Some(1))).unwrap_err();
        assert_eq!(refused, Invalid::SplitsAndEntries);
    }
}
