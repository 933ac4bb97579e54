//! Which keys differ between two drives.
//!
//! Guarantees: what is equal is compared by sums and never listed; differences come in the order of
//! keys, each once; memory is bounded however many there are. Keys that change meanwhile may or may
//! not be told. Both drives have to know RANGE_DIGEST.
//!
//! How: the first drive sums up wide parts, the second one the same parts. A part that differs is
//! parted further by the drive that has more in it, until it is small or one drive has nothing in
//! it; then each entry is a part of its own. Not here: making drives equal.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;

use super::digest::{Digest, DigestContent, DigestPart, Digested};
use super::media::Bounds;
use crate::error::Error;
use crate::limits::{COMPARE_FAN_OUT, COMPARE_FIRST, COMPARE_FIRST_VALUES, COMPARE_LEAF};
use crate::net::Connection;

/// One of the two drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// The one that [`crate::Client::compare`] was asked of.
    First,
    /// The other one.
    Second,
}

/// Why a comparison did not go on, and on which drive.
#[derive(Debug, thiserror::Error)]
#[error("the {} drive: {source}", match .drive {
    Compared::First => "first",
    Compared::Second => "second",
})]
pub struct CompareError {
    /// Which drive failed.
    pub drive: Compared,
    /// How.
    pub source: Error,
}

/// A key that is not the same on both drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The second drive has no such key.
    OnlyFirst(Bytes),
    /// The first drive has no such key.
    OnlySecond(Bytes),
    /// Both have it, with other versions, tags, algorithms or values.
    Differs(Bytes),
}

/// The differences of two drives, made by [`crate::Client::compare`].
///
/// ```no_run
/// # async fn example(one: kinetic_client::Client, other: kinetic_client::Client)
/// # -> Result<(), kinetic_client::CompareError> {
/// let mut differences = one.compare(&other, "photos/".."photos0");
/// while let Some(difference) = differences.next().await? {
///     println!("{difference:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is compared until the differences are asked for"]
pub struct Comparison {
    first: Connection,
    second: Connection,
    timeout: Option<Duration>,
    content: DigestContent,
    /// What is still to be compared, the smallest keys last.
    spans: Vec<Span>,
    ready: VecDeque<Difference>,
}

/// Keys in which drives may differ.
#[derive(Debug, Clone)]
struct Span {
    bounds: Bounds,
    plan: Plan,
}

/// How they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// In parts of so many entries of this drive.
    Parts(u32, Compared),
    /// Entry by entry.
    Entries,
}

impl Comparison {
    pub(crate) fn new((first, second): (Connection, Connection), bounds: Bounds) -> Self {
        let span = Span {
            bounds,
            plan: Plan::Parts(COMPARE_FIRST, Compared::First),
        };
        Self {
            first,
            second,
            timeout: None,
            content: DigestContent::Metadata,
            spans: vec![span],
            ready: VecDeque::new(),
        }
    }

    /// Compares the values, too, all of which both drives then read.
    pub fn with_values(mut self) -> Self {
        self.content = DigestContent::Values;
        for span in &mut self.spans {
            span.plan = Plan::Parts(COMPARE_FIRST_VALUES, Compared::First);
        }
        self
    }

    /// So many entries in each of the parts that are compared first: more make fewer of them, which
    /// is worth it where drives are large and much alike.
    pub fn entries(mut self, entries: u32) -> Self {
        for span in &mut self.spans {
            span.plan = Plan::Parts(entries.max(1), Compared::First);
        }
        self
    }

    /// The time for each request, instead of the connection's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The next difference; `None` at the end.
    ///
    /// # Errors
    /// That of the first request that fails. Who asks again goes on with what was asked.
    pub async fn next(&mut self) -> Result<Option<Difference>, CompareError> {
        loop {
            if let Some(difference) = self.ready.pop_front() {
                return Ok(Some(difference));
            }
            let Some(span) = self.spans.last().cloned() else {
                return Ok(None);
            };
            let later = match span.plan {
                Plan::Parts(entries, by) => self.by_parts(&span, (entries, by)).await?,
                Plan::Entries => self.by_entries(&span).await?,
            };
            self.spans.pop();
            self.spans.extend(later.into_iter().rev());
        }
    }

    fn digest(&self, drive: Compared, bounds: Bounds) -> Digest {
        let connection = match drive {
            Compared::First => &self.first,
            Compared::Second => &self.second,
        };
        let digest = Digest::new(connection.clone(), bounds).content(self.content);
        match self.timeout {
            Some(timeout) => digest.timeout(timeout),
            None => digest,
        }
    }

    /// The answer of a drive to this.
    async fn ask(drive: Compared, digest: Digest) -> Result<Digested, CompareError> {
        let failed = |source| CompareError { drive, source };
        digest.await.map_err(failed)
    }

    /// What is left of a span once as much of it as one answer holds was compared in parts.
    async fn by_parts(
        &self,
        span: &Span,
        (entries, by): (u32, Compared),
    ) -> Result<Vec<Span>, CompareError> {
        let other = match by {
            Compared::First => Compared::Second,
            Compared::Second => Compared::First,
        };
        let digest = self.digest(by, span.bounds.clone()).entries(entries);
        let mine = Self::ask(by, digest).await?;
        let bounds = match &mine.reached {
            Some(reached) => (span.bounds.0.clone(), Bound::Included(reached.clone())),
            None => span.bounds.clone(),
        };
        let last = mine.parts.len().saturating_sub(1);
        let splits = mine.parts.iter().take(last);
        let splits = splits.filter_map(|part| part.end.clone()).collect();
        let theirs = self.digest(other, bounds).splits(splits);
        let theirs = Self::ask(other, theirs).await?;
        let step = Step {
            by,
            other,
            end: &span.bounds.1,
            reached: mine.reached.as_ref(),
        };
        let mut later = Vec::new();
        let done = step.compare((&mine, &theirs), &span.bounds.0, &mut later);
        if let Some(done) = done {
            later.push(Span {
                bounds: (Bound::Excluded(done), span.bounds.1.clone()),
                plan: span.plan,
            });
        }
        Ok(later)
    }

    /// Tells what differs in as much of a span as one answer holds; the rest.
    async fn by_entries(&mut self, span: &Span) -> Result<Vec<Span>, CompareError> {
        let first = self.digest(Compared::First, span.bounds.clone()).entries(1);
        let first = Self::ask(Compared::First, first).await?;
        let second = self
            .digest(Compared::Second, span.bounds.clone())
            .entries(1);
        let second = Self::ask(Compared::Second, second).await?;
        let end = [&first, &second].into_iter();
        let end = end.filter_map(|told| told.reached.clone()).min();
        let mut left = (single(&first, end.as_ref()), single(&second, end.as_ref()));
        loop {
            let (key, order) = match (left.0.front(), left.1.front()) {
                (None, None) => break,
                (Some((key, _)), None) => (key, Ordering::Less),
                (None, Some((key, _))) => (key, Ordering::Greater),
                (Some((one, _)), Some((other, _))) => (one.min(other), one.cmp(other)),
            };
            let key = key.clone();
            let difference = match order {
                Ordering::Less => Some(Difference::OnlyFirst(key)),
                Ordering::Greater => Some(Difference::OnlySecond(key)),
                Ordering::Equal if left.0.front() == left.1.front() => None,
                Ordering::Equal => Some(Difference::Differs(key)),
            };
            self.ready.extend(difference);
            if order.is_le() {
                left.0.pop_front();
            }
            if order.is_ge() {
                left.1.pop_front();
            }
        }
        let rest = end.map(|end| Span {
            bounds: (Bound::Excluded(end), span.bounds.1.clone()),
            plan: Plan::Entries,
        });
        Ok(rest.into_iter().collect())
    }
}

/// Keys and sums of parts of one entry each, up to a key.
fn single(digested: &Digested, end: Option<&Bytes>) -> VecDeque<(Bytes, Bytes)> {
    let parts = digested.parts.iter().filter(|part| part.count > 0);
    let keyed = parts.filter_map(|part| Some((part.end.clone()?, part.digest.clone())));
    keyed
        .filter(|(key, _)| end.is_none_or(|end| key <= end))
        .collect()
}

/// What both drives said of the same parts.
struct Step<'a> {
    by: Compared,
    other: Compared,
    /// The end of the whole span.
    end: &'a Bound<Bytes>,
    /// How far the drive got that made the parts; the other one was asked for no more.
    reached: Option<&'a Bytes>,
}

impl Step<'_> {
    /// Adds what differs to what is to be compared later; the key behind which nothing was compared
    /// yet, if that is not the end.
    fn compare(
        &self,
        (mine, theirs): (&Digested, &Digested),
        start: &Bound<Bytes>,
        later: &mut Vec<Span>,
    ) -> Option<Bytes> {
        let mut from = start.clone();
        for (one, other) in mine.parts.iter().zip(&theirs.parts) {
            // The last part of the other drive is open where it ends with all that was asked.
            let end = other.end.as_ref().or(self.reached);
            let complete = end == one.end.as_ref();
            if !complete || !same(one, other) {
                let bounds = (
                    from.clone(),
                    end.map_or_else(|| self.end.clone(), |end| Bound::Included(end.clone())),
                );
                // Of a part that was cut short it is not known how much this drive has there.
                let counts = if complete {
                    (one.count, other.count)
                } else {
                    (other.count, other.count)
                };
                let plan = self.plan(counts);
                later.push(Span { bounds, plan });
            }
            from = Bound::Excluded(end?.clone());
            if !complete {
                break;
            }
        }
        match from {
            Bound::Excluded(done) => Some(done),
            Bound::Included(_) | Bound::Unbounded => None,
        }
    }

    /// How to go on with a part that has so many entries here and there.
    fn plan(&self, (mine, theirs): (u64, u64)) -> Plan {
        let (most, by) = if mine > theirs {
            (mine, self.by)
        } else {
            (theirs, self.other)
        };
        if most <= COMPARE_LEAF || mine == 0 || theirs == 0 {
            return Plan::Entries;
        }
        let entries = (most / COMPARE_FAN_OUT).max(1);
        Plan::Parts(u32::try_from(entries).unwrap_or(u32::MAX), by)
    }
}

fn same(one: &DigestPart, other: &DigestPart) -> bool {
    one.count == other.count && one.bytes == other.bytes && one.digest == other.digest
}
