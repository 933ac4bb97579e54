//! Lanes: sources of commits, such as connections, and the places of commits in them.
//!
//! Guarantee: the commits of a lane are numbered in the order in which they were queued and take
//! effect in that order, so that "everything up to this ticket" means something within a lane.
//! Between lanes there is no order, but for flushes, which wait for all.
//! Not here: how lanes share the writer (`turns`) and the queue (`admission`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::commit::Waiter;

/// A source of commits. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Lane(Arc<Source>);

struct Source {
    number: u64,
    submitted: AtomicU64,
    published: AtomicU64,
    /// Hears when a commit that was refused for want of room can be queued.
    room: Option<Waiter>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lane")
            .field("number", &self.0.number)
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(number: u64, room: Option<Waiter>) -> Self {
        Self(Arc::new(Source {
            number,
            submitted: AtomicU64::new(0),
            published: AtomicU64::new(0),
            room,
        }))
    }

    /// By which the queue knows it.
    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    /// The place of the next commit. Only whoever holds the queue asks for one.
    pub(super) fn next_ticket(&self) -> Ticket {
        let number = self.0.submitted.fetch_add(1, Ordering::Relaxed) + 1;
        Ticket {
            lane: self.clone(),
            number,
        }
    }

    /// The last ticket that was given.
    pub(super) fn last_ticket(&self) -> Ticket {
        Ticket {
            lane: self.clone(),
            number: self.0.submitted.load(Ordering::Relaxed),
        }
    }

    /// Whether somebody wants to know when there is room.
    pub(super) fn wants_room(&self) -> bool {
        self.0.room.is_some()
    }

    /// Tells it that there is room.
    pub(super) fn tell_room(&self) {
        if let Some(waiter) = &self.0.room {
            waiter.tell(Ok(()));
        }
    }
}

/// Place of a commit in its lane.
#[derive(Debug, Clone)]
pub struct Ticket {
    lane: Lane,
    number: u64,
}

impl Ticket {
    /// Whether everything of its lane up to here is visible to reads, or was refused.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.lane.0.published.load(Ordering::Acquire) >= self.number
    }

    /// It is now. In the order of the lane.
    pub(crate) fn publish(&self) {
        self.lane.0.published.store(self.number, Ordering::Release);
    }

    /// Its lane.
    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }
}
