//! Writes of a connection that are not in the store's queue yet: what the writer will look up for
//! them is being read, or the queue has no room.
//!
//! Guarantee: they leave in the order in which they came, however their reads end. Bounded in
//! number and in bytes, the last one not counted: whoever adds one looks whether it is full then.

use std::collections::VecDeque;

use bytes::Bytes;
use kinetic_store::{Commit, Mutation};

use crate::limits::{REQUEST_COST_BYTES, UPCOMING_BYTES, UPCOMING_WRITES};

/// The writes.
#[derive(Debug, Default)]
pub(crate) struct Upcoming {
    writes: VecDeque<UpcomingWrite>,
    bytes: usize,
}

/// A write, and the opening of the store that it is for.
#[derive(Debug)]
pub(crate) struct UpcomingWrite {
    pub(crate) commit: Commit,
    pub(crate) epoch: Option<u64>,
    /// When it is given up, where it may be.
    pub(crate) due_us: Option<u64>,
    pub(crate) state: State,
}

/// Whether a write may be queued once it is the first one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The readers had no room for what it needs: these keys.
    Unread(Vec<Bytes>),
    /// What it needs is being read.
    Reading,
    /// It may.
    Ready,
}

impl Upcoming {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether nothing may be added before something leaves.
    pub(crate) fn is_full(&self) -> bool {
        self.writes.len() >= UPCOMING_WRITES || self.bytes >= UPCOMING_BYTES
    }

    /// Bytes that they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the first one may be queued.
    pub(crate) fn is_ready(&self) -> bool {
        let first = self.writes.front();
        first.is_some_and(|write| write.state == State::Ready)
    }

    /// Adds one behind all others.
    pub(crate) fn push(&mut self, write: UpcomingWrite) {
        self.bytes += weight(&write.commit);
        self.writes.push_back(write);
    }

    /// Gives the first one back, which could not be queued.
    pub(crate) fn put_back(&mut self, write: UpcomingWrite) {
        self.bytes += weight(&write.commit);
        self.writes.push_front(write);
    }

    /// What the first one needs that is neither read nor being read, and its token and opening.
    /// Whoever takes it sets its state.
    pub(crate) fn take_unread(&mut self) -> Option<(Vec<Bytes>, u64, Option<u64>)> {
        self.writes.iter_mut().find_map(|write| {
            let State::Unread(keys) = &mut write.state else {
                return None;
            };
            Some((std::mem::take(keys), write.commit.token, write.epoch))
        })
    }

    /// Whether what the write with this token needs is read now.
    pub(crate) fn set(&mut self, token: u64, state: State) {
        let mut writes = self.writes.iter_mut();
        if let Some(write) = writes.find(|write| write.commit.token == token) {
            write.state = state;
        }
    }

    /// When the next one is to be given up.
    pub(crate) fn next_due_us(&self) -> Option<u64> {
        self.writes.iter().filter_map(|write| write.due_us).min()
    }

    /// Takes out those that have had their time; their tokens.
    pub(crate) fn take_overdue(&mut self, now_us: u64) -> Vec<u64> {
        let is_over = |write: &UpcomingWrite| write.due_us.is_some_and(|due_us| due_us <= now_us);
        let overdue = self.writes.iter().filter(|write| is_over(write));
        let overdue: Vec<u64> = overdue.map(|write| write.commit.token).collect();
        if !overdue.is_empty() {
            self.writes.retain(|write| !is_over(write));
            self.bytes = self.writes.iter().map(|write| weight(&write.commit)).sum();
        }
        overdue
    }

    /// Takes the first one, if it may be queued.
    pub(crate) fn pop_ready(&mut self) -> Option<UpcomingWrite> {
        if !self.is_ready() {
            return None;
        }
        let write = self.writes.pop_front()?;
        self.bytes -= weight(&write.commit);
        Some(write)
    }
}

/// Bytes that a commit holds.
fn weight(commit: &Commit) -> usize {
    let fields = commit.mutations.iter().map(|mutation| match mutation {
        Mutation::Put { key, value, .. } => key.len() + value.len() + REQUEST_COST_BYTES,
        Mutation::Delete { key, .. } => key.len() + REQUEST_COST_BYTES,
    });
    REQUEST_COST_BYTES + fields.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinetic_store::{Attributes, Durability, Expected, Priority};

    use super::*;
    use crate::net::buffers::inbox::{Inbox, completion};

    fn write(token: u64, bytes: usize, state: State) -> UpcomingWrite {
        let mutation = Mutation::Put {
            key: Bytes::from_static(b"key"),
            value: vec![0; bytes].into(),
            attributes: Attributes::default(),
            expected: Expected::Any,
        };
        let commit = Commit {
            mutations: vec![mutation],
            durability: Durability::WriteBack,
            priority: Priority::NORMAL,
            token,
            completion: completion(&Arc::<Inbox>::default()),
        };
        UpcomingWrite {
            commit,
            epoch: Some(1),
            due_us: None,
            state,
        }
    }

    #[test]
    fn writes_leave_in_the_order_in_which_they_came_however_their_reads_end() {
        let mut upcoming = Upcoming::default();
        let states = [State::Reading, State::Ready, State::Reading, State::Ready];
        for (token, state) in (1..).zip(states) {
            upcoming.push(write(token, 10, state));
        }
        let leave = |upcoming: &mut Upcoming| -> Vec<u64> {
            let ready = std::iter::from_fn(|| upcoming.pop_ready());
            ready.map(|write| write.commit.token).collect()
        };
        upcoming.set(3, State::Ready);
        assert!(leave(&mut upcoming).is_empty());
        upcoming.set(1, State::Ready);
        let first = upcoming.pop_ready().unwrap();
        upcoming.put_back(first);
        assert_eq!(leave(&mut upcoming), [1, 2, 3, 4]);
        assert!(upcoming.is_empty() && upcoming.bytes() == 0);
    }

    #[test]
    fn those_that_have_had_their_time_leave_and_the_others_stay_in_order() {
        let mut upcoming = Upcoming::default();
        for (token, due_us) in (1..).zip([None, Some(5), Some(9), None]) {
            let due = UpcomingWrite {
                due_us,
                ..write(token, 10, State::Ready)
            };
            upcoming.push(due);
        }
        assert_eq!(upcoming.next_due_us(), Some(5));
        assert!(upcoming.take_overdue(4).is_empty());
        assert_eq!(upcoming.take_overdue(5), [2]);
        assert_eq!(upcoming.next_due_us(), Some(9));
        let left = std::iter::from_fn(|| upcoming.pop_ready());
        assert_eq!(
            left.map(|it| it.commit.token).collect::<Vec<_>>(),
            [1, 3, 4]
        );
        assert_eq!(upcoming.bytes(), 0);
    }

    #[test]
    fn they_are_bounded_in_number_and_in_bytes() {
        let mut upcoming = Upcoming::default();
        for token in 0..UPCOMING_WRITES as u64 {
            assert!(!upcoming.is_full());
            upcoming.push(write(token, 0, State::Reading));
        }
        assert!(upcoming.is_full());
        let mut upcoming = Upcoming::default();
        upcoming.push(write(1, UPCOMING_BYTES, State::Reading));
        assert!(upcoming.is_full());
    }
}
