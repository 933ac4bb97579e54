//! How the machine stops and starts again.
//!
//! Guarantee: a start is through only when the drive opened, everything on it was read, and the
//! model found it to be a state that the stop allows; from then on that state counts as durable,
//! since recovery syncs what it serves.

use std::sync::Arc;

use kinetic_store::disk::Disk;
use kinetic_store::{FormatOptions, Store, format_as};

use super::state::{Lanes, Machine};
use crate::disk::Stopped;
use crate::history::atlas::{Call, Phase, Purpose};
use crate::history::model::Loss;
use crate::history::plan::{Ending, LastAct, pick};
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};
use crate::history::watch::WatchedDisk;

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
            self.count_stop();
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

    pub(super) fn open(&mut self) -> Result<Store, kinetic_store::OpenError> {
        self.unlock(|machine, pin| {
            let disk = Arc::<WatchedDisk>::clone(&machine.watched) as Arc<dyn Disk>;
            let entropy = machine.entropy();
            Store::open(disk, machine.plan.options.clone(), entropy, pin)
        })
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
        self.optimizing = None;
        self.awaiting.clear();
        drop(self.outcomes.take());
        for attempt in 0..ATTEMPTS {
            self.power_up();
            self.watched.enter(if attempt == 0 {
                Phase::Open
            } else {
                Phase::OpenAgain
            });
            if weather == Weather::Rough && attempt < ROUGH_ATTEMPTS {
                if let Some(store) = self.rot_while_off()? {
                    return self.serve(store);
                }
                self.slow_down();
                self.arm_recovery();
                if attempt == 0 && self.rng.chance(1, 30) {
                    self.erase();
                }
            }
            let opened = self.open();
            self.now += self.disk.take_elapsed();
            if self.is_stopped() {
                // Where it had just opened, nobody has seen it.
                self.count_stop();
                continue;
            }
            let error = match opened {
                Ok(store) => return self.serve(store),
                Err(error) => error,
            };
            if self.watched.sync_failed() {
                self.mark(Mark::SyncFailedInRecovery);
            } else if self.watched.write_failed() {
                self.mark(Mark::WriteFailedInRecovery);
            } else if self.loss >= Loss::Rotten {
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
        let stopped = self.disk.stopped();
        self.disk.clear_faults();
        self.reads_fail = false;
        if stopped == Some(Stopped::Killed) {
            self.swallow();
        }
        self.disk.restart();
        if stopped != Some(Stopped::PowerCut) && self.rng.chance(1, 4) {
            self.disk.power_cut(&mut self.rng);
            self.disk.restart();
            self.count_cut();
            self.mark(Mark::KilledThenCut);
        }
        self.disk
            .wait_for_reads(pick(&mut self.rng, &[0, 100, 500], 0));
        self.watched.start();
        if self.act == LastAct::Rot && self.rng.chance(1, 4) {
            self.rot_anywhere();
        }
    }

    /// The drive is open: what is on it?
    fn serve(&mut self, store: Store) -> Result<Start, Broken> {
        self.lanes = Lanes::of(&store, self.plan.lanes, &self.outcomes);
        self.store = Some(store);
        self.report.starts += 1;
        self.watched.enter(Phase::Serve);
        self.now += self.disk.take_elapsed();
        self.disk.clear_faults();
        self.watched.clear_trap();
        self.reads_fail = false;
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
        self.slow_down();
        Ok(Start::Serving)
    }

    /// Which situation the machine stopped in while the drive served.
    fn note_stop(&mut self) {
        let cut = self.disk.stopped() == Some(Stopped::PowerCut);
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
            if cut {
                self.note_cut_while_serving(&store);
            }
        }
        if self.watched.filled_zone() {
            self.mark(Mark::ZoneFilled);
        }
        if cut && self.failed_before {
            self.mark(Mark::FailedSyncThenCut);
        }
        self.failed_before = !cut && self.watched.sync_failed();
        self.count_stop();
    }

    fn note_cut_while_serving(&mut self, store: &Store) {
        let now = store.under_way();
        let situations = [
            (now.flush, Mark::CutDuringFlush),
            (now.merge, Mark::CutDuringMerge),
            (now.reclaim, Mark::CutDuringReclaim),
            (now.reclaim && now.flush, Mark::CutDuringReclaimsFlush),
            (now.reclaim && now.merge, Mark::CutDuringReclaimsMerge),
            (now.move_of_manifest, Mark::CutDuringManifestMove),
            (
                self.disk.counts().writes <= self.writes_at_start + 1,
                Mark::CutRightAfterRecovery,
            ),
        ];
        for (reached, mark) in situations {
            if reached {
                self.mark(mark);
            }
        }
    }

    /// Counts a stop, where there was one, at the call at which it came.
    fn count_stop(&mut self) {
        let Some(reason) = self.disk.stopped() else {
            return;
        };
        if let Some(site) = self.watched.take_stopped_at() {
            if site.call == Call::Write(Purpose::FirstGroup) && site.phase == Phase::Serve {
                self.mark(Mark::CutAtZoneSwitch);
            }
            let stops = self.report.sites.entry(site).or_default();
            match reason {
                Stopped::PowerCut => stops.cuts += 1,
                Stopped::Killed => stops.kills += 1,
            }
        }
        match reason {
            Stopped::PowerCut => self.count_cut(),
            Stopped::Killed => self.report.kills += 1,
        }
    }

    fn count_cut(&mut self) {
        self.report.cuts += 1;
        let lies = self.disk.harm().exposed_lies;
        let loss = if lies > self.lies {
            Loss::Deceived
        } else {
            Loss::Unsynced
        };
        self.lies = lies;
        self.loss = self.loss.max(loss);
    }
}
