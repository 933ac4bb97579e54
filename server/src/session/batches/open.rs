//! The batches that a connection has open, by the ids that its client gave them.
//!
//! Guarantee: none of them outlives the opening of the store that it was started in.
//! Not here: what they hold (`batch`), and what those of all connections do (`account`).

use std::collections::BTreeMap;
use std::sync::Arc;

use kinetic_proto::Limits;

use super::account::{Account, Opened};
use super::batch::{Batch, End, Member};
use crate::ops::batch::RefusedBatch;

/// An operation went over a limit of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("batch {batch} has more than {limit} {what}, the limit of one batch")]
pub struct OverLimit {
    /// The batch.
    pub batch: u32,
    /// What there is too much of.
    pub what: &'static str,
    /// The most of it.
    pub limit: u32,
}

/// The open batches of one connection.
#[derive(Debug, Default)]
pub struct Batches {
    open: BTreeMap<u32, Opened>,
    /// The opening of the store that they were started in.
    epoch: Option<u64>,
}

impl Batches {
    /// Forgets all that were started in another opening of the store than this: the drive was
    /// locked or erased since. `None` is a drive that is locked now.
    pub fn belong_to(&mut self, epoch: Option<u64>) {
        if self.epoch != epoch {
            self.open.clear();
            self.epoch = epoch;
        }
    }

    /// Whether none was opened that was not ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether this one is open.
    #[must_use]
    pub fn is_open(&self, id: u32) -> bool {
        self.open.get(&id).is_some_and(Opened::is_open)
    }

    /// Opens a batch, on the account of the drive.
    pub fn start(
        &mut self,
        id: u32,
        limits: &Limits,
        account: &Arc<Account>,
    ) -> Result<(), RefusedBatch> {
        if self.is_open(id) {
            return Err(RefusedBatch::AlreadyOpen(id));
        }
        let limit = limits.max_batch_count_per_device.unwrap_or(u32::MAX);
        let opened = account.enter(self.epoch, limit);
        self.open
            .insert(id, opened.ok_or(RefusedBatch::TooMany(limit))?);
        Ok(())
    }

    /// Adds an operation to an open batch. An operation that fails is remembered, for END to tell.
    pub fn add(&mut self, id: u32, member: Member, limits: &Limits) -> Result<(), OverLimit> {
        let opened = self.open.get(&id);
        // One that is forgotten just now is as good as one that is forgotten just afterwards.
        let added = opened.and_then(|opened| opened.with(|batch| batch.add(member, limits)));
        added.unwrap_or(Ok(())).map_err(|(what, limit)| OverLimit {
            batch: id,
            what,
            limit,
        })
    }

    /// Ends a batch: what is to be committed, or why it cannot be.
    pub fn end(&mut self, id: u32) -> Result<End, RefusedBatch> {
        let batch = self.open.remove(&id).and_then(Opened::take);
        batch.map(Batch::end).ok_or(RefusedBatch::NotOpen(id))
    }

    /// Forgets a batch.
    pub fn abort(&mut self, id: u32) -> Result<(), RefusedBatch> {
        let batch = self.open.remove(&id).and_then(Opened::take);
        batch.map(drop).ok_or(RefusedBatch::NotOpen(id))
    }
}
