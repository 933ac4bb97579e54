//! Bells that wake the workers.
//!
//! Guarantee: a ring is never lost: one that comes while the worker is busy makes its next wait
//! return at once, or its next [`Bell::take`] true. Where somebody listens, nobody waits on a bell:
//! the listener is called for each ring that was not taken yet.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Called when a store has something to do, on the thread that gave it that; it must return soon.
pub type Listener = Arc<dyn Fn() + Send + Sync>;

/// One worker's bell.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
    listener: OnceLock<Listener>,
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
    /// The owner steps the store, and nobody else will.
    alone: AtomicBool,
    /// Of the last step, by the clock of whoever steps the store.
    time: AtomicU64,
}

impl Bells {
    /// Has all bells call a listener from now on.
    pub(crate) fn call(&self, listener: &Listener) {
        for bell in [&self.writer, &self.syncer, &self.upkeep, &self.scrub] {
            // A store is taken on once.
            let _kept = bell.listener.set(Arc::clone(listener));
        }
    }

    /// Nobody steps the store while its owner waits.
    pub(crate) fn let_alone(&self) {
        self.alone.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub(crate) fn are_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    /// Whoever steps the store says what time it is.
    pub(crate) fn tell_time(&self, now: u64) {
        self.time.store(now, Ordering::Relaxed);
    }

    /// What was said last.
    pub(crate) fn time(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    /// Whether somebody listens, who does not look by themselves as often as threads do.
    pub(crate) fn are_heard(&self) -> bool {
        self.syncer.listener.get().is_some()
    }
}

impl Bell {
    /// Wakes the worker.
    pub(crate) fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *rung, true) {
            return;
        }
        match self.listener.get() {
            None => self.wake.notify_one(),
            Some(listener) => {
                drop(rung);
                listener();
            }
        }
    }

    /// Waits for a ring, or for so long.
    pub(crate) fn wait(&self, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, longest, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    /// Whether it was rung since the last look.
    pub(crate) fn take(&self) -> bool {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }

    /// Whether it was rung and not taken yet.
    pub(crate) fn is_rung(&self) -> bool {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bell")
            .field("rung", &self.is_rung())
            .finish_non_exhaustive()
    }
}
