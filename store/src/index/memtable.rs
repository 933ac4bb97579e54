//! The memtable: entries of the mutations that no run holds yet, in key order.
//!
//! Guarantee: the records of one commit group appear together, under one write lock; a key that is
//! overwritten is never absent in between. No lock is held over disk I/O, and a scan copies a
//! bounded chunk at a time.
//! Not here: values; they lie in the log.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::entry::{Entry, Key, State};
use crate::run::Direction;

/// Bytes that an entry costs beside its key, version and tag: its place in a node that is three
/// quarters full, less what a short key has of it.
const OVERHEAD: u64 = 112;

/// Entries in key order.
#[derive(Debug, Default)]
pub struct Memtable {
    map: RwLock<BTreeMap<Key, Entry>>,
    bytes: AtomicU64,
}

impl Memtable {
    /// The entry of `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Entry> {
        self.map
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Puts the entries of one commit group in, all at once.
    pub fn apply(&self, entries: impl IntoIterator<Item = (Key, Entry)>) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = self.bytes.load(Ordering::Relaxed);
        for (key, entry) in entries {
            let added = OVERHEAD + key.len() as u64 + attribute_bytes(&entry);
            let key_bytes = key.len() as u64;
            bytes += added;
            if let Some(old) = map.insert(key, entry) {
                bytes -= OVERHEAD + key_bytes + attribute_bytes(&old);
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of memory, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Number of entries, tombstones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies up to `count` entries from `from` on, in the direction of the scan.
    #[must_use]
    pub fn chunk(
        &self,
        from: Bound<&[u8]>,
        direction: Direction,
        count: usize,
    ) -> Vec<(Key, Entry)> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let copy = |(key, entry): (&Key, &Entry)| (key.clone(), entry.clone());
        match direction {
            Direction::Forward => map
                .range::<[u8], _>((from, Bound::Unbounded))
                .take(count)
                .map(copy)
                .collect(),
            Direction::Backward => map
                .range::<[u8], _>((Bound::Unbounded, from))
                .rev()
                .take(count)
                .map(copy)
                .collect(),
        }
    }
}

fn attribute_bytes(entry: &Entry) -> u64 {
    match &entry.state {
        State::Live(attributes, _) => attributes.length() as u64,
        State::Deleted => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Attributes, Seqno, ValueRef};

    fn live(seqno: u64, version: &[u8]) -> Entry {
        let attributes = Attributes::new(version, b"", None);
        Entry {
            seqno: Seqno(seqno),
            state: State::Live(attributes, ValueRef::default()),
        }
    }

    #[test]
    fn bytes_follow_inserts_and_overwrites() {
        let table = Memtable::default();
        table.apply([(Key::from_slice(b"key"), live(1, b"0123456789"))]);
        assert_eq!(table.bytes(), OVERHEAD + 13);
        table.apply([(Key::from_slice(b"key"), live(2, b""))]);
        assert_eq!((table.bytes(), table.len()), (OVERHEAD + 3, 1));
    }

    #[test]
    fn chunks_run_both_ways_from_every_bound() {
        let table = Memtable::default();
        table.apply([b"a", b"b", b"c"].map(|key| (Key::from_slice(key), live(1, b""))));
        let keys = |from: Bound<&[u8]>, direction| -> Vec<u8> {
            table
                .chunk(from, direction, 2)
                .iter()
                .flat_map(|(key, _)| key.to_vec())
                .collect()
        };
        assert_eq!(keys(Bound::Unbounded, Direction::Forward), b"ab");
        assert_eq!(keys(Bound::Excluded(b"a"), Direction::Forward), b"bc");
        assert_eq!(keys(Bound::Included(b"b"), Direction::Backward), b"ba");
        assert_eq!(keys(Bound::Unbounded, Direction::Backward), b"cb");
    }
}
