//! A frame of the manifest: edits that become true together.
//!
//! Guarantee: a frame starts on a block of its own and is covered by one checksum that is seeded
//! with the place; it is written only after the frame before it has been synced.
//! Not here: what the edits mean (`state`).

use thiserror::Error;

use super::edit::{self, Edit};
use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::{Field, Put, Reader, Truncated, fields, len32, width};
use crate::layout::superblock::Seal;
use crate::limits::BLOCK_LEN;
use crate::seal::cipher::{Cipher, Kind, Spot};

/// First bytes of a frame.
pub const MAGIC: u32 = u32::from_le_bytes(*b"KMAN");

/// Fields of a frame header, in order; the edits follow.
pub const FIELDS: [Field; 9] = fields([
    ("magic", 4),
    ("seal", 1),
    ("reserved", 3),
    ("boot", 8),
    ("frame", 8),
    ("nonce", 8),
    ("edits length", 4),
    ("count", 4),
    ("checksum", 4),
]);
/// Bytes of a frame header.
pub const WIDTH: usize = width(&FIELDS);
const SUMMED: usize = WIDTH - 4;

/// Header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The boot that wrote it.
    pub boot: u64,
    /// Number of the frame; one more than the frame before it.
    pub number: u64,
    /// How the edits are sealed.
    pub seal: Seal,
    /// Bytes of the edits, as they are stored.
    pub length: u32,
    /// Number of edits.
    pub count: u32,
}

/// A frame that verified but says something impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// An edit of a kind that this program does not know.
    #[error("the manifest holds an edit that this program does not know")]
    UnknownEdit,
    /// The edits do not fill the frame.
    #[error("the manifest holds a frame whose edits do not fill it")]
    Malformed,
    /// It was sealed with another key, or changed.
    #[error("the manifest holds a frame that cannot be unsealed")]
    Sealed,
}

impl From<Truncated> for FrameError {
    fn from(_: Truncated) -> Self {
        Self::Malformed
    }
}

/// The bytes of a frame at a place of the manifest zone, padded to whole blocks.
#[must_use]
pub fn encode(boot: u64, number: u64, edits: &[Edit], spot: &Spot<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    edits.iter().for_each(|edit| edit.encode(&mut payload));
    let mut out = Vec::with_capacity(WIDTH + payload.len());
    out.put_u32(MAGIC);
    out.put(&[spot.cipher.seal() as u8, 0, 0, 0]);
    out.put_u64(boot);
    out.put_u64(number);
    out.put_u64(0);
    out.put_u32(len32(payload.len() + spot.cipher.overhead()));
    out.put_u32(len32(edits.len()));
    spot.seal(Kind::Frame, &out, (&mut payload, 0));
    let sum = spot.checksum(&[&out, &payload]);
    out.put_u32(sum);
    out.put(&payload);
    out.resize(out.len().next_multiple_of(BLOCK_LEN), 0);
    out
}

impl FrameHeader {
    /// Reads a header without verifying it.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).ok().flatten()
    }

    fn parse(bytes: &[u8]) -> Result<Option<Self>, Truncated> {
        let mut reader = Reader::new(bytes);
        if reader.u32()? != MAGIC {
            return Ok(None);
        }
        let Some(seal) = Seal::from_number(reader.u8()?) else {
            return Ok(None);
        };
        reader.bytes(3)?;
        let (boot, number) = (reader.u64()?, reader.u64()?);
        reader.u64()?;
        Ok(Some(Self {
            boot,
            number,
            seal,
            length: reader.u32()?,
            count: reader.u32()?,
        }))
    }

    /// Bytes of header and edits.
    #[must_use]
    pub fn total(&self) -> u64 {
        u64::from(self.length) + u64::try_from(WIDTH).unwrap_or_default()
    }

    /// Whether `bytes` (header and edits, at `offset`) match their checksum.
    #[must_use]
    pub fn verify(bytes: &[u8], stamp: &ZoneStamp, offset: u32) -> bool {
        let Some((summed, rest)) = bytes.split_at_checked(SUMMED) else {
            return false;
        };
        let Some((stored, edits)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        stamp.checksum(offset, &[summed, edits]).to_le_bytes() == *stored
    }

    /// Reads the edits of a verified frame at this place.
    pub fn edits(&self, bytes: &[u8], spot: &Spot<'_>) -> Result<Vec<Edit>, FrameError> {
        let (header, _) = bytes.split_at_checked(SUMMED).ok_or(Truncated)?;
        let mut payload = bytes.get(WIDTH..).ok_or(Truncated)?.to_vec();
        if self.seal != spot.cipher.seal() {
            return Err(FrameError::Sealed);
        }
        let length = spot.open(Kind::Frame, header, &mut payload);
        payload.truncate(length.ok_or(FrameError::Sealed)?);
        let drive = spot.stamp.drive;
        let mut reader = Reader::new(&payload);
        let mut edits = Vec::new();
        for _ in 0..self.count {
            if edit::pass_over(&mut reader)? {
                continue;
            }
            let edit = Edit::decode(&mut reader, drive)?;
            edits.push(edit.ok_or(FrameError::UnknownEdit)?);
        }
        if reader.is_empty() {
            Ok(edits)
        } else {
            Err(FrameError::Malformed)
        }
    }
}

/// Fuzzing: the edits of a frame in arbitrary bytes make a frame that verifies and says the same.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_frame(bytes: &[u8]) {
    let stamp = ZoneStamp::default();
    let _verified = FrameHeader::verify(bytes, &stamp, 4096);
    let Some(header) = FrameHeader::peek(bytes) else {
        return;
    };
    let spot = Spot {
        cipher: &Cipher::default(),
        stamp: &stamp,
        offset: 4096,
    };
    let Ok(edits) = header.edits(bytes, &spot) else {
        return;
    };
    let again = encode(header.boot, header.number, &edits, &spot);
    let read = FrameHeader::peek(&again);
    let length = read.and_then(|read| usize::try_from(read.total()).ok());
    let whole = length.and_then(|length| again.get(..length));
    let whole = whole.unwrap_or_default();
    assert!(FrameHeader::verify(whole, &stamp, 4096));
    assert_eq!(read.map(|read| read.edits(whole, &spot)), Some(Ok(edits)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::geometry::ZoneId;

    #[test]
    fn a_frame_reads_back_and_damage_is_noticed() {
        let stamp = ZoneStamp {
            drive: 1,
            zone: ZoneId(2),
            epoch: 3,
            salt: 4,
        };
        let edits = vec![Edit::Free(ZoneId(1)), Edit::Live(ZoneId(2), 3)];
        let spot = Spot {
            cipher: &Cipher::default(),
            stamp: &stamp,
            offset: 4096,
        };
        let block = encode(5, 6, &edits, &spot);
        assert_eq!(block.len(), 4096);
        let header = FrameHeader::peek(&block).unwrap();
        let bytes = &block[..usize::try_from(header.total()).unwrap()];
        assert!(FrameHeader::verify(bytes, &stamp, 4096));
        assert!(!FrameHeader::verify(bytes, &stamp, 8192));
        assert_eq!(header.edits(bytes, &spot), Ok(edits));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!FrameHeader::verify(&damaged, &stamp, 4096), "bit {bit}");
            fuzz_frame(&damaged);
            fuzz_frame(&damaged[..bit / 8]);
        }
    }

    #[test]
    fn an_optional_edit_of_a_later_program_is_passed_over_and_another_one_refuses_the_frame() {
        let stamp = ZoneStamp::default();
        let spot = Spot {
            cipher: &Cipher::default(),
            stamp: &stamp,
            offset: 4096,
        };
        let known = Edit::Free(ZoneId(1));
        let read = |number| {
            let mut block = encode(5, 6, &[Edit::Live(ZoneId(2), 3), known.clone()], &spot);
            let header = FrameHeader::peek(&block).unwrap();
            block.truncate(usize::try_from(header.total()).unwrap());
            // In place of the first edit, of 13 bytes.
            block[WIDTH..WIDTH + 13].copy_from_slice(&[number, 8, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
            header.edits(&block, &spot)
        };
        assert_eq!(read(edit::OPTIONAL), Ok(vec![known.clone()]));
        assert_eq!(read(u8::MAX), Ok(vec![known.clone()]));
        assert_eq!(read(edit::OPTIONAL - 1), Err(FrameError::UnknownEdit));
    }
}
