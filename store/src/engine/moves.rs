//! Moves: values that reclaim has copied, on their way into the log.
//!
//! Guarantee: handed in by reclaim one list at a time, taken by the writer, answered once. A list
//! that the writer has not taken can be withdrawn.
//! Not here: which moves are still true when their turn comes (`writer`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::entry::{Entry, Key, State};
use crate::layout::geometry::Location;
use crate::log::record;

/// A value that lies in two places; the key is to refer to the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The key.
    pub key: Key,
    /// Its entry when the value was copied: the move is done only if it still is this one.
    pub from: Entry,
    /// Where the copy lies; it is synced.
    pub to: Location,
}

impl Move {
    /// Bytes of its record in a group.
    #[must_use]
    pub fn record_length(&self) -> usize {
        let attributes = match &self.from.state {
            State::Live(attributes, _) => Some(attributes),
            State::Deleted => None,
        };
        record::encoded_length(&self.key, attributes)
    }
}

/// What became of a list of moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Those that were still true are in the group with this number.
    Logged(u64),
    /// None of them was true any more.
    Outdated,
    /// The log did not take them; nothing was moved.
    Refused,
}

/// Where moves are handed over.
#[derive(Debug, Default)]
pub struct Moves {
    desk: Mutex<Desk>,
    /// Whether the writer has something to take; read without the lock.
    waiting: AtomicBool,
}

#[derive(Debug, Default)]
enum Desk {
    #[default]
    Empty,
    Waiting(Vec<Move>),
    Taken,
    Answered(Moved),
}

impl Moves {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands moves to the writer.
    pub fn hand_in(&self, moves: Vec<Move>) {
        *self.lock() = Desk::Waiting(moves);
        self.waiting.store(true, Ordering::Release);
    }

    /// Whether the writer has something to take.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Whether there is an answer to take.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(*self.lock(), Desk::Answered(_))
    }

    /// The answer, once there is one.
    pub fn outcome(&self) -> Option<Moved> {
        let mut desk = self.lock();
        let Desk::Answered(moved) = *desk else {
            return None;
        };
        *desk = Desk::Empty;
        Some(moved)
    }

    /// Takes moves back that the writer has not taken; `false` where it has.
    pub fn withdraw(&self) -> bool {
        let mut desk = self.lock();
        let waiting = matches!(*desk, Desk::Waiting(_));
        if waiting {
            *desk = Desk::Empty;
            self.waiting.store(false, Ordering::Release);
        }
        waiting
    }

    /// Moves for the writer, which answers them or puts them back in the same step.
    pub fn take(&self) -> Option<Vec<Move>> {
        if !self.is_waiting() {
            return None;
        }
        let mut desk = self.lock();
        self.waiting.store(false, Ordering::Release);
        match std::mem::replace(&mut *desk, Desk::Taken) {
            Desk::Waiting(moves) => Some(moves),
            other => {
                *desk = other;
                None
            }
        }
    }

    /// The writer cannot do them yet.
    pub fn put_back(&self, moves: Vec<Move>) {
        self.hand_in(moves);
    }

    /// The writer tells what became of them.
    pub fn answer(&self, moved: Moved) {
        *self.lock() = Desk::Answered(moved);
    }
}
