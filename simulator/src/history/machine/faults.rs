//! What goes wrong, and when: faults of the plan's weather, and traps for calls.
//!
//! Guarantee: faults that are armed here make the model expect no less, but for reads that may
//! fail while [`Machine::is_damaged`] says so, and for the last act.
//! Not here: rot with a known place (`rot`).

use super::state::Machine;
use crate::disk::{Slow, Stopped, SyncFailure};
use crate::history::atlas::{Fault, Moment};
use crate::history::model::Loss;
use crate::history::plan::{Ending, LastAct, OPENING_PREY, Prey, pick};
use crate::history::violation::Broken;
use crate::history::watch::Trap;

const SYNC_FAILURES: [SyncFailure; 2] = [SyncFailure::LosesAll, SyncFailure::LosesSome];

impl Machine {
    /// Counts a fault that has happened; those that the disk counts itself are added in the end.
    pub(super) fn happened(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// All faults that have happened.
    pub(super) fn all_faults(&self) -> Vec<(Fault, u64)> {
        let harm = self.disk.harm();
        let of_disk = [
            (Fault::LostSectors, harm.lost),
            (Fault::TornWrite, harm.torn),
            (Fault::ReorderedWrites, harm.reordered),
            (Fault::FailedSync, harm.failed_syncs),
            (Fault::SwallowedSync, harm.swallowed_syncs),
            (Fault::LyingSync, harm.lying_syncs),
            (Fault::LastingReadError, harm.failed_reads),
            (Fault::PassingReadError, harm.transient_reads),
            (Fault::FullHost, harm.refused_writes),
            (Fault::SlowCall, harm.slow_calls),
        ];
        let own = self.faults.iter().map(|(fault, times)| (*fault, *times));
        let all = of_disk.into_iter().chain(own);
        all.filter(|(_, times)| *times > 0).collect()
    }

    /// Whether a kind of fault is part of this history.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.plan.weather.contains(&fault)
    }

    /// Whether a kind of fault is part of this history, and its turn.
    fn strikes(&mut self, fault: Fault, odds: (u64, u64)) -> bool {
        self.has(fault) && self.rng.chance(odds.0, odds.1)
    }

    /// Lets the machine stop in one of the next calls, if it is to stop in a call.
    pub(in crate::history) fn arm(&mut self, ending: Ending, calls: u64) {
        let nth = 1 + self.rng.below(calls);
        match ending {
            Ending::CutInCall => self.disk.cut_power_after(nth),
            Ending::KillInCall => self.disk.kill_after(nth),
            Ending::Cut | Ending::Kill => {}
        }
    }

    /// Lets the machine stop at a call that it waits for.
    pub(in crate::history) fn lie_in_wait(&mut self, prey: Prey) {
        let Prey::Call(call, moment) = prey else {
            return;
        };
        let kill = self.rng.chance(1, 4);
        self.watched.set_trap(Trap {
            call,
            nth: 1 + self.rng.below(3),
            moment,
            reason: if kill {
                Stopped::Killed
            } else {
                Stopped::PowerCut
            },
        });
    }

    /// Whether the drive is in a situation.
    pub(in crate::history) fn is_at(&self, prey: Prey) -> Result<bool, Broken> {
        let under_way = self.store()?.under_way();
        Ok(match prey {
            Prey::Nothing | Prey::Secrets | Prey::Call(..) => false,
            Prey::Flush => under_way.flush,
            Prey::Merge => under_way.merge,
            Prey::Reclaim => under_way.reclaim,
            Prey::ManifestMove => under_way.move_of_manifest,
            Prey::ZoneSwitch => self
                .watched
                .log_end()
                .is_some_and(|end| u64::from(self.plan.zone_size) - end.offset < (12 << 10)),
        })
    }

    /// Lets something go wrong while the drive serves.
    pub(in crate::history) fn arm_trouble(&mut self) {
        let nth = 1 + self.rng.below(8);
        if self.strikes(Fault::FailedSync, (1, 5)) {
            let failure = pick(&mut self.rng, &SYNC_FAILURES, SyncFailure::LosesAll);
            self.disk.fail_sync(nth, failure);
        }
        if self.strikes(Fault::FullHost, (1, 4)) {
            let first = 1 + self.rng.below(40);
            self.disk.fail_writes(first, 1 + self.rng.below(6));
        }
        if self.strikes(Fault::LastingReadError, (1, 5)) {
            self.fail_some_reads();
        }
        if self.strikes(Fault::PassingReadError, (1, 4)) {
            let first = 1 + self.rng.below(60);
            self.disk.fail_next_reads(first, 1 + self.rng.below(2));
            self.reads_fail = true;
        }
        match self.act {
            LastAct::Rot => self.rot_anywhere(),
            LastAct::Lies => self.disk.lie_in_syncs(nth, 1 + self.rng.below(20)),
            LastAct::Calm => {}
        }
    }

    /// Calls take long from now on, perhaps.
    pub(super) fn slow_down(&mut self) {
        if self.strikes(Fault::SlowCall, (1, 2)) {
            let slow = Slow {
                per_mille: pick(&mut self.rng, &[5, 50, 500], 50),
                longest_us: pick(&mut self.rng, &[2000, 80_000, 900_000], 2000),
            };
            self.disk.slow_down(slow);
        }
    }

    /// Lets the machine stop while the drive opens, or something go wrong then.
    pub(super) fn arm_recovery(&mut self) {
        let nth = 1 + self.rng.below(16);
        match self.rng.below(10) {
            0..3 => self.disk.cut_power_after(nth),
            3 => self.disk.kill_after(nth),
            4 => {
                let call = pick(&mut self.rng, &OPENING_PREY, OPENING_PREY[0]);
                let moment = pick(
                    &mut self.rng,
                    &[Moment::Within, Moment::Behind],
                    Moment::Within,
                );
                self.lie_in_wait(Prey::Call(call, moment));
            }
            _ => {}
        }
        if self.strikes(Fault::FailedSync, (1, 6)) {
            let failure = pick(&mut self.rng, &SYNC_FAILURES, SyncFailure::LosesSome);
            self.disk.fail_sync(1 + nth / 3, failure);
        }
        if self.strikes(Fault::FullHost, (1, 6)) {
            self.disk.fail_writes(nth, 1 + nth / 3);
        }
        if self.strikes(Fault::LastingReadError, (1, 6)) {
            self.fail_some_reads();
        }
        if self.strikes(Fault::PassingReadError, (1, 6)) {
            self.disk.fail_next_reads(nth, 1);
            self.reads_fail = true;
        }
    }

    /// While the process is dead the host fails to write back what is not synced.
    pub(super) fn swallow(&mut self) {
        if self.strikes(Fault::SwallowedSync, (1, 2)) {
            let failure = pick(&mut self.rng, &SYNC_FAILURES, SyncFailure::LosesAll);
            self.disk.fail_write_back(failure);
        }
    }

    fn fail_some_reads(&mut self) {
        let written = self.watched.written();
        if let Some(written) = self.rng.choose(&written) {
            self.disk.fail_reads(written.offset / 512 * 512, 4096);
            self.reads_fail = true;
        }
    }

    /// Flips bits of what was written lately, anywhere.
    pub(super) fn rot_anywhere(&mut self) {
        for _ in 0..self.rng.below(3) {
            let written = self.watched.written();
            if let Some(written) = self.rng.choose(&written) {
                let (offset, length) = (written.offset, written.length);
                self.disk.flip_random_bit(offset, length, &mut self.rng);
                self.loss = self.loss.max(Loss::Rotten);
                self.happened(Fault::RotAnywhere);
            }
        }
    }
}
