//! What the engine counts, for whoever watches the drive.
//!
//! Guarantee: counters only grow while the store is open, and counting takes neither a lock nor a
//! clock: who knows how long something took says so.
//! Not here: figures that are read off what is there (space, caches, queues).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{GROUP_BYTES_BOUNDS, GROUP_COMMITS_BOUNDS, SYNC_US_BOUNDS};

/// Counters since the store was opened.
#[derive(Debug)]
pub struct Counters {
    /// Commits that the writer has answered or lets wait for a sync.
    pub commits: AtomicU64,
    /// Bytes of keys and values of puts that were done.
    pub put_bytes: AtomicU64,
    /// Commit groups written.
    pub groups: AtomicU64,
    /// Bytes of commit groups written.
    pub group_bytes: AtomicU64,
    /// How many commits groups had; moves of reclaim are none.
    pub group_commits: Histogram,
    /// How many bytes groups had.
    pub group_sizes: Histogram,
    /// Syncs of the disk.
    pub syncs: AtomicU64,
    /// How long they took, in microseconds, where the store was given a clock.
    pub sync_times: Histogram,
    /// Bytes of runs written.
    pub run_bytes: AtomicU64,
    /// Bytes of the manifest written.
    pub manifest_bytes: AtomicU64,
    /// Version checks for which the writer had to read the disk.
    pub writer_reads: AtomicU64,
    /// Reads of values that met bytes which are not what was written.
    pub damaged_values: AtomicU64,
    /// The same of blocks of runs.
    pub damaged_blocks: AtomicU64,
    /// The same of groups of the log, when reclaim read them back.
    pub damaged_groups: AtomicU64,
    /// Flushes of a memtable.
    pub flushes: AtomicU64,
    /// Merges of runs.
    pub merges: AtomicU64,
    /// Values that were moved.
    pub moves: AtomicU64,
    /// Bytes written to cold zones.
    pub cold_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            commits: AtomicU64::default(),
            put_bytes: AtomicU64::default(),
            groups: AtomicU64::default(),
            group_bytes: AtomicU64::default(),
            group_commits: Histogram::new(GROUP_COMMITS_BOUNDS),
            group_sizes: Histogram::new(GROUP_BYTES_BOUNDS),
            syncs: AtomicU64::default(),
            sync_times: Histogram::new(SYNC_US_BOUNDS),
            run_bytes: AtomicU64::default(),
            manifest_bytes: AtomicU64::default(),
            writer_reads: AtomicU64::default(),
            damaged_values: AtomicU64::default(),
            damaged_blocks: AtomicU64::default(),
            damaged_groups: AtomicU64::default(),
            flushes: AtomicU64::default(),
            merges: AtomicU64::default(),
            moves: AtomicU64::default(),
            cold_bytes: AtomicU64::default(),
        }
    }
}

impl Counters {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Counts a group that was written.
    pub fn count_group(&self, bytes: u64) {
        Self::add(&self.groups, 1);
        Self::add(&self.group_bytes, bytes);
        self.group_sizes.record(bytes);
    }

    /// Reads that met damage, of whatever kind.
    #[must_use]
    pub fn damage_seen(&self) -> u64 {
        let kinds = [
            &self.damaged_values,
            &self.damaged_blocks,
            &self.damaged_groups,
        ];
        kinds.map(|kind| kind.load(Ordering::Relaxed)).iter().sum()
    }
}

/// How often a number fell between which bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, up to it and including it, and one beyond all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramFigures {
    /// Upper bounds, growing.
    pub bounds: &'static [u64],
    /// How many were up to each bound and beyond the one before; one more than bounds.
    pub counts: Vec<u64>,
    /// Sum of all that was counted.
    pub sum: u64,
}

impl HistogramFigures {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Histogram {
    /// An empty one with these upper bounds, which grow.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::default()).collect(),
            sum: AtomicU64::default(),
        }
    }

    /// Counts a number.
    pub fn record(&self, number: u64) {
        let place = self.bounds.partition_point(|bound| *bound < number);
        self.add((place, 1), number);
    }

    /// Counts so many that fall into one place, counted from 0, whose sum is this.
    pub fn add(&self, (place, count): (usize, u64), sum: u64) {
        if let Some(one) = self.counts.get(place) {
            one.fetch_add(count, Ordering::Relaxed);
            self.sum.fetch_add(sum, Ordering::Relaxed);
        }
    }

    /// As it stands.
    #[must_use]
    pub fn figures(&self) -> HistogramFigures {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HistogramFigures {
            bounds: self.bounds,
            counts: self.counts.iter().map(load).collect(),
            sum: load(&self.sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_up_to_the_first_bound_that_is_not_below_it() {
        let histogram = Histogram::new(&[10, 20]);
        for number in [0, 10, 11, 20, 21, 1000] {
            histogram.record(number);
        }
        let figures = histogram.figures();
        assert_eq!(figures.counts, [2, 2, 2]);
        assert_eq!((figures.count(), figures.sum), (6, 1062));
    }
}
