//! Putting the index in order: a flush, then one merge of all runs that can be merged. Where a
//! client asks for it, reclaim comes next, and another merge of all where that has moved something.
//! Where scans have stepped over so much that it pays, the first merge is all.
//!
//! Guarantee: it ends, whatever is written meanwhile; by then zones are free that are dead, or of
//! which reclaim makes enough to be worth it.
//! Not here: how a zone is emptied (`reclaim`), when scans pay (`index::stepped`).

use std::sync::atomic::Ordering;

use super::state::{Cause, Optimizing, Upkeep};
use crate::engine::shared::Shared;
use crate::engine::writer::Step;
use crate::limits::{OPTIMIZE_LOOKS, OPTIMIZE_MERGES};
use crate::upkeep::reclaim::outlook::Outlook;

impl Upkeep {
    /// Goes on with what is wanted, if there was something to do; called when no merge is under
    /// way.
    pub(super) fn optimize(&mut self, shared: &Shared) -> Step {
        let next = match self.optimizing {
            Optimizing::Nothing => self.wanted(shared),
            Optimizing::Flush(cause, group) => {
                let view = shared.view();
                let memtables = !view.active.is_empty() || view.frozen.is_some();
                if !memtables || self.ledger.state.replay.group > group {
                    Optimizing::Merge(cause, 0)
                } else {
                    let asked = std::mem::replace(&mut shared.progress().freeze_wanted, true);
                    return if asked { Step::Idle } else { Step::Worked };
                }
            }
            merging @ Optimizing::Merge(..) => merging,
            Optimizing::Merged(Cause::Scans) => {
                // What is counted from here on was written meanwhile, or cannot be dropped.
                shared.stepped.clear();
                Optimizing::Nothing
            }
            Optimizing::Merged(Cause::Request) => {
                let room = (self.reserve, self.space.free());
                let outlook = Outlook::new(&self.ledger.state, room, shared, 0);
                self.reclaim.ask(&outlook);
                Optimizing::Reclaim(shared.counters.moves.load(Ordering::Relaxed))
            }
            reclaiming @ Optimizing::Reclaim(_) if self.reclaim.is_asked() => reclaiming,
            Optimizing::Reclaim(moves)
                if moves == shared.counters.moves.load(Ordering::Relaxed) =>
            {
                Optimizing::Freeing(0)
            }
            Optimizing::Reclaim(_) => {
                Optimizing::Flush(Cause::Moves, shared.progress().written_group)
            }
            Optimizing::Merged(Cause::Moves) => Optimizing::Freeing(0),
            Optimizing::Freeing(looks)
                if looks < OPTIMIZE_LOOKS && !self.idle_zones(shared).is_empty() =>
            {
                // They are freed before this is called again.
                self.optimizing = Optimizing::Freeing(looks + 1);
                return Step::Idle;
            }
            Optimizing::Freeing(_) => {
                let mut progress = shared.progress();
                progress.optimize_done = progress.optimize_asked;
                Optimizing::Nothing
            }
        };
        match next == std::mem::replace(&mut self.optimizing, next) {
            true => Step::Idle,
            false => Step::Worked,
        }
    }

    /// Whether somebody asks, or scans have lost more time than a merge takes that is possible.
    fn wanted(&self, shared: &Shared) -> Optimizing {
        let progress = shared.progress();
        let group = progress.written_group;
        if progress.optimize_asked != progress.optimize_done {
            return Optimizing::Flush(Cause::Request, group);
        }
        drop(progress);
        if !shared.stepped.pays(&shared.view()) {
            return Optimizing::Nothing;
        }
        if self.is_sound() {
            return Optimizing::Flush(Cause::Scans, group);
        }
        // A damaged run keeps older ones apart: what hides in them cannot be dropped.
        shared.stepped.clear();
        Optimizing::Nothing
    }

    /// Whether all runs are to be merged for it now.
    pub(super) fn optimizes(&self) -> bool {
        matches!(self.optimizing, Optimizing::Merge(..))
    }

    /// A merge was begun with so many of the runs, or there is none that could be.
    pub(super) fn optimized(&mut self, begun: Option<Share>) {
        if let Optimizing::Merge(cause, merges) = self.optimizing {
            self.optimizing = match begun {
                Some(Share::Part) if merges < OPTIMIZE_MERGES => {
                    Optimizing::Merge(cause, merges + 1)
                }
                _ => Optimizing::Merged(cause),
            };
        }
    }
}

/// How many of the runs a merge takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    All,
    Part,
}
