//! Flushes and merges, one step after the other.
//!
//! Guarantee: a flush comes before a merge; a merge takes no zone that a flush may need.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::optimize::Share;
use super::state::{After, Cramped, Upkeep};
use crate::engine::config::Sabotage;
use crate::engine::counters::Counters;
use crate::engine::shared::Shared;
use crate::engine::writer::Step;
use crate::layout::zone_header::ZoneKind;
use crate::limits::RUN_BLOCK_MAX;
use crate::manifest::edit::Edit;
use crate::run::{Run, RunId, ZoneRoom};
use crate::upkeep::merge::{self, Merge, Plan, Tombstones};
use crate::upkeep::output::{Made, Output};
use crate::upkeep::trouble::{Trouble, no_zone};

impl Upkeep {
    pub(super) fn next_run(&mut self) -> RunId {
        let id = RunId(self.ledger.state.counters.next_run);
        self.ledger.state.counters.next_run += 1;
        id
    }

    pub(super) fn step_flush(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let Some(flush) = &mut self.flush else {
            return Ok(Step::Idle);
        };
        match flush.step(shared, &self.ledger.state)? {
            Made::Working => Ok(Step::Worked),
            Made::NeedsRoom => match self.spare.pop() {
                Some(room) => {
                    flush.output.give_room(room);
                    Ok(Step::Worked)
                }
                None if self.space.free() > self.reserve.manifest => {
                    self.allocate(ZoneKind::Run, 1, shared)
                }
                None => Err(no_zone().into()),
            },
            Made::Ready => {
                let mut edits = flush.edits(&self.ledger.state);
                edits.push(Edit::Counters(self.ledger.state.counters));
                self.change(&edits, After::Flushed, shared)
            }
        }
    }

    pub(super) fn start_merge(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let runs = &self.ledger.state.runs;
        let is_damaged = |run| self.damaged.contains(&run);
        let full = shared.space.full.load(Ordering::Relaxed);
        // What a damaged run hides cannot be dropped: merging again and again would not change it.
        let dense = self.is_sound() && merge::is_dense(runs);
        let wanted = full || dense || self.reclaim.wants_merge();
        let fits = |plan: &Plan| self.fits(plan, shared);
        let all = || merge::plan_all(runs, is_damaged).filter(fits);
        let due = if self.optimizes() {
            all()
        } else {
            let level = merge::plan(runs, is_damaged).filter(fits);
            level.or_else(|| wanted.then(all).flatten())
        };
        let count = runs.len();
        self.optimized(due.as_ref().map(|plan| match plan.places.len() == count {
            true => Share::All,
            false => Share::Part,
        }));
        let Some(plan) = due else {
            return Ok(());
        };
        let whole = plan.places.end == count;
        let tombstones = if whole || shared.options.has(Sabotage::DropTombstones) {
            Tombstones::Drop
        } else {
            Tombstones::Keep
        };
        let view = shared.view();
        let inputs: Vec<Arc<Run>> = view.runs.get(plan.places).unwrap_or_default().to_vec();
        let output = Output::new(self.next_run(), plan.level, &shared.cipher);
        self.merge = Some(Merge::new(inputs, output, tombstones, shared)?);
        if whole {
            self.reclaim.merge_begun();
        }
        Ok(())
    }

    /// Whether no live run is known to be damaged.
    pub(super) fn is_sound(&self) -> bool {
        let mut runs = self.ledger.state.runs.iter();
        self.damaged.is_empty() || !runs.any(|run| self.damaged.contains(&run.id))
    }

    /// Whether the output of a merge has room without touching the reserve of flushes, and the same
    /// merge has not failed to find it with as much.
    fn fits(&self, plan: &Plan, shared: &Shared) -> bool {
        let runs = &self.ledger.state.runs;
        let free = self.space.free();
        let spare = free.saturating_sub(self.reserve.flush);
        let fails = self.cramped.as_ref().is_some_and(|cramped| {
            let inputs = plan.inputs(runs).iter().map(|run| run.id);
            free <= cramped.free && inputs.eq(cramped.inputs.iter().copied())
        });
        plan.zones(runs, &shared.geometry) <= spare && !fails
    }

    pub(super) fn step_merge(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let Some(merge) = &mut self.merge else {
            return Ok(Step::Idle);
        };
        match merge.step(shared, &self.ledger.state)? {
            Made::Working => Ok(Step::Worked),
            Made::NeedsRoom => match self.spare.pop() {
                Some(room) => {
                    merge.output.give_room(room);
                    Ok(Step::Worked)
                }
                None if self.space.free() > self.reserve.flush => {
                    self.allocate(ZoneKind::Run, 1, shared)
                }
                None => {
                    self.drop_merge();
                    Ok(Step::Worked)
                }
            },
            Made::Ready => {
                let mut edits = merge.edits(&self.ledger.state);
                edits.push(Edit::Counters(self.ledger.state.counters));
                self.change(&edits, After::Merged, shared)
            }
        }
    }

    /// Gives a merge up that runs out of room, and remembers that it did.
    fn drop_merge(&mut self) {
        let Some(merge) = self.merge.take() else {
            return;
        };
        let state = &self.ledger.state;
        let taken: BTreeSet<_> = merge.output.zones().iter().collect();
        // What was left of a zone of other runs does not make it free.
        let taken = taken
            .into_iter()
            .filter(|zone| !state.holds_run(**zone))
            .count();
        self.cramped = Some(Cramped {
            inputs: merge.inputs.iter().map(|run| run.meta().id).collect(),
            free: self.space.free() + taken,
        });
    }

    pub(super) fn finish_flush(&mut self, shared: &Shared) {
        let Some(mut flush) = self.flush.take() else {
            return;
        };
        self.keep_rest(flush.output.take_rest());
        Counters::add(&shared.counters.flushes, 1);
        let run = flush
            .output
            .meta()
            .map(|meta| Arc::new(Run::new(meta.clone())));
        shared.replace_view(|view| view.flushed(run));
    }

    pub(super) fn finish_merge(&mut self, shared: &Shared) {
        let Some(mut merge) = self.merge.take() else {
            return;
        };
        if merge.drops_tombstones() {
            shared.stepped.clear();
        }
        self.keep_rest(merge.output.take_rest());
        Counters::add(&shared.counters.merges, 1);
        let output = merge.output.meta().cloned();
        let output = output.map(|meta| Arc::new(Run::new(meta)));
        let inputs: BTreeSet<RunId> = merge.inputs.iter().map(|run| run.meta().id).collect();
        shared.replace_view(|view| view.merged(&inputs, output));
    }

    fn keep_rest(&mut self, rest: Option<ZoneRoom>) {
        let enough = u32::try_from(4 * RUN_BLOCK_MAX).unwrap_or(u32::MAX);
        self.spare
            .extend(rest.filter(|room| room.end.saturating_sub(room.next) >= enough));
    }
}
