//! The block: header, checksum and payload. Everything of a run on the disk is blocks.
//!
//! Guarantee: a [`Block`] lay where it was expected, in the expected life of the zone, belongs to
//! the expected run and is of the expected kind; other bytes never become one.
//! Not here: what the payloads hold (`leaf`, `node`, `filter`), sealing (the field is kept).

use std::io;

use thiserror::Error;

use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::{Field, Put, Reader, Truncated, fields, len32, width};
use crate::layout::geometry::{Location, ZoneId};
use crate::limits::{RUN_BLOCK_MAX, SEAL_TAG};
use crate::seal::cipher::{Cipher, Kind as Sealed, Spot};

use super::guide::Guide;

/// First four bytes of every block.
pub const MAGIC: u32 = 0x6b42_4c4b;

/// Header of a block.
pub const FIELDS: [Field; 9] = fields([
    ("magic", 4),
    ("kind", 1),
    ("seal", 1),
    ("reserved", 2),
    ("payload_length", 4),
    ("entry_count", 4),
    ("nonce", 8),
    ("run_id", 8),
    ("checksum", 4),
]);

/// Bytes of the header.
pub const HEADER: usize = width(&FIELDS);

/// Bytes that a block takes beside its payload, at most.
pub const FRAMING: usize = HEADER + SEAL_TAG;

/// Header bytes in front of the checksum, which it covers.
const SUMMED: usize = HEADER - 4;

/// Handle of a block.
pub const HANDLE_FIELDS: [Field; 3] = fields([("zone", 4), ("offset", 4), ("length", 4)]);

/// Bytes of an encoded handle.
pub const HANDLE: usize = width(&HANDLE_FIELDS);

/// Number of a run; never used twice on a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RunId(pub u64);

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Entries.
    Leaf,
    /// Children.
    Node,
    /// Keys that are surely absent.
    Filter,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Leaf => 1,
            Self::Node => 2,
            Self::Filter => 3,
        }
    }
}

/// Where a block lies; length 0 stands for no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockHandle {
    /// First byte of the header.
    pub location: Location,
    /// Bytes of header and payload.
    pub length: u32,
}

impl BlockHandle {
    /// Whether it stands for no block.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.length == 0
    }

    /// Appends the handle.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.location.zone.0);
        out.put_u32(self.location.offset);
        out.put_u32(self.length);
    }

    /// Reads a handle.
    ///
    /// # Errors
    /// When the bytes end before it does.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let zone = ZoneId(reader.u32()?);
        let offset = reader.u32()?;
        let length = reader.u32()?;
        Ok(Self {
            location: Location { zone, offset },
            length,
        })
    }
}

/// What a reader knows of a block before it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Where it lies.
    pub handle: BlockHandle,
    /// What it holds.
    pub kind: Kind,
    /// The run it belongs to.
    pub run: RunId,
    /// The life of its zone.
    pub stamp: ZoneStamp,
}

/// Why bytes are not the block that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// The disk failed to give the bytes.
    #[error("the disk reported {0}")]
    Io(io::ErrorKind),
    /// Another length than the handle's, or one that no block has.
    #[error("its length of {0} bytes is not what its handle and the limit of a block allow")]
    WrongLength(u32),
    /// Outside the disk or the run's own extents.
    #[error("it lies outside the extents of its run")]
    Outside,
    /// Not a block at all.
    #[error("it starts with {0:#010x} and not as a block does")]
    WrongMagic(u32),
    /// A block of another kind, or of one that is not known.
    #[error("it is of kind {0}, which is not the one expected")]
    WrongKind(u8),
    /// Sealed in another way than the drive, or the seal is broken.
    #[error("its seal, of method {0}, is another one or is broken")]
    WrongSeal(u8),
    /// A block of another run.
    #[error("it belongs to run {}", .0.0)]
    WrongRun(RunId),
    /// The bytes changed, or lie elsewhere than they were written.
    #[error("its checksum does not match")]
    Checksum,
    /// The checksum is right but the content makes no sense.
    #[error("its content contradicts itself")]
    Malformed,
}

/// Bytes read from the disk that nobody has looked at.
#[derive(Debug)]
pub struct UncheckedBlock {
    /// Header and payload, as they are stored.
    pub bytes: Vec<u8>,
}

impl UncheckedBlock {
    /// Checks header and checksum against what was expected, and unseals the payload.
    ///
    /// # Errors
    /// The first difference found.
    pub fn verify(mut self, expected: &Expected, cipher: &Cipher) -> Result<Block, BlockFault> {
        let length = len32(self.bytes.len());
        let wrong_length = |_short| BlockFault::WrongLength(length);
        if length != expected.handle.length {
            return Err(BlockFault::WrongLength(length));
        }
        let mut reader = Reader::new(&self.bytes);
        let magic = reader.u32().map_err(wrong_length)?;
        if magic != MAGIC {
            return Err(BlockFault::WrongMagic(magic));
        }
        let [kind, seal, _, _] = reader.array::<4>().map_err(wrong_length)?;
        let payload_length = reader.u32().map_err(wrong_length)?;
        let count = reader.u32().map_err(wrong_length)?;
        let _nonce = reader.u64().map_err(wrong_length)?;
        let run = RunId(reader.u64().map_err(wrong_length)?);
        let sum = reader.u32().map_err(wrong_length)?;
        let payload = reader.rest();
        let head = self.bytes.get(..SUMMED).unwrap_or_default();
        let offset = expected.handle.location.offset;
        if expected.stamp.checksum(offset, &[head, payload]) != sum {
            return Err(BlockFault::Checksum);
        }
        if kind != expected.kind.code() {
            return Err(BlockFault::WrongKind(kind));
        }
        if seal != cipher.seal() as u8 {
            return Err(BlockFault::WrongSeal(seal));
        }
        if run != expected.run {
            return Err(BlockFault::WrongRun(run));
        }
        if len32(payload.len()) != payload_length {
            return Err(BlockFault::WrongLength(payload_length));
        }
        let spot = Spot {
            cipher,
            stamp: &expected.stamp,
            offset,
        };
        let (head, payload) = self.bytes.split_at_mut(HEADER);
        let head = head.get(..SUMMED).unwrap_or_default();
        let opened = spot.open(Sealed::Block, head, payload);
        let length = opened.ok_or(BlockFault::WrongSeal(seal))?;
        Ok(Block {
            bytes: self.bytes.into(),
            end: HEADER + length,
            count,
            guide: None,
        })
    }
}

/// A verified block in memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    bytes: Box<[u8]>,
    end: usize,
    count: u32,
    guide: Option<Guide>,
}

impl Block {
    /// What it holds.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER..self.end).unwrap_or_default()
    }

    /// Entries, children or keys, depending on the kind.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Where in it to search, if it is to be searched often.
    #[must_use]
    pub fn guide(&self) -> Option<&Guide> {
        self.guide.as_ref()
    }

    /// The same block with a guide to it.
    #[must_use]
    pub fn with_guide(self, guide: Option<Guide>) -> Self {
        Self { guide, ..self }
    }

    /// Bytes that it takes in memory, bookkeeping aside.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.guide.as_ref().map_or(0, Guide::weight)
    }
}

/// A block that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewBlock<'a> {
    /// What it holds.
    pub kind: Kind,
    /// The run it belongs to.
    pub run: RunId,
    /// Entries, children or keys.
    pub count: u32,
    /// Its content.
    pub payload: &'a [u8],
}

impl NewBlock<'_> {
    /// Bytes of header and payload; `None` when no block may be that long.
    #[must_use]
    pub fn length(&self, cipher: &Cipher) -> Option<u32> {
        let length = HEADER + self.payload.len() + cipher.overhead();
        (length <= RUN_BLOCK_MAX).then(|| len32(length))
    }

    /// Appends header and payload as they lie at this place.
    pub fn encode(&self, spot: &Spot<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u32(MAGIC);
        out.put(&[self.kind.code(), spot.cipher.seal() as u8, 0, 0]);
        out.put_u32(len32(self.payload.len() + spot.cipher.overhead()));
        out.put_u32(self.count);
        out.put_u64(0);
        out.put_u64(self.run.0);
        out.put_u32(0);
        out.put(self.payload);
        let (head, _) = out.split_at(start + SUMMED);
        let head: [u8; SUMMED] = head.last_chunk().copied().unwrap_or([0; SUMMED]);
        spot.seal(Sealed::Block, &head, (out, start + HEADER));
        let payload = out.get(start + HEADER..).unwrap_or_default();
        let sum = spot.checksum(&[&head, payload]).to_le_bytes();
        if let Some(place) = out.get_mut(start + SUMMED..start + HEADER) {
            place.copy_from_slice(&sum);
        }
    }
}

/// Fuzzing: a block that verifies is as long as it was read. Arbitrary bytes come a second time
/// with the checksum put right, which no fuzzer finds.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_block(bytes: &[u8]) {
    let expected = Expected {
        handle: BlockHandle {
            location: Location::default(),
            length: len32(bytes.len()),
        },
        kind: Kind::Leaf,
        run: RunId(1),
        stamp: ZoneStamp::default(),
    };
    let mut summed = bytes.to_vec();
    if let Some((head, rest)) = summed.split_at_mut_checked(SUMMED)
        && let Some((sum, payload)) = rest.split_first_chunk_mut()
    {
        *sum = expected.stamp.checksum(0, &[head, payload]).to_le_bytes();
    }
    for bytes in [bytes.to_vec(), summed] {
        if let Ok(block) = (UncheckedBlock { bytes }).verify(&expected, &Cipher::default()) {
            assert_eq!(block.payload().len() + HEADER, block.weight());
        }
    }
}
