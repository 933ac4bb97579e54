//! Bells that wake the workers' threads.
//!
//! Guarantee: a ring is never lost: one that comes while the worker is busy makes its next wait
//! return at once. Nobody waits on a bell in a simulation.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One worker's bell.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

/// The bells of a store's workers.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// Wakes the writer.
    pub(crate) writer: Bell,
    /// Wakes the syncer.
    pub(crate) syncer: Bell,
    /// Wakes upkeep.
    pub(crate) upkeep: Bell,
    /// Wakes scrub.
    pub(crate) scrub: Bell,
}

impl Bell {
    /// Wakes the worker.
    pub(crate) fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            self.wake.notify_one();
        }
    }

    /// Waits for a ring, or for so long.
    pub(crate) fn wait(&self, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, longest, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
