//! A view: the memtables and runs that one read looks into, newest first.
//!
//! Guarantee: a view never changes which tables and runs it names, so a read that holds one finds
//! every key that was there when it started, whatever flushes and merges do meanwhile; zones of
//! runs that it names are not reused while it is held.
//! Not here: values (`store`), scans (`merged`).

use std::sync::Arc;

use super::memtable::Memtable;
use crate::effort::Effort;
use crate::entry::Entry;
use crate::error::{Damage, ReadError};
use crate::manifest::edit::ReplayPoint;
use crate::run::{BlockError, BlockFault, BlockReader, Run};

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
            if let Some(entry) = run.get(reader, key, effort)? {
                return Ok(Some(entry));
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
