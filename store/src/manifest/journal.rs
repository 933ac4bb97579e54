//! The manifest zone that is written now, and how a manifest is read back.
//!
//! Guarantee: a frame that does not verify ends the manifest only where nothing valid follows it;
//! a valid later frame proves that the bad one had been synced, and reading refuses to cut.
//! The first frame of a zone is a snapshot and was synced before the superblock named the zone.
//! What stays undecidable: a last frame that rotted after its sync looks like one that was torn.
//! Not here: syncs, and writing superblocks (`upkeep::ledger`).

use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::edit::Edit;
use super::frame::{self, FrameError, FrameHeader};
use super::state::{Contradiction, ManifestState};
use crate::disk::Disk;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Geometry, Location};
use crate::layout::superblock::Superblock;
use crate::limits::{BLOCK, BLOCK32};
use crate::seal::{Cipher, Keys, Spot};

/// Where the next frame goes.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The manifest zone.
    pub stamp: ZoneStamp,
    /// The boot that writes.
    pub boot: u64,
    cipher: Arc<Cipher>,
    zone_size: u32,
    offset: u32,
    number: u64,
}

/// A frame that is to be written and synced.
#[derive(Debug, Clone)]
pub struct PendingFrame {
    /// Where it starts.
    pub location: Location,
    /// Its bytes, whole blocks.
    pub bytes: Vec<u8>,
}

impl Journal {
    /// A journal in a fresh zone of this boot, whose first frame gets this number.
    #[must_use]
    pub fn new(
        stamp: ZoneStamp,
        (boot, cipher): (u64, Arc<Cipher>),
        number: u64,
        geometry: &Geometry,
    ) -> Self {
        Self {
            stamp,
            boot,
            cipher,
            zone_size: geometry.zone_size,
            offset: BLOCK32,
            number,
        }
    }

    /// The same journal in another fresh zone.
    #[must_use]
    pub fn moved_to(&self, stamp: ZoneStamp) -> Self {
        Self {
            stamp,
            offset: BLOCK32,
            ..self.clone()
        }
    }

    /// Encodes the next frame; `None` when the zone has no room for it. Nothing changes until
    /// [`advance`](Self::advance), so that a failed write can be repeated.
    #[must_use]
    pub fn frame(&self, edits: &[Edit]) -> Option<PendingFrame> {
        let location = Location {
            zone: self.stamp.zone,
            offset: self.offset,
        };
        let spot = Spot {
            cipher: &self.cipher,
            stamp: &self.stamp,
            offset: self.offset,
        };
        let bytes = frame::encode(self.boot, self.number, edits, &spot);
        let room = self.zone_size.checked_sub(self.offset)?;
        (bytes.len() as u64 <= u64::from(room)).then_some(PendingFrame { location, bytes })
    }

    /// The frame is on the disk: the next one comes behind it.
    pub fn advance(&mut self, frame: &PendingFrame) {
        self.offset += u32::try_from(frame.bytes.len()).unwrap_or(self.zone_size);
        self.number += 1;
    }

    /// Number of the next frame.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.number
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The disk failed.
    #[error("reading the manifest failed: {0}")]
    Disk(#[from] io::Error),
    /// The superblock names a zone that the disk does not have.
    #[error("the superblock places the manifest in zone {0}, which the disk does not have")]
    NoSuchZone(u32),
    /// A frame that had been synced does not verify.
    #[error("frame {0} of the manifest is damaged although later ones are intact")]
    Corrupt(u64),
    /// The snapshot that the superblock names does not verify.
    #[error("the first frame of the manifest is damaged")]
    CorruptSnapshot,
    /// A frame verifies but cannot be read.
    #[error("frame {0} of the manifest cannot be understood: {1}")]
    Frame(u64, FrameError),
    /// A frame verifies but contradicts what came before.
    #[error("frame {0} of the manifest contradicts itself: {1}")]
    Contradiction(u64, Contradiction),
}

/// A manifest as read back.
#[derive(Debug)]
pub struct ReadBack {
    /// What its frames add up to.
    pub state: ManifestState,
    /// Number that the next frame gets.
    pub next_number: u64,
    /// The last frame: the only one that may not be on the disk although it was read. It may be
    /// what a failed sync left in the host's cache, so it must be written again before anything
    /// else follows from it.
    pub last: PendingFrame,
}

/// A manifest as far as it can be read.
#[derive(Debug)]
pub struct Remains {
    /// What the frames add up to that can be read: not what is true where some cannot.
    pub state: ManifestState,
    /// Frames that were read.
    pub frames: u64,
    /// Where they end in the manifest zone.
    pub end: u32,
    /// Why it is not all of it.
    pub damage: Option<ManifestError>,
}

/// Reads the manifest that a superblock names.
pub fn read(
    disk: &dyn Disk,
    superblock: &Superblock,
    keys: &Keys,
) -> Result<ReadBack, ManifestError> {
    let zone = ZoneReader::of(disk, superblock)?;
    let cipher = keys.of_boot(&superblock.manifest_boot_salt);
    let mut walked = Walked::at(superblock.first_frame);
    zone.walk(&mut walked, &cipher)?;
    Ok(ReadBack {
        state: walked.state,
        next_number: walked.next,
        last: walked.last.ok_or(ManifestError::CorruptSnapshot)?,
    })
}

/// Reads what is left of the manifest that a superblock names, for whoever does not open the drive:
/// behind damage, too, frames that verify are read, as far as they fit what is known.
pub fn read_remains(
    disk: &dyn Disk,
    superblock: &Superblock,
    keys: &Keys,
) -> Result<Remains, ManifestError> {
    let zone = ZoneReader::of(disk, superblock)?;
    let cipher = keys.of_boot(&superblock.manifest_boot_salt);
    let mut walked = Walked::at(superblock.first_frame);
    let damage = zone.walk(&mut walked, &cipher).err();
    if damage.is_some() {
        zone.glean(&mut walked, &cipher);
    }
    Ok(Remains {
        state: walked.state,
        frames: walked.frames,
        end: walked.offset,
        damage,
    })
}

/// What was read of a manifest so far.
struct Walked {
    state: ManifestState,
    /// Number of the frame that should come next.
    next: u64,
    /// Where it should.
    offset: u32,
    frames: u64,
    last: Option<PendingFrame>,
}

impl Walked {
    fn at(first_frame: u64) -> Self {
        Self {
            state: ManifestState::default(),
            next: first_frame,
            offset: BLOCK32,
            frames: 0,
            last: None,
        }
    }
}

/// The number that follows that of the last frame of a chain without a gap; of checksums only.
pub fn next_number(disk: &dyn Disk, superblock: &Superblock) -> io::Result<u64> {
    let zone = ZoneReader {
        disk,
        geometry: superblock.geometry,
        stamp: superblock.manifest,
        boot: superblock.manifest_boot,
    };
    let (mut number, mut offset) = (superblock.first_frame, BLOCK32);
    while let Some((header, _)) = zone.frame(offset)?
        && (header.boot, header.number) == (superblock.manifest_boot, number)
    {
        offset = offset.saturating_add(blocks(header.total()));
        number += 1;
    }
    Ok(number)
}

struct ZoneReader<'a> {
    disk: &'a dyn Disk,
    geometry: Geometry,
    stamp: ZoneStamp,
    boot: u64,
}

impl<'a> ZoneReader<'a> {
    /// Of the manifest zone that a superblock names.
    fn of(disk: &'a dyn Disk, superblock: &Superblock) -> Result<Self, ManifestError> {
        let stamp = superblock.manifest;
        let first = Location {
            zone: stamp.zone,
            offset: BLOCK32,
        };
        if !superblock.geometry.holds(first, BLOCK32) {
            return Err(ManifestError::NoSuchZone(stamp.zone.0));
        }
        Ok(Self {
            disk,
            geometry: superblock.geometry,
            stamp,
            boot: superblock.manifest_boot,
        })
    }

    /// Reads all frames, one after the other.
    fn walk(&self, walked: &mut Walked, cipher: &Cipher) -> Result<(), ManifestError> {
        while let Some((header, bytes)) = self.frame(walked.offset)? {
            if header.boot != self.boot || header.number != walked.next {
                break;
            }
            let number = walked.next;
            let edits = self
                .edits((&header, &bytes), walked.offset, cipher)
                .map_err(|error| ManifestError::Frame(number, error))?;
            for edit in &edits {
                let applied = walked.state.apply(edit);
                applied.map_err(|error| ManifestError::Contradiction(number, error))?;
            }
            let location = Location {
                zone: self.stamp.zone,
                offset: walked.offset,
            };
            walked.last = Some(PendingFrame { location, bytes });
            walked.offset = walked.offset.saturating_add(blocks(header.total()));
            walked.next += 1;
            walked.frames += 1;
        }
        if walked.last.is_none() {
            return Err(ManifestError::CorruptSnapshot);
        }
        if self.any_later(walked.offset, walked.next)? {
            return Err(ManifestError::Corrupt(walked.next));
        }
        Ok(())
    }

    /// Reads the frames behind one that cannot be read.
    fn glean(&self, walked: &mut Walked, cipher: &Cipher) {
        let mut offset = walked.offset.saturating_add(BLOCK32);
        while offset < self.geometry.zone_size {
            let frame = self.frame(offset).ok().flatten();
            let ours =
                |header: &FrameHeader| header.boot == self.boot && header.number > walked.next;
            let Some((header, bytes)) = frame.filter(|(header, _)| ours(header)) else {
                offset = offset.saturating_add(BLOCK32);
                continue;
            };
            if let Ok(edits) = self.edits((&header, &bytes), offset, cipher) {
                // What speaks of something unknown stands on a frame that cannot be read.
                for edit in &edits {
                    let _unknown = walked.state.apply(edit);
                }
                walked.next = header.number;
                walked.frames += 1;
            }
            offset = offset.saturating_add(blocks(header.total()));
            walked.offset = offset;
        }
    }

    fn edits(
        &self,
        (header, bytes): (&FrameHeader, &[u8]),
        offset: u32,
        cipher: &Cipher,
    ) -> Result<Vec<Edit>, FrameError> {
        let spot = Spot {
            cipher,
            stamp: &self.stamp,
            offset,
        };
        header.edits(bytes, &spot)
    }

    /// The verified frame at `offset`, if there is one.
    fn frame(&self, offset: u32) -> io::Result<Option<(FrameHeader, Vec<u8>)>> {
        let location = Location {
            zone: self.stamp.zone,
            offset,
        };
        if !self.geometry.holds(location, BLOCK32) {
            return Ok(None);
        }
        let mut bytes = vec![0; frame::WIDTH];
        self.disk
            .read_at(self.geometry.position(location), &mut bytes)?;
        let Some(header) = FrameHeader::peek(&bytes) else {
            return Ok(None);
        };
        let Ok(total) = u32::try_from(header.total()) else {
            return Ok(None);
        };
        if !self.geometry.holds(location, total) {
            return Ok(None);
        }
        bytes.resize(usize::try_from(total).unwrap_or_default(), 0);
        self.disk
            .read_at(self.geometry.position(location), &mut bytes)?;
        Ok(FrameHeader::verify(&bytes, &self.stamp, offset).then_some((header, bytes)))
    }

    /// Whether a valid frame numbered above `number` lies behind `offset`.
    fn any_later(&self, mut offset: u32, number: u64) -> io::Result<bool> {
        while offset < self.geometry.zone_size {
            if let Some((header, _)) = self.frame(offset)?
                && header.boot == self.boot
                && header.number > number
            {
                return Ok(true);
            }
            offset = offset.saturating_add(BLOCK32);
        }
        Ok(false)
    }
}

fn blocks(length: u64) -> u32 {
    u32::try_from(length.next_multiple_of(BLOCK)).unwrap_or(u32::MAX)
}
