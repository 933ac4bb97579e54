//! The workers of a store, and whom they wake after a step.

use std::time::Duration;

use crate::bells::Bell;
use crate::engine::writer::{Need, Step};
use crate::store::Store;

/// A worker looks by itself this often, at least while its store has something to do; in
/// microseconds.
pub(super) const PATROL_US: u64 = 100_000;
/// The same.
pub(super) const PATROL: Duration = Duration::from_micros(PATROL_US);

/// The workers, in the order in which one hand steps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worker {
    Writer,
    Syncer,
    Upkeep,
    Scrub,
}

impl Worker {
    pub(super) const ALL: [Self; 4] = [Self::Writer, Self::Syncer, Self::Upkeep, Self::Scrub];

    pub(super) fn bell(self, store: &Store) -> &Bell {
        let bells = &store.inner.bells;
        match self {
            Self::Writer => &bells.writer,
            Self::Syncer => &bells.syncer,
            Self::Upkeep => &bells.upkeep,
            Self::Scrub => &bells.scrub,
        }
    }

    /// Steps it, and wakes those who have something to do by that.
    pub(super) fn step(self, store: &Store, now: u64) -> Step {
        let step = match self {
            Self::Writer => store.step_writer(),
            Self::Syncer => store.step_syncer(now),
            Self::Upkeep | Self::Scrub if store.may_rest() => Step::Idle,
            Self::Upkeep => store.step_upkeep(now),
            Self::Scrub => store.step_scrub(now),
        };
        match step {
            Step::Worked => wake_others(store),
            Step::Blocked(need) => wake(store, need),
            Step::Idle => {}
        }
        step
    }
}

fn wake_others(store: &Store) {
    let shared = &store.inner.shared;
    let wanted = shared.moves.is_waiting() || shared.progress().freeze_wanted;
    if wanted || shared.queue.waiting().0 > 0 {
        store.inner.bells.writer.ring();
    }
    store.ring_workers();
}

fn wake(store: &Store, need: Need) {
    match need {
        Need::Sync => store.inner.bells.syncer.ring(),
        Need::Zone | Need::Flush => store.inner.bells.upkeep.ring(),
        Need::Disk => store.inner.bells.writer.ring(),
        Need::Time => {}
    }
}

/// A worker that panics takes the process with it: nobody would be told of what it had taken, and
/// what it left half done cannot be trusted. Opening again starts from what is on the disk.
pub(super) struct Fatal;

impl Drop for Fatal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
