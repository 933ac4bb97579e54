//! Which lanes are equally urgent, and which of these levels is next.
//!
//! Guarantee: the most urgent level that can take anything is next, but for this: a level that
//! waits while others take [`PASSED_BYTES`] is let through for [`LANE_TURN`] bytes, or for one
//! commit where that is larger. So no level waits while others take more than [`PASSED_BYTES`] and
//! such a turn of each of the seven others that may be let through before it, and the most urgent
//! one has half of the bytes at least where no commit is larger. No clock, and nothing at random:
//! the same commits in the same order have the same turns.
//! Not here: which lane of a level is next (`turns`).

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::engine::commit::Priority;
use crate::limits::{LANE_TURN, PASSED_BYTES, PRIORITIES};

/// How urgent a lane is: the greater, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(usize);

impl Level {
    /// That of a priority.
    pub fn of(priority: Priority) -> Self {
        Self(usize::from(priority.level() - Priority::LOWEST.level()))
    }
}

/// How many of something are how urgent.
#[derive(Debug, Default)]
pub struct Counts([u32; PRIORITIES]);

impl Counts {
    /// One more.
    pub fn add(&mut self, level: Level) {
        if let Some(count) = self.0.get_mut(level.0) {
            *count += 1;
        }
    }

    /// One less.
    pub fn remove(&mut self, level: Level) {
        if let Some(count) = self.0.get_mut(level.0) {
            *count = count.saturating_sub(1);
        }
    }

    /// The most urgent level of which there is any.
    pub fn most_urgent(&self) -> Option<Level> {
        self.0.iter().rposition(|count| *count > 0).map(Level)
    }
}

/// All levels.
#[derive(Debug, Default)]
pub struct Levels {
    each: [Ranks; PRIORITIES],
    through: Option<Through>,
}

/// Lanes that are equally urgent.
#[derive(Debug, Default)]
pub struct Ranks {
    lanes: BTreeSet<u64>,
    /// Number of the lane whose turn it is.
    turn: u64,
    /// Bytes that others have taken since it waits.
    passed: u64,
}

/// A level that is let through.
#[derive(Debug, Clone, Copy)]
struct Through {
    level: Level,
    /// Bytes that it may take yet.
    left: u64,
}

impl Ranks {
    /// Their numbers.
    pub fn lanes(&self) -> impl Iterator<Item = u64> {
        self.lanes.iter().copied()
    }
}

impl Levels {
    /// A lane leaves the one and enters the other.
    pub fn change(&mut self, lane: u64, from: Option<Level>, to: Option<Level>) {
        if let Some(ranks) = from.and_then(|level| self.each.get_mut(level.0)) {
            ranks.lanes.remove(&lane);
        }
        if let Some(ranks) = to.and_then(|level| self.each.get_mut(level.0)) {
            ranks.lanes.insert(lane);
        }
    }

    /// The next one, of those of which `can_go` says that they can take anything.
    pub fn next(&mut self, can_go: impl Fn(&Ranks) -> bool) -> Option<Level> {
        let goes = |ranks: &Ranks| !ranks.lanes.is_empty() && can_go(ranks);
        if let Some(Through { level, .. }) = self.through
            && self.each.get(level.0).is_some_and(goes)
        {
            return Some(level);
        }
        self.through = None;
        let going = self.each.iter().enumerate().filter(|(_, it)| goes(it));
        let urgent = going.clone().next_back().map(|(number, _)| Level(number))?;
        let passed = going.filter(|(_, ranks)| ranks.passed >= PASSED_BYTES);
        let Some((number, _)) = passed.max_by_key(|(_, ranks)| ranks.passed) else {
            return Some(urgent);
        };
        let level = Level(number);
        if level != urgent {
            let left = LANE_TURN;
            self.through = Some(Through { level, left });
        }
        Some(level)
    }

    /// A lane of this level has taken so many bytes.
    pub fn taken(&mut self, level: Level, bytes: u64) {
        for (number, ranks) in self.each.iter_mut().enumerate() {
            if number == level.0 || ranks.lanes.is_empty() {
                ranks.passed = 0;
            } else {
                ranks.passed += bytes;
            }
        }
        self.through = self.through.and_then(|through| {
            let left = through.left.saturating_sub(bytes);
            let goes_on = through.level == level && left > 0;
            goes_on.then_some(Through { left, ..through })
        });
    }

    /// How many lanes it has.
    pub fn count(&self, level: Level) -> usize {
        self.each.get(level.0).map_or(0, |ranks| ranks.lanes.len())
    }

    /// The lane of this level whose turn it is, if it still is one.
    pub fn turn(&self, level: Level) -> Option<u64> {
        let ranks = self.each.get(level.0)?;
        ranks.lanes.get(&ranks.turn).copied()
    }

    /// The turn goes to this lane.
    pub fn give_turn(&mut self, level: Level, lane: u64) {
        if let Some(ranks) = self.each.get_mut(level.0) {
            ranks.turn = lane;
        }
    }

    /// The turn goes to the next lane in the round.
    pub fn pass_turn(&mut self, level: Level) -> Option<u64> {
        let ranks = self.each.get_mut(level.0)?;
        let behind = (Bound::Excluded(ranks.turn), Bound::Unbounded);
        let next = ranks.lanes.range(behind).next();
        ranks.turn = *next.or_else(|| ranks.lanes.first())?;
        Some(ranks.turn)
    }
}
