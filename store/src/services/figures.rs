//! All that an open store has counted, at one moment.
//!
//! Guarantee: from memory, and cheap enough to be asked for every second: it takes no lock for
//! longer than it takes to read a number.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::{PlaceCache, Weighed};
use crate::engine::counters::HistogramFigures;
use crate::store::{Status, Store};

/// Figures of an open store for whoever watches it. What is counted is counted since the opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The figures that are in the status, too.
    pub status: Status,
    /// Zones that nothing uses.
    pub free_zones: u64,
    /// Commits that wait for the writer.
    pub queued_commits: u64,
    /// Bytes of those.
    pub queued_bytes: u64,
    /// Commits that were answered, or wait for a sync alone.
    pub commits: u64,
    /// Bytes of keys and values of puts that were done.
    pub put_bytes: u64,
    /// Bytes that the disk has taken, whatever for.
    pub written_bytes: u64,
    /// How many commits groups had.
    pub group_commits: HistogramFigures,
    /// How many bytes groups had.
    pub group_sizes: HistogramFigures,
    /// How long syncs took, in microseconds.
    pub sync_times: HistogramFigures,
    /// Blocks of runs that are kept in memory.
    pub block_cache: CacheFigures,
    /// Small values that are kept in memory.
    pub value_cache: CacheFigures,
    /// Bytes of entries that are in no run yet.
    pub memtable_bytes: u64,
    /// Reads that met damaged values.
    pub damaged_values: u64,
    /// Reads that met damaged blocks of runs.
    pub damaged_blocks: u64,
    /// Reads of reclaim that met damaged groups of the log.
    pub damaged_groups: u64,
}

/// Figures of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheFigures {
    /// Looks that found what they looked for.
    pub hits: u64,
    /// Looks that did not.
    pub misses: u64,
    /// Bytes in use.
    pub bytes: u64,
}

impl CacheFigures {
    fn of<T: Weighed>(cache: &PlaceCache<T>) -> Self {
        Self {
            hits: cache.hits(),
            misses: cache.misses(),
            bytes: cache.weight(),
        }
    }
}

impl Store {
    /// All figures of now; from memory.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let shared = &self.inner.shared;
        let counters = &shared.counters;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (queued_commits, queued_bytes) = shared.queue.waiting();
        let view = shared.view();
        let frozen = view
            .frozen
            .as_ref()
            .map_or(0, |frozen| frozen.table.bytes());
        Figures {
            status: self.status(),
            free_zones: load(&shared.space.free_zones),
            queued_commits: queued_commits as u64,
            queued_bytes,
            commits: load(&counters.commits),
            put_bytes: load(&counters.put_bytes),
            written_bytes: load(&shared.traffic.written_bytes),
            group_commits: counters.group_commits.figures(),
            group_sizes: counters.group_sizes.figures(),
            sync_times: counters.sync_times.figures(),
            block_cache: CacheFigures::of(shared.reader.cache()),
            value_cache: shared
                .values
                .cache()
                .map(CacheFigures::of)
                .unwrap_or_default(),
            memtable_bytes: view.active.bytes() + frozen,
            damaged_values: load(&counters.damaged_values),
            damaged_blocks: load(&counters.damaged_blocks),
            damaged_groups: load(&counters.damaged_groups),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::disk::MemoryDisk;
    use crate::{
        Attributes, Commit, CommitError, Completion, Durability, Effort, Expected, FormatOptions,
        Mutation, Options, Priority, Step,
    };

    struct Nobody;

    impl Completion for Nobody {
        fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
            outcome.unwrap();
        }
    }

    fn store() -> Store {
        let disk = Arc::new(MemoryDisk::new(32 << 20));
        let options = FormatOptions {
            uuid: [7; 16],
            entropy: [1; 32],
            zone_size: Some(64 << 10),
        };
        crate::format(&*disk, &options).unwrap();
        Store::open(disk, Options::default(), [2; 32], None).unwrap()
    }

    fn put(store: &Store, key: &'static [u8]) {
        let mutation = Mutation::Put {
            key: Bytes::from_static(key),
            value: Bytes::from(vec![7; 1000]),
            attributes: Attributes::default(),
            expected: Expected::Any,
        };
        let commit = Commit {
            mutations: vec![mutation],
            durability: Durability::WriteThrough,
            priority: Priority::NORMAL,
            token: 0,
            completion: Arc::new(Nobody),
        };
        store.submit(commit).unwrap();
    }

    #[test]
    fn commits_are_queued_then_one_group_then_synced_by_the_clock() {
        let store = store();
        while store.step_upkeep(0) == Step::Worked {}
        put(&store, b"one");
        put(&store, b"two");
        let queued = store.figures();
        assert_eq!((queued.queued_commits, queued.commits), (2, 0));
        assert!(queued.queued_bytes > 2000);
        assert_eq!(store.step_writer(), Step::Worked);
        let written = store.figures();
        assert_eq!((written.queued_commits, written.queued_bytes), (0, 0));
        assert_eq!((written.commits, written.put_bytes), (2, 2006));
        assert_eq!(
            (written.group_commits.count(), written.group_commits.sum),
            (1, 2)
        );
        assert_eq!(written.group_sizes.sum, written.status.group_bytes);
        let more = written.written_bytes - queued.written_bytes;
        assert_eq!(
            more, written.status.group_bytes,
            "all that went to the disk"
        );
        assert!(written.memtable_bytes > queued.memtable_bytes);
        let (time, clock) = (Arc::new(AtomicU64::new(0)), 700);
        let ticks = Arc::clone(&time);
        let tick = move || ticks.fetch_add(clock, Ordering::Relaxed);
        store.inner.shared.measure_by(Box::new(tick));
        while store.step_syncer(0) == Step::Worked {}
        let synced = store.figures();
        assert_eq!(
            (synced.sync_times.count(), synced.sync_times.sum),
            (1, clock)
        );
        assert_eq!(synced.status.syncs, written.status.syncs + 1);
    }

    #[test]
    fn a_value_that_is_read_twice_is_a_miss_and_a_hit() {
        let store = store();
        while store.step_upkeep(0) == Step::Worked {}
        put(&store, b"key");
        assert_eq!(store.step_writer(), Step::Worked);
        for _read in 0..2 {
            store.get(b"key", Effort::Disk).unwrap();
        }
        let cache = store.figures().value_cache;
        assert_eq!((cache.hits, cache.misses), (1, 1));
        assert!(cache.bytes > 1000);
    }
}
