//! The connections that are open, so that they can be counted and told to stop.
//!
//! Guarantee: a connection is in it exactly as long as its entry lives, and its inbox knows when it
//! has gone. Bounded by the limit of connections. Also here: what all connections together hold in
//! memory, and who may go on reading when that is too much.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffers::inbox::Inbox;
use super::buffers::intake::Room;
use crate::limits::{ALL_UNSENT_BYTES, BUFFERED_BYTES, FRAME_PERMITS};

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inboxes: Mutex<BTreeMap<i64, Arc<Inbox>>>,
    buffered: AtomicU64,
    unsent: AtomicU64,
    permits_taken: AtomicUsize,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Inbox>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Bytes of requests and answers that all of them hold.
    pub(crate) fn buffered(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Enters a connection.
    pub(crate) fn enter(self: &Arc<Self>, id: i64, inbox: &Arc<Inbox>) -> Entry {
        self.lock().insert(id, Arc::clone(inbox));
        Entry {
            registry: Arc::clone(self),
            id,
            buffered: 0,
            unsent: 0,
            permit: Permit::NotHeld,
        }
    }

    /// Tells all connections to come to an end.
    pub(crate) fn stop(&self) {
        self.lock().values().for_each(|inbox| inbox.stop());
    }
}

/// A connection's place in the registry.
#[derive(Debug)]
pub(crate) struct Entry {
    registry: Arc<Registry>,
    id: i64,
    buffered: u64,
    unsent: u64,
    permit: Permit,
}

/// The permission to complete a frame although memory is scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permit {
    Held,
    NotHeld,
}

impl Entry {
    /// Reports how much the connection holds now.
    pub(crate) fn set_buffered(&mut self, bytes: usize) {
        tell(&self.registry.buffered, &mut self.buffered, bytes);
    }

    /// Reports how much of that is answers, or will be.
    pub(crate) fn set_unsent(&mut self, bytes: usize) {
        tell(&self.registry.unsent, &mut self.unsent, bytes);
    }

    /// Whether the answers of all connections together leave room for more.
    pub(crate) fn answer_room(&self) -> Room {
        if self.registry.unsent.load(Ordering::Relaxed) < ALL_UNSENT_BYTES {
            Room::Enough
        } else {
            Room::Scarce
        }
    }

    /// Whether all connections together leave room for more.
    pub(crate) fn room(&self) -> Room {
        if self.registry.buffered.load(Ordering::Relaxed) < BUFFERED_BYTES {
            Room::Enough
        } else {
            Room::Scarce
        }
    }

    /// Takes the permission to complete a frame, or has it already. Only so many have it at once.
    pub(crate) fn take_permit(&mut self) -> bool {
        if self.permit == Permit::NotHeld {
            let more = |taken: usize| (taken < FRAME_PERMITS).then_some(taken + 1);
            let taken = &self.registry.permits_taken;
            let order = Ordering::Relaxed;
            if taken.fetch_update(order, order, more).is_err() {
                return false;
            }
            self.permit = Permit::Held;
        }
        true
    }

    /// Gives it back, if it is held.
    pub(crate) fn give_back_permit(&mut self) {
        if self.permit == Permit::Held {
            self.permit = Permit::NotHeld;
            self.registry.permits_taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.set_buffered(0);
        self.set_unsent(0);
        self.give_back_permit();
        let inbox = self.registry.lock().remove(&self.id);
        if let Some(inbox) = inbox {
            inbox.leave();
        }
    }
}

/// Adds what a connection holds more than before to a total, or takes off what it holds less.
fn tell(total: &AtomicU64, before: &mut u64, bytes: usize) {
    let bytes = bytes as u64;
    if bytes > *before {
        total.fetch_add(bytes - *before, Ordering::Relaxed);
    } else if bytes < *before {
        total.fetch_sub(*before - bytes, Ordering::Relaxed);
    }
    *before = bytes;
}
