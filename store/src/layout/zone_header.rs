//! The first block of every zone of data: what the zone is, for people and for salvage.
//!
//! Guarantee: everything in it also stands in the manifest, which is what opening trusts; the
//! header lets `kinetic drive` tell what a zone was when the manifest is lost.
//! Not here: states of zones (`manifest::state`).

use super::checksum::checksum;
use super::codec::{Field, Put, Reader, fields, width};
use super::geometry::ZoneId;
use super::superblock::Seal;
use crate::limits::BLOCK_LEN;

/// First bytes of a zone header.
pub const MAGIC: [u8; 4] = *b"KZON";

/// Fields of a zone header, in order.
pub const FIELDS: [Field; 10] = fields([
    ("magic", 4),
    ("kind", 1),
    ("seal", 1),
    ("reserved", 2),
    ("drive", 8),
    ("zone", 4),
    ("epoch", 8),
    ("boot", 8),
    ("boot salt", 16),
    ("checksum", 4),
]);
const WIDTH: usize = width(&FIELDS);

/// What a zone holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ZoneKind {
    /// Commit groups, as they came.
    Log = 1,
    /// Values that reclaim moved.
    Cold = 2,
    /// Blocks of sorted runs.
    Run = 3,
    /// Frames of the manifest.
    Manifest = 4,
}

impl ZoneKind {
    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Log, Self::Cold, Self::Run, Self::Manifest]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// Contents of a zone header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneHeader {
    /// What the zone holds.
    pub kind: ZoneKind,
    /// Random number of the drive.
    pub drive: u64,
    /// Which zone.
    pub zone: ZoneId,
    /// Number of its allocation.
    pub epoch: u64,
    /// The boot that allocated it.
    pub boot: u64,
    /// 128 random bits of that boot, from which its sealing key is derived.
    pub boot_salt: [u8; 16],
    /// How its contents are sealed.
    pub seal: Seal,
}

impl ZoneHeader {
    /// The header's block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK_LEN);
        out.put(&MAGIC);
        out.put(&[self.kind as u8, self.seal as u8, 0, 0]);
        out.put_u64(self.drive);
        out.put_u32(self.zone.0);
        out.put_u64(self.epoch);
        out.put_u64(self.boot);
        out.put(&self.boot_salt);
        out.put_u32(checksum(&out));
        out.resize(BLOCK_LEN, 0);
        out
    }

    /// Reads and verifies a header; `None` when there is none.
    #[must_use]
    pub fn decode(block: &[u8]) -> Option<Self> {
        let (summed, rest) = block.split_at_checked(WIDTH - 4)?;
        if checksum(summed).to_le_bytes() != *rest.get(..4)? {
            return None;
        }
        let mut reader = Reader::new(summed);
        if reader.array::<4>().ok()? != MAGIC {
            return None;
        }
        let kind = ZoneKind::from_number(reader.u8().ok()?)?;
        let seal = Seal::from_number(reader.u8().ok()?)?;
        reader.bytes(2).ok()?;
        Some(Self {
            kind,
            drive: reader.u64().ok()?,
            zone: ZoneId(reader.u32().ok()?),
            epoch: reader.u64().ok()?,
            boot: reader.u64().ok()?,
            boot_salt: reader.array().ok()?,
            seal,
        })
    }
}

/// Fuzzing: what decodes encodes to the same again. Arbitrary bytes come a second time with the
/// checksum put right, which no fuzzer finds.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_zone_header(bytes: &[u8]) {
    let mut summed = bytes.to_vec();
    if let Some((fields, stored)) = summed.split_at_mut_checked(WIDTH - 4)
        && let Some(stored) = stored.first_chunk_mut()
    {
        *stored = checksum(fields).to_le_bytes();
    }
    for bytes in [bytes, &summed] {
        if let Some(header) = ZoneHeader::decode(bytes) {
            assert_eq!(ZoneHeader::decode(&header.encode()), Some(header));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_the_same_and_damage_is_noticed() {
        let header = ZoneHeader {
            kind: ZoneKind::Run,
            drive: 1,
            zone: ZoneId(2),
            epoch: 3,
            boot: 4,
            boot_salt: [5; 16],
            seal: Seal::Sealed,
        };
        let block = header.encode();
        assert_eq!(ZoneHeader::decode(&block), Some(header));
        for bit in 0..WIDTH * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ZoneHeader::decode(&damaged), None, "bit {bit}");
            fuzz_zone_header(&damaged);
        }
        fuzz_zone_header(&[]);
    }
}
