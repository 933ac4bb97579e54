//! The keys of a range, as an iterator that asks for page after page.
//!
//! Guarantee: what [`crate::ops::Keys`] guarantees; after an error there is nothing more.

use std::time::Duration;

use bytes::Bytes;

use super::thread::Thread;
use crate::error::{Disconnected, Error};
use crate::ops;

/// A range of keys, made by [`super::Client::range`], [`super::Client::prefix`] and
/// [`super::Client::all_keys`].
#[derive(Debug, Clone)]
#[must_use = "a range is read by the iterator that keys() makes"]
pub struct Range {
    range: ops::Range,
    thread: Thread,
}

/// The keys of a [`Range`].
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is read"]
pub struct Keys {
    /// Nothing while a page is asked for, and at the end.
    keys: Option<ops::Keys>,
    thread: Thread,
}

impl Range {
    pub(super) fn new(range: ops::Range, thread: &Thread) -> Self {
        Self {
            range,
            thread: thread.clone(),
        }
    }

    fn map(self, change: impl FnOnce(ops::Range) -> ops::Range) -> Self {
        Self {
            range: change(self.range),
            thread: self.thread,
        }
    }

    /// Only keys from this one on, if the range begins before it.
    pub fn from(self, key: &[u8]) -> Self {
        self.map(|range| range.from(key))
    }

    /// Only keys before this one, if the range ends behind it.
    pub fn until(self, key: &[u8]) -> Self {
        self.map(|range| range.until(key))
    }

    /// From the greatest key to the smallest.
    pub fn reverse(self) -> Self {
        self.map(ops::Range::reverse)
    }

    /// At most so many keys.
    pub fn limit(self, keys: usize) -> Self {
        self.map(|range| range.limit(keys))
    }

    /// At most so many keys in one answer, and never more than the drive gives.
    pub fn page(self, keys: u32) -> Self {
        self.map(|range| range.page(keys))
    }

    /// The time for each page, instead of the connection's.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|range| range.timeout(timeout))
    }

    /// The keys, as an iterator; its calls panic within asynchronous code.
    pub fn keys(self) -> Keys {
        Keys {
            keys: Some(self.range.keys()),
            thread: self.thread,
        }
    }
}

impl Iterator for Keys {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut keys = self.keys.take()?;
        if let Some(key) = keys.next_ready() {
            self.keys = Some(keys);
            return Some(Ok(key));
        }
        let asked = self.thread.run(async move {
            let key = keys.next().await;
            (keys, key)
        });
        match asked {
            Ok((keys, Some(Ok(key)))) => {
                self.keys = Some(keys);
                Some(Ok(key))
            }
            Ok((_, ended)) => ended,
            Err(_gone) => Some(Err(Disconnected::Closed.into())),
        }
    }
}
