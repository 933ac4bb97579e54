//! Commits that wait for the writer, in the order in which they were submitted.
//!
//! Guarantee: bounded in bytes; a commit is taken once; tickets are numbered in the order of the
//! queue, so that "everything up to this ticket" means something.
//! Not here: what the writer makes of them (`writer`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::commit::{Commit, Prepared};

/// Place of a commit in the order of all commits of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(pub u64);

/// A commit that the queue did not take; nothing was done.
#[derive(Debug)]
pub enum SubmitError {
    /// The queue is full: wait until some of it is done.
    Busy(Box<Commit>),
    /// The store is closing.
    Closed(Box<Commit>),
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    limit: u64,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Prepared>,
    bytes: u64,
    submitted: u64,
    closed: bool,
}

impl Queue {
    /// A queue of at most `limit` bytes, or one commit where that is larger.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            inner: Mutex::default(),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a commit.
    pub fn push(&self, prepared: Prepared) -> Result<Ticket, SubmitError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(SubmitError::Closed(Box::new(prepared.commit)));
        }
        if inner.bytes + prepared.bytes() > self.limit && !inner.waiting.is_empty() {
            return Err(SubmitError::Busy(Box::new(prepared.commit)));
        }
        Ok(inner.append(prepared))
    }

    /// Appends a last commit, however full the queue is, and takes no more.
    pub fn close_after(&self, last: Prepared) {
        let mut inner = self.lock();
        inner.append(last);
        inner.closed = true;
    }

    /// Takes commits from the front as long as `fits` says so.
    pub fn take_while(&self, mut fits: impl FnMut(&Prepared) -> bool) -> Vec<Prepared> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        while inner.waiting.front().is_some_and(&mut fits) {
            if let Some(prepared) = inner.waiting.pop_front() {
                inner.bytes -= prepared.bytes();
                taken.push(prepared);
            }
        }
        taken
    }

    /// Puts commits back that were taken from the front and not used, in their order.
    pub fn put_back(&self, unused: Vec<Prepared>) {
        let mut inner = self.lock();
        for prepared in unused.into_iter().rev() {
            inner.bytes += prepared.bytes();
            inner.waiting.push_front(prepared);
        }
    }

    /// Bytes of the records and values of the first commit; `None` when nothing waits.
    #[must_use]
    pub fn first(&self) -> Option<(usize, usize)> {
        let inner = self.lock();
        inner
            .waiting
            .front()
            .map(|prepared| (prepared.records_length, prepared.values_length))
    }

    /// Commits and bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.waiting.len(), inner.bytes)
    }

    /// Whether it takes no more commits.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The last ticket that was given.
    #[must_use]
    pub fn last_ticket(&self) -> Ticket {
        Ticket(self.lock().submitted)
    }
}

impl Inner {
    fn append(&mut self, prepared: Prepared) -> Ticket {
        self.bytes += prepared.bytes();
        self.submitted += 1;
        self.waiting.push_back(prepared);
        Ticket(self.submitted)
    }
}
