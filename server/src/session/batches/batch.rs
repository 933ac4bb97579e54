//! One batch: its operations as they come, its limits, and the bytes that it holds.
//!
//! Guarantees: what is kept of an operation shares no memory with the buffer it came in, so the
//! bytes that are counted are the bytes that are held; they are given back when the batch is
//! dropped, and after its END when that is answered. The first operation that fails when it comes
//! decides the batch: nothing is kept after it.
//! Not here: parsing and permissions (`ops`), and what is answered (`ops::batch`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kinetic_proto::schema::command::Status;
use kinetic_proto::{Limits, StatusCode};
use kinetic_store::{CommitError, Durability, Mutation};

use crate::limits::{BATCH_OPERATION_COST_BYTES, BATCHES_BYTES};
use crate::ops::batch;
use crate::ops::{Answer, Write};

/// Bytes that one batch holds, and its part of what all of a drive hold.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Held {
    /// Nothing yet.
    pub(super) fn of(all: &Arc<AtomicU64>) -> Self {
        Self {
            all: Arc::clone(all),
            bytes: 0,
        }
    }

    /// Counts more, if the drive has room for them.
    fn grow(&mut self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= BATCHES_BYTES);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let grown = self.all.fetch_update(set, fetch, more).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }

    fn release(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
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

#[derive(Debug)]
pub(super) struct Batch {
    sequences: Vec<u64>,
    mutations: Vec<Mutation>,
    deletes: u32,
    bytes: u64,
    failed: Option<(u64, Status)>,
    held: Held,
}

impl Batch {
    /// One without an operation.
    pub(super) fn new(held: Held) -> Self {
        Self {
            sequences: Vec::new(),
            mutations: Vec::new(),
            deletes: 0,
            bytes: 0,
            failed: None,
            held,
        }
    }

    /// What is to be committed, or the answer where nothing is.
    pub(super) fn end(self) -> End {
        let Self {
            sequences,
            mutations,
            failed,
            held,
            ..
        } = self;
        if let Some((sequence, cause)) = failed {
            return End::Answer(batch::failed(sequences, sequence, &cause));
        }
        if mutations.is_empty() {
            return End::Answer(batch::done(sequences));
        }
        let write = Write {
            mutations,
            durability: Durability::WriteThrough,
        };
        let ended = Ended {
            sequences,
            _held: held,
        };
        End::Commit(write, ended)
    }

    /// What is over its limit, and the limit, if something is.
    pub(super) fn add(
        &mut self,
        member: Member,
        limits: &Limits,
    ) -> Result<(), (&'static str, u32)> {
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
