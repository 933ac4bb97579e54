//! Reads of several keys: ranges, neighbours, and pages of entries that step over damage.
//!
//! Guarantee: keys come in order, each once. What a block that cannot be read may hold is an error
//! and not an absence, but only for reads that ask for it: what lies before it and behind it is
//! given out, in both directions.
//! Not here: values, and who may see a key.

use std::ops::Bound;

use bytes::Bytes;

use crate::effort::Effort;
use crate::entry::State;
use crate::error::ReadError;
use crate::index::merged::MergedCursor;
use crate::limits::INLINE_TOMBSTONES;
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

/// Why a walk could not go on.
struct Obstacle {
    error: ReadError,
    gap: Option<Gap>,
}

impl Store {
    /// The smallest key above `key`.
    pub fn next(&self, key: &[u8], effort: Effort) -> Result<(Bytes, Metadata), ReadError> {
        self.neighbour(key, Direction::Forward, effort)
    }

    /// The greatest key below `key`.
    pub fn previous(&self, key: &[u8], effort: Effort) -> Result<(Bytes, Metadata), ReadError> {
        self.neighbour(key, Direction::Backward, effort)
    }

    fn neighbour(
        &self,
        key: &[u8],
        direction: Direction,
        effort: Effort,
    ) -> Result<(Bytes, Metadata), ReadError> {
        let mut found = None;
        let course = Course {
            from: Bound::Excluded(key),
            to: Bound::Unbounded,
            direction,
            effort,
        };
        self.walk(course, |key, metadata| {
            found = Some((key, metadata));
            Walk::Stop
        })
        .map_err(|obstacle| obstacle.error)?;
        found.ok_or(ReadError::NotFound)
    }

    /// Up to `limit` keys of a range, in the order of its direction.
    pub fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        effort: Effort,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut keys = Vec::new();
        if limit == 0 {
            return Ok(keys);
        }
        let visit = |key, _| {
            keys.push(key);
            if keys.len() < limit {
                Walk::On
            } else {
                Walk::Stop
            }
        };
        self.walk(Course::of(range, effort), visit)
            .map_err(|obstacle| obstacle.error)?;
        Ok(keys)
    }

    /// Up to `limit` entries of a range, in the order of its direction, as far as they can be read.
    pub fn page(&self, range: &KeyRange, limit: usize, effort: Effort) -> Result<Page, ReadError> {
        let mut page = Page::default();
        if limit == 0 {
            return Ok(page);
        }
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
            Ok(()) => {}
            Err(Obstacle {
                error,
                gap: Some(gap),
            }) => page.gap = Some((gap, error)),
            Err(Obstacle { error, gap: None }) => return Err(error),
        }
        Ok(page)
    }

    /// Calls `visit` with the keys between two bounds, as long as it wants more.
    fn walk(
        &self,
        course: Course<'_>,
        mut visit: impl FnMut(Bytes, Metadata) -> Walk,
    ) -> Result<(), Obstacle> {
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
        let mut skipped = 0;
        loop {
            let merged = match cursor.next(&shared.reader, effort) {
                Ok(Some(merged)) => merged,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let gap = cursor.gap().cloned();
                    if gap.as_ref().is_some_and(|gap| course.ends_before(gap)) {
                        return Ok(());
                    }
                    self.count(error);
                    return Err(Obstacle { error, gap });
                }
            };
            if !course.holds(&merged.key) {
                return Ok(());
            }
            let State::Live(attributes, value) = merged.entry.state else {
                skipped += 1;
                if effort == Effort::Cached && skipped >= INLINE_TOMBSTONES {
                    return Err(ReadError::NotCached.into());
                }
                continue;
            };
            let metadata = Metadata {
                attributes,
                value_length: value.length,
            };
            match visit(Bytes::from(merged.key), metadata) {
                Walk::On => {}
                Walk::Stop => return Ok(()),
            }
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
