//! CRC-32C of values, and seeded CRC-32C of everything the engine writes for itself.
//!
//! Guarantee: the checksum of a group, a block or a frame depends on where it lies: drive, zone,
//! epoch and salt of the zone, offset. A copy of it elsewhere, or left from an earlier life of
//! the zone, does not verify, and a value cannot contain one, since the salt is secret.
//! Not here: protection against somebody who writes to the disk; that is what sealing is for.

use crc_fast::{CrcAlgorithm, Digest};

use super::geometry::ZoneId;

/// CRC-32C of some bytes, for values.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(bytes);
    low32(digest.finalize())
}

/// One life of a zone: which zone, and what tells this life from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ZoneStamp {
    /// Random number of this drive, made when it was formatted.
    pub drive: u64,
    /// The zone.
    pub zone: ZoneId,
    /// Number of the allocation; never used twice on a drive.
    pub epoch: u64,
    /// Random and secret; chosen at the allocation.
    pub salt: u64,
}

impl ZoneStamp {
    /// Checksum of `parts`, one after the other, lying at `offset` of this zone.
    #[must_use]
    pub fn checksum(&self, offset: u32, parts: &[&[u8]]) -> u32 {
        let mut seed = [0_u8; 32];
        let fields = [
            &self.drive.to_le_bytes()[..],
            &self.salt.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &self.zone.0.to_le_bytes(),
            &offset.to_le_bytes(),
        ];
        for (place, byte) in seed.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&seed);
        for part in parts {
            digest.update(part);
        }
        low32(digest.finalize())
    }
}

fn low32(sum: u64) -> u32 {
    u32::try_from(sum & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_check_value_of_crc32c() {
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn each_part_of_a_stamp_changes_the_checksum() {
        let stamp = ZoneStamp {
            drive: 1,
            zone: ZoneId(2),
            epoch: 3,
            salt: 4,
        };
        let sum = stamp.checksum(4096, &[b"head", b"body"]);
        assert_eq!(sum, stamp.checksum(4096, &[b"headbody"]));
        assert_ne!(sum, stamp.checksum(8192, &[b"headbody"]));
        for other in [
            ZoneStamp { drive: 9, ..stamp },
            ZoneStamp {
                zone: ZoneId(9),
                ..stamp
            },
            ZoneStamp { epoch: 9, ..stamp },
            ZoneStamp { salt: 9, ..stamp },
        ] {
            assert_ne!(sum, other.checksum(4096, &[b"headbody"]));
        }
    }
}
