//! Whose commit is next: the most urgent lanes first, and among those deficit round robin by bytes.
//!
//! Guarantee: a lane is as urgent as the most urgent commit that waits in it, and goes before less
//! urgent ones, between two commits at any time. What is urgent keeps nobody out: whoever is less
//! urgent is let through for [`LANE_TURN`] bytes after `PASSED_BYTES` of others
//! (`levels`). Of equally urgent lanes each may take [`LANE_TURN`] bytes a round, and what it does
//! not use is kept until nothing of it waits, so that a commit of any size has its turn.
//! A lane's commits stay in order. A flush is passed over until everything that was queued before
//! it, in whichever lane, was taken; the oldest commit of all never is, so something always goes
//! on, and it is as urgent as the most urgent flush that waits for it.
//! Not here: who may queue how much (`admission`).

use std::collections::{BTreeMap, VecDeque};

use super::lane::{Lane, Ticket};
use super::levels::{Counts, Level, Levels};
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

    fn level(&self) -> Level {
        Level::of(self.prepared.commit.priority)
    }
}

/// Commits that wait, by lane.
#[derive(Debug, Default)]
pub struct Turns {
    lanes: BTreeMap<u64, Line>,
    levels: Levels,
    /// The lane of which the writer was told that its commit is next.
    promised: Option<u64>,
    /// The lane with the oldest commit, while it is more urgent than by itself.
    raised: Option<u64>,
    commits: usize,
    bytes: u64,
    /// Flushes that wait, by how urgent they are.
    flushes: Counts,
    last_order: u64,
}

/// Commits of one lane that wait: at least one.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Queued>,
    cost: u64,
    /// What it may take yet.
    allowance: u64,
    /// How many of them are how urgent.
    urgent: Counts,
    /// Among which lanes it has its turns.
    level: Option<Level>,
}

/// The oldest commit of all.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    order: u64,
    lane: u64,
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
        let line = self.count(&queued);
        line.waiting.push_back(queued);
        self.place(lane.number());
        ticket
    }

    /// The commit whose turn it is: the same one until it is taken, or this is asked again.
    pub fn first(&mut self) -> Option<&Prepared> {
        self.promised = None;
        self.promised = self.choose();
        self.peek()
    }

    /// The same, and nothing is promised: what is more urgent may come before it.
    pub fn peek(&mut self) -> Option<&Prepared> {
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
        let (cost, level) = (cost(&queued.prepared), queued.level());
        line.cost -= cost;
        line.allowance = line.allowance.saturating_sub(cost);
        line.urgent.remove(level);
        let turn = line.level;
        self.promised = None;
        if let Some(turn) = turn {
            self.levels.taken(turn, cost);
        }
        self.place(number);
        self.commits -= 1;
        self.bytes -= queued.prepared.bytes();
        if is_flush(&queued.prepared) {
            self.flushes.remove(level);
        }
        Some(queued)
    }

    /// Puts commits back that were taken last and not used, in their order.
    pub fn put_back(&mut self, unused: Vec<Queued>) {
        self.promised = None;
        for queued in unused.into_iter().rev() {
            let number = queued.ticket.lane().number();
            let cost = cost(&queued.prepared);
            let line = self.count(&queued);
            line.allowance += cost;
            line.waiting.push_front(queued);
            if let Some(level) = self.place(number) {
                self.levels.give_turn(level, number);
            }
        }
    }

    /// Counts a commit in, and gives its line, which it is not in yet.
    fn count(&mut self, queued: &Queued) -> &mut Line {
        let level = queued.level();
        self.commits += 1;
        self.bytes += queued.prepared.bytes();
        if is_flush(&queued.prepared) {
            self.flushes.add(level);
        }
        let line = self.lanes.entry(queued.ticket.lane().number()).or_default();
        line.cost += cost(&queued.prepared);
        line.urgent.add(level);
        line
    }

    /// Puts a lane among those that are as urgent as it is now, or forgets it where nothing of it
    /// waits.
    fn place(&mut self, number: u64) -> Option<Level> {
        let line = self.lanes.get_mut(&number)?;
        let own = line.urgent.most_urgent();
        let flush = self.flushes.most_urgent();
        let raised = flush.filter(|_| self.raised == Some(number) && own.is_some());
        let level = own.max(raised);
        if level != line.level {
            self.levels.change(number, line.level, level);
            line.level = level;
        }
        if level.is_none() {
            self.lanes.remove(&number);
        }
        level
    }

    /// Goes round the lanes until one may take its first commit.
    fn choose(&mut self) -> Option<u64> {
        let oldest = self.oldest();
        self.raise(oldest.map(|oldest| oldest.lane));
        let oldest = oldest.map(|oldest| oldest.order);
        let Self { lanes, levels, .. } = self;
        let may_go = |number: &u64| lanes.get(number).is_some_and(|it| it.may_go(oldest));
        if let Some(number) = self.promised.filter(may_go) {
            return Some(number);
        }
        let level = match oldest {
            None => levels.next(|_level| true),
            Some(_) => levels.next(|level| level.lanes().any(|number| may_go(&number))),
        }?;
        for _pass in 0..2 {
            // The lane whose turn it is goes on as long as it may.
            let turn = levels.turn(level).and_then(|number| lanes.get(&number));
            if turn.is_some_and(|line| line.may_go(oldest) && line.lacks() == 0) {
                return levels.turn(level);
            }
            for _lane in 0..levels.count(level) {
                let number = levels.pass_turn(level)?;
                let line = lanes.get_mut(&number)?;
                if !line.may_go(oldest) {
                    continue;
                }
                line.allowance += LANE_TURN;
                if line.lacks() == 0 {
                    return Some(number);
                }
            }
            skip_rounds(lanes, (level, oldest));
        }
        None
    }

    /// As long as a flush waits for it, the lane of the oldest commit is as urgent as that.
    fn raise(&mut self, lane: Option<u64>) {
        let before = std::mem::replace(&mut self.raised, lane);
        for number in before.into_iter().chain(lane) {
            self.place(number);
        }
    }

    /// The oldest commit, where a flush has to know it.
    fn oldest(&self) -> Option<Oldest> {
        self.flushes.most_urgent()?;
        let firsts = self.lanes.iter().filter_map(|(lane, line)| {
            let first = line.waiting.front()?;
            Some(Oldest {
                order: first.order,
                lane: *lane,
            })
        });
        firsts.min_by_key(|oldest| oldest.order)
    }
}

/// Gives everybody at once what the rounds bring in which nobody could take anything.
fn skip_rounds(lanes: &mut BTreeMap<u64, Line>, (level, oldest): (Level, Option<u64>)) {
    let going = lanes.values_mut();
    let going = going.filter(|line| line.level == Some(level) && line.may_go(oldest));
    let mut going: Vec<&mut Line> = going.collect();
    let needed = going.iter().map(|line| line.lacks().div_ceil(LANE_TURN));
    let idle = needed.min().unwrap_or(0).saturating_sub(1);
    for line in &mut going {
        line.allowance += idle * LANE_TURN;
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
