//! The last flush of a store, for which whoever stops it waits.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::commit::{Commit, Completion, Durability, Priority};
use crate::error::CommitError;

/// Stopping waits this long for the last sync.
pub(super) const STOP: Duration = Duration::from_secs(30);

/// Whoever stops waits for the last flush with this.
#[derive(Debug, Default)]
pub(super) struct LastFlush {
    outcome: Mutex<Option<Result<(), CommitError>>>,
    done: Condvar,
}

impl Completion for LastFlush {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.done.notify_all();
    }
}

impl LastFlush {
    /// The flush that it waits for.
    pub(super) fn commit(last: &Arc<Self>, priority: Priority) -> Commit {
        let completion: Arc<dyn Completion> = Arc::<Self>::clone(last);
        Commit {
            mutations: Vec::new(),
            durability: Durability::Flush,
            priority,
            token: 0,
            completion,
        }
    }

    /// Whether it was done, if that is known.
    pub(super) fn outcome(&self) -> Option<bool> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.map(|outcome| outcome.is_ok())
    }

    /// Waits for it; `false` where it was not done in time.
    pub(super) fn wait(&self) -> bool {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .done
            .wait_timeout_while(outcome, STOP, |outcome| outcome.is_none());
        let (outcome, _) = waited.unwrap_or_else(PoisonError::into_inner);
        matches!(*outcome, Some(Ok(())))
    }
}
