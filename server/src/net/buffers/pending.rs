//! What a connection waits for, by token.

use crate::session::batches::Ended;
use crate::session::manner::Manner;
use crate::session::reply::Route;

/// A slab of routes: the way back for each answer that is not there yet. No token comes twice
/// within so many requests as a `u32` counts: what is told of a request that was given up finds
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slots: Vec<Option<(u32, Waiting)>>,
    free: Vec<usize>,
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
    /// Bytes of the request that a disk read works on.
    pub(crate) asked_bytes: usize,
    /// The batch that makes the answer.
    pub(crate) batch: Option<Box<Ended>>,
}

impl Waiting {
    /// A request on its own.
    pub(crate) fn of(route: Route, value_bytes: u64) -> Self {
        Self {
            route,
            value_bytes,
            asked_bytes: 0,
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
        let place = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(place) {
            Some(slot) => *slot = entry,
            None => self.slots.push(entry),
        }
        u64::from(self.given) << 32 | place as u64
    }

    /// How the request with this token wants to be done.
    pub(crate) fn manner_of(&self, token: u64) -> Manner {
        let slot = place_of(token).and_then(|place| self.slots.get(place)?.as_ref());
        slot.map_or_else(Manner::default, |(_, waiting)| waiting.route.manner)
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, token: u64) -> Option<Waiting> {
        let place = place_of(token)?;
        let slot = self.slots.get_mut(place)?;
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

/// Where in the slab a token points: its lower half.
fn place_of(token: u64) -> Option<usize> {
    usize::try_from(token & u64::from(u32::MAX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::reply::Signer;

    fn waiting(sequence: u64) -> Waiting {
        let route = Route {
            signer: Signer::Pin,
            connection_id: 1,
            sequence,
            request: kinetic_proto::MessageType::GET,
            arrived_us: 0,
            manner: Manner::default(),
            epoch: None,
            cluster_version: None,
        };
        Waiting::of(route, 0)
    }

    #[test]
    fn what_is_told_of_a_request_that_is_gone_finds_none_that_has_its_place() {
        let mut pending = Pending::default();
        let first = pending.insert(waiting(1));
        assert_eq!(pending.remove(first).unwrap().route.sequence, 1);
        for sequence in 2..10 {
            let next = pending.insert(waiting(sequence));
            assert!(next != first && pending.remove(first).is_none());
            assert_eq!(pending.remove(next).unwrap().route.sequence, sequence);
            assert_eq!(pending.len(), 0);
        }
        let tokens = [1, 2, 3].map(|sequence| pending.insert(waiting(sequence)));
        assert!(pending.remove(tokens[1]).is_some() && pending.remove(tokens[1]).is_none());
        assert_eq!(pending.remove(tokens[2]).unwrap().route.sequence, 3);
    }
}
