//! How a disk is cut into zones.
//!
//! Guarantee: zones are equal and cover the disk from its first byte; zone 0 holds the two
//! superblock slots and nothing else, so the zones of data are 1 and up. What is left over behind
//! the last whole zone is not used.
//! Not here: what a zone holds at the moment (`manifest`).

use crate::limits::{
    BLOCK, MAX_ZONE, MIN_CAPACITY, MIN_TEST_ZONE, MIN_ZONE, MIN_ZONES, RUN_SLACK,
    SNAPSHOT_PER_ZONE, ZONES_WANTED,
};

/// Number of a zone; zone 0 holds the superblocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ZoneId(pub u32);

/// A place on the disk inside one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// The zone.
    pub zone: ZoneId,
    /// Bytes from the start of the zone.
    pub offset: u32,
}

/// Capacity and zone size of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of each zone; a power of two.
    pub zone_size: u32,
    /// Zones, that of the superblocks included.
    pub zones: u32,
}

impl Geometry {
    /// Geometry of a drive of `capacity` bytes: about a thousand zones of 4 to 64 MiB.
    /// `None` when the capacity is below the smallest drive.
    #[must_use]
    pub fn for_capacity(capacity: u64) -> Option<Self> {
        if capacity < MIN_CAPACITY {
            return None;
        }
        let zone = (capacity / ZONES_WANTED)
            .next_power_of_two()
            .clamp(MIN_ZONE, MAX_ZONE);
        Self::with_zone_size(capacity, u32::try_from(zone).ok()?)
    }

    /// Geometry with zones of `zone_size` bytes. `None` when the size is no power of two, out of
    /// range, or leaves fewer zones than a drive needs or more than one zone's manifest can list.
    #[must_use]
    pub fn with_zone_size(capacity: u64, zone_size: u32) -> Option<Self> {
        let size = u64::from(zone_size);
        if !size.is_power_of_two() || !(MIN_TEST_ZONE..=MAX_ZONE).contains(&size) {
            return None;
        }
        let zones = u32::try_from(capacity / size).unwrap_or(u32::MAX);
        let snapshot = u64::from(zones) * SNAPSHOT_PER_ZONE + 4 * BLOCK;
        (zones >= MIN_ZONES && snapshot <= size).then_some(Self { zone_size, zones })
    }

    /// Byte of the disk at which `zone` starts.
    #[must_use]
    pub fn start(&self, zone: ZoneId) -> u64 {
        u64::from(zone.0) * u64::from(self.zone_size)
    }

    /// Byte of the disk of a place in a zone.
    #[must_use]
    pub fn position(&self, location: Location) -> u64 {
        self.start(location.zone) + u64::from(location.offset)
    }

    /// Whether `length` bytes at `location` lie in one zone of data.
    #[must_use]
    pub fn holds(&self, location: Location, length: u32) -> bool {
        let end = u64::from(location.offset) + u64::from(length);
        location.zone.0 >= 1 && location.zone.0 < self.zones && end <= u64::from(self.zone_size)
    }

    /// Bytes that the zones take, that of the superblocks included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.zones) * u64::from(self.zone_size)
    }

    /// Zones that a run takes whose blocks have so many bytes: neither the header of a zone nor its
    /// last bytes hold blocks.
    #[must_use]
    pub fn run_zones(&self, bytes: u64) -> usize {
        let zone = u64::from(self.zone_size);
        // In the small zones of tests a run has but a leaf and a small node open.
        let usable = zone - BLOCK - RUN_SLACK.min(zone / 4);
        usize::try_from(bytes.div_ceil(usable)).unwrap_or(usize::MAX)
    }

    /// Largest commit group, in bytes: half a zone, less a block of zone header.
    #[must_use]
    pub fn max_group(&self) -> u64 {
        u64::from(self.zone_size) / 2 - BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_drive_has_64_zones_of_4_mib() {
        let smallest = Geometry::for_capacity(MIN_CAPACITY).unwrap();
        assert_eq!(
            smallest,
            Geometry {
                zone_size: 4 << 20,
                zones: 64
            }
        );
        assert_eq!(Geometry::for_capacity(MIN_CAPACITY - 1), None);
    }

    #[test]
    fn sixteen_gib_make_1024_zones_of_16_mib() {
        let geometry = Geometry::for_capacity(16 << 30).unwrap();
        assert_eq!(
            geometry,
            Geometry {
                zone_size: 16 << 20,
                zones: 1024
            }
        );
    }

    #[test]
    fn more_zones_than_a_manifest_can_list_are_refused() {
        assert!(Geometry::with_zone_size(500 * (64 << 10), 64 << 10).is_some());
        assert_eq!(Geometry::with_zone_size(1700 * (64 << 10), 64 << 10), None);
    }

    #[test]
    fn large_disks_get_zones_of_64_mib() {
        let geometry = Geometry::for_capacity(20_000_000_000_000).unwrap();
        assert_eq!(u64::from(geometry.zone_size), MAX_ZONE);
        assert_eq!(geometry.zones, 298_023);
    }

    #[test]
    fn a_place_past_the_end_of_its_zone_is_not_held() {
        let geometry = Geometry {
            zone_size: 1 << 16,
            zones: 64,
        };
        let last = Location {
            zone: ZoneId(63),
            offset: (1 << 16) - 1,
        };
        assert!(geometry.holds(last, 1));
        assert!(!geometry.holds(last, 2));
        assert!(!geometry.holds(
            Location {
                zone: ZoneId(64),
                offset: 0
            },
            1
        ));
        assert!(!geometry.holds(
            Location {
                zone: ZoneId(0),
                offset: 0
            },
            1
        ));
    }
}
