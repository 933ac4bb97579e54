//! Connections that came, and what went wrong with them.
//!
//! Guarantee: counters only grow, and each event counts once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// A connection was let in by the plain port.
    AcceptedPlain,
    /// A connection was let in by the port for TLS, its handshake still to come.
    AcceptedTls,
    /// A connection was refused at the plain port, since there were too many.
    RefusedPlain,
    /// The same at the port for TLS.
    RefusedTls,
    /// A TLS handshake did not come to its end.
    FailedHandshake,
    /// A message was not signed, or not as its identity signs; its connection was ended.
    HmacFailure,
    /// A wrong PIN for locking or unlocking.
    WrongLockPin,
    /// A wrong PIN for erasing.
    WrongErasePin,
}

const KINDS: usize = Incident::WrongErasePin as usize + 1;

/// Counters of the whole drive.
#[derive(Debug, Default)]
pub struct Incidents {
    counters: [AtomicU64; KINDS],
}

impl Incidents {
    /// Counts one.
    pub fn count(&self, incident: Incident) {
        if let Some(counter) = self.counters.get(incident as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn of(&self, incident: Incident) -> u64 {
        let counter = self.counters.get(incident as usize);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_counter_of_its_own() {
        let incidents = Incidents::default();
        incidents.count(Incident::AcceptedPlain);
        incidents.count(Incident::WrongErasePin);
        incidents.count(Incident::WrongErasePin);
        assert_eq!(incidents.of(Incident::AcceptedPlain), 1);
        assert_eq!(incidents.of(Incident::AcceptedTls), 0);
        assert_eq!(incidents.of(Incident::WrongErasePin), 2);
    }
}
