//! What a connection waits for, by token.

use crate::session::batches::Ended;
use crate::session::reply::Route;

/// A slab of routes: the way back for each answer that is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slots: Vec<Option<Waiting>>,
    free: Vec<u32>,
    count: usize,
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
        if let Some(token) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(token as usize)
        {
            *slot = Some(waiting);
            return u64::from(token);
        }
        self.slots.push(Some(waiting));
        self.slots.len() as u64 - 1
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, token: u64) -> Option<Waiting> {
        let waiting = self.slots.get_mut(usize::try_from(token).ok()?)?.take()?;
        self.count -= 1;
        if self.count == 0 {
            self.slots.clear();
            self.free.clear();
        } else if let Ok(token) = u32::try_from(token) {
            self.free.push(token);
        }
        Some(waiting)
    }
}
