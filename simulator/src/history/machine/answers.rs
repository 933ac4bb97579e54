//! What commits are told, against what the model demands.
//!
//! Guarantee: every answer is looked at once, in the order in which commits became visible; one
//! that the model cannot explain is a violation.

use std::collections::{BTreeMap, VecDeque};

use kinetic_store::{CommitError, CommitFailure, Durability, Health, Store};

use super::state::{Groups, Machine, Pending};
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};

type Outcome = Result<(), CommitError>;

/// What became of the groups of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// The one group was not written.
    Failed,
    /// Of several groups one was not written.
    Mixed,
}

impl Machine {
    /// Looks at everything that was answered or became visible in the last step.
    pub(super) fn compare_answers(&mut self, store: &Store, groups: Groups) -> Result<(), Broken> {
        let mut answered = BTreeMap::new();
        let mut told = self.outcomes.take();
        for lane in told.room {
            self.lanes.refused.remove(&lane);
        }
        for (token, outcome) in told.outcomes {
            self.enter(token << 1 | u64::from(outcome.is_ok()));
            match self.awaiting.remove(&token) {
                Some(place) => self.durability_answered(place, outcome)?,
                None if answered.insert(token, outcome).is_none() => {}
                None => {
                    return Broken::found(Promise::Answers, format!("{token} was told twice"));
                }
            }
        }
        let fate = match (self.watched.take_group_failed(), groups) {
            (false, _) => Fate::Written,
            (true, Groups::One) => Fate::Failed,
            (true, Groups::Many) => Fate::Mixed,
        };
        if fate != Fate::Written {
            self.next_group(store);
        }
        while let Some(pending) = self.next_visible(&mut told.published)? {
            let outcome = answered.remove(&pending.token);
            self.report.commits += 1;
            match outcome {
                None => self.done(&pending, None, fate)?,
                Some(Ok(())) => self.done(&pending, Some(()), fate)?,
                Some(Err(error)) => self.refused(store, &pending, (error.failure, fate))?,
            }
        }
        self.expect_untold_to_wait()?;
        if answered.is_empty() {
            return Ok(());
        }
        Broken::found(
            Promise::Answers,
            format!("{answered:?} is not visible or unknown"),
        )
    }

    /// A group failed. All its commits are told so, those too that were refused by a check.
    fn next_group(&mut self, store: &Store) {
        self.model.next_group();
        let full = matches!(store.status().health, Health::Full | Health::Stuck(_));
        if full || self.is_damaged() {
            self.model.doubt_group();
        }
    }

    /// The next commit that took effect. Those of a lane do in the order in which they were queued,
    /// and a flush does after all that were queued before it.
    fn next_visible(&mut self, told: &mut VecDeque<u64>) -> Result<Option<Pending>, Broken> {
        let Some(token) = told.pop_front() else {
            return Ok(None);
        };
        self.enter(token);
        let Some(pending) = self.pending.remove(&token) else {
            return Broken::found(
                Promise::Answers,
                format!("nobody asked for {token}, or twice"),
            );
        };
        let mut earlier = self.pending.range(..token);
        let waits_for = |before: &Pending| {
            before.lane == pending.lane || pending.durability == Durability::Flush
        };
        if let Some((before, _)) = earlier.find(|(_, before)| waits_for(before)) {
            let detail = format!("{token} took effect before {before}, which was queued earlier");
            return Broken::found(Promise::Answers, detail);
        }
        if self.pending.range(..token).next().is_some() {
            self.mark(Mark::Overtook);
        }
        match pending.ticket.is_published() {
            true => Ok(Some(pending)),
            false => Broken::found(
                Promise::Answers,
                format!("{token} is told of and not visible"),
            ),
        }
    }

    /// What nobody was told of has not taken effect.
    fn expect_untold_to_wait(&self) -> Result<(), Broken> {
        let mut pending = self.pending.values();
        match pending.find(|pending| pending.ticket.is_published()) {
            None => Ok(()),
            Some(Pending { token, .. }) => Broken::found(
                Promise::Answers,
                format!("{token} is visible and not told of"),
            ),
        }
    }

    /// A commit that was visible is told whether it is durable.
    fn durability_answered(&mut self, place: usize, outcome: Outcome) -> Result<(), Broken> {
        match failure(&outcome) {
            None => {
                self.model.acknowledge(place);
                Ok(())
            }
            Some(CommitFailure::ReadOnly) if self.watched.sync_failed() => Ok(()),
            Some(failure) => Broken::found(Promise::Answers, format!("durability: {failure}")),
        }
    }

    /// A commit is visible; told so, or still waiting for the disk.
    fn done(&mut self, pending: &Pending, told: Option<()>, fate: Fate) -> Result<(), Broken> {
        let effects = match self.model.verdict(&pending.changes) {
            Ok(effects) => effects,
            Err(_) if fate != Fate::Written => return Ok(()),
            Err(failure) => {
                return Broken::found(
                    Promise::Answers,
                    format!("commit {} was done, though {failure}", pending.token),
                );
            }
        };
        if fate == Fate::Failed && !effects.is_empty() {
            return Broken::found(
                Promise::Answers,
                format!(
                    "commit {} was done, though its group was not written",
                    pending.token
                ),
            );
        }
        let place = self.model.apply(effects);
        match (told, pending.durability) {
            (Some(()), Durability::WriteBack) => {}
            (Some(()), Durability::WriteThrough | Durability::Flush) => {
                self.model.acknowledge(place);
            }
            (None, Durability::WriteThrough | Durability::Flush) => {
                self.awaiting.insert(pending.token, place);
            }
            (None, Durability::WriteBack) => {
                return Broken::found(
                    Promise::Answers,
                    format!("write-back commit {} waits though visible", pending.token),
                );
            }
        }
        Ok(())
    }

    /// A commit was refused: was there a reason?
    fn refused(
        &mut self,
        store: &Store,
        pending: &Pending,
        (failure, fate): (CommitFailure, Fate),
    ) -> Result<(), Broken> {
        let justified = match failure {
            CommitFailure::WriteFailed(_) => {
                self.mark(Mark::WriteFailed);
                // Else it was refused without being written, since the host took nothing before.
                if fate != Fate::Written
                    && let Ok(effects) = self.model.verdict_in_limbo(&pending.changes)
                {
                    self.model.write_failed(effects);
                }
                self.watched.write_failed()
            }
            CommitFailure::NoSpace => {
                self.mark(Mark::Full);
                self.no_space += 1;
                // Upkeep may have made room since it last said so; at rest it must have told.
                store.status().health == Health::Full || is_filled(store)
            }
            CommitFailure::ReadOnly => self.watched.sync_failed(),
            CommitFailure::VersionMismatch | CommitFailure::NotFound => {
                fate != Fate::Written || self.model.verdict(&pending.changes) == Err(failure)
            }
            CommitFailure::Unreadable(_) => {
                self.mark(Mark::Unreadable);
                self.may_be_unreadable()
            }
            CommitFailure::TooLarge(..) | CommitFailure::Closed => false,
        };
        if justified {
            return Ok(());
        }
        let verdict = self.model.verdict(&pending.changes);
        Broken::found(
            Promise::Answers,
            format!(
                "commit {} was refused: {failure}; the model says {verdict:?}",
                pending.token
            ),
        )
    }

    /// The machine stopped in a step: what was being written may come back, nothing was told.
    pub(super) fn abandon(&mut self, store: &Store) -> Result<(), Broken> {
        let mut told = self.outcomes.take();
        let answered: BTreeMap<u64, Outcome> = told.outcomes.into_iter().collect();
        let mut first = true;
        while let Some(pending) = self.next_visible(&mut told.published)? {
            if std::mem::take(&mut first) {
                self.next_group(store);
            }
            let refusal = answered.get(&pending.token).and_then(failure);
            // What was refused for another reason was not in the group.
            let in_group = matches!(refusal, None | Some(CommitFailure::WriteFailed(_)));
            if in_group && let Ok(effects) = self.model.verdict_in_limbo(&pending.changes) {
                self.model.write_failed(effects);
            }
        }
        self.expect_untold_to_wait()
    }
}

/// Whether most of the drive is in use.
fn is_filled(store: &Store) -> bool {
    let status = store.status();
    status.used_bytes * 2 > status.capacity_bytes
}

fn failure(outcome: &Outcome) -> Option<CommitFailure> {
    outcome.err().map(|error| error.failure)
}
