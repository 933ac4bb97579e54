//! A view: the memtables and runs that one read looks into, newest first.
//!
//! Guarantee: a view never changes which tables and runs it names, so a read that holds one finds
//! every key that was there when it started, whatever flushes and merges do meanwhile; zones of
//! runs that it names are not reused while it is held.
//! Not here: values (`store`), scans (`merged`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::memtable::Memtable;
use crate::effort::Effort;
use crate::entry::Entry;
use crate::error::{Damage, ReadError};
use crate::manifest::edit::ReplayPoint;
use crate::run::{BlockError, BlockFault, BlockReader, Run, RunId};

/// A memtable that takes no more entries and is being flushed.
#[derive(Debug)]
pub struct Frozen {
    /// The entries.
    pub table: Arc<Memtable>,
    /// Where replay starts once they are in a run.
    pub replay: ReplayPoint,
}

/// What one read looks into.
#[derive(Debug)]
pub struct View {
    /// Takes the newest entries.
    pub active: Arc<Memtable>,
    /// Being flushed.
    pub frozen: Option<Arc<Frozen>>,
    /// Sorted runs, newest first.
    pub runs: Arc<[Arc<Run>]>,
}

impl View {
    /// Entries of everything that it names, hidden ones and tombstones included.
    #[must_use]
    pub fn entries(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.table.len());
        let runs = self.runs.iter().map(|run| run.meta().entries);
        (self.active.len() + frozen) as u64 + runs.sum::<u64>()
    }

    /// The view once the frozen memtable is in a run, if anything of it is.
    #[must_use]
    pub fn flushed(&self, run: Option<Arc<Run>>) -> Self {
        Self {
            active: Arc::clone(&self.active),
            frozen: None,
            runs: run.into_iter().chain(self.runs.iter().cloned()).collect(),
        }
    }

    /// The view once these runs are merged into one, if anything of them is left.
    #[must_use]
    pub fn merged(&self, inputs: &BTreeSet<RunId>, mut output: Option<Arc<Run>>) -> Self {
        let mut runs = Vec::with_capacity(self.runs.len());
        for run in self.runs.iter() {
            if inputs.contains(&run.meta().id) {
                runs.extend(output.take());
            } else {
                runs.push(Arc::clone(run));
            }
        }
        Self {
            active: Arc::clone(&self.active),
            frozen: self.frozen.clone(),
            runs: runs.into(),
        }
    }

    /// The newest entry of `key`, tombstones included. Never looks past an unreadable block into
    /// older runs: what they hold may have been deleted since.
    pub fn lookup(
        &self,
        reader: &BlockReader,
        key: &[u8],
        effort: Effort,
    ) -> Result<Option<Entry>, ReadError> {
        if let Some(entry) = self.active.get(key) {
            return Ok(Some(entry));
        }
        if let Some(entry) = self
            .frozen
            .as_ref()
            .and_then(|frozen| frozen.table.get(key))
        {
            return Ok(Some(entry));
        }
        for run in self.runs.iter() {
            match run.get(reader, key, effort) {
                Ok(Some(entry)) => return Ok(Some(entry)),
                Ok(None) => {}
                Err(error) if reader.ends_at(&error) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

impl From<BlockError> for ReadError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::NotCached => Self::NotCached,
            BlockError::Unreadable(unreadable) => Self::Unreadable(match unreadable.fault {
                BlockFault::Io(kind) => Damage::Disk(kind),
                BlockFault::Checksum => Damage::Checksum,
                _ => Damage::Misplaced,
            }),
        }
    }
}
