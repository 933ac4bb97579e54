//! The syncer: makes written groups durable and tells who waited for that.
//!
//! Guarantee: nobody is told before a sync that started after their group was written has
//! succeeded. While a sync runs, the writer goes on; what it writes is covered by the next one.
//! Not here: the sync itself and the read-only flag (`shared`).

use super::shared::Shared;
use super::writer::{Need, Step};
use crate::error::CommitFailure;

/// A worker that syncs the log.
#[derive(Debug, Default)]
pub struct Syncer {
    stage: Stage,
}

#[derive(Debug, Default, Clone, Copy)]
enum Stage {
    #[default]
    Idle,
    /// A sync is to cover everything up to this group.
    Started { group: u64, bytes: u64 },
    /// It has.
    Synced { group: u64, bytes: u64 },
}

impl Syncer {
    /// Starts, does or finishes one sync; `now` in microseconds of any steady clock.
    pub fn step(&mut self, shared: &Shared, now: u64) -> Step {
        match self.stage {
            Stage::Idle => {
                if shared.is_read_only() {
                    let anybody = shared.refuse_durable(CommitFailure::ReadOnly);
                    return if anybody { Step::Worked } else { Step::Idle };
                }
                self.start(shared, now)
            }
            Stage::Started { group, bytes } => {
                self.stage = match shared.sync() {
                    Ok(()) => Stage::Synced { group, bytes },
                    Err(_) => Stage::Idle,
                };
                Step::Worked
            }
            Stage::Synced { group, bytes } => {
                self.stage = Stage::Idle;
                let told = shared.progress().durable(group, bytes);
                told.iter().for_each(|waiter| waiter.tell(Ok(())));
                Step::Worked
            }
        }
    }

    fn start(&mut self, shared: &Shared, now: u64) -> Step {
        let mut progress = shared.progress();
        let unsynced = progress.unsynced();
        let waited_for = progress
            .durable_waiters
            .front()
            .is_some_and(|(group, _)| *group > progress.durable_group);
        if unsynced == 0 && !waited_for {
            return Step::Idle;
        }
        let since = *progress.unsynced_since.get_or_insert(now);
        let old = now.saturating_sub(since) >= shared.options.unsynced_age_us;
        let much = unsynced >= shared.options.unsynced_bytes / 2;
        if !(waited_for || old || much) {
            return Step::Blocked(Need::Time);
        }
        progress.unsynced_since = None;
        self.stage = Stage::Started {
            group: progress.written_group,
            bytes: progress.written_bytes,
        };
        Step::Worked
    }
}
