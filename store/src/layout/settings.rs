//! A slot for settings: opaque bytes that the server keeps beside the superblocks.
//!
//! Guarantee: a slot is recognised only on the drive that it was written for, so that settings do
//! not outlive an erase, and only whole.
//! Not here: which of the two slots counts, and writing them (`open::settings`).

use super::checksum::checksum;
use super::codec::{Field, Put, Reader, fields, len32, width};
use super::geometry::Geometry;
use super::superblock::Slot;
use crate::limits::{
    BLOCK, MIN_TEST_ZONE, MIN_ZONE, SETTINGS_FIRST, SETTINGS_SECOND, SETTINGS_SLOT,
};

/// First bytes of a slot.
pub const MAGIC: [u8; 4] = *b"KSET";

/// Fields of a slot's header, in order; the settings follow.
pub const FIELDS: [Field; 6] = fields([
    ("magic", 4),
    ("reserved", 4),
    ("drive", 8),
    ("sequence", 8),
    ("length", 4),
    ("checksum", 4),
]);
/// Bytes of the header.
pub const WIDTH: usize = width(&FIELDS);
const SUMMED: usize = WIDTH - 4;

/// Where a slot lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First byte, from the start of the disk.
    pub position: u64,
    /// Bytes.
    pub length: u64,
}

impl Place {
    /// A slot of a drive. In small zones, which only tests have, it is what is left behind the
    /// superblock's slot.
    #[must_use]
    pub fn of(slot: Slot, geometry: &Geometry) -> Self {
        let small = u64::from(geometry.zone_size) < MIN_ZONE;
        let (position, length) = match (small, slot) {
            (true, _) => (slot.position() + BLOCK, MIN_TEST_ZONE / 2 - BLOCK),
            (false, Slot::First) => (SETTINGS_FIRST, SETTINGS_SLOT),
            (false, Slot::Second) => (SETTINGS_SECOND, SETTINGS_SLOT),
        };
        Self { position, length }
    }

    /// Most bytes of settings that fit.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.length.saturating_sub(WIDTH as u64)
    }
}

/// Header of a slot that nobody has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingsHeader {
    /// Random number of the drive.
    pub drive: u64,
    /// Grows with every write; even in the first slot, odd in the second.
    pub sequence: u64,
    /// Bytes of settings.
    pub length: u32,
}

impl SettingsHeader {
    /// Header and settings.
    #[must_use]
    pub fn encode(drive: u64, sequence: u64, settings: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(WIDTH + settings.len());
        out.put(&MAGIC);
        out.put(&[0; 4]);
        out.put_u64(drive);
        out.put_u64(sequence);
        out.put_u32(len32(settings.len()));
        let sum = sum(&out, settings);
        out.put_u32(sum);
        out.put(settings);
        out
    }

    /// Reads a header without verifying it; `None` where there is none.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.array::<4>().ok()? != MAGIC {
            return None;
        }
        reader.bytes(4).ok()?;
        Some(Self {
            drive: reader.u64().ok()?,
            sequence: reader.u64().ok()?,
            length: reader.u32().ok()?,
        })
    }

    /// The settings in `bytes`, header and settings, if they match their checksum.
    #[must_use]
    pub fn verified(bytes: &[u8]) -> Option<&[u8]> {
        let (summed, rest) = bytes.split_at_checked(SUMMED)?;
        let (stored, settings) = rest.split_first_chunk::<4>()?;
        (sum(summed, settings).to_le_bytes() == *stored).then_some(settings)
    }
}

/// Covers header and settings.
fn sum(header: &[u8], settings: &[u8]) -> u32 {
    let both = [header, &checksum(settings).to_le_bytes()].concat();
    checksum(&both)
}

/// Fuzzing: what a header says and the settings behind it make a slot that says the same, and
/// only with the right checksum.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_settings(bytes: &[u8]) {
    let verified = SettingsHeader::verified(bytes);
    let Some(header) = SettingsHeader::peek(bytes) else {
        return;
    };
    let settings = bytes.get(WIDTH..).unwrap_or_default();
    assert!(verified.is_none_or(|verified| verified == settings));
    let again = SettingsHeader::encode(header.drive, header.sequence, settings);
    let length = len32(settings.len());
    let expected = SettingsHeader { length, ..header };
    assert_eq!(SettingsHeader::peek(&again), Some(expected));
    assert_eq!(SettingsHeader::verified(&again), Some(settings));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_the_same_and_damage_is_noticed() {
        let bytes = SettingsHeader::encode(1, 2, b"settings");
        let header = SettingsHeader {
            drive: 1,
            sequence: 2,
            length: 8,
        };
        assert_eq!(SettingsHeader::peek(&bytes), Some(header));
        assert_eq!(SettingsHeader::verified(&bytes), Some(&b"settings"[..]));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SettingsHeader::verified(&damaged), None, "bit {bit}");
            fuzz_settings(&damaged[..bit / 8]);
        }
    }

    #[test]
    fn slots_do_not_overlap_superblocks_nor_each_other() {
        for zone_size in [64 << 10, 1 << 20, 4 << 20, 64 << 20] {
            let geometry = Geometry {
                zone_size,
                zones: 64,
            };
            let [first, second] = [Slot::First, Slot::Second].map(|s| Place::of(s, &geometry));
            let end = |place: Place| place.position + place.length;
            assert!(first.position >= BLOCK);
            assert!(end(first) <= second.position);
            assert!(end(second) <= u64::from(zone_size));
            let superblock = Slot::Second.position();
            assert!(end(first) <= superblock || first.position >= superblock + BLOCK);
        }
    }
}
