//! What was read from a place on the disk, kept in memory within a budget of bytes.
//!
//! Guarantee: what is kept weighs no more than the budget. With its life, a place is one as long as
//! the drive is open (epochs are used once; numbers of a group that was not written are used again,
//! but were never visible), so nothing that is kept gets old. The hasher is fixed, so that the same
//! reads keep the same things.
//! Not here: whether what is kept was verified: whoever puts it in has done that.

use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use xxhash_rust::xxh3::Xxh3;

use crate::layout::geometry::Location;

/// Bytes that the cache needs for something beside its weight.
const BOOKKEEPING: usize = 128;
const MOST_SHARDS: u64 = 16;
/// Of the largest things, so many have room in a shard.
const LARGEST_IN_SHARD: u64 = 16;
/// Things that a shard is made for at least.
const LEAST_ITEMS: u64 = 32;
const HIT_COUNTERS: usize = 8;

/// A place, and what tells it from the same one before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where it lies.
    pub location: Location,
    /// The epoch of its zone, or the number of the entry that refers to it.
    pub life: u64,
}

/// What a cache can keep.
pub trait Weighed: Clone {
    /// Bytes that it takes.
    fn weight(&self) -> usize;
}

/// How much a cache may hold; in bytes, none of them 0.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// In all.
    pub bytes: u64,
    /// Each thing, usually.
    pub usual: u64,
    /// Each thing, at most.
    pub most: u64,
}

#[derive(Debug, Clone, Copy)]
struct Weight;

impl<T: Weighed> Weighter<Place, T> for Weight {
    fn weight(&self, _: &Place, kept: &T) -> u64 {
        u64::try_from(kept.weight() + BOOKKEEPING).unwrap_or(u64::MAX)
    }
}

type FixedHasher = BuildHasherDefault<Xxh3>;

/// The cache.
pub struct PlaceCache<T> {
    kept: Cache<Place, T, Weight, FixedHasher>,
    /// One counter for each part of the places, so that threads rarely write to the same.
    hits: [CachePadded<AtomicU64>; HIT_COUNTERS],
    misses: AtomicU64,
    usual: u64,
}

impl<T> fmt::Debug for PlaceCache<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PlaceCache").finish_non_exhaustive()
    }
}

impl<T: Weighed> PlaceCache<T> {
    /// An empty one.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        let Budget { bytes, usual, most } = budget;
        let shards = (bytes / (LARGEST_IN_SHARD * most)).clamp(1, MOST_SHARDS);
        let items = (bytes / usual).max(LEAST_ITEMS * shards);
        let as_usize = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let mut options = OptionsBuilder::new();
        options
            .shards(as_usize(shards))
            .estimated_items_capacity(as_usize(items))
            .weight_capacity(bytes);
        let hasher = FixedHasher::default();
        let lifecycle = DefaultLifecycle::default();
        let kept = match options.build() {
            Ok(options) => Cache::with_options(options, Weight, hasher, lifecycle),
            Err(_incomplete) => Cache::with(as_usize(items), bytes, Weight, hasher, lifecycle),
        };
        Self {
            kept,
            hits: Default::default(),
            misses: AtomicU64::new(0),
            usual,
        }
    }

    /// What was put in there, if it is still kept.
    #[must_use]
    pub fn get(&self, place: &Place) -> Option<T> {
        let kept = self.kept.get(place);
        let Location { zone, offset } = place.location;
        let part = u64::from(zone.0) + u64::from(offset) / self.usual;
        let part = usize::try_from(part).unwrap_or_default() % HIT_COUNTERS;
        let counter = match (&kept, self.hits.get(part)) {
            (Some(_), Some(hits)) => hits,
            _ => &self.misses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Keeps it, in the room of something else where need be.
    pub fn insert(&self, place: Place, kept: T) {
        self.kept.insert(place, kept);
    }

    /// Reads answered from memory.
    #[must_use]
    pub fn hits(&self) -> u64 {
        let count = |part: &CachePadded<AtomicU64>| part.load(Ordering::Relaxed);
        self.hits.iter().map(count).sum()
    }

    /// Reads that were not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.kept.weight()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::layout::geometry::ZoneId;

    fn place(offset: u32, life: u64) -> Place {
        let zone = ZoneId(1);
        Place {
            location: Location { zone, offset },
            life,
        }
    }

    #[test]
    fn it_holds_no_more_than_its_budget_and_nothing_of_another_life() {
        let budget = Budget {
            bytes: 64 << 10,
            usual: 1024,
            most: 4096,
        };
        let cache = PlaceCache::new(budget);
        for offset in 0..1000 {
            cache.insert(place(offset, 1), Bytes::from(vec![7; 1000]));
            assert!(cache.weight() <= budget.bytes);
        }
        cache.insert(place(5, 2), Bytes::from_static(b"here"));
        assert_eq!(cache.get(&place(5, 2)).unwrap(), "here");
        assert_eq!(cache.get(&place(5, 3)), None);
        assert_eq!((cache.hits(), cache.misses()), (1, 1));
        cache.clear();
        assert_eq!((cache.get(&place(5, 2)), cache.weight()), (None, 0));
    }
}
