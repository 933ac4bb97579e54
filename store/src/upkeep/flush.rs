//! Flush: a frozen memtable becomes the newest run.
//!
//! Guarantee: the run, the live bytes of its values and the new replay point become true with one
//! frame of the manifest, whose sync also covers the run and every value it refers to.
//! Not here: when a memtable is frozen (`engine::writer`).

use std::collections::VecDeque;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use super::output::{Made, Output};
use crate::engine::shared::Shared;
use crate::entry::{Entry, Key};
use crate::index::view::Frozen;
use crate::limits::SCAN_CHUNK;
use crate::manifest::edit::Edit;
use crate::manifest::state::ManifestState;
use crate::run::{BuildError, Direction, RunId};

/// A flush under way.
#[derive(Debug)]
pub struct Flush {
    /// What is flushed.
    pub frozen: Arc<Frozen>,
    /// The run.
    pub output: Output,
    chunk: VecDeque<(Key, Entry)>,
    last: Option<Key>,
}

/// Why a flush or a merge cannot go on.
#[derive(Debug)]
pub enum JobError {
    /// The disk did not take a write, or failed to sync.
    Disk(io::Error),
    /// A run that is merged cannot be read any more.
    Input(crate::error::ReadError),
    /// The entries contradict each other; a bug, or memory that fails.
    Build(BuildError),
}

impl From<io::Error> for JobError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<BuildError> for JobError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<crate::error::ReadError> for JobError {
    fn from(error: crate::error::ReadError) -> Self {
        Self::Input(error)
    }
}

impl Flush {
    /// Starts to flush.
    #[must_use]
    pub fn new(frozen: Arc<Frozen>, id: RunId, shared: &Shared) -> Self {
        let output = Output::new(id, 0, &shared.cipher);
        Self {
            frozen,
            output,
            chunk: VecDeque::new(),
            last: None,
        }
    }

    /// Goes on by at most one disk call.
    pub fn step(&mut self, shared: &Shared, state: &ManifestState) -> Result<Made, JobError> {
        loop {
            if let Some(made) = self.output.advance(shared)? {
                return Ok(made);
            }
            if self.chunk.is_empty() {
                self.refill();
            }
            match self.chunk.pop_front() {
                Some((key, entry)) => {
                    self.output.add(&key, &entry, state)?;
                    self.last = Some(key);
                }
                None => self.output.finish()?,
            }
        }
    }

    fn refill(&mut self) {
        let from = self
            .last
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        self.chunk = self
            .frozen
            .table
            .chunk(from, Direction::Forward, SCAN_CHUNK)
            .into();
    }

    /// What the manifest is told.
    #[must_use]
    pub fn edits(&self, state: &ManifestState) -> Vec<Edit> {
        let run = self.output.meta().map(|meta| Edit::AddRun(0, meta.clone()));
        run.into_iter()
            .chain(self.output.live_edits(state))
            .chain([Edit::Replay(self.frozen.replay)])
            .collect()
    }
}
