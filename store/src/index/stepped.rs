//! What scans had to step over: tombstones, and when a merge that drops them would be cheaper.
//!
//! Guarantee: merging by reason of scans takes at most so many times the work of those scans as
//! [`SCAN_SHARE`] says, however often who scans; a scan of what a merge has dropped meanwhile is
//! not counted.
//! Not here: the merge (`upkeep::worker`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::view::View;
use crate::limits::SCAN_SHARE;

/// Tombstones that scans have stepped over since all runs were merged last.
#[derive(Debug, Default)]
pub struct Stepped {
    tombstones: AtomicU64,
    /// How often the count began anew.
    turn: AtomicU64,
}

/// When a scan began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(u64);

impl Stepped {
    /// A scan begins.
    #[must_use]
    pub fn begin(&self) -> Since {
        Since(self.turn.load(Ordering::Acquire))
    }

    /// It has stepped over so many more.
    pub fn add(&self, since: Since, tombstones: u64) {
        if since == self.begin() {
            self.tombstones.fetch_add(tombstones, Ordering::AcqRel);
        }
    }

    /// Begins anew: they are gone, or cannot be dropped.
    pub fn clear(&self) {
        self.turn.fetch_add(1, Ordering::AcqRel);
        self.tombstones.store(0, Ordering::Release);
    }

    /// Whether merging all that a view holds would have been worth it.
    #[must_use]
    pub fn pays(&self, view: &View) -> bool {
        let tombstones = self.tombstones.load(Ordering::Acquire);
        tombstones > 0 && tombstones.saturating_mul(SCAN_SHARE) >= view.entries()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entry::{Entry, Key, Seqno, State};
    use crate::index::memtable::Memtable;

    #[test]
    fn it_pays_once_a_share_of_the_entries_was_stepped_over_and_not_twice() {
        let entry = |number: u64| {
            let state = State::Deleted;
            let seqno = Seqno(number);
            let key = Key::from_slice(&number.to_be_bytes());
            (key, Entry { seqno, state })
        };
        let active = Memtable::default();
        active.apply((0..10 * SCAN_SHARE).map(entry));
        let view = View {
            active: Arc::new(active),
            frozen: None,
            runs: Arc::new([]),
        };
        let stepped = Stepped::default();
        assert!(!stepped.pays(&view));
        let since = stepped.begin();
        stepped.add(since, 9);
        assert!(!stepped.pays(&view));
        stepped.add(since, 1);
        assert!(stepped.pays(&view));
        stepped.clear();
        stepped.add(since, 100);
        assert!(!stepped.pays(&view), "what was merged counts no more");
    }
}
