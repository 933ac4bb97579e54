//! The worker: when a round is due, and what of it comes next.
//!
//! Guarantee: see the module; what it finds is in the report, and nothing that it meets stops it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pace::{Others, Pace};
use super::report::{Damaged, ScrubFinding, ScrubReport};
use super::walk::{Block, RunWalk};
use crate::effort::Effort;
use crate::engine::counters::Counters;
use crate::engine::progress::Checkup;
use crate::engine::shared::Shared;
use crate::engine::writer::{Need, Step};
use crate::entry::{Entry, ValueRef};
use crate::error::{Damage, ReadError};
use crate::index::view::View;
use crate::limits::SCRUB_FIRST_US;
use crate::open::settings::Area;
use crate::run::{BlockFault, RunId};

/// Scrub.
#[derive(Debug, Default)]
pub struct Scrub {
    report: Arc<Mutex<ScrubReport>>,
    stage: Stage,
    pace: Pace,
    due: Option<u64>,
    /// What others had done when it last looked.
    seen: (u64, u64),
    walks: Vec<RunWalk>,
    done: BTreeSet<RunId>,
    /// All below this key was looked at.
    reached: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Rest,
    /// Upkeep looks at what it owns: superblocks and manifest.
    Ledger,
    Settings,
    Runs,
}

/// What scrub needs beside what all share.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Held by whoever writes settings.
    pub settings: &'a Mutex<()>,
    /// Random number of the drive.
    pub drive: u64,
}

impl Scrub {
    /// What it has counted and found.
    #[must_use]
    pub fn report(&self) -> Arc<Mutex<ScrubReport>> {
        Arc::clone(&self.report)
    }

    fn tell(&self) -> MutexGuard<'_, ScrubReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the next thing; `now` in microseconds of any steady clock.
    pub fn step(&mut self, shared: &Shared, ground: Ground<'_>, now: u64) -> Step {
        self.tell().look(now);
        match self.stage {
            Stage::Rest => self.rest(shared, now),
            Stage::Ledger => self.ledger(shared),
            Stage::Settings => {
                self.settings(shared, ground);
                self.stage = Stage::Runs;
                Step::Worked
            }
            Stage::Runs => {
                let rate = shared.options.scrub_pace;
                let others = self.others(shared);
                if !self.pace.allows(now, rate, others) {
                    return Step::Blocked(Need::Time);
                }
                self.runs(shared, now);
                Step::Worked
            }
        }
    }

    fn rest(&mut self, shared: &Shared, now: u64) -> Step {
        let every = shared.options.scrub_every_us;
        let first = now.saturating_add(every.min(SCRUB_FIRST_US));
        let due = *self.due.get_or_insert(first);
        if !(self.tell().is_wanted() || every > 0 && now >= due) {
            return Step::Idle;
        }
        self.tell().begin(now);
        self.reached.clear();
        self.done.clear();
        self.walks.clear();
        self.stage = Stage::Ledger;
        shared.progress().checkup = Checkup::Wanted;
        Step::Worked
    }

    fn ledger(&mut self, shared: &Shared) -> Step {
        let checkup = match shared.progress().checkup {
            Checkup::Done(checked) => Some(checked),
            // Nobody changes anything any more.
            _ if shared.is_read_only() => None,
            Checkup::None | Checkup::Wanted => return Step::Blocked(Need::Time),
        };
        shared.progress().checkup = Checkup::None;
        self.stage = Stage::Settings;
        if let Some(checked) = checkup {
            let lost = [
                (checked.lost_slots > 0, Damaged::Superblock),
                (checked.lost_manifest, Damaged::Manifest),
            ];
            for (_, what) in lost.into_iter().filter(|(lost, _)| *lost) {
                self.repaired(what);
            }
        }
        Step::Worked
    }

    fn repaired(&self, what: Damaged) {
        let mut report = self.tell();
        report.count(|counts| counts.repaired += 1);
        report.find(ScrubFinding::slot(what));
    }

    fn settings(&self, shared: &Shared, ground: Ground<'_>) {
        let _one_at_a_time = ground
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let area = Area {
            disk: &*shared.disk,
            geometry: shared.geometry,
            drive: ground.drive,
        };
        let lost = area.lost_slots();
        if lost == 0 || shared.is_read_only() {
            return;
        }
        match area.settle(&|| shared.sync()) {
            Ok(()) => self.repaired(Damaged::Settings),
            // The disk does not take it now; the next round tries again.
            Err(_) if lost < 2 => {}
            Err(_) => self.tell().find(ScrubFinding::slot(Damaged::AllSettings)),
        }
    }

    /// Whether anybody wrote or read since the last look.
    fn others(&mut self, shared: &Shared) -> Others {
        let cache = shared.reader.cache();
        let reads = cache.hits() + cache.misses();
        let seen = (shared.progress().written_bytes, reads);
        if std::mem::replace(&mut self.seen, seen) == seen {
            Others::Idle
        } else {
            Others::AtWork
        }
    }

    /// One block or value, of the run that is the furthest back.
    fn runs(&mut self, shared: &Shared, now: u64) {
        // Held to the end of the step: what it names is not reused meanwhile.
        let view = shared.view();
        self.follow(&view);
        let next = self.walks.iter_mut().min_by(|one, other| {
            let place = |walk: &&mut RunWalk| walk.place().map(<[u8]>::to_vec);
            place(one).cmp(&place(other))
        });
        let Some(walk) = next else {
            self.stage = Stage::Rest;
            self.due = Some(now.saturating_add(shared.options.scrub_every_us));
            return self.tell().finish(now);
        };
        if let Some(place) = walk.place() {
            self.reached = place.to_vec();
        }
        if let Some((key, value)) = walk.next_value() {
            self.pace.spend(u64::from(value.length));
            return self.value(shared, &view, (&key, &value));
        }
        let block = walk.next_block(&shared.reader);
        let run = walk.run();
        match block {
            Block::Sound(bytes) => {
                self.pace.spend(u64::from(bytes));
                self.tell().count(|counts| {
                    counts.blocks += 1;
                    counts.bytes += u64::from(bytes);
                });
            }
            Block::Bad(bad, gap) => {
                let location = bad.handle.location;
                let place = (location.zone.0, location.offset);
                let is_error = matches!(bad.fault, BlockFault::Io(_));
                self.pace.spend(u64::from(bad.handle.length));
                Counters::add(&shared.counters.damaged_blocks, 1);
                let mut report = self.tell();
                report.count(|counts| {
                    counts.blocks += 1;
                    counts.damaged_blocks += 1;
                    counts.read_errors += u64::from(is_error);
                });
                report.find(ScrubFinding::block(&gap, place, &bad.fault));
            }
            Block::End => {
                self.done.insert(run);
                self.walks.retain(|walk| walk.run() != run);
            }
        }
    }

    /// Leaves runs that are gone, and goes into those that have come, at the key it has reached.
    fn follow(&mut self, view: &View) {
        let live = |run: RunId| view.runs.iter().any(|one| one.meta().id == run);
        self.walks.retain(|walk| live(walk.run()));
        self.done.retain(|run| live(*run));
        for run in view.runs.iter() {
            let id = run.meta().id;
            let known = self.done.contains(&id) || self.walks.iter().any(|walk| walk.run() == id);
            if !known {
                self.walks.push(RunWalk::new(run, &self.reached));
            }
        }
    }

    fn value(&self, shared: &Shared, view: &View, (key, value): (&[u8], &ValueRef)) {
        self.tell().count(|counts| {
            counts.values += 1;
            counts.bytes += u64::from(value.length);
        });
        let Err(ReadError::Unreadable(damage)) = shared.values.read(value, Effort::Medium) else {
            return;
        };
        // What no key has any more costs nothing.
        let entry = view.lookup(&shared.reader, key, Effort::Disk);
        let newest = entry.ok().flatten().and_then(|entry: Entry| entry.live());
        if newest.is_none_or(|newest| newest.location != value.location) {
            return;
        }
        Counters::add(&shared.counters.damaged_values, 1);
        let place = (value.location.zone.0, value.location.offset);
        let mut report = self.tell();
        report.count(|counts| {
            counts.damaged_values += 1;
            counts.read_errors += u64::from(matches!(damage, Damage::Disk(_)));
        });
        report.find(ScrubFinding::value(key, place, damage));
    }
}
