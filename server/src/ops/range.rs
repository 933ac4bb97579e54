//! GETKEYRANGE: the keys between two ends, in either direction.
//!
//! Guarantees: keys without RANGE are skipped, not the end of the answer; an identity that has
//! RANGE nowhere is refused. An absent end key is the end of the store, an empty one the smallest
//! key; a start of which nothing is said is the start of the store. An answer has at most as many
//! keys as the limit says, and so fits a message. Others have their turn while what was deleted, or
//! may not be seen, is stepped over.

use std::ops::Bound;

use bytes::Bytes;
use kinetic_proto::Limits;
use kinetic_proto::limits::{MAX_KEY_RANGE_COUNT, MAX_RANGE_END_SIZE};
use kinetic_proto::schema::command::Range;
use kinetic_store::{Direction, Effort, KeyRange, Keys};

use super::answer::{Answer, AnswerBody};
use super::entry::within;
use super::invalid::Invalid;
use super::status::{Unfinished, locked, of_read};
use crate::auth::{Access, grant};
use crate::device::Device;
use crate::limits::{RANGE_PAGE, RANGE_PAGES_INLINE, RANGE_PAGES_TURN};

/// A GETKEYRANGE.
#[derive(Debug, Clone)]
pub struct KeysInRange {
    /// What is still to be looked at.
    range: KeyRange,
    count: usize,
    found: Vec<Bytes>,
}

impl KeysInRange {
    /// Reads the fields that a GETKEYRANGE has.
    pub fn parse(range: Option<Range>, limits: &Limits) -> Result<Self, Invalid> {
        let range = range.unwrap_or_default();
        let count = most_keys(&range, limits)?;
        Ok(Self {
            range: bounds(range)?,
            count,
            found: Vec::new(),
        })
    }
}

/// Refuses ends that are longer than any that a client has use for.
pub(super) fn check_ends(range: &Range) -> Result<(), Invalid> {
    let limit = Some(MAX_RANGE_END_SIZE);
    within("startKey", range.start_key.as_deref(), limit)?;
    within("endKey", range.end_key.as_deref(), limit)
}

/// Which keys a range is about.
pub(super) fn bounds(range: Range) -> Result<KeyRange, Invalid> {
    check_ends(&range)?;
    // Copies: the keys are slices of the whole message.
    let end_of = |key: Bytes, inclusive: Option<bool>| match inclusive {
        Some(true) => Bound::Included(Bytes::copy_from_slice(&key)),
        Some(false) | None => Bound::Excluded(Bytes::copy_from_slice(&key)),
    };
    Ok(KeyRange {
        start: match (range.start_key, range.start_key_inclusive) {
            // Nothing said about the start: the empty key is a key like any other.
            (None, None) => Bound::Unbounded,
            (key, inclusive) => end_of(key.unwrap_or_default(), inclusive),
        },
        end: range
            .end_key
            .map_or(Bound::Unbounded, |key| end_of(key, range.end_key_inclusive)),
        direction: match range.reverse {
            Some(true) => Direction::Backward,
            Some(false) | None => Direction::Forward,
        },
    })
}

/// How many keys a range asks for at most: as many as fit where it does not say.
pub(super) fn most_keys(range: &Range, limits: &Limits) -> Result<usize, Invalid> {
    let limit = limits.max_key_range_count.unwrap_or(MAX_KEY_RANGE_COUNT);
    match range.max_returned.unwrap_or(0) {
        0 => Ok(limit as usize),
        wanted if wanted > limit => Err(Invalid::TooManyKeys { wanted, limit }),
        wanted => Ok(wanted as usize),
    }
}

/// Reads keys until there are as many as asked for, or no more, or its turn is over.
pub fn run(
    access: &Access,
    request: &mut KeysInRange,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    if let Err(denied) = access.to_drive::<grant::Range>() {
        return Ok(Answer::of(denied.into()));
    }
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    // Skipping many keys takes a while even in memory: others come in between.
    let turn = match effort {
        Effort::Cached => RANGE_PAGES_INLINE,
        Effort::Once | Effort::Disk | Effort::Medium => RANGE_PAGES_TURN,
    };
    let mut pages = 0;
    while request.found.len() < request.count && !is_empty(&request.range) {
        if pages == turn {
            return Err(Unfinished::OutOfTurn);
        }
        pages += 1;
        let wanted = RANGE_PAGE.min(request.count - request.found.len());
        let Keys { keys, beyond } = match store.keys(&request.range, wanted, effort) {
            Ok(page) => page,
            Err(error) => return Ok(Answer::of(of_read(error)?)),
        };
        let stepping = beyond.is_some();
        let full = keys.len() == wanted;
        let last = beyond.or_else(|| keys.last().cloned().filter(|_| full));
        let granted = keys
            .into_iter()
            .filter_map(|key| access.to_key::<grant::Range>(key).ok());
        request.found.extend(granted.map(grant::Grant::into_key));
        let Some(last) = last else {
            break;
        };
        request.range.go_behind(last);
        if stepping {
            return Err(Unfinished::OutOfTurn);
        }
    }
    let keys = std::mem::take(&mut request.found);
    if keys.is_empty() {
        return Ok(Answer::success());
    }
    Ok(Answer::success().with_body(AnswerBody::Keys(keys)))
}

/// Whether no key can lie between the ends.
pub(super) fn is_empty(range: &KeyRange) -> bool {
    match (&range.start, &range.end) {
        // Nothing is below the empty key.
        (_, Bound::Excluded(end)) if end.is_empty() => true,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (
            Bound::Included(start) | Bound::Excluded(start),
            Bound::Included(end) | Bound::Excluded(end),
        ) => start >= end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(range: Range) -> KeysInRange {
        KeysInRange::parse(Some(range), &Limits::default()).unwrap()
    }

    #[test]
    fn no_maximum_means_the_limit() {
        assert_eq!(parsed(Range::default()).count, 200);
        let zero = Range {
            max_returned: Some(0),
            ..Range::default()
        };
        assert_eq!(parsed(zero).count, 200);
    }

    #[test]
    fn more_than_the_limit_is_refused_with_both_numbers() {
        let range = Range {
            max_returned: Some(201),
            ..Range::default()
        };
        let refused = KeysInRange::parse(Some(range), &Limits::default()).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("201") && text.contains("200"), "{text}");
    }

    #[test]
    fn an_end_may_be_longer_than_a_key_and_not_without_bound() {
        let limit = MAX_RANGE_END_SIZE as usize;
        let of = |start_key, end_key| Range {
            start_key,
            end_key,
            ..Range::default()
        };
        let end = |bytes| Some(Bytes::from(vec![b'k'; bytes]));
        parsed(of(end(limit), end(limit)));
        for range in [of(end(limit + 1), None), of(None, end(limit + 1))] {
            let refused = KeysInRange::parse(Some(range), &Limits::default()).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains("Key has 8193 bytes"), "{text}");
        }
    }

    #[test]
    fn a_start_of_which_nothing_is_said_lets_the_empty_key_in() {
        assert_eq!(parsed(Range::default()).range.start, Bound::Unbounded);
        let said = Range {
            start_key_inclusive: Some(false),
            ..Range::default()
        };
        let empty = Bytes::new();
        assert_eq!(parsed(said).range.start, Bound::Excluded(empty));
    }

    #[test]
    fn an_absent_end_is_open_and_an_empty_one_is_the_smallest_key() {
        assert_eq!(parsed(Range::default()).range.end, Bound::Unbounded);
        let closed = Range {
            end_key: Some(Bytes::new()),
            ..Range::default()
        };
        let closed = parsed(closed);
        assert_eq!(closed.range.end, Bound::Excluded(Bytes::new()));
        assert!(is_empty(&closed.range));
    }
}
