//! The upkeep worker: decides what happens behind the writer's back, one disk call a step.
//!
//! Guarantee: one change of the manifest at a time, and what depends on it happens after it is
//! durable. Log zones for the writer come first, then flushes, then merges, then zones that
//! nothing needs any more, then reclaim. What the host does not take is tried again; meanwhile the
//! writer is told, so that it refuses instead of waiting.
//! Not here: the steps themselves (`ledger`, `flush`, `merge`, `reclaim`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::state::{After, Upkeep};
use crate::engine::counters::Counters;
use crate::engine::progress::Checkup;
use crate::engine::shared::Shared;
use crate::engine::writer::{Need, Step};
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK32, RETRY_US};
use crate::manifest::edit::Edit;
use crate::upkeep::flush::{Flush, JobError};
use crate::upkeep::ledger::Advance;
use crate::upkeep::reclaim::outlook::Outlook;
use crate::upkeep::reclaim::round::Did;
use crate::upkeep::trouble::{Trouble, is_host_full};

impl Upkeep {
    /// Does the next thing; `now` in microseconds of any steady clock.
    pub fn step(&mut self, shared: &Shared, now: u64) -> Step {
        if shared.is_read_only() {
            self.rewrap.give_up();
            return Step::Idle;
        }
        if now < self.retry_at {
            return Step::Blocked(Need::Time);
        }
        match self.advance(shared, now) {
            Ok(Step::Worked) => {
                shared.progress().stuck = None;
                Step::Worked
            }
            Ok(step) => step,
            Err(trouble) => self.cope(shared, now, &trouble),
        }
    }

    /// Does what was asked for at the desk, and the change under way before it.
    pub fn protect(&mut self, shared: &Shared) {
        while self.rewrap.desk().is_open() {
            if shared.is_read_only() {
                self.rewrap.give_up();
            } else if let Err(trouble) = self.advance(shared, 0) {
                self.cope(shared, 0, &trouble);
            }
        }
    }

    fn cope(&mut self, shared: &Shared, now: u64, trouble: &Trouble) -> Step {
        match trouble {
            Trouble::Job(JobError::Disk(error)) => {
                shared.progress().stuck = Some(error.kind());
                self.rewrap
                    .fail(&mut self.ledger, (shared.is_read_only(), error.kind()));
                if !is_host_full(error.kind()) {
                    self.give_up_zone();
                }
            }
            Trouble::Job(JobError::Input(_)) => {
                Counters::add(&shared.counters.damaged_blocks, 1);
                let failed = self.merge.take().and_then(|merge| merge.failed_input());
                self.damaged.extend(failed);
                return Step::Worked;
            }
            Trouble::Job(JobError::Build(_)) | Trouble::Manifest => {
                // Memory and manifest disagree: nothing that is written now could be trusted.
                shared.distrust();
                shared.progress().stuck = Some(io::ErrorKind::InvalidData);
            }
        }
        self.retry_at = now.saturating_add(RETRY_US);
        Step::Blocked(Need::Time)
    }

    /// Something of a zone failed for good: what was to be written goes to another one.
    fn give_up_zone(&mut self) {
        if self.ledger.is_busy() {
            return;
        }
        if let Some(zone) = self.reclaim.give_up() {
            self.quarantine.insert(zone);
        } else if let Some(info) = self.headers.pop() {
            self.quarantine.insert(info.stamp.zone);
        } else if let Some(flush) = self.flush.take() {
            self.quarantine.extend(flush.output.zones());
        } else if let Some(merge) = self.merge.take() {
            self.quarantine.extend(merge.output.zones());
        }
    }

    fn advance(&mut self, shared: &Shared, now: u64) -> Result<Step, Trouble> {
        if self.ledger.is_busy() {
            if let Advance::Durable(old) = self.ledger.step(shared)? {
                if let Some(old) = old {
                    self.space.condemn(old, Vec::new());
                }
                self.finish(shared);
            }
            return Ok(Step::Worked);
        }
        self.space.release();
        if self.must_move {
            return self.move_manifest(shared);
        }
        if self.rewrap.begin(&mut self.ledger, &mut self.salts) {
            self.after = After::Rewrapped;
            return Ok(Step::Worked);
        }
        let checkup = shared.progress().checkup;
        if checkup == Checkup::Wanted {
            return Ok(self.check_up(shared));
        }
        if let Some(info) = self.headers.last().copied() {
            self.write_header(shared, info)?;
            return Ok(Step::Worked);
        }
        let seal = shared.progress().seal;
        if let Some(seal) = seal {
            let empty = seal.end == BLOCK32;
            let edits = self.seal_edits(seal.zone, seal.end);
            return self.change(&edits, After::Sealed(empty.then_some(seal.zone)), shared);
        }
        if let Some(zones) = self.log_zones_due(shared) {
            return self.allocate(ZoneKind::Log, zones, shared);
        }
        if self.flush.is_none()
            && let Some(frozen) = shared.view().frozen.as_ref()
        {
            let id = self.next_run();
            self.flush = Some(Flush::new(Arc::clone(frozen), id, shared));
        }
        if self.flush.is_some() {
            return self.step_flush(shared);
        }
        if self.merge.is_none() && !self.reclaim.is_emptying() {
            if self.optimize(shared) == Step::Worked {
                return Ok(Step::Worked);
            }
            let before = self.optimizing;
            self.start_merge(shared)?;
            // Putting in order goes on where there was nothing to merge for it.
            if self.merge.is_none() && self.optimizing != before {
                return Ok(Step::Worked);
            }
        }
        if self.merge.is_some() {
            return self.step_merge(shared);
        }
        match self.tidy_up(shared, now)? {
            Step::Idle if std::mem::take(&mut self.let_go) => Ok(Step::Worked),
            Step::Idle => self.step_reclaim(shared, now),
            step => Ok(step),
        }
    }

    /// Makes room before it is needed, and leaves the disk to others while there is enough of it.
    fn step_reclaim(&mut self, shared: &Shared, now: u64) -> Result<Step, Trouble> {
        let filled = std::mem::take(&mut shared.progress().filled);
        self.reclaim.note(&filled);
        let commits = shared.counters.commits.load(Ordering::Relaxed);
        let copied = shared.counters.cold_bytes.load(Ordering::Relaxed);
        let busy = commits != std::mem::replace(&mut self.commits_seen, commits);
        let wrote = copied != std::mem::replace(&mut self.copied_seen, copied);
        let asked = self.reclaim.is_asked();
        let room = (self.reserve, self.space.free());
        let outlook = Outlook::new(&self.ledger.state, room, shared, now);
        if !self.reclaim.is_busy() && !self.is_sound() {
            self.reclaim.dismiss();
            return Ok(if asked { Step::Worked } else { Step::Idle });
        }
        // Beside others it rests, or does a write at a time where somebody waits for it.
        let plenty = usize::midpoint(outlook.reserve.put, outlook.reserve.low);
        if busy && outlook.free > plenty && (wrote || !asked) {
            return Ok(Step::Blocked(Need::Time));
        }
        match self.reclaim.step(shared, &outlook)? {
            Did::Worked => Ok(Step::Worked),
            Did::Waits => Ok(Step::Blocked(Need::Time)),
            // Whoever has asked for it is told at once.
            Did::Nothing if asked => Ok(Step::Worked),
            Did::Nothing => Ok(Step::Idle),
            Did::Emptied => {
                let zones = self.reclaim.take_emptied(&self.ledger.state);
                if zones.is_empty() {
                    return Ok(Step::Worked);
                }
                let edits: Vec<Edit> = zones.iter().map(|zone| Edit::Free(*zone)).collect();
                self.change(&edits, After::Freed(zones), shared)
            }
            Did::NeedsRoom if self.reclaim.may_have_zone(&outlook) => {
                self.allocate(ZoneKind::Cold, 1, shared)
            }
            Did::NeedsRoom => {
                self.reclaim.refuse_room(&outlook);
                Ok(Step::Worked)
            }
        }
    }

    /// The change is durable: what depends on it happens now.
    fn finish(&mut self, shared: &Shared) {
        match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => {}
            After::Rewrapped => self.rewrap.done(),
            After::Allocated(infos) => self.headers = infos,
            After::Sealed(empty) => {
                shared.progress().seal = None;
                empty
                    .into_iter()
                    .for_each(|zone| self.space.condemn(zone, Vec::new()));
            }
            After::Flushed => self.finish_flush(shared),
            After::Merged => self.finish_merge(shared),
            After::Freed(zones) => {
                let views = shared.old_views();
                for zone in zones {
                    self.space.condemn(zone, views.clone());
                }
            }
        }
        self.publish_figures(shared);
    }
}
