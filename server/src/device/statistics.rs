//! Counters for each type of request since the start: how many, value bytes, longest latency.
//!
//! Guarantees: counters only grow. A connection counts in its own [`Tally`] and adds it in one go,
//! so that connections do not contend for a cache line at every request.

use std::sync::atomic::{AtomicU64, Ordering};

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::get_log;

/// Request types are even and at most 48.
const SLOTS: usize = 25;

/// Counters of the whole drive.
#[derive(Debug, Default)]
pub struct Statistics {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    count: AtomicU64,
    bytes: AtomicU64,
    max_latency_us: AtomicU64,
}

/// Counters of one connection that are not yet added to the drive's.
#[derive(Debug, Default)]
pub struct Tally {
    slots: [Count; SLOTS],
    dirty: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    count: u64,
    bytes: u64,
    max_latency_us: u64,
}

fn slot_of(request: MessageType) -> Option<usize> {
    request
        .is_request()
        .then(|| usize::try_from(request.0 / 2).ok())
        .flatten()
        .filter(|&slot| slot < SLOTS)
}

impl Tally {
    /// Counts one answered request with the bytes of its value, whichever way it went.
    pub fn count(&mut self, request: MessageType, value_bytes: u64, latency_us: u64) {
        let Some(slot) = slot_of(request) else { return };
        if let Some(count) = self.slots.get_mut(slot) {
            count.count += 1;
            count.bytes += value_bytes;
            count.max_latency_us = count.max_latency_us.max(latency_us);
            self.dirty |= 1 << slot;
        }
    }
}

impl Statistics {
    /// Adds a connection's counters and empties them.
    pub fn add(&self, tally: &mut Tally) {
        if tally.dirty == 0 {
            return;
        }
        for (slot, count) in self.slots.iter().zip(&mut tally.slots) {
            if count.count > 0 {
                slot.count.fetch_add(count.count, Ordering::Relaxed);
                slot.bytes.fetch_add(count.bytes, Ordering::Relaxed);
                slot.max_latency_us
                    .fetch_max(count.max_latency_us, Ordering::Relaxed);
                *count = Count::default();
            }
        }
        tally.dirty = 0;
    }

    /// One entry for each type of request that the protocol knows.
    pub fn to_message(&self) -> Vec<get_log::Statistics> {
        let entry = |request: &MessageType| {
            let slot = self.slots.get(slot_of(*request)?)?;
            Some(get_log::Statistics {
                message_type: Some(request.0),
                count: Some(slot.count.load(Ordering::Relaxed)),
                bytes: Some(slot.bytes.load(Ordering::Relaxed)),
                max_latency: Some(slot.max_latency_us.load(Ordering::Relaxed).div_ceil(1000)),
            })
        };
        MessageType::REQUESTS.iter().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_added_once() {
        let statistics = Statistics::default();
        let mut tally = Tally::default();
        tally.count(MessageType::PUT, 100, 1_500);
        tally.count(MessageType::PUT, 20, 10);
        tally.count(MessageType(1000), 1, 1);
        statistics.add(&mut tally);
        statistics.add(&mut tally);
        let entries = statistics.to_message();
        assert_eq!(entries.len(), MessageType::REQUESTS.len());
        let put = entries
            .iter()
            .find(|entry| entry.message_type == Some(MessageType::PUT.0))
            .unwrap();
        assert_eq!((put.count, put.bytes), (Some(2), Some(120)));
        assert_eq!(put.max_latency, Some(2));
    }
}
