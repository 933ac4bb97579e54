//! What a drive may be told about memory and durability, and the reserve that follows from it.
//!
//! Guarantee: the reserve is a formula of geometry and options, so that a drive refuses puts
//! while it can still flush, merge and delete.

use crate::index::values::Checking;
use crate::layout::geometry::Geometry;
use crate::limits::{
    CACHE_BYTES, FREE_SHARE, FREE_ZONES, LOG_BYTES, MEMTABLE_BYTES, QUEUE_BYTES, READY_LOG_BYTES,
    READY_LOG_ZONES, SCAN_TOMBSTONES, SCRUB_EVERY_US, SCRUB_PACE, UNSYNCED_AGE_US, UNSYNCED_BYTES,
    VALUE_CACHE_BYTES,
};
use crate::run::AtDamage;

/// Options of an open drive; sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memtable size at which a flush is due; small drives use less.
    pub memtable_bytes: u64,
    /// Log since the last flush at which a flush is due; small drives use less.
    pub log_bytes: u64,
    /// Memory for blocks of runs.
    pub cache_bytes: u64,
    /// Memory for small values that were read; 0 for none.
    pub value_cache_bytes: u64,
    /// Written but not synced bytes at which writes wait.
    pub unsynced_bytes: u64,
    /// Age at which unsynced writes are synced, in microseconds.
    pub unsynced_age_us: u64,
    /// Bytes of commits that may wait in the queue.
    pub queue_bytes: u64,
    /// Share of all zones, in thousandths, that reclaim keeps free beyond the reserve.
    pub free_share: u64,
    /// Microseconds from the end of a round of scrub to the next one; 0 for no rounds by itself.
    pub scrub_every_us: u64,
    /// Bytes a second that scrub reads.
    pub scrub_pace: u64,
    /// Tombstones from which on a scan that steps over them counts for a merge.
    pub scan_tombstones: usize,
    /// Deliberate faults, for the proof that the power-cut check bites.
    #[cfg(feature = "sabotage")]
    pub sabotage: Sabotage,
}

/// Deliberate bugs that a test switches on to show that it would notice them. Only builds with the
/// feature `sabotage` can switch one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// None: the production engine.
    #[default]
    Off,
    /// Reports a sync without doing it.
    SkipSync,
    /// Answers writes that ask for durability before the sync.
    AnswerEarly,
    /// Goes on after a failed sync as if it had succeeded.
    SwallowSyncError,
    /// Serves values without verifying them, and replays groups without verifying values.
    IgnoreChecksums,
    /// Frees zones to which only memtables refer.
    FreeEarly,
    /// Drops tombstones in merges that leave older runs out.
    DropTombstones,
    /// Asks older runs where a block of a newer one cannot be read.
    FallThrough,
    /// Moves a value whatever its key refers to by then.
    MoveAlways,
    /// Goes on in the zone in which the boot before ended.
    AppendToOldZone,
    /// Writes another group where the disk did not take one, under the same nonces.
    ReuseNonce,
    /// Writes a batch in two groups.
    SplitBatch,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memtable_bytes: MEMTABLE_BYTES,
            log_bytes: LOG_BYTES,
            cache_bytes: CACHE_BYTES,
            value_cache_bytes: VALUE_CACHE_BYTES,
            unsynced_bytes: UNSYNCED_BYTES,
            unsynced_age_us: UNSYNCED_AGE_US,
            queue_bytes: QUEUE_BYTES,
            free_share: FREE_SHARE,
            scrub_every_us: SCRUB_EVERY_US,
            scrub_pace: SCRUB_PACE,
            scan_tombstones: SCAN_TOMBSTONES,
            #[cfg(feature = "sabotage")]
            sabotage: Sabotage::Off,
        }
    }
}

impl Options {
    /// The options as far as a drive of this geometry can take them.
    #[must_use]
    pub fn fitted(mut self, geometry: &Geometry) -> Self {
        self.memtable_bytes = self.memtable_bytes.min(geometry.bytes() / 256);
        self.log_bytes = self.log_bytes.min(geometry.bytes() / 8);
        self
    }

    /// Whether values are checked when they are read.
    #[must_use]
    pub fn checking(&self) -> Checking {
        if self.has(Sabotage::IgnoreChecksums) {
            Checking::Off
        } else {
            Checking::On
        }
    }

    /// What a search does at a block that cannot be read.
    #[must_use]
    pub fn at_damage(&self) -> AtDamage {
        if self.has(Sabotage::FallThrough) {
            AtDamage::LookFurther
        } else {
            AtDamage::Stop
        }
    }

    /// Whether this deliberate bug is switched on; never outside of test builds.
    #[must_use]
    pub fn has(&self, bug: Sabotage) -> bool {
        #[cfg(feature = "sabotage")]
        return self.sabotage == bug;
        #[cfg(not(feature = "sabotage"))]
        {
            let _never = bug;
            false
        }
    }
}

/// Zones that are kept back, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// Below this many free zones nothing but the manifest gets one.
    pub manifest: usize,
    /// Below this many, only the manifest and flushes get one.
    pub flush: usize,
    /// Below this many, the log gets none: even deletes are refused.
    pub delete: usize,
    /// Below this many, reclaim gets none: one is left for the log.
    pub reclaim: usize,
    /// Below this many, puts wait for reclaim, and are refused when it cannot help.
    pub put: usize,
    /// Below this many, reclaim begins.
    pub low: usize,
}

impl Reserve {
    /// The reserve of a drive whose runs take `index_bytes`: two zones for the manifest, a flush
    /// of the largest memtable, a merge of everything, since only that finds what died unnoticed,
    /// two flushes that come before it, which take room and make it larger, one zone of log for
    /// deletes, two for reclaim.
    #[must_use]
    pub fn of(geometry: &Geometry, options: &Options, index_bytes: u64) -> Self {
        let table = geometry.run_zones(options.memtable_bytes);
        let manifest = 2;
        let flush = manifest + table + 2;
        let merge = geometry.run_zones(index_bytes) + 4 * table;
        let delete = flush + merge + 1;
        let reclaim = delete + 1;
        let put = reclaim + 2;
        let share = u64::from(geometry.zones) * options.free_share / 1000;
        let low = put + usize::try_from(share).unwrap_or(usize::MAX).max(FREE_ZONES);
        Self {
            manifest,
            flush,
            delete,
            reclaim,
            put,
            low,
        }
    }
}

/// Log zones to keep allocated ahead of the writer.
#[must_use]
pub fn ready_zones(geometry: &Geometry) -> usize {
    let by_bytes = READY_LOG_BYTES / u64::from(geometry.zone_size);
    usize::try_from(by_bytes)
        .unwrap_or(usize::MAX)
        .clamp(1, READY_LOG_ZONES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_drive_keeps_less_than_a_quarter_back() {
        let geometry = Geometry::for_capacity(crate::limits::MIN_CAPACITY).unwrap();
        let reserve = Reserve::of(&geometry, &Options::default().fitted(&geometry), 0);
        assert!(reserve.put * 4 < 63, "{reserve:?}");
        assert!(reserve.manifest < reserve.flush && reserve.flush < reserve.delete);
        assert!(reserve.delete < reserve.put);
    }

    #[test]
    fn a_drive_of_16_gib_keeps_less_than_three_percent_back() {
        let geometry = Geometry::for_capacity(16 << 30).unwrap();
        let reserve = Reserve::of(&geometry, &Options::default().fitted(&geometry), 0);
        assert!(reserve.put * 100 < 3 * 1024, "{reserve:?}");
    }

    #[test]
    fn the_reserve_grows_with_the_index_so_that_all_of_it_can_be_merged() {
        let geometry = Geometry::for_capacity(16 << 30).unwrap();
        let options = Options::default().fitted(&geometry);
        let index = 600 << 20;
        let reserve = Reserve::of(&geometry, &options, index);
        let left = (reserve.delete - reserve.flush) as u64 * u64::from(geometry.zone_size);
        assert!(left > index, "{reserve:?}");
    }
}
