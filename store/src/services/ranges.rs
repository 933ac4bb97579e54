//! Reads of several keys: ranges, neighbours, and pages of entries that step over damage.
//!
//! Guarantee: keys come in order, each once. What a block that cannot be read may hold is an error
//! and not an absence, but only for reads that ask for it: what lies before it and behind it is
//! given out, in both directions. A look for the next key, and a range, can be had in turns, so
//! that stepping over what was deleted holds nobody up; what they step over counts for a merge.
//! Not here: values, and who may see a key.

use std::ops::Bound;

use bytes::Bytes;

use crate::effort::Effort;
use crate::engine::shared::Shared;
use crate::entry::State;
use crate::error::ReadError;
use crate::index::merged::MergedCursor;
use crate::index::stepped::Since;
use crate::limits::{INLINE_TOMBSTONES, TURN_TOMBSTONES};
use crate::run::{Direction, Gap};
use crate::store::{Metadata, Store};

/// Keys between two bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The smaller bound.
    pub start: Bound<Bytes>,
    /// The greater bound.
    pub end: Bound<Bytes>,
    /// Forward from the start, or backward from the end.
    pub direction: Direction,
}

/// Entries in order, as far as they could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Keys with what is stored under them.
    pub entries: Vec<(Bytes, Metadata)>,
    /// What comes next cannot be read: these keys, if there are any, and why.
    pub gap: Option<(Gap, ReadError)>,
}

/// What a turn of a look for a neighbour came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Neighbour {
    /// This is it.
    Found(Bytes, Metadata),
    /// Up to this key there is none: the next turn goes on behind it.
    Beyond(Bytes),
}

/// What a turn of a range came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// Keys in the order of the range.
    pub keys: Vec<Bytes>,
    /// Where the turn ended before the range did, or the limit: the next one goes on behind it.
    pub beyond: Option<Bytes>,
}

/// What a turn of a walk over entries came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// Keys in the order of the range, with what is stored under them.
    pub entries: Vec<(Bytes, Metadata)>,
    /// Where the turn ended: the next one goes on behind it. None where the range has ended.
    pub beyond: Option<Bytes>,
}

/// Where a read goes, and how.
#[derive(Debug, Clone, Copy)]
struct Course<'a> {
    from: Bound<&'a [u8]>,
    to: Bound<&'a [u8]>,
    direction: Direction,
    effort: Effort,
}

enum Walk {
    On,
    Stop,
}

/// Tombstones that a walk has stepped over.
struct Skipped {
    count: usize,
    since: Since,
}

/// Why a walk could not go on.
struct Obstacle {
    error: ReadError,
    gap: Option<Gap>,
}

impl Store {
    /// The smallest key above `key`.
    pub fn next(&self, key: &[u8], effort: Effort) -> Result<(Bytes, Metadata), ReadError> {
        self.beside(key, Direction::Forward, effort)
    }

    /// The greatest key below `key`.
    pub fn previous(&self, key: &[u8], effort: Effort) -> Result<(Bytes, Metadata), ReadError> {
        self.beside(key, Direction::Backward, effort)
    }

    fn beside(
        &self,
        key: &[u8],
        direction: Direction,
        effort: Effort,
    ) -> Result<(Bytes, Metadata), ReadError> {
        let mut from = Bytes::copy_from_slice(key);
        loop {
            match self.neighbour(&from, direction, effort)? {
                Neighbour::Found(key, metadata) => return Ok((key, metadata)),
                Neighbour::Beyond(key) => from = key,
            }
        }
    }

    /// One turn of a look for the key that is nearest to `key` in a direction.
    pub fn neighbour(
        &self,
        key: &[u8],
        direction: Direction,
        effort: Effort,
    ) -> Result<Neighbour, ReadError> {
        let mut found = None;
        let course = Course {
            from: Bound::Excluded(key),
            to: Bound::Unbounded,
            direction,
            effort,
        };
        let walked = self.walk(course, |key, metadata| {
            found = Some(Neighbour::Found(key, metadata));
            Walk::Stop
        });
        let beyond = walked.map_err(|obstacle| obstacle.error)?;
        let beyond = beyond.map(Neighbour::Beyond);
        found.or(beyond).ok_or(ReadError::NotFound)
    }

    /// Up to `limit` keys of a range, in the order of its direction.
    pub fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        effort: Effort,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut all = Vec::new();
        let mut rest = range.clone();
        loop {
            let Keys { keys, beyond } = self.keys(&rest, limit - all.len(), effort)?;
            all.extend(keys);
            let Some(key) = beyond else { return Ok(all) };
            rest.go_behind(key);
        }
    }

    /// One turn of a range: up to `limit` of its keys, in the order of its direction.
    pub fn keys(&self, range: &KeyRange, limit: usize, effort: Effort) -> Result<Keys, ReadError> {
        let mut keys = Vec::new();
        if limit == 0 {
            return Ok(Keys::default());
        }
        let visit = |key, _| {
            keys.push(key);
            if keys.len() < limit {
                Walk::On
            } else {
                Walk::Stop
            }
        };
        let walked = self.walk(Course::of(range, effort), visit);
        let beyond = walked.map_err(|obstacle| obstacle.error)?;
        Ok(Keys { keys, beyond })
    }

    /// One turn of a walk: up to `limit` entries of a range, in the order of its direction. Values
    /// are not read. `limit` is 1 at least.
    ///
    /// # Errors
    /// [`ReadError`]: a part of the index that the turn came to cannot be read, or is not in memory
    /// where the effort is not to wait for the disk. What the turn had read by then is dropped.
    pub fn entries(
        &self,
        range: &KeyRange,
        limit: usize,
        effort: Effort,
    ) -> Result<Entries, ReadError> {
        let mut entries: Vec<(Bytes, Metadata)> = Vec::new();
        let walked = self.walk(Course::of(range, effort), |key, metadata| {
            entries.push((key, metadata));
            if entries.len() < limit {
                Walk::On
            } else {
                Walk::Stop
            }
        });
        let stepped_over = walked.map_err(|obstacle| obstacle.error)?;
        let last = entries.last().map(|(key, _)| key.clone());
        let beyond = stepped_over.or(last.filter(|_| entries.len() >= limit));
        Ok(Entries { entries, beyond })
    }

    /// Up to `limit` entries of a range, in the order of its direction, as far as they can be read.
    pub fn page(&self, range: &KeyRange, limit: usize, effort: Effort) -> Result<Page, ReadError> {
        let mut page = Page::default();
        let mut rest = range.clone();
        while page.entries.len() < limit && page.gap.is_none() {
            match self.add_to(&mut page, &rest, (limit, effort))? {
                Some(key) => rest.go_behind(key),
                None => break,
            }
        }
        Ok(page)
    }

    /// One turn of it: the key behind which the next one goes on, if there is more.
    fn add_to(
        &self,
        page: &mut Page,
        range: &KeyRange,
        (limit, effort): (usize, Effort),
    ) -> Result<Option<Bytes>, ReadError> {
        let entries = &mut page.entries;
        let walked = self.walk(Course::of(range, effort), |key, metadata| {
            entries.push((key, metadata));
            if entries.len() < limit {
                Walk::On
            } else {
                Walk::Stop
            }
        });
        match walked {
            Ok(beyond) => Ok(beyond),
            Err(Obstacle {
                error,
                gap: Some(gap),
            }) => {
                page.gap = Some((gap, error));
                Ok(None)
            }
            Err(Obstacle { error, gap: None }) => Err(error),
        }
    }

    /// Calls `visit` with the keys between two bounds, as long as it wants more and the turn is not
    /// over; if it is, the key behind which the next one goes on.
    fn walk(
        &self,
        course: Course<'_>,
        mut visit: impl FnMut(Bytes, Metadata) -> Walk,
    ) -> Result<Option<Bytes>, Obstacle> {
        let shared = &self.inner.shared;
        let view = shared.view();
        let Course {
            from,
            direction,
            effort,
            ..
        } = course;
        let how = (direction, effort);
        let mut cursor = MergedCursor::over_view(&view, &shared.reader, from, how)?;
        let mut skipped = Skipped {
            count: 0,
            since: shared.stepped.begin(),
        };
        loop {
            let merged = match cursor.next(&shared.reader, effort) {
                Ok(Some(merged)) => merged,
                Ok(None) => return Ok(None),
                Err(error) => {
                    let gap = cursor.gap().cloned();
                    if gap.as_ref().is_some_and(|gap| course.ends_before(gap)) {
                        return Ok(None);
                    }
                    let error = self.counted_block(error, effort);
                    return Err(Obstacle { error, gap });
                }
            };
            if !course.holds(&merged.key) {
                return Ok(None);
            }
            let State::Live(attributes, value) = merged.entry.state else {
                skipped.count += 1;
                if effort == Effort::Cached && skipped.count >= INLINE_TOMBSTONES {
                    return Err(ReadError::NotCached.into());
                }
                if skipped.is_much(shared) && shared.stepped.pays(&shared.view()) {
                    self.inner.bells.upkeep.ring();
                }
                if skipped.count >= TURN_TOMBSTONES {
                    return Ok(Some(Bytes::from(merged.key)));
                }
                continue;
            };
            let metadata = Metadata {
                attributes,
                value_length: value.length,
            };
            match visit(Bytes::from(merged.key), metadata) {
                Walk::On => {}
                Walk::Stop => return Ok(None),
            }
        }
    }
}

impl Skipped {
    /// Whether it has come to so many, again, that they count; then they are counted.
    fn is_much(&self, shared: &Shared) -> bool {
        let bound = shared.options.scan_tombstones.max(1);
        let much = self.count.is_multiple_of(bound);
        if much {
            shared.stepped.add(self.since, bound as u64);
        }
        much
    }
}

impl KeyRange {
    /// What is left of it behind a key of it.
    pub fn go_behind(&mut self, key: Bytes) {
        match self.direction {
            Direction::Forward => self.start = Bound::Excluded(key),
            Direction::Backward => self.end = Bound::Excluded(key),
        }
    }
}

impl<'a> Course<'a> {
    fn of(range: &'a KeyRange, effort: Effort) -> Self {
        let (from, to) = match range.direction {
            Direction::Forward => (&range.start, &range.end),
            Direction::Backward => (&range.end, &range.start),
        };
        Self {
            from: from.as_ref().map(|key| &key[..]),
            to: to.as_ref().map(|key| &key[..]),
            direction: range.direction,
            effort,
        }
    }

    /// Whether a key that lies behind the first bound lies before the last one.
    fn holds(&self, key: &[u8]) -> bool {
        match (self.direction, self.to) {
            (_, Bound::Unbounded) => true,
            (Direction::Forward, Bound::Included(to)) => key <= to,
            (Direction::Forward, Bound::Excluded(to)) => key < to,
            (Direction::Backward, Bound::Included(to)) => key >= to,
            (Direction::Backward, Bound::Excluded(to)) => key > to,
        }
    }

    /// Whether all that cannot be read lies behind the last bound.
    fn ends_before(&self, gap: &Gap) -> bool {
        match (self.direction, self.to, &gap.end) {
            (_, Bound::Unbounded, _) | (Direction::Backward, _, None) => false,
            (Direction::Forward, ..) => !self.holds(&gap.start),
            (Direction::Backward, Bound::Included(to) | Bound::Excluded(to), Some(end)) => {
                &end[..] <= to
            }
        }
    }
}

impl From<ReadError> for Obstacle {
    fn from(error: ReadError) -> Self {
        Self { error, gap: None }
    }
}
