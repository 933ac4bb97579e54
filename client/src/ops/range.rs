//! GETKEYRANGE and RANGE_METADATA: keys in order, or entries without their values, as a stream that
//! asks for page after page.
//!
//! Guarantees: every key of the range once, in order, however many there are; the end is an empty
//! page, since a page may be short for other reasons; a drive whose pages do not advance is an
//! error, not an endless loop. Keys that are written meanwhile may or may not be seen.
//! Not here: values.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use kinetic_proto::MessageType;
use kinetic_proto::limits::{MAX_KEY_RANGE_COUNT, MAX_KEY_SIZE};
use kinetic_proto::schema::command::{self, Body};

use super::answer::{Answer, mannered};
use super::count::Count;
use super::digest::Digest;
use super::entry::Metadata;
use super::extension::require;
use super::media::MediaScan;
use crate::core::{Manner, Reply, Request};
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

/// A range of keys, made by [`crate::Client::range`], [`crate::Client::prefix`] and
/// [`crate::Client::all_keys`].
#[derive(Debug, Clone)]
#[must_use = "a range is read by the stream that keys() makes"]
pub struct Range {
    connection: Connection,
    manner: Manner,
    start: Bound<Bytes>,
    end: Bound<Bytes>,
    order: Order,
    limit: Option<usize>,
    page: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

impl Range {
    pub(crate) fn new<K: AsRef<[u8]>>(connection: Connection, range: &impl RangeBounds<K>) -> Self {
        let owned = |bound: Bound<&K>| bound.map(|key| Bytes::copy_from_slice(key.as_ref()));
        let reported = connection.hello().limits.max_key_range_count;
        Self {
            start: owned(range.start_bound()),
            end: owned(range.end_bound()),
            manner: Manner::default(),
            order: Order::Ascending,
            limit: None,
            page: reported.unwrap_or(MAX_KEY_RANGE_COUNT).max(1),
            connection,
        }
    }

    pub(crate) fn of_prefix(connection: Connection, prefix: &[u8]) -> Self {
        let bounds = (
            Bound::Included(prefix.to_vec()),
            end_of_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded),
        );
        Self::new(connection, &bounds)
    }

    /// Only keys from this one on, if the range begins before it.
    pub fn from(mut self, key: &[u8]) -> Self {
        let before = match &self.start {
            Bound::Included(start) | Bound::Excluded(start) => start.as_ref() < key,
            Bound::Unbounded => true,
        };
        if before {
            self.start = Bound::Included(Bytes::copy_from_slice(key));
        }
        self
    }

    /// Only keys before this one, if the range ends behind it.
    pub fn until(mut self, key: &[u8]) -> Self {
        let behind = match &self.end {
            Bound::Included(end) => end.as_ref() >= key,
            Bound::Excluded(end) => end.as_ref() > key,
            Bound::Unbounded => true,
        };
        if behind {
            self.end = Bound::Excluded(Bytes::copy_from_slice(key));
        }
        self
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// From the greatest key to the smallest.
    pub fn reverse(mut self) -> Self {
        self.order = Order::Descending;
        self
    }

    /// At most so many keys.
    pub fn limit(mut self, keys: usize) -> Self {
        self.limit = Some(keys);
        self
    }

    /// At most so many keys in one answer, and never more than the drive gives.
    pub fn page(mut self, keys: u32) -> Self {
        self.page = self.page.min(keys.max(1));
        self
    }

    /// A scan of the values of these keys; order, limit and page are of no account to it.
    pub fn media_scan(self) -> MediaScan {
        MediaScan::new(self.connection, (self.start, self.end))
    }

    /// How many keys there are; order, limit and page are of no account to it.
    pub fn count(self) -> Count {
        let count = Count::new(self.connection, (self.start, self.end));
        count.in_manner(self.manner)
    }

    /// Sums over the entries; order, limit and page are of no account to it.
    pub fn digest(self) -> Digest {
        let digest = Digest::new(self.connection, (self.start, self.end));
        digest.in_manner(self.manner)
    }

    /// Between which keys it lies.
    pub fn bounds(&self) -> (Bound<Bytes>, Bound<Bytes>) {
        (self.start.clone(), self.end.clone())
    }

    /// The keys, as a stream.
    pub fn keys(self) -> Keys {
        self.listing()
    }

    /// The entries without their values, as a stream. It takes the permissions RANGE and READ, and
    /// is an extension, which only some drives know.
    pub fn entries(self) -> Entries {
        self.listing()
    }

    fn listing<T>(self) -> Listing<T> {
        let left = self.limit.unwrap_or(usize::MAX);
        Listing {
            range: self,
            left,
            ready: VecDeque::new(),
            page: None,
            finished: left == 0,
        }
    }

    /// One page, and what it asks next is behind it.
    fn request(&self, kind: MessageType, count: usize) -> Request {
        let (start_key, start_inclusive) = flatten(&self.start);
        let (mut end_key, mut end_inclusive) = flatten(&self.end);
        if end_key.is_none() && self.connection.hello().is_before_4() {
            end_key = Some(Bytes::from(vec![0xff; MAX_KEY_SIZE as usize]));
            end_inclusive = true;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.page);
        let range = command::Range {
            start_key: Some(start_key.unwrap_or_default()),
            start_key_inclusive: Some(start_inclusive),
            end_key_inclusive: Some(end_inclusive),
            end_key,
            max_returned: Some(count),
            reverse: Some(self.order == Order::Descending),
            ..command::Range::default()
        };
        let body = Body {
            range: Some(range),
            ..Body::default()
        };
        Request::with_body(kind, body)
    }

    /// Whether the key lies where a next page must go on.
    fn expects(&self, key: &Bytes) -> bool {
        (self.start.as_ref(), self.end.as_ref()).contains(&key)
    }

    fn continue_behind(&mut self, key: &Bytes) {
        // A copy: the key is a slice of a whole page.
        let bound = Bound::Excluded(Bytes::copy_from_slice(key));
        match self.order {
            Order::Ascending => self.start = bound,
            Order::Descending => self.end = bound,
        }
    }
}

/// What a [`Range`] holds: a [`Stream`], and without further crates [`Listing::next`] and
/// [`Listing::collect`].
#[must_use = "a stream does nothing until it is read"]
pub struct Listing<T> {
    range: Range,
    left: usize,
    ready: VecDeque<T>,
    page: Option<Answer<Vec<T>>>,
    finished: bool,
}

/// The keys of a [`Range`].
pub type Keys = Listing<Bytes>;

/// The entries of a [`Range`], without their values.
pub type Entries = Listing<ListedEntry>;

/// An entry without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// The key, version, tag and algorithm.
    pub metadata: Metadata,
    /// Bytes of the value.
    pub value_length: u64,
}

/// What a range can be listed as: keys or [`ListedEntry`].
pub trait Listed: Sized + Send + Unpin + 'static {
    /// The request that lists them.
    const REQUEST: MessageType;

    /// The key that the next page goes on behind.
    fn key(&self) -> &Bytes;

    /// Those of one page.
    ///
    /// # Errors
    /// [`Error::Unusable`]: an answer that lacks what it must have.
    fn page(reply: Reply) -> Result<Vec<Self>, Error>;
}

impl Listed for Bytes {
    const REQUEST: MessageType = MessageType::GETKEYRANGE;

    fn key(&self) -> &Bytes {
        self
    }

    fn page(reply: Reply) -> Result<Vec<Self>, Error> {
        Ok(reply.body.range.map(|range| range.keys).unwrap_or_default())
    }
}

impl Listed for ListedEntry {
    const REQUEST: MessageType = MessageType::RANGE_METADATA;

    fn key(&self) -> &Bytes {
        &self.metadata.key
    }

    fn page(reply: Reply) -> Result<Vec<Self>, Error> {
        let listed = reply.body.found.into_iter().map(|found| {
            let told = found.key_value?;
            let value_length = told.value_length?;
            let metadata = Metadata::read(told, None)?;
            Some(Self {
                metadata,
                value_length,
            })
        });
        let listed: Option<Vec<Self>> = listed.collect();
        listed.ok_or(Error::Unusable {
            request: Self::REQUEST,
            problem: AnswerProblem::Missing("key or valueLength"),
        })
    }
}

impl<T: Listed> Listing<T> {
    /// The next one; `None` at the end and after an error.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All that are left.
    ///
    /// # Errors
    /// That of the first page that fails.
    pub async fn collect(mut self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        while let Some(one) = self.next().await {
            all.push(one?);
        }
        Ok(all)
    }

    /// The next one, if it has come with a page already.
    pub(crate) fn next_ready(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let one = self.ready.pop_front();
        self.left += usize::from(one.is_none());
        one
    }

    fn ask(&self) -> Answer<Vec<T>> {
        let request = self.range.request(T::REQUEST, self.left);
        let (connection, manner) = (self.range.connection.clone(), self.range.manner);
        Box::pin(async move {
            if T::REQUEST.is_extension() {
                require(&connection, T::REQUEST, manner).await?;
            }
            T::page(connection.call(request, manner).await?)
        })
    }

    fn take_in(&mut self, page: Vec<T>) -> Result<(), Error> {
        for one in &page {
            if !self.range.expects(one.key()) {
                return Err(Error::Unusable {
                    request: T::REQUEST,
                    problem: AnswerProblem::OutOfOrder,
                });
            }
            self.range.continue_behind(one.key());
        }
        self.finished = page.is_empty();
        self.ready.extend(page);
        Ok(())
    }
}

// Of each page.
mannered!(Range);

impl<T: Listed> Stream for Listing<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.left == 0 {
                return Poll::Ready(None);
            }
            if let Some(one) = this.ready.pop_front() {
                this.left -= 1;
                return Poll::Ready(Some(Ok(one)));
            }
            if this.finished {
                return Poll::Ready(None);
            }
            let page = match this.page.take() {
                Some(page) => page,
                None => this.ask(),
            };
            let outcome = ready!(this.page.insert(page).as_mut().poll(cx));
            this.page = None;
            if let Err(error) = outcome.and_then(|page| this.take_in(page)) {
                this.finished = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

impl<T> std::fmt::Debug for Listing<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Listing")
            .field("range", &self.range)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

fn flatten(bound: &Bound<Bytes>) -> (Option<Bytes>, bool) {
    match bound {
        Bound::Included(key) => (Some(key.clone()), true),
        Bound::Excluded(key) => (Some(key.clone()), false),
        // The empty key is the smallest one and belongs to an open start.
        Bound::Unbounded => (None, true),
    }
}

/// The smallest key behind all keys with this prefix, if there is one.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one_of_its_length() {
        assert_eq!(end_of_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
    }

    #[test]
    fn a_prefix_of_highest_bytes_only_has_no_end() {
        assert_eq!(end_of_prefix(b"\xff\xff"), None);
        assert_eq!(end_of_prefix(b""), None);
    }
}
