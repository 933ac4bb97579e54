//! Batches: PUTs and DELETEs that are done together or not at all.

use std::time::Duration;

use super::thread::Thread;
use crate::error::{Disconnected, Error};
use crate::ops::{self, BatchError, BatchOperation};

/// A batch, made by [`super::Client::batch`]: filled here, sent by [`Batch::commit`].
///
/// ```no_run
/// # use kinetic_client::{BatchError, blocking::Client};
/// # fn example(client: Client) -> Result<(), BatchError> {
/// let mut batch = client.batch();
/// batch.add(client.put("account/1", "90").expected_version("7").version("8"));
/// batch.add(client.delete("transfer/5").force());
/// batch.commit()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a batch is sent by commit()"]
pub struct Batch {
    batch: ops::Batch,
    thread: Thread,
}

impl Batch {
    pub(super) fn new(batch: ops::Batch, thread: &Thread) -> Self {
        Self {
            batch,
            thread: thread.clone(),
        }
    }

    /// Adds an operation, behind the others.
    pub fn add(&mut self, operation: impl Into<BatchOperation>) -> &mut Self {
        self.batch.add(operation);
        self
    }

    /// How many operations it has.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether it has no operation; committing it does nothing then.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Whether the drive takes as much in one batch as it has now.
    ///
    /// # Errors
    /// [`BatchError::TooMany`].
    pub fn check(&self) -> Result<(), BatchError> {
        self.batch.check()
    }

    /// As [`ops::Batch::at_once`].
    pub fn at_once(self) -> Self {
        Self {
            batch: self.batch.at_once(),
            thread: self.thread,
        }
    }

    /// The time for each of the two answers, instead of the connection's.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self {
            batch: self.batch.timeout(timeout),
            thread: self.thread,
        }
    }

    /// Does all operations, or none.
    ///
    /// # Errors
    /// [`BatchError`], as [`ops::Batch::commit`] tells it.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub fn commit(self) -> Result<(), BatchError> {
        let done = self.thread.run(self.batch.commit());
        done.unwrap_or_else(|_gone| Err(Error::from(Disconnected::Closed).into()))
    }
}
