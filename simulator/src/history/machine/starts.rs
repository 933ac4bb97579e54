//! How the machine stops and starts again.
//!
//! Guarantee: a start is through only when the drive opened, everything on it was read, and the
//! model found it to be a state that the stop allows; from then on that state counts as durable,
//! since recovery syncs what it serves.

use std::sync::Arc;

use kinetic_store::disk::Disk;
use kinetic_store::{FormatOptions, Store, format_as};

use super::state::Machine;
use crate::disk::{Stopped, SyncFailure};
use crate::history::model::Loss;
use crate::history::plan::{Ending, Prey, Trouble, pick};
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};
use crate::history::watch::{Purpose, WatchedDisk};

/// Attempts to open after which nothing goes wrong any more.
const ROUGH_ATTEMPTS: u64 = 6;
/// Attempts to open, at most.
const ATTEMPTS: u64 = 12;

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) enum Start {
    /// The drive serves.
    Serving,
    /// Bits rotted, and the drive refuses to open: the history ends.
    Refused,
}

/// Whether things go wrong while the drive opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) enum Weather {
    Rough,
    Calm,
}

impl Machine {
    /// Makes an empty drive, sometimes in several attempts.
    pub(in crate::history) fn format(&mut self) -> Result<(), Broken> {
        for attempt in 0..3 {
            if attempt < 2 && self.rng.chance(1, 8) {
                self.disk.cut_power_after(1 + self.rng.below(8));
            }
            let options = FormatOptions {
                uuid: [7; 16],
                entropy: self.entropy(),
                zone_size: Some(self.plan.zone_size),
            };
            let formatted = format_as(&*self.watched, &options, self.plan.seal);
            if !self.is_stopped() {
                self.disk.clear_faults();
                return formatted.or_else(|error| {
                    Broken::found(Promise::Opening, format!("format failed: {error}"))
                });
            }
            self.mark(Mark::CutInFormat);
            self.report.cuts += 1;
            self.disk.clear_faults();
            self.disk.restart();
            // Half a drive is no drive or an empty one, never anything else.
            if let Ok(store) = self.open() {
                self.store = Some(store);
                let found = self.scan()?;
                if !found.is_empty() {
                    return Broken::found(Promise::Contents, "a new drive is not empty");
                }
                self.store = None;
                return Ok(());
            }
        }
        Broken::found(Promise::Opening, "format never came through")
    }

    pub(super) fn entropy(&mut self) -> [u8; 32] {
        let mut entropy = [0; 32];
        for bytes in entropy.chunks_mut(8) {
            bytes.copy_from_slice(&self.rng.next_u64().to_le_bytes());
        }
        entropy
    }

    fn open(&mut self) -> Result<Store, kinetic_store::OpenError> {
        self.unlock(|machine, pin| {
            let disk = Arc::<WatchedDisk>::clone(&machine.watched) as Arc<dyn Disk>;
            let entropy = machine.entropy();
            Store::open(disk, machine.plan.options.clone(), entropy, pin)
        })
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

    /// Whether the drive is in a situation.
    pub(in crate::history) fn is_at(&self, prey: Prey) -> Result<bool, Broken> {
        let under_way = self.store()?.under_way();
        Ok(match prey {
            Prey::Nothing => false,
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
        let trouble = self.plan.trouble;
        let both = trouble == Trouble::SyncsAndHost;
        if (both || trouble == Trouble::Syncs) && self.rng.chance(1, 2) {
            let failure = pick(
                &mut self.rng,
                &[SyncFailure::LosesAll, SyncFailure::LosesSome],
                SyncFailure::LosesAll,
            );
            self.disk.fail_sync(nth, failure);
        }
        if (both || trouble == Trouble::Host) && self.rng.chance(2, 3) {
            let first = 1 + self.rng.below(40);
            self.disk.fail_writes(first, 1 + self.rng.below(6));
        }
        if trouble == Trouble::Reads && self.rng.chance(1, 2) {
            self.fail_some_reads();
        }
        if trouble == Trouble::Rot {
            self.rot();
        }
    }

    fn fail_some_reads(&mut self) {
        let number = self.rng.next_u64();
        if let Some((offset, _)) = self.watched.written(number) {
            self.disk.fail_reads(offset / 512 * 512, 4096);
            self.reads_fail = true;
        }
    }

    /// Flips a bit of what was written lately.
    fn rot(&mut self) {
        for _ in 0..self.rng.below(3) {
            let number = self.rng.next_u64();
            if let Some((offset, length)) = self.watched.written(number) {
                self.disk.flip_random_bit(offset, length, &mut self.rng);
                self.loss = Loss::Rotten;
            }
        }
    }

    /// Stops the machine now, between two calls.
    pub(in crate::history) fn stop(&mut self, ending: Ending) {
        match ending {
            Ending::Cut | Ending::CutInCall => {
                self.disk.power_cut(&mut self.rng);
                let switched = self.watched.log_end();
                if switched.is_some_and(|end| end.purpose == Purpose::FirstGroup) {
                    self.mark(Mark::CutAtZoneSwitch);
                }
                self.mark(Mark::CutBetweenCalls);
            }
            Ending::Kill | Ending::KillInCall => self.disk.kill(),
        }
    }

    /// Starts the drive again and compares what is on it with the model.
    pub(in crate::history) fn start(&mut self, weather: Weather) -> Result<Start, Broken> {
        self.note_stop();
        self.store = None;
        self.pending.clear();
        self.awaiting.clear();
        drop(self.outcomes.take());
        let mut recovery_cuts = 0;
        for attempt in 0..ATTEMPTS {
            self.power_up();
            if weather == Weather::Rough && attempt < ROUGH_ATTEMPTS {
                self.arm_recovery();
                if attempt == 0 && self.rng.chance(1, 30) {
                    self.erase();
                }
            }
            let error = match self.open() {
                Ok(store) => return self.serve(store),
                Err(error) => error,
            };
            if self.is_stopped() {
                self.note_stop_in_recovery(recovery_cuts);
                recovery_cuts += 1;
            } else if self.watched.sync_failed() {
                self.mark(Mark::SyncFailedInRecovery);
            } else if self.watched.write_failed() {
                self.mark(Mark::WriteFailedInRecovery);
            } else if self.loss == Loss::Rotten {
                self.mark(Mark::RefusedToOpen);
                return Ok(Start::Refused);
            } else if !self.reads_fail {
                return Broken::found(Promise::Opening, format!("{error}"));
            }
        }
        Broken::found(Promise::Opening, format!("not in {ATTEMPTS} attempts"))
    }

    /// Power is on, nothing is armed; sometimes after a cut that no process saw.
    fn power_up(&mut self) {
        let cut_already = self.disk.stopped() == Some(Stopped::PowerCut);
        self.disk.clear_faults();
        self.reads_fail = false;
        self.disk.restart();
        if !cut_already && self.rng.chance(1, 4) {
            self.disk.power_cut(&mut self.rng);
            self.disk.restart();
            self.report.cuts += 1;
            self.loss = self.loss.max(Loss::Unsynced);
            self.mark(Mark::KilledThenCut);
        }
        self.disk
            .wait_for_reads(pick(&mut self.rng, &[0, 100, 500], 0));
        self.watched.start();
        if self.plan.trouble == Trouble::Rot && self.rng.chance(1, 4) {
            self.rot();
        }
    }

    fn arm_recovery(&mut self) {
        let nth = 1 + self.rng.below(16);
        match self.rng.below(10) {
            0..=3 => self.disk.cut_power_after(nth),
            4 => self.disk.kill_after(nth),
            _ => {}
        }
        let unlucky = self.rng.chance(1, 3);
        match self.plan.trouble {
            Trouble::Syncs if unlucky => self.disk.fail_sync(1 + nth / 3, SyncFailure::LosesSome),
            Trouble::Host if unlucky => self.disk.fail_writes(nth, 1 + nth / 3),
            Trouble::SyncsAndHost if unlucky => {
                self.disk.fail_sync(1 + nth / 3, SyncFailure::LosesAll);
                self.disk.fail_writes(nth, 1);
            }
            Trouble::Reads if unlucky => self.fail_some_reads(),
            _ => {}
        }
    }

    /// The drive is open: what is on it?
    fn serve(&mut self, store: Store) -> Result<Start, Broken> {
        self.store = Some(store);
        self.report.starts += 1;
        if self.reads_fail {
            self.disk.clear_faults();
            self.reads_fail = false;
        }
        self.check_secrets()?;
        let found = self.scan()?;
        let kept = self.model.recovered(&found, self.loss)?;
        self.enter(kept.kept as u64);
        if kept.kept < kept.visible {
            self.mark(Mark::LostSuffix);
        } else if kept.kept > kept.visible {
            self.mark(Mark::SurvivedUnacknowledged);
        } else if kept.visible > 0 && self.loss == Loss::Unsynced {
            self.mark(Mark::SurvivedWhole);
        }
        if self.loss == Loss::Unsynced {
            self.loss = Loss::Nothing;
        }
        self.writes_at_start = self.disk.counts().writes;
        self.check_accounting()?;
        Ok(Start::Serving)
    }

    /// Which situation the machine stopped in while the drive served.
    fn note_stop(&mut self) {
        let interrupted = self.watched.take_interrupted();
        if let Some(store) = self.store.clone() {
            let status = store.status();
            let figures = [
                (status.flushes, Mark::Flushed),
                (status.merges, Mark::Merged),
                (status.moves, Mark::Moved),
            ];
            for (count, mark) in figures {
                if count > 0 {
                    self.mark(mark);
                }
            }
            if self.disk.stopped() == Some(Stopped::PowerCut) {
                self.note_cut_while_serving(&store, interrupted);
            }
        }
        if self.watched.filled_zone() {
            self.mark(Mark::ZoneFilled);
        }
        self.count_stop();
    }

    fn note_cut_while_serving(&mut self, store: &Store, interrupted: Option<Purpose>) {
        let under_way = store.under_way();
        let situations = [
            (under_way.flush, Mark::CutDuringFlush),
            (under_way.merge, Mark::CutDuringMerge),
            (under_way.reclaim, Mark::CutDuringReclaim),
            (under_way.move_of_manifest, Mark::CutDuringManifestMove),
            (
                self.disk.counts().writes <= self.writes_at_start + 1,
                Mark::CutRightAfterRecovery,
            ),
            (
                interrupted == Some(Purpose::FirstGroup),
                Mark::CutAtZoneSwitch,
            ),
        ];
        for (reached, mark) in situations {
            if reached {
                self.mark(mark);
            }
        }
        if let Some(purpose) = interrupted {
            self.mark(mark_of(purpose));
        }
    }

    fn note_stop_in_recovery(&mut self, cuts_before: u64) {
        let interrupted = self.watched.take_interrupted();
        if self.disk.stopped() == Some(Stopped::PowerCut) {
            self.mark(Mark::CutInRecovery);
            if cuts_before > 0 {
                self.mark(Mark::CutInRecoveryAgain);
            }
            match interrupted {
                Some(Purpose::Group | Purpose::FirstGroup) => self.mark(Mark::CutInRewrite),
                Some(purpose) => self.mark(mark_of(purpose)),
                None => {}
            }
        }
        self.count_stop();
    }

    fn count_stop(&mut self) {
        if self.disk.stopped() == Some(Stopped::PowerCut) {
            self.report.cuts += 1;
            self.loss = self.loss.max(Loss::Unsynced);
        } else {
            self.report.kills += 1;
            self.mark(Mark::Killed);
        }
    }
}

fn mark_of(purpose: Purpose) -> Mark {
    match purpose {
        Purpose::FirstSlot => Mark::CutInFirstSlot,
        Purpose::SecondSlot => Mark::CutInSecondSlot,
        Purpose::Frame => Mark::CutInFrame,
        Purpose::ZoneHeader => Mark::CutInZoneHeader,
        Purpose::FirstGroup | Purpose::Group => Mark::CutInGroup,
        Purpose::Cold => Mark::CutInCold,
        Purpose::Run => Mark::CutInRun,
        Purpose::SlotSync => Mark::CutInSlotSync,
        Purpose::Sync => Mark::CutInSync,
    }
}
