//! Putting the index in order on demand: a flush, then one merge of all runs that can be merged.
//!
//! Guarantee: it ends, whatever is written meanwhile; zones that are dead by then are freed like
//! all others.
//! Not here: zones that still hold live values (`reclaim`).

use super::state::{Optimizing, Upkeep};
use crate::engine::shared::Shared;
use crate::engine::writer::Step;
use crate::limits::OPTIMIZE_MERGES;

impl Upkeep {
    /// Goes on with what was asked for, if there was something to do; called when no merge is under
    /// way.
    pub(super) fn optimize(&mut self, shared: &Shared) -> Step {
        let next = match self.optimizing {
            Optimizing::Nothing => {
                let progress = shared.progress();
                if progress.optimize_asked == progress.optimize_done {
                    Optimizing::Nothing
                } else {
                    Optimizing::Flush(progress.written_group)
                }
            }
            Optimizing::Flush(group) => {
                let view = shared.view();
                let memtables = !view.active.is_empty() || view.frozen.is_some();
                if !memtables || self.ledger.state.replay.group > group {
                    Optimizing::Merge(0)
                } else {
                    let asked = std::mem::replace(&mut shared.progress().freeze_wanted, true);
                    return if asked { Step::Idle } else { Step::Worked };
                }
            }
            merging @ Optimizing::Merge(_) => merging,
            Optimizing::Last => {
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

    /// Whether all runs are to be merged for it now.
    pub(super) fn optimizes(&self) -> bool {
        matches!(self.optimizing, Optimizing::Merge(_))
    }

    /// A merge was begun with so many of the runs, or there is none that could be.
    pub(super) fn optimized(&mut self, begun: Option<Share>) {
        if let Optimizing::Merge(merges) = self.optimizing {
            self.optimizing = match begun {
                Some(Share::Part) if merges < OPTIMIZE_MERGES => Optimizing::Merge(merges + 1),
                _ => Optimizing::Last,
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
