//! The superblock: what a drive is, which boot it is in, and where its manifest starts.
//!
//! Guarantee: two slots, written in turn and each synced, so that one always survives a torn
//! write; the valid slot with the higher sequence counts. A slot verifies by its own checksum.
//! Not here: choosing and repairing slots while a drive opens (`open::slots`, `open::recovery`).

use std::io::{self, IoSlice};

use thiserror::Error;

use super::checksum::{ZoneStamp, checksum};
use super::codec::{Field, Put, Reader, Truncated, fields, width};
use super::geometry::{Geometry, ZoneId};
use super::wrapped_key::{self, WrappedKey};
use crate::disk::Disk;
use crate::limits::BLOCK_LEN;

/// First bytes of every slot.
pub const MAGIC: [u8; 8] = *b"KINETIC\xd1";
/// Version of the format that this code reads and writes. Another one comes with a migration and
/// with golden images of its own.
pub const FORMAT_VERSION: u32 = 1;

/// Fields of a slot, in order.
pub const FIELDS: [Field; 23] = fields([
    ("magic", 8),
    ("format version", 4),
    ("seal", 1),
    ("state", 1),
    ("reserved", 2),
    ("uuid", 16),
    ("drive", 8),
    ("capacity", 8),
    ("zone size", 4),
    ("zones", 4),
    ("sequence", 8),
    ("boot", 8),
    ("manifest zone", 4),
    ("manifest epoch", 8),
    ("manifest salt", 8),
    ("manifest boot", 8),
    ("first frame", 8),
    ("manifest boot salt", 16),
    ("wrapped key", wrapped_key::WIDTH),
    ("incompatible features", 8),
    ("compatible features", 8),
    ("reserved", 28),
    ("checksum", 4),
]);
const WIDTH: usize = width(&FIELDS);
const SUMMED: usize = WIDTH - 4;
// Every version of the format has its checksum there, so that it can be told from damage.
const _: () = assert!(WIDTH == 256 && WIDTH <= BLOCK_LEN);
const FEATURES: usize = 208;
const RESERVED: usize = 28;

/// Which of the two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// At the first byte of the disk.
    First,
    /// 32 KiB behind it, in the same zone.
    Second,
}

impl Slot {
    /// Byte of the disk at which the slot starts: the same for every zone size, since a slot is
    /// read before the zone size is known.
    #[must_use]
    pub fn position(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Second => crate::limits::MIN_TEST_ZONE / 2,
        }
    }

    /// The slot in which a superblock of this sequence is written.
    #[must_use]
    pub fn of(sequence: u64) -> Self {
        if sequence.is_multiple_of(2) {
            Self::First
        } else {
            Self::Second
        }
    }
}

/// Whether what lies in zones is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Seal {
    /// It is stored as it is; for figures.
    Plain = 0,
    /// AES-256-GCM, under keys of boots.
    #[default]
    Sealed = 1,
}

impl Seal {
    /// The seal with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Plain, Self::Sealed]
            .into_iter()
            .find(|seal| *seal as u8 == number)
    }
}

/// Whether there is a drive, or one that is being erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DriveState {
    /// A drive.
    Serving = 0,
    /// Nothing of what was stored counts any more; whoever opens it makes an empty drive of it.
    Erasing = 1,
}

/// Contents of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Identity of the drive; its WWN and serial number come from it.
    pub uuid: [u8; 16],
    /// Random number that seeds every checksum of the drive.
    pub drive: u64,
    /// Bytes of the disk when it was formatted.
    pub capacity: u64,
    /// How it is cut into zones.
    pub geometry: Geometry,
    /// Grows with every write of a superblock.
    pub sequence: u64,
    /// Number of the current boot; durable before the boot writes anything else.
    pub boot: u64,
    /// The zone with the manifest, and its life.
    pub manifest: ZoneStamp,
    /// The boot that started that manifest.
    pub manifest_boot: u64,
    /// Number of the first frame in that zone.
    pub first_frame: u64,
    /// Salt of the boot that started that manifest.
    pub manifest_boot_salt: [u8; 16],
    /// How everything in zones is sealed.
    pub seal: Seal,
    /// Whether it is being erased.
    pub state: DriveState,
    /// The data key, sealed.
    pub wrapped: WrappedKey,
}

/// Why a slot cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SlotError {
    /// The magic bytes are not there.
    #[error("no superblock there")]
    Foreign,
    /// The magic is there, the checksum does not match.
    #[error("the superblock's checksum does not match its contents")]
    Corrupt,
    /// Written by a newer (or much older) program.
    #[error("the superblock has format version {0}, this program reads version {FORMAT_VERSION}")]
    Version(u32),
    /// Features that this program does not know.
    #[error("the superblock asks for features ({0:#x}) that this program does not know")]
    Features(u64),
    /// Sealing (encryption) that this program does not know.
    #[error("the superblock asks for sealing {0}, which this program does not know")]
    Seal(u8),
    /// Zones that no drive is cut into.
    #[error(
        "the superblock gives {} zones of {} bytes, which no drive of its capacity has",
        .0.zones, .0.zone_size
    )]
    Geometry(Geometry),
    /// A state that this program does not know.
    #[error("the superblock gives state {0}, which this program does not know")]
    State(u8),
}

impl From<Truncated> for SlotError {
    fn from(_: Truncated) -> Self {
        Self::Foreign
    }
}

impl Superblock {
    /// The slot's block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK_LEN);
        out.put(&MAGIC);
        out.put_u32(FORMAT_VERSION);
        out.put(&[self.seal as u8, self.state as u8, 0, 0]);
        out.put(&self.uuid);
        out.put_u64(self.drive);
        out.put_u64(self.capacity);
        out.put_u32(self.geometry.zone_size);
        out.put_u32(self.geometry.zones);
        out.put_u64(self.sequence);
        out.put_u64(self.boot);
        out.put_u32(self.manifest.zone.0);
        out.put_u64(self.manifest.epoch);
        out.put_u64(self.manifest.salt);
        out.put_u64(self.manifest_boot);
        out.put_u64(self.first_frame);
        out.put(&self.manifest_boot_salt);
        self.wrapped.encode(&mut out);
        // This program knows no features of either kind, and clears what it does not know.
        out.put_u64(0);
        out.put_u64(0);
        out.put(&[0; RESERVED]);
        out.put_u32(checksum(&out));
        out.resize(BLOCK_LEN, 0);
        out
    }

    /// Reads a slot's block and verifies it.
    pub fn decode(block: &[u8]) -> Result<Self, SlotError> {
        let mut reader = Reader::new(block);
        if reader.array::<8>()? != MAGIC {
            return Err(SlotError::Foreign);
        }
        let summed = block.get(..SUMMED).ok_or(SlotError::Foreign)?;
        let stored = block.get(SUMMED..WIDTH).ok_or(SlotError::Foreign)?;
        if checksum(summed).to_le_bytes() != *stored {
            return Err(SlotError::Corrupt);
        }
        match reader.u32()? {
            FORMAT_VERSION => {}
            other => return Err(SlotError::Version(other)),
        }
        match Reader::new(summed.get(FEATURES..).unwrap_or_default()).u64()? {
            0 => {}
            unknown => return Err(SlotError::Features(unknown)),
        }
        let seal = reader.u8()?;
        let seal = Seal::from_number(seal).ok_or(SlotError::Seal(seal))?;
        let state = match reader.u8()? {
            0 => DriveState::Serving,
            1 => DriveState::Erasing,
            other => return Err(SlotError::State(other)),
        };
        reader.bytes(2)?;
        let uuid = reader.array()?;
        let drive = reader.u64()?;
        let capacity = reader.u64()?;
        let geometry = Geometry {
            zone_size: reader.u32()?,
            zones: reader.u32()?,
        };
        let made = Geometry::with_zone_size(geometry.bytes(), geometry.zone_size);
        if made != Some(geometry) || geometry.bytes() > capacity {
            return Err(SlotError::Geometry(geometry));
        }
        let sequence = reader.u64()?;
        let boot = reader.u64()?;
        let zone = ZoneId(reader.u32()?);
        let manifest = ZoneStamp {
            drive,
            zone,
            epoch: reader.u64()?,
            salt: reader.u64()?,
        };
        let manifest_boot = reader.u64()?;
        let first_frame = reader.u64()?;
        let manifest_boot_salt = reader.array()?;
        let wrapped = WrappedKey::decode(&mut reader)?;
        Ok(Self {
            uuid,
            drive,
            capacity,
            geometry,
            sequence,
            boot,
            manifest,
            manifest_boot,
            first_frame,
            manifest_boot_salt,
            seal,
            state,
            wrapped,
        })
    }

    /// Reads one slot of a disk.
    pub fn read(disk: &dyn Disk, slot: Slot) -> io::Result<Result<Self, SlotError>> {
        let mut block = vec![0; BLOCK_LEN];
        disk.read_at(slot.position(), &mut block)?;
        Ok(Self::decode(&block))
    }

    /// Writes the superblock into the slot of its sequence; the caller syncs.
    pub fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.write_at(
            Slot::of(self.sequence).position(),
            &[IoSlice::new(&self.encode())],
        )
    }
}

/// Fuzzing: what decodes encodes to the same again. Arbitrary bytes come a second time with the
/// checksum put right, which no fuzzer finds.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_superblock(bytes: &[u8]) {
    let mut summed = bytes.to_vec();
    if let Some((fields, stored)) = summed.split_at_mut_checked(SUMMED)
        && let Some(stored) = stored.first_chunk_mut()
    {
        *stored = checksum(fields).to_le_bytes();
    }
    for bytes in [bytes, &summed] {
        if let Ok(superblock) = Superblock::decode(bytes) {
            assert_eq!(Superblock::decode(&superblock.encode()), Ok(superblock));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Superblock {
        Superblock {
            uuid: *b"0123456789abcdef",
            drive: 77,
            capacity: 1 << 30,
            geometry: Geometry {
                zone_size: 4 << 20,
                zones: 256,
            },
            sequence: 9,
            boot: 3,
            manifest: ZoneStamp {
                drive: 77,
                zone: ZoneId(5),
                epoch: 8,
                salt: 99,
            },
            manifest_boot: 2,
            first_frame: 17,
            manifest_boot_salt: [5; 16],
            seal: Seal::Sealed,
            state: DriveState::Erasing,
            wrapped: WrappedKey {
                kind: wrapped_key::PIN,
                rounds: 5,
                salt: [6; 16],
                nonce: [7; 12],
                sealed: [8; 48],
            },
        }
    }

    /// Puts the checksum right.
    fn summed(block: &mut [u8]) {
        let sum = checksum(&block[..SUMMED]).to_le_bytes();
        block[SUMMED..WIDTH].copy_from_slice(&sum);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        assert_eq!(Superblock::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let block = sample().encode();
        for bit in 0..WIDTH * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let result = Superblock::decode(&damaged);
            let expected = if bit < 64 {
                SlotError::Foreign
            } else {
                SlotError::Corrupt
            };
            assert_eq!(result, Err(expected), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut block = sample().encode();
        block[8] = 9;
        summed(&mut block);
        assert_eq!(Superblock::decode(&block), Err(SlotError::Version(9)));
    }

    #[test]
    fn features_that_must_be_known_are_refused_and_others_are_cleared() {
        assert_eq!(FIELDS[19].name, "incompatible features");
        assert_eq!(FIELDS[19].offset, FEATURES);
        for bit in 0..64 {
            let mut block = sample().encode();
            block[FEATURES + bit / 8] = 1 << (bit % 8);
            summed(&mut block);
            let unknown = Err(SlotError::Features(1 << bit));
            assert_eq!(Superblock::decode(&block), unknown);
        }
        let mut block = sample().encode();
        block[FEATURES + 8..FEATURES + 16 + RESERVED].fill(0xff);
        summed(&mut block);
        let decoded = Superblock::decode(&block).unwrap();
        assert_eq!(decoded, sample());
        assert_eq!(decoded.encode(), sample().encode());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic() {
        for length in 0..300 {
            fuzz_superblock(&vec![0x4b; length]);
            fuzz_superblock(&sample().encode()[..length]);
        }
    }
}
