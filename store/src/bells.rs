//! Bells that wake the workers' threads.
//!
//! Guarantee: a ring is never lost: one that comes while the worker is busy makes its next wait
//! return at once. Nobody waits on a bell in a simulation.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One worker's bell.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

/// The bells of a store's workers.
#[derive(Debug, Default)]
pub struct Bells {
    /// Wakes the writer.
    pub writer: Bell,
    /// Wakes the syncer.
    pub syncer: Bell,
    /// Wakes upkeep.
    pub upkeep: Bell,
}

impl Bell {
    /// Wakes the worker.
    pub fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            self.wake.notify_one();
        }
    }

    /// Waits for a ring, or for so long.
    pub fn wait(&self, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, longest, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
