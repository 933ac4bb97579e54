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

/// Reads the manifest that a superblock names.
pub fn read(
    disk: &dyn Disk,
    superblock: &Superblock,
    keys: &Keys,
) -> Result<ReadBack, ManifestError> {
    let cipher = keys.of_boot(&superblock.manifest_boot_salt);
    let zone = ZoneReader {
        disk,
        geometry: superblock.geometry,
        stamp: superblock.manifest,
    };
    let first = Location {
        zone: zone.stamp.zone,
        offset: BLOCK32,
    };
    if !superblock.geometry.holds(first, BLOCK32) {
        return Err(ManifestError::NoSuchZone(zone.stamp.zone.0));
    }
    let mut state = ManifestState::default();
    let mut number = superblock.first_frame;
    let mut offset = BLOCK32;
    let mut last = None;
    while let Some((header, bytes)) = zone.frame(offset)? {
        if header.boot != superblock.manifest_boot || header.number != number {
            break;
        }
        let spot = Spot {
            cipher: &cipher,
            stamp: &zone.stamp,
            offset,
        };
        let edits = header
            .edits(&bytes, &spot)
            .map_err(|error| ManifestError::Frame(number, error))?;
        for edit in &edits {
            state
                .apply(edit)
                .map_err(|error| ManifestError::Contradiction(number, error))?;
        }
        let location = Location {
            zone: zone.stamp.zone,
            offset,
        };
        last = Some(PendingFrame { location, bytes });
        offset = offset.saturating_add(blocks(header.total()));
        number += 1;
    }
    let last = last.ok_or(ManifestError::CorruptSnapshot)?;
    let later = zone.any_later(offset, superblock.manifest_boot, number)?;
    if later {
        Err(ManifestError::Corrupt(number))
    } else {
        Ok(ReadBack {
            state,
            next_number: number,
            last,
        })
    }
}

/// The number that follows that of the last frame of a chain without a gap; of checksums only.
pub fn next_number(disk: &dyn Disk, superblock: &Superblock) -> io::Result<u64> {
    let zone = ZoneReader {
        disk,
        geometry: superblock.geometry,
        stamp: superblock.manifest,
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
}

impl ZoneReader<'_> {
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
    fn any_later(&self, mut offset: u32, boot: u64, number: u64) -> io::Result<bool> {
        while offset < self.geometry.zone_size {
            if let Some((header, _)) = self.frame(offset)?
                && header.boot == boot
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
