//! Looking ahead: what the writer will look up, read before the commit is queued.
//!
//! Guarantee: decides nothing. The writer looks for itself when the commit's turn comes, and finds
//! in memory what was read here, unless other reads have pushed it out since; then it reads the
//! disk, and that is counted. Errors are left to it, too.
//! Not here: when it is worth waiting for (`kinetic-server`).

use crate::effort::Effort;
use crate::error::ReadError;
use crate::store::Store;

impl Store {
    /// Reads what the writer looks up to check a mutation of this key, with this effort. `false`
    /// where that has to wait for the disk and was not allowed to.
    #[must_use]
    pub fn look_ahead(&self, key: &[u8], effort: Effort) -> bool {
        let shared = &self.inner.shared;
        let entry = shared.view().lookup(&shared.reader, key, effort);
        entry != Err(ReadError::NotCached)
    }
}
