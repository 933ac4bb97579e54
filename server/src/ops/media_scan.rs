//! MEDIASCAN: reads values from the medium and lists the keys whose values are not sound.
//!
//! Guarantees: a value is sound if it can be read, verifies, and its tag is not another one than
//! that of its algorithm. Keys without RANGE are passed over and never named. An answer tells by
//! `endKey` how far it got, so that a client can go on from there, exclusively: that is the
//! request's own end once all is looked at, and otherwise the last key that was looked at; each
//! answer gets further than the one before. Where the index cannot be read the scan goes on behind
//! that, and the answer is PERM_DATA_ERROR with the list.
//! Not here: which thread does it, and clocks (`net`); repair.

use std::ops::Bound;

use bytes::Bytes;
use kinetic_proto::limits::MAX_KEY_SIZE;
use kinetic_proto::schema::command::Range;
use kinetic_proto::{Limits, StatusCode};
use kinetic_store::{Direction, Effort, Gap, KeyRange, ReadError};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use super::range::{check_ends, most_keys};
use super::status::{Unfinished, locked, of_read};
use super::tags::{Judgement, judge};
use crate::auth::{Access, grant};
use crate::device::{Device, Open};
use crate::limits::{SCAN_ENTRY_BYTES, SCAN_PAGE, SCAN_TURN_BYTES};

/// A MEDIASCAN.
#[derive(Debug, Clone)]
pub struct MediaScan {
    /// What is still to be looked at.
    rest: KeyRange,
    /// The end as it was asked for.
    end_key: Option<Bytes>,
    count: usize,
    bad: Vec<Bytes>,
    /// The last key that was looked at and may be named.
    last: Option<Bytes>,
    /// Parts of the index that cannot be read.
    gaps: u32,
    first_gap: Option<String>,
}

impl MediaScan {
    /// Reads the fields that a MEDIASCAN has. The end belongs to the range unless it is said not
    /// to; an end that is absent or empty is the end of the store.
    pub fn parse(range: Option<Range>, limits: &Limits) -> Result<Self, Invalid> {
        let range = range.unwrap_or_default();
        let count = most_keys(&range, limits)?;
        check_ends(&range)?;
        // Copies: the keys are slices of the whole message.
        let own = |key: Bytes| Bytes::copy_from_slice(&key);
        let end_key = range.end_key.map(own);
        let start = match (range.start_key.map(own), range.start_key_inclusive) {
            (None, None) => Bound::Unbounded,
            (key, Some(true)) => Bound::Included(key.unwrap_or_default()),
            (key, Some(false) | None) => Bound::Excluded(key.unwrap_or_default()),
        };
        let end = end_key.clone().filter(|end| !end.is_empty());
        let end = match (end, range.end_key_inclusive) {
            (None, _) => Bound::Unbounded,
            (Some(key), Some(false)) => Bound::Excluded(key),
            (Some(key), Some(true) | None) => Bound::Included(key),
        };
        Ok(Self {
            rest: KeyRange {
                start,
                end,
                direction: Direction::Forward,
            },
            end_key,
            count,
            bad: Vec::new(),
            last: None,
            gaps: 0,
            first_gap: None,
        })
    }

    /// The answer where the time is up, unless nothing could be named yet.
    pub fn cut_short(&mut self) -> Option<Answer> {
        let last = self.last.clone()?;
        Some(self.answer(Some(last)))
    }

    fn answer(&mut self, end_key: Option<Bytes>) -> Answer {
        let status = match (self.gaps, &self.first_gap) {
            (0, _) => StatusCode::SUCCESS.to_message(),
            (gaps, told) => {
                let told = told.as_deref().unwrap_or_default();
                let text = format!(
                    "in {gaps} places the index cannot be read, and what keys it has there is not \
                     known{told}"
                );
                StatusCode::PERM_DATA_ERROR.with_text(text)
            }
        };
        let keys = std::mem::take(&mut self.bad);
        Answer::of(status).with_body(AnswerBody::Scanned { keys, end_key })
    }

    /// Goes on behind a part of the index that cannot be read; `false` where nothing is behind it.
    fn step_over(&mut self, gap: &Gap, error: ReadError, access: &Access) -> bool {
        self.gaps = self.gaps.saturating_add(1);
        let may_name = |key: &[u8]| {
            let key = Bytes::copy_from_slice(key);
            access.to_key::<grant::Range>(key).is_ok()
        };
        if self.first_gap.is_none() && may_name(&gap.start) {
            let start = String::from_utf8_lossy(&gap.start);
            let start = start.escape_debug().take(TOLD_CHARACTERS);
            let start = start.collect::<String>();
            self.first_gap = Some(format!("; the first begins at \"{start}\": {error}"));
        }
        let Some(end) = &gap.end else {
            return false;
        };
        let before = before(end);
        if may_name(&before) {
            self.last = Some(before);
        }
        self.rest.start = Bound::Included(Bytes::copy_from_slice(end));
        true
    }
}

/// Characters of a key in a sentence.
const TOLD_CHARACTERS: usize = 64;

/// The greatest key below this one.
fn before(key: &[u8]) -> Bytes {
    let mut before = key.to_vec();
    if let Some(last) = before.pop().and_then(|last| last.checked_sub(1)) {
        before.push(last);
        before.resize(MAX_KEY_SIZE as usize, 0xff);
    }
    before.into()
}

/// Looks at values until as many bad ones are found as asked for, or there are no more, or its
/// turn is over.
pub fn run(
    access: &Access,
    scan: &mut MediaScan,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    if let Err(denied) = access.to_drive::<grant::Range>() {
        return Ok(Answer::of(denied.into()));
    }
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    if effort == Effort::Cached {
        return Err(Unfinished::NotCached);
    }
    let mut left = SCAN_TURN_BYTES;
    loop {
        let page = match store.page(&scan.rest, SCAN_PAGE, Effort::Medium) {
            Ok(page) => page,
            Err(error) => return Ok(Answer::of(of_read(error)?)),
        };
        let short = page.entries.len() < SCAN_PAGE;
        for (key, _) in page.entries {
            if scan.bad.len() >= scan.count {
                let last = scan.last.clone();
                return Ok(scan.answer(last));
            }
            let spent = look_at(&store, scan, access, &key);
            scan.rest.start = Bound::Excluded(key);
            left = left.saturating_sub(spent);
            if left == 0 {
                return Err(Unfinished::OutOfTurn);
            }
        }
        let more = match page.gap {
            Some((gap, error)) => scan.step_over(&gap, error, access),
            None => !short,
        };
        if !more {
            let end_key = scan.end_key.clone();
            return Ok(scan.answer(end_key));
        }
    }
}

/// Judges a key, if it may be named; how many bytes that cost.
fn look_at(store: &Open, scan: &mut MediaScan, access: &Access, key: &Bytes) -> usize {
    if access.to_key::<grant::Range>(key.clone()).is_err() {
        return SCAN_ENTRY_BYTES;
    }
    let (sound, length) = match store.get_from_medium(key) {
        Ok(object) => {
            let attributes = &object.metadata.attributes;
            let judgement = judge(attributes.algorithm, attributes.tag(), &object.value);
            (judgement != Judgement::Differs, object.value.len())
        }
        // It has gone meanwhile.
        Err(ReadError::NotFound) => (true, 0),
        Err(ReadError::NotCached | ReadError::Unreadable(_)) => (false, 0),
    };
    if !sound {
        scan.bad.push(key.clone());
    }
    scan.last = Some(key.clone());
    SCAN_ENTRY_BYTES + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(range: Range) -> MediaScan {
        MediaScan::parse(Some(range), &Limits::default()).unwrap()
    }

    #[test]
    fn the_end_belongs_to_the_range_and_an_empty_one_is_the_end_of_the_store() {
        let key = Bytes::from_static(b"m");
        let end = |key: &Bytes, inclusive| {
            let range = Range {
                end_key: Some(key.clone()),
                end_key_inclusive: inclusive,
                ..Range::default()
            };
            parsed(range).rest.end
        };
        assert_eq!(end(&key, None), Bound::Included(key.clone()));
        assert_eq!(end(&key, Some(true)), Bound::Included(key.clone()));
        assert_eq!(end(&key, Some(false)), Bound::Excluded(key.clone()));
        assert_eq!(end(&Bytes::new(), None), Bound::Unbounded);
        assert_eq!(parsed(Range::default()).rest.end, Bound::Unbounded);
    }

    #[test]
    fn more_keys_than_the_limit_are_refused() {
        let range = Range {
            max_returned: Some(201),
            ..Range::default()
        };
        let refused = MediaScan::parse(Some(range), &Limits::default()).unwrap_err();
        assert!(refused.to_string().contains("200"), "{refused}");
        assert_eq!(parsed(Range::default()).count, 200);
    }

    #[test]
    fn nothing_fits_between_a_key_and_the_one_before_it() {
        assert_eq!(before(b"ab\0")[..], b"ab"[..]);
        let long = before(b"b");
        assert!(long.starts_with(b"a\xff") && long.len() == MAX_KEY_SIZE as usize);
        assert_eq!(before(b"")[..], b""[..]);
    }
}
