//! Whose commit is next: deficit round robin over the lanes, by bytes.
//!
//! Guarantee: each lane that has something waiting may take [`LANE_TURN`] bytes a round, and what
//! it does not use is kept until nothing of it waits, so that a commit of any size has its turn. A
//! lane's commits stay in order. A flush is passed over until everything that was queued before it,
//! in whichever lane, was taken; the oldest commit of all never is, so something always goes on.
//! Not here: who may queue how much (`admission`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::lane::{Lane, Ticket};
use crate::engine::commit::{Durability, Prepared};
use crate::limits::{COMMIT_COST, LANE_TURN};

/// A commit and its place.
#[derive(Debug)]
pub struct Queued {
    /// The commit.
    pub prepared: Prepared,
    /// Its place in its lane.
    pub ticket: Ticket,
    /// Its place among the commits of all lanes, in the order in which they were queued.
    order: u64,
}

impl Queued {
    /// Its turn is over: it is visible, or refused.
    pub fn publish(&self) {
        self.ticket.publish();
        let commit = &self.prepared.commit;
        commit.completion.published(commit.token);
    }
}

/// Commits that wait, by lane.
#[derive(Debug, Default)]
pub struct Turns {
    lanes: BTreeMap<u64, Line>,
    /// Number of the lane whose turn it is.
    turn: u64,
    commits: usize,
    bytes: u64,
    flushes: usize,
    last_order: u64,
}

/// Commits of one lane that wait: at least one.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Queued>,
    cost: u64,
    /// What it may take yet.
    allowance: u64,
}

/// What a commit counts: its bytes, and what it takes to remember it.
pub fn cost(prepared: &Prepared) -> u64 {
    prepared.bytes() + COMMIT_COST
}

fn is_flush(prepared: &Prepared) -> bool {
    prepared.commit.durability == Durability::Flush
}

impl Turns {
    /// Commits that wait.
    pub fn commits(&self) -> usize {
        self.commits
    }

    /// Bytes of their records and values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What all that waits counts.
    pub fn cost(&self) -> u64 {
        self.bytes + self.commits as u64 * COMMIT_COST
    }

    /// What the waiting commits of a lane count; nothing where none waits.
    pub fn cost_of(&self, lane: &Lane) -> Option<u64> {
        self.lanes.get(&lane.number()).map(|line| line.cost)
    }

    /// Appends a commit to its lane.
    pub fn append(&mut self, lane: &Lane, prepared: Prepared) -> Ticket {
        self.last_order += 1;
        let ticket = lane.next_ticket();
        let queued = Queued {
            prepared,
            ticket: ticket.clone(),
            order: self.last_order,
        };
        self.count(&queued);
        let line = self.lanes.entry(lane.number()).or_default();
        line.cost += cost(&queued.prepared);
        line.waiting.push_back(queued);
        ticket
    }

    /// The commit whose turn it is: the same one until it is taken.
    pub fn first(&mut self) -> Option<&Prepared> {
        let number = self.choose()?;
        let queued = self.lanes.get(&number)?.waiting.front()?;
        Some(&queued.prepared)
    }

    /// Takes the commit whose turn it is, if `fits` says so.
    pub fn take_if(&mut self, fits: impl FnOnce(&Prepared) -> bool) -> Option<Queued> {
        let number = self.choose()?;
        let line = self.lanes.get_mut(&number)?;
        line.waiting.front().filter(|next| fits(&next.prepared))?;
        let queued = line.waiting.pop_front()?;
        let cost = cost(&queued.prepared);
        line.cost -= cost;
        line.allowance = line.allowance.saturating_sub(cost);
        if line.waiting.is_empty() {
            self.lanes.remove(&number);
        }
        self.commits -= 1;
        self.bytes -= queued.prepared.bytes();
        self.flushes -= usize::from(is_flush(&queued.prepared));
        Some(queued)
    }

    /// Puts commits back that were taken last and not used, in their order.
    pub fn put_back(&mut self, unused: Vec<Queued>) {
        for queued in unused.into_iter().rev() {
            self.count(&queued);
            self.turn = queued.ticket.lane().number();
            let line = self.lanes.entry(self.turn).or_default();
            let cost = cost(&queued.prepared);
            line.cost += cost;
            line.allowance += cost;
            line.waiting.push_front(queued);
        }
    }

    fn count(&mut self, queued: &Queued) {
        self.commits += 1;
        self.bytes += queued.prepared.bytes();
        self.flushes += usize::from(is_flush(&queued.prepared));
    }

    /// Goes round the lanes until one may take its first commit.
    fn choose(&mut self) -> Option<u64> {
        let oldest = self.oldest();
        if let Some(line) = self.lanes.get(&self.turn)
            && line.may_go(oldest)
            && line.lacks() == 0
        {
            return Some(self.turn);
        }
        for _pass in 0..2 {
            for _lane in 0..self.lanes.len() {
                self.turn = self.after_turn()?;
                let line = self.lanes.get_mut(&self.turn)?;
                if !line.may_go(oldest) {
                    continue;
                }
                line.allowance += LANE_TURN;
                if line.lacks() == 0 {
                    return Some(self.turn);
                }
            }
            self.skip_rounds(oldest);
        }
        None
    }

    /// Gives everybody at once what the rounds bring in which nobody could take anything.
    fn skip_rounds(&mut self, oldest: Option<u64>) {
        let going = self.lanes.values_mut().filter(|line| line.may_go(oldest));
        let mut going: Vec<&mut Line> = going.collect();
        let needed = going.iter().map(|line| line.lacks().div_ceil(LANE_TURN));
        let idle = needed.min().unwrap_or(0).saturating_sub(1);
        for line in &mut going {
            line.allowance += idle * LANE_TURN;
        }
    }

    /// The next lane in the round.
    fn after_turn(&self) -> Option<u64> {
        let behind = (Bound::Excluded(self.turn), Bound::Unbounded);
        let next = self.lanes.range(behind).next();
        let next = next.or_else(|| self.lanes.iter().next());
        next.map(|(number, _)| *number)
    }

    /// The order of the oldest commit, where a flush has to know it.
    fn oldest(&self) -> Option<u64> {
        if self.flushes == 0 {
            return None;
        }
        let firsts = self.lanes.values().filter_map(|line| line.waiting.front());
        firsts.map(|queued| queued.order).min()
    }
}

impl Line {
    /// Whether its first commit waits for none of another lane.
    fn may_go(&self, oldest: Option<u64>) -> bool {
        self.waiting.front().is_some_and(|queued| {
            oldest.is_none_or(|oldest| !is_flush(&queued.prepared) || queued.order == oldest)
        })
    }

    /// What its first commit takes beyond what it may take.
    fn lacks(&self) -> u64 {
        let first = self.waiting.front();
        first.map_or(0, |queued| {
            cost(&queued.prepared).saturating_sub(self.allowance)
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
