//! What a connection waits for, by token.

use crate::session::batches::Ended;
use crate::session::manner::Manner;
use crate::session::reply::Route;

/// A slab of routes: the way back for each answer that is not there yet. No token comes twice within
/// so many requests as a `u32` counts: what is told of a request that was given up finds nothing.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slots: Vec<Option<(u32, Waiting)>>,
    free: Vec<u32>,
    count: usize,
    given: u32,
}

/// An answer that is not there yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The way back.
    pub(crate) route: Route,
    /// Bytes of the value that came with the request.
    pub(crate) value_bytes: u64,
    /// The batch that makes the answer.
    pub(crate) batch: Option<Box<Ended>>,
}

impl Waiting {
    /// A request on its own.
    pub(crate) fn of(route: Route, value_bytes: u64) -> Self {
        Self {
            route,
            value_bytes,
            batch: None,
        }
    }
}

impl Pending {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Remembers one; its token.
    pub(crate) fn insert(&mut self, waiting: Waiting) -> u64 {
        self.count += 1;
        self.given = self.given.wrapping_add(1);
        let entry = Some((self.given, waiting));
        let place = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(place as usize) {
            Some(slot) => *slot = entry,
            None => self.slots.push(entry),
        }
        u64::from(self.given) << 32 | u64::from(place)
    }

    /// How the request with this token wants to be done.
    pub(crate) fn manner_of(&self, token: u64) -> Manner {
        let slot = self.slots.get(token as u32 as usize);
        let waiting = slot.and_then(|slot| slot.as_ref());
        waiting.map_or_else(Manner::default, |(_, waiting)| waiting.route.manner)
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, token: u64) -> Option<Waiting> {
        let place = token as u32;
        let slot = self.slots.get_mut(place as usize)?;
        let given = u64::from(slot.as_ref()?.0);
        if given != token >> 32 {
            return None;
        }
        let (_, waiting) = slot.take()?;
        self.count -= 1;
        if self.count == 0 {
            self.slots.clear();
            self.free.clear();
        } else {
            self.free.push(place);
        }
        Some(waiting)
    }
}
