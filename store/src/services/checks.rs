//! What an open store does with its medium on demand, or leaves alone: checks, and what they have
//! found; its index put in order; rest.
//!
//! Not here: how it is done (`scrub`, `upkeep`).

use std::sync::atomic::Ordering;

use crate::engine::writer::Step;
use crate::scrub::report::{ScrubFinding, ScrubStatus};
use crate::scrub::round::Ground;
use crate::store::{Store, lock};

impl Store {
    /// One step of scrub: one read at most; `now` in microseconds of any steady clock.
    pub fn step_scrub(&self, now: u64) -> Step {
        let inner = &*self.inner;
        let ground = Ground {
            settings: &inner.settings,
            drive: inner.drive,
        };
        lock(&inner.scrub).step(&inner.shared, ground, now)
    }

    /// Has upkeep and scrub do nothing, where nothing waits for the writer, until
    /// [`wake`](Self::wake) or the stop.
    pub fn rest(&self) {
        self.inner.resting.store(true, Ordering::Release);
    }

    /// Has them go on.
    pub fn wake(&self) {
        self.inner.resting.store(false, Ordering::Release);
        self.inner.bells.upkeep.ring();
        self.inner.bells.scrub.ring();
    }

    pub(crate) fn may_rest(&self) -> bool {
        let inner = &*self.inner;
        inner.resting.load(Ordering::Acquire) && inner.shared.queue.waiting().0 == 0
    }

    /// Asks that everything be flushed and all runs be merged, in the background; joins those who
    /// wait for that already. What is given back tells when it is done.
    #[must_use]
    pub fn optimize(&self) -> u64 {
        let mut progress = self.inner.shared.progress();
        if progress.optimize_asked == progress.optimize_done {
            progress.optimize_asked += 1;
        }
        let asked = progress.optimize_asked;
        drop(progress);
        self.inner.bells.upkeep.ring();
        asked
    }

    /// Whether what [`optimize`](Self::optimize) asked for is done.
    #[must_use]
    pub fn is_optimized(&self, asked: u64) -> bool {
        self.inner.shared.progress().optimize_done >= asked
    }

    /// Asks for a round of scrub now, whenever the next one is due.
    pub fn ask_scrub(&self) {
        lock(&self.inner.scrub_report).ask();
        self.inner.bells.scrub.ring();
    }

    /// What scrub has counted, and what its last round and the one under way have found; from
    /// memory.
    #[must_use]
    pub fn scrub_report(&self) -> (ScrubStatus, Vec<ScrubFinding>) {
        let report = lock(&self.inner.scrub_report);
        (report.status(), report.findings())
    }

    /// What scrub has found since the last call, each finding once.
    pub fn take_scrub_findings(&self) -> Vec<ScrubFinding> {
        lock(&self.inner.scrub_report).take_findings()
    }
}
