//! The batches that a connection has open: their operations until END_BATCH commits all of them.
//!
//! Guarantees: what is kept of an operation shares no memory with the buffer it came in, so the
//! bytes that are counted are the bytes that are held. Batches, operations, deletes and bytes are
//! bounded, and so is what the batches of all connections hold together, up to the answer to their
//! END. Whatever ends a batch, the end of its connection included, gives back what it held.
//! The first operation that fails when it comes decides the batch: nothing is kept after it.
//! Not here: parsing and permissions (`ops`), and what is answered (`ops::batch`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use kinetic_proto::schema::command::Status;
use kinetic_proto::{Limits, StatusCode};
use kinetic_store::{CommitError, Durability, Mutation};

use crate::limits::{BATCH_OPERATION_COST_BYTES, BATCHES_BYTES};
use crate::ops::batch::{self, RefusedBatch};
use crate::ops::{Answer, Write};

/// What the batches of all connections of a drive come to.
#[derive(Debug, Default)]
pub struct Account {
    open: AtomicU32,
    bytes: AtomicU64,
}

impl Account {
    /// How many batches are open.
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Bytes that open batches hold, and ended ones that are not answered yet.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A place among the open batches of a drive.
#[derive(Debug)]
struct Place(Arc<Account>);

impl Place {
    fn take(account: &Arc<Account>, limit: u32) -> Option<Self> {
        let more = |open: u32| (open < limit).then_some(open + 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        account.open.fetch_update(set, fetch, more).ok()?;
        Some(Self(Arc::clone(account)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that one batch holds.
#[derive(Debug)]
struct Held {
    account: Arc<Account>,
    bytes: u64,
}

impl Held {
    /// Counts more, if the drive has room for them.
    fn grow(&mut self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= BATCHES_BYTES);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let grown = self.account.bytes.fetch_update(set, fetch, more).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }

    fn release(&mut self) {
        self.account.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

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
    open: BTreeMap<u32, Batch>,
    /// The opening of the store that they were started in.
    epoch: Option<u64>,
}

#[derive(Debug)]
struct Batch {
    sequences: Vec<u64>,
    mutations: Vec<Mutation>,
    deletes: u32,
    bytes: u64,
    failed: Option<(u64, Status)>,
    held: Held,
    _place: Place,
}

/// One operation of a batch, or why it cannot be one.
#[derive(Debug)]
pub struct Member {
    /// Its sequence.
    pub sequence: u64,
    /// What the store is to do, or what the request would have been answered on its own.
    pub mutation: Result<Mutation, Status>,
}

/// A batch that was ended.
#[derive(Debug)]
pub enum End {
    /// Nothing is left to do.
    Answer(Answer),
    /// This is to be committed.
    Commit(Write, Ended),
}

/// A batch whose commit is under way.
#[derive(Debug)]
pub struct Ended {
    sequences: Vec<u64>,
    _held: Held,
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

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether this one is open.
    #[must_use]
    pub fn is_open(&self, id: u32) -> bool {
        self.open.contains_key(&id)
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
        let place = Place::take(account, limit).ok_or(RefusedBatch::TooMany(limit))?;
        let held = Held {
            account: Arc::clone(account),
            bytes: 0,
        };
        let batch = Batch {
            sequences: Vec::new(),
            mutations: Vec::new(),
            deletes: 0,
            bytes: 0,
            failed: None,
            held,
            _place: place,
        };
        self.open.insert(id, batch);
        Ok(())
    }

    /// Adds an operation to an open batch. An operation that fails is remembered, for END to tell.
    pub fn add(&mut self, id: u32, member: Member, limits: &Limits) -> Result<(), OverLimit> {
        match self.open.get_mut(&id) {
            Some(batch) => batch
                .add(member, limits)
                .map_err(|(what, limit)| OverLimit {
                    batch: id,
                    what,
                    limit,
                }),
            None => Ok(()),
        }
    }

    /// Ends a batch: what is to be committed, or why it cannot be.
    pub fn end(&mut self, id: u32) -> Result<End, RefusedBatch> {
        let batch = self.open.remove(&id).ok_or(RefusedBatch::NotOpen(id))?;
        let Batch {
            sequences,
            mutations,
            failed,
            held,
            ..
        } = batch;
        if let Some((sequence, cause)) = failed {
            return Ok(End::Answer(batch::failed(sequences, sequence, &cause)));
        }
        if mutations.is_empty() {
            return Ok(End::Answer(batch::done(sequences)));
        }
        let write = Write {
            mutations,
            durability: Durability::WriteThrough,
        };
        let ended = Ended {
            sequences,
            _held: held,
        };
        Ok(End::Commit(write, ended))
    }

    /// Forgets a batch.
    pub fn abort(&mut self, id: u32) -> Result<(), RefusedBatch> {
        let batch = self.open.remove(&id).ok_or(RefusedBatch::NotOpen(id))?;
        drop(batch);
        Ok(())
    }
}

impl Batch {
    /// What is over its limit, and the limit, if something is.
    fn add(&mut self, member: Member, limits: &Limits) -> Result<(), (&'static str, u32)> {
        let Member { sequence, mutation } = member;
        let most = limits.max_operation_count_per_batch.unwrap_or(u32::MAX);
        if self.sequences.len() >= most as usize {
            return Err(("operations", most));
        }
        self.sequences.push(sequence);
        if self.failed.is_some() {
            return Ok(());
        }
        match mutation {
            Ok(mutation) => self.keep(sequence, mutation, limits),
            Err(cause) => {
                self.fail(sequence, cause);
                Ok(())
            }
        }
    }

    fn keep(
        &mut self,
        sequence: u64,
        mutation: Mutation,
        limits: &Limits,
    ) -> Result<(), (&'static str, u32)> {
        if matches!(mutation, Mutation::Delete { .. }) {
            self.deletes += 1;
            let most = limits.max_deletes_per_batch.unwrap_or(u32::MAX);
            if self.deletes > most {
                return Err(("deletes", most));
            }
        }
        self.bytes += stored_bytes(&mutation);
        let most = limits.max_batch_size.unwrap_or(u32::MAX);
        if self.bytes > u64::from(most) {
            return Err(("bytes of keys, metadata and values", most));
        }
        if self.held.grow(held_bytes(&mutation)) {
            self.mutations.push(owned(mutation));
        } else {
            let text = format!(
                "the open batches of this drive hold {BATCHES_BYTES} bytes already, as many as it \
                 keeps; try again later"
            );
            self.fail(sequence, StatusCode::SERVICE_BUSY.with_text(text));
        }
        Ok(())
    }

    /// Nothing of it will be done.
    fn fail(&mut self, sequence: u64, cause: Status) {
        self.failed = Some((sequence, cause));
        self.mutations = Vec::new();
        self.held.release();
    }
}

impl Ended {
    /// What END is answered once the commit is done or refused.
    #[must_use]
    pub fn answer(self, outcome: Result<(), CommitError>) -> Answer {
        match outcome {
            Ok(()) => batch::done(self.sequences),
            Err(error) => {
                let first = self.sequences.first().copied().unwrap_or_default();
                let failed = self.sequences.get(error.index).copied().unwrap_or(first);
                batch::failed(self.sequences, failed, &batch::cause(error))
            }
        }
    }
}

/// Bytes of keys, metadata and values that the store would get.
fn stored_bytes(mutation: &Mutation) -> u64 {
    let bytes = match mutation {
        Mutation::Put {
            key,
            value,
            attributes,
            ..
        } => key.len() + attributes.length() + value.len(),
        Mutation::Delete { key, .. } => key.len(),
    };
    bytes as u64
}

/// Bytes of memory, about.
fn held_bytes(mutation: &Mutation) -> u64 {
    let expected = match mutation {
        Mutation::Put { expected, .. } | Mutation::Delete { expected, .. } => expected,
    };
    let expected = match expected {
        kinetic_store::Expected::Any => 0,
        kinetic_store::Expected::Version(version) => version.len(),
    };
    stored_bytes(mutation) + expected as u64 + BATCH_OPERATION_COST_BYTES
}

/// The same with a value of its own. A slice would hold the whole buffer that it was read into,
/// and a batch holds it for as long as its client likes.
fn owned(mutation: Mutation) -> Mutation {
    match mutation {
        Mutation::Put {
            key,
            value,
            attributes,
            expected,
        } => Mutation::Put {
            key,
            value: Bytes::copy_from_slice(&value),
            attributes,
            expected,
        },
        delete @ Mutation::Delete { .. } => delete,
    }
}

#[cfg(test)]
mod tests;
