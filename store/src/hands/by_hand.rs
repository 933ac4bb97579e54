//! A store without threads, that its owner steps.
//!
//! Guarantee: no thread, no clock: time is what the owner says, so one thread can run any number of
//! stores, and the same steps at the same times are the same history. Nothing needs more than the
//! steps that [`Hand::pace`] asks for: a worker that was rung or whose time has come. A store of
//! which nobody wants anything is looked at more and more seldom, down to once in
//! [`SELDOM_US`], since nothing in it waits for that.

use std::sync::Arc;

use super::last_flush::{LastFlush, STOP};
use super::rounds::{PATROL_US, Worker};
use crate::bells::Listener;
use crate::engine::commit::Priority;
use crate::engine::writer::Step;
use crate::store::Store;

/// A store at rest is looked at this often, in microseconds.
pub const SELDOM_US: u64 = 300_000_000;
/// Scrub looks so many times between two of its rounds at least.
const SCRUB_LOOKS: u64 = 8;

const _: () = assert!(PATROL_US < SELDOM_US);

/// When a store wants its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Now,
    /// At this time of the owner's clock, in microseconds, unless it is rung before.
    At(u64),
}

/// The one who steps a store's workers.
#[derive(Debug)]
pub struct Hand {
    store: Store,
    due: [u64; Worker::ALL.len()],
    /// When anything last happened in the store.
    stirred: u64,
}

impl Store {
    /// The store in the hand of its owner, who is told by `listener` whenever it has something to
    /// do at once. Not for a store that has threads.
    #[must_use]
    pub fn by_hand(&self, listener: &Listener) -> Hand {
        self.inner.bells.let_alone();
        Hand::over(self, listener)
    }

    /// Works here until this flush is done, as far as that can be without waiting.
    pub(super) fn settle_here(&self, last: &LastFlush) {
        let now = self.inner.bells.time();
        let mut idle = 0;
        while last.outcome().is_none() && idle < 2 {
            let steps = [Worker::Writer, Worker::Syncer, Worker::Upkeep];
            let worked = steps.map(|worker| worker.step(self, now) == Step::Worked);
            idle = if worked.contains(&true) { 0 } else { idle + 1 };
        }
    }
}

impl Hand {
    /// Of a store whose bells call this listener.
    pub(super) fn over(store: &Store, listener: &Listener) -> Self {
        store.inner.bells.call(listener);
        Self {
            store: store.clone(),
            due: [0; Worker::ALL.len()],
            stirred: 0,
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// When the next step is wanted, at this time; always within [`SELDOM_US`] of the last one.
    #[must_use]
    pub fn pace(&self, now: u64) -> Pace {
        let first = self.due.iter().copied().min().unwrap_or(now);
        let is_rung = |worker: Worker| worker.bell(&self.store).is_rung();
        if first <= now || Worker::ALL.into_iter().any(is_rung) {
            Pace::Now
        } else {
            Pace::At(first)
        }
    }

    /// Steps each worker once that was rung or whose time has come; `now` in microseconds of any
    /// steady clock.
    pub fn step(&mut self, now: u64) -> Pace {
        self.store.inner.bells.tell_time(now);
        for (place, worker) in Worker::ALL.into_iter().enumerate() {
            let rung = worker.bell(&self.store).take();
            if rung {
                self.stir(now);
            }
            let is_due = self.due.get(place).is_some_and(|due| *due <= now);
            if rung || is_due {
                let due = self.step_worker(worker, now);
                if let Some(place) = self.due.get_mut(place) {
                    *place = due;
                }
            }
        }
        self.pace(now)
    }

    /// Steps one worker. When it wants its next step.
    fn step_worker(&mut self, worker: Worker, now: u64) -> u64 {
        match worker.step(&self.store, now) {
            Step::Worked => {
                self.stir(now);
                now
            }
            Step::Blocked(_) if worker == Worker::Syncer => self.sync_due(now),
            Step::Blocked(_) => now.saturating_add(PATROL_US),
            Step::Idle => {
                let quiet = now.saturating_sub(self.stirred);
                now.saturating_add(quiet.clamp(PATROL_US, self.longest(worker)))
            }
        }
    }

    /// When what is unsynced is old enough.
    fn sync_due(&self, now: u64) -> u64 {
        let shared = &self.store.inner.shared;
        let since = shared.progress().unsynced_since;
        since.map_or(now.saturating_add(PATROL_US), |since| {
            since.saturating_add(shared.options.unsynced_age_us)
        })
    }

    fn longest(&self, worker: Worker) -> u64 {
        let every = self.store.inner.shared.options.scrub_every_us;
        match worker {
            Worker::Scrub if every > 0 => (every / SCRUB_LOOKS).clamp(PATROL_US, SELDOM_US),
            _ => SELDOM_US,
        }
    }

    /// Something happened: all workers look again soon, as threads of their own would.
    fn stir(&mut self, now: u64) {
        self.stirred = now;
        for due in &mut self.due {
            *due = (*due).min(now.saturating_add(PATROL_US));
        }
    }

    /// Gets everything done and synced that was submitted, then lets the store go, at once: where
    /// it takes time, the store's own clock runs ahead, for 30 seconds at most. `false` when the
    /// disk did not manage that.
    #[must_use]
    pub fn stop(mut self, now: u64) -> bool {
        let last = begin_stop(&self.store);
        let end = now.saturating_add(u64::try_from(STOP.as_micros()).unwrap_or(u64::MAX));
        let mut at = now;
        while last.outcome().is_none() && at <= end {
            match self.step(at) {
                Pace::Now => {}
                Pace::At(next) => at = next,
            }
        }
        self.store.inner.shared.abandon();
        last.outcome() == Some(true)
    }
}

/// Submits the last flush behind all that waits; whoever does the store's work gets it done.
pub(super) fn begin_stop(store: &Store) -> Arc<LastFlush> {
    let last = Arc::new(LastFlush::default());
    store.wake();
    store.submit_last(LastFlush::commit(&last, Priority::NORMAL));
    store.inner.bells.writer.ring();
    last
}
