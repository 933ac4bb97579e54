//! Who may queue a commit now, and who is told when there is room.
//!
//! Guarantee: bounded in bytes. A lane of which nothing waits may queue one commit as long as no
//! more than the limit waits, however large the commit is, and one of [`LANE_TURN`] in any case, so
//! that nobody is kept out by the size of what it writes. Beyond that a lane may hold as much as it
//! leaves free for others, so that one takes half of the queue at most, two a third each. So what
//! waits exceeds the limit by one commit, and by [`LANE_TURN`] for each lane.
//! Whoever was refused is told once there is room for its commit, the most urgent first, those that
//! are equally urgent in turn, and no more at once than find room; one of [`ROOM_IN_TURN`] times
//! all are asked in turn. With the queue's end all are told. None is forgotten: who is refused
//! finds something waiting, all are looked at whenever some of that is taken, and with the last of
//! it all are told.
//! Not here: whose commit the writer takes next (`turns`).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lane::{Lane, Ticket};
use super::turns::{Queued, Turns, cost};
use crate::engine::commit::{Commit, Prepared, Priority, Waiter};
use crate::limits::{LANE_TURN, ROOM_IN_TURN};

/// A commit that the queue did not take; nothing was done.
#[derive(Debug)]
pub enum SubmitError {
    /// The queue has no room for it: wait until some of it is done.
    Busy(Box<Commit>),
    /// The store is closing.
    Closed(Box<Commit>),
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    limit: u64,
    lanes: AtomicU64,
    /// Of whoever has none.
    own: Lane,
}

#[derive(Debug, Default)]
struct Inner {
    turns: Turns,
    /// Lanes to be told when there is room, by number.
    refused: BTreeMap<u64, Refused>,
    /// Number of the lane that was told last.
    told: u64,
    /// How often lanes were told.
    times: u64,
    closed: bool,
}

#[derive(Debug)]
struct Refused {
    lane: Lane,
    /// What its commit counts, and how urgent it is.
    cost: u64,
    priority: Priority,
}

impl Queue {
    /// A queue of `limit` bytes, one commit, and [`LANE_TURN`] for each lane at most.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            inner: Mutex::default(),
            limit,
            lanes: AtomicU64::new(1),
            own: Lane::new(0, None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of its own, which hears here of room.
    #[must_use]
    pub fn lane(&self, room: Waiter) -> Lane {
        Lane::new(self.lanes.fetch_add(1, Ordering::Relaxed), Some(room))
    }

    /// The lane of all who have none of their own.
    #[must_use]
    pub fn own_lane(&self) -> &Lane {
        &self.own
    }

    /// Appends a commit to a lane.
    pub fn push(&self, lane: &Lane, prepared: Prepared) -> Result<Ticket, SubmitError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(SubmitError::Closed(Box::new(prepared.commit)));
        }
        let cost = cost(&prepared);
        if inner.admits((lane, cost), inner.turns.cost(), self.limit) {
            inner.refused.remove(&lane.number());
            return Ok(inner.turns.append(lane, prepared));
        }
        if lane.wants_room() {
            let refused = Refused {
                lane: lane.clone(),
                cost,
                priority: prepared.commit.priority,
            };
            inner.refused.insert(lane.number(), refused);
        }
        Err(SubmitError::Busy(Box::new(prepared.commit)))
    }

    /// Appends a last commit, however full the queue is, and takes no more.
    pub fn close_after(&self, last: Prepared) {
        let mut inner = self.lock();
        inner.turns.append(&self.own, last);
        inner.closed = true;
        let refused = std::mem::take(&mut inner.refused);
        drop(inner);
        tell(refused.into_values());
    }

    /// Takes commits in turn as long as `fits` says so.
    pub fn take_while(&self, mut fits: impl FnMut(&Prepared) -> bool) -> Vec<Queued> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        while let Some(queued) = inner.turns.take_if(&mut fits) {
            taken.push(queued);
        }
        let admitted = inner.admitted(self.limit);
        drop(inner);
        tell(admitted.into_iter());
        taken
    }

    /// Puts commits back that were taken last and not used, in their order.
    pub fn put_back(&self, unused: Vec<Queued>) {
        self.lock().turns.put_back(unused);
    }

    /// Bytes of the records and values of the next commit, which stays the next one until it is
    /// taken or this is asked again; `None` when nothing waits. For the writer alone.
    #[must_use]
    pub fn first(&self) -> Option<(usize, usize)> {
        self.lock().turns.first().map(lengths)
    }

    /// The same for whoever only looks: another one may come before it.
    #[must_use]
    pub fn peek(&self) -> Option<(usize, usize)> {
        self.lock().turns.peek().map(lengths)
    }

    /// Commits and bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.turns.commits(), inner.turns.bytes())
    }

    /// Whether it takes no more commits.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The last ticket that was given to a lane.
    #[must_use]
    pub fn last_ticket(&self, lane: &Lane) -> Ticket {
        let _numbered_under_it = self.lock();
        lane.last_ticket()
    }
}

impl Inner {
    /// Whether a commit that counts so much finds room in its lane while `total` waits in all.
    fn admits(&self, (lane, cost): (&Lane, u64), total: u64, limit: u64) -> bool {
        match self.turns.cost_of(lane) {
            Some(held) => held + cost <= limit.saturating_sub(total),
            None => total <= limit || cost <= LANE_TURN,
        }
    }

    /// Lanes that were refused and together find room now, the most urgent first, from behind the
    /// last one that was told on. When nothing waits, all of them: nothing would look again for
    /// those who are left out, if those who are told make no use of it.
    fn admitted(&mut self, limit: u64) -> Vec<Refused> {
        let waiting = self.turns.cost();
        if waiting == 0 {
            return std::mem::take(&mut self.refused).into_values().collect();
        }
        let behind = (Bound::Excluded(self.told), Bound::Unbounded);
        let round = self.refused.range(behind);
        let round = round.chain(self.refused.range(..=self.told));
        let mut round: Vec<(&u64, &Refused)> = round.collect();
        if !(self.times + 1).is_multiple_of(ROOM_IN_TURN) {
            round.sort_by_key(|(_, one)| std::cmp::Reverse(one.priority));
        }
        let mut total = waiting;
        let mut numbers = Vec::new();
        for (number, one) in round {
            if self.admits((&one.lane, one.cost), total, limit) {
                total += one.cost;
                numbers.push(*number);
            }
        }
        if let Some(last) = numbers.last() {
            self.told = *last;
            self.times += 1;
        }
        let admitted = numbers.iter();
        admitted
            .filter_map(|number| self.refused.remove(number))
            .collect()
    }
}

/// Bytes of its records, and of its values.
fn lengths(prepared: &Prepared) -> (usize, usize) {
    (prepared.records_length, prepared.values_length)
}

fn tell(lanes: impl Iterator<Item = Refused>) {
    lanes.for_each(|refused| refused.lane.tell_room());
}

#[cfg(test)]
mod tests;
