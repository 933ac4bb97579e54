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
    full: Option<Spell>,
    unreadable: Vec<(u64, u64)>,
    reads: Option<Spell>,
    wait_per_mille: u64,
    slow: Option<Slow>,
    lies: Option<Spell>,
    syncs: Honesty,
}

/// Calls to let pass, then calls to fail.
#[derive(Debug)]
struct Spell {
    skip: u64,
    count: u64,
}

/// How often calls take long, and how long at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Calls of a thousand that take long.
    pub per_mille: u64,
    /// Microseconds that one takes at most.
    pub longest_us: u64,
}

/// Whether a read that fails would fail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadFault {
    Once,
    Always,
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
        self.full = Some(Spell::new(nth, count));
    }

    pub(super) fn fail_next_reads(&mut self, nth: u64, count: u64) {
        self.reads = Some(Spell::new(nth, count));
    }

    pub(super) fn lie_in_syncs(&mut self, nth: u64, count: u64) {
        self.lies = Some(Spell::new(nth, count));
    }

    pub(super) fn slow_down(&mut self, slow: Slow) {
        self.slow = Some(slow);
    }

    pub(super) fn slow(&self) -> Option<Slow> {
        self.slow
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
        self.full.as_mut().is_some_and(Spell::strikes)
    }

    /// Counts a sync that succeeds; whether it only says so.
    pub(super) fn sync_lies(&mut self) -> bool {
        let lies = self.lies.as_mut().is_some_and(Spell::strikes);
        lies || self.syncs == Honesty::Pretending
    }

    /// Counts a read; how it fails, if it does.
    pub(super) fn read_fails(&mut self, offset: u64, length: u64) -> Option<ReadFault> {
        let touched = |(from, to): &(u64, u64)| offset < *to && *from < offset + length;
        if self.unreadable.iter().any(touched) {
            return Some(ReadFault::Always);
        }
        let strikes = self.reads.as_mut().is_some_and(Spell::strikes);
        strikes.then_some(ReadFault::Once)
    }

    pub(super) fn wait_per_mille(&self) -> u64 {
        self.wait_per_mille
    }
}

impl Spell {
    /// From the nth call on, so many.
    fn new(nth: u64, count: u64) -> Self {
        let skip = nth.saturating_sub(1);
        Self { skip, count }
    }

    /// Counts a call; whether it is one of them.
    fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let strikes = self.count > 0;
        self.count = self.count.saturating_sub(1);
        strikes
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
