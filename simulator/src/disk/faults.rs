//! What is to go wrong, and when.
//!
//! Guarantee: a fault that waits for the nth call fires on exactly that one and is then spent.
//! Not here: what a fault does to the bytes; that is `state`'s.

use super::failure::Stopped;

/// What becomes of unsynced writes when a sync fails. Either way none is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFailure {
    /// None reaches the platter.
    LosesAll,
    /// Any subset of their sectors does.
    LosesSome,
}

/// What syncs do that succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Honesty {
    #[default]
    Honest,
    Pretending,
}

/// All faults that are armed.
#[derive(Debug, Default)]
pub(super) struct Faults {
    stop: Option<(u64, Stopped)>,
    sync: Option<(u64, SyncFailure)>,
    full: Option<Full>,
    unreadable: Vec<(u64, u64)>,
    wait_per_mille: u64,
    syncs: Honesty,
}

/// Writes to let pass, then writes to refuse.
#[derive(Debug)]
struct Full {
    skip: u64,
    count: u64,
}

impl Faults {
    pub(super) fn stop_at(&mut self, nth: u64, reason: Stopped) {
        self.stop = Some((nth.max(1), reason));
    }

    pub(super) fn fail_sync(&mut self, nth: u64, failure: SyncFailure) {
        self.sync = Some((nth.max(1), failure));
    }

    pub(super) fn pretend_syncs(&mut self) {
        self.syncs = Honesty::Pretending;
    }

    pub(super) fn fill_host(&mut self, nth: u64, count: u64) {
        self.full = Some(Full {
            skip: nth.saturating_sub(1),
            count,
        });
    }

    pub(super) fn fail_reads(&mut self, offset: u64, length: u64) {
        self.unreadable
            .push((offset, offset.saturating_add(length)));
    }

    pub(super) fn wait_for_reads(&mut self, per_mille: u64) {
        self.wait_per_mille = per_mille;
    }

    /// Counts a write, sync or discard; the reason when the machine stops in the middle of it.
    pub(super) fn stops_now(&mut self) -> Option<Stopped> {
        fires(&mut self.stop)
    }

    /// Counts a sync; how it fails, if it does.
    pub(super) fn fails_sync(&mut self) -> Option<SyncFailure> {
        fires(&mut self.sync)
    }

    /// Counts a write; whether the host has no room for it.
    pub(super) fn host_is_full(&mut self) -> bool {
        match &mut self.full {
            Some(Full { skip: 0, count: 0 }) | None => false,
            Some(Full { skip: 0, count }) => {
                *count -= 1;
                true
            }
            Some(Full { skip, .. }) => {
                *skip -= 1;
                false
            }
        }
    }

    pub(super) fn is_unreadable(&self, offset: u64, length: u64) -> bool {
        self.unreadable
            .iter()
            .any(|(from, to)| offset < *to && *from < offset + length)
    }

    pub(super) fn wait_per_mille(&self) -> u64 {
        self.wait_per_mille
    }

    pub(super) fn syncs_are_pretended(&self) -> bool {
        self.syncs == Honesty::Pretending
    }
}

/// Counts down; takes the fault out when its call has come.
fn fires<T: Copy>(armed: &mut Option<(u64, T)>) -> Option<T> {
    let (left, fault) = armed.as_mut()?;
    *left -= 1;
    let fault = *fault;
    if *left > 0 {
        return None;
    }
    *armed = None;
    Some(fault)
}
