//! A drive that takes more of its disk: more zones of the same size.
//!
//! Guarantee: nothing that is stored is touched, and nothing but the two superblock slots is
//! written, each synced; a power cut leaves the old size or the new one, with all data. It takes no
//! key: the data key is bound to identity and seal of the drive, not to its size.
//! Not here: making the file longer, which comes first; shrinking, which there is not.

use std::io;

use thiserror::Error;

use super::slots::{self, SlotsError};
use crate::disk::Disk;
use crate::layout::geometry::Geometry;
use crate::layout::superblock::{DriveState, Superblock};
use crate::limits::{BLOCK, SNAPSHOT_PER_ZONE};

/// Why a drive does not grow.
#[derive(Debug, Error)]
pub enum GrowError {
    /// There is no drive that could.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// An erase was cut short.
    #[error("the drive is being erased; start it with kineticd, so that the erase is finished")]
    Erasing,
    /// Drives do not shrink.
    #[error(
        "the drive has {present} bytes and does not shrink to {wanted}; to have a smaller one, \
         export it and import it into a new one"
    )]
    Shrinks {
        /// Bytes of the drive.
        present: u64,
        /// Bytes asked for.
        wanted: u64,
    },
    /// There would be no zone more.
    #[error(
        "{wanted} bytes add no whole zone of {zone} bytes to a drive of {present}; the next \
         larger drive has {least}"
    )]
    NoZone {
        /// Bytes of the drive.
        present: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes of a zone.
        zone: u32,
        /// Bytes of a drive with one zone more.
        least: u64,
    },
    /// The manifest could not list so many zones.
    #[error(
        "{wanted} bytes are too many for zones of {zone} bytes, of which a drive has {limit} \
         bytes at most; make a larger drive anew, and move the data to it"
    )]
    TooLarge {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes of a zone.
        zone: u32,
        /// Most bytes of a drive with such zones.
        limit: u64,
    },
    /// The disk is not so long.
    #[error("the disk has {found} bytes, and the drive is to have {wanted}")]
    Disk {
        /// Bytes of the disk.
        found: u64,
        /// Bytes asked for.
        wanted: u64,
    },
    /// The disk did not take it.
    #[error("writing the superblocks failed: {0}; the drive is as it was, or has grown")]
    Write(#[source] io::Error),
}

/// A drive before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes of the drive before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
    /// Zones before.
    pub old: Geometry,
    /// Zones after.
    pub new: Geometry,
}

/// Most bytes of a drive with zones of this size: what one zone's manifest can list.
#[must_use]
pub fn most_bytes(zone_size: u32) -> u64 {
    let size = u64::from(zone_size);
    let zones = size.saturating_sub(4 * BLOCK) / SNAPSHOT_PER_ZONE;
    (zones + 1).saturating_mul(size).saturating_sub(1)
}

/// What growing to so many bytes would come to; nothing is written, and the disk need not be as
/// long yet.
pub fn growth(disk: &dyn Disk, wanted: u64) -> Result<Growth, GrowError> {
    let superblock = slots::choose(disk)?;
    let present = superblock.capacity;
    let old = superblock.geometry;
    let zone = old.zone_size;
    if superblock.state == DriveState::Erasing {
        return Err(GrowError::Erasing);
    }
    if wanted < present {
        return Err(GrowError::Shrinks { present, wanted });
    }
    let limit = most_bytes(zone);
    if wanted > limit {
        return Err(GrowError::TooLarge {
            wanted,
            zone,
            limit,
        });
    }
    match Geometry::with_zone_size(wanted, zone) {
        Some(new) if new.zones > old.zones => Ok(Growth {
            before: present,
            after: wanted,
            old,
            new,
        }),
        Some(_) | None => Err(GrowError::NoZone {
            present,
            wanted,
            zone,
            least: old.bytes() + u64::from(zone),
        }),
    }
}

/// Lets the drive on a disk, which is as long already and nobody uses, have so many bytes.
pub fn grow(disk: &dyn Disk, wanted: u64) -> Result<Growth, GrowError> {
    let growth = growth(disk, wanted)?;
    let found = disk.capacity();
    if found < wanted {
        return Err(GrowError::Disk { found, wanted });
    }
    let mut superblock = Superblock {
        capacity: wanted,
        geometry: growth.new,
        ..slots::choose(disk)?
    };
    for _ in 0..2 {
        superblock.sequence += 1;
        let written = superblock.write(disk).and_then(|()| disk.sync());
        written.map_err(GrowError::Write)?;
    }
    Ok(growth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Options, Reserve};

    #[test]
    fn the_limit_is_the_largest_capacity_that_has_a_geometry() {
        for zone_size in [64 << 10, 4 << 20, 64 << 20] {
            let most = most_bytes(zone_size);
            assert!(Geometry::with_zone_size(most, zone_size).is_some());
            assert_eq!(Geometry::with_zone_size(most + 1, zone_size), None);
        }
    }

    #[test]
    fn what_is_added_is_more_than_what_the_reserve_takes_of_it() {
        let zone = 4 << 20;
        let put = |zones: u32| {
            let geometry = Geometry::with_zone_size(u64::from(zones * zone), zone).unwrap();
            Reserve::of(&geometry, &Options::default().fitted(&geometry), 0).put
        };
        for zones in (64..1000).step_by(7) {
            let more = put(zones + 7) - put(zones);
            assert!(more <= 7, "{zones} zones: {more} more are kept back");
        }
    }
}
