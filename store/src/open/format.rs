//! Formatting: an empty drive on a disk.
//!
//! Guarantee: both superblock slots are blanked first, so until one is written again the disk is
//! no drive and opening it says so. Formatting writes; whoever calls has made sure that nothing is
//! lost ([`probe`]).
//! Not here: whether the file or device is in use (`disk::host`).

use std::io::{self, IoSlice};

use thiserror::Error;
use zeroize::Zeroize as _;

use super::calls::{self, SoleDisk, Syncs};
use super::settings::Area;
use super::slots::SlotsError;
use crate::disk::Disk;
use crate::engine::salt::SaltSource;
use crate::entry::Seqno;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Geometry, ZoneId};
use crate::layout::superblock::{DriveState, MAGIC, Seal, Slot, Superblock};
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK_LEN, BLOCK32, MIN_CAPACITY};
use crate::manifest::edit::{Counters, Edit, ReplayPoint, ZoneInfo};
use crate::manifest::state::{Contradiction, ManifestState};
use crate::seal::wrap::{Owner, wrap};
use crate::seal::{DataKey, Keys, Protection};
use crate::upkeep::ledger::{FreshZone, Ledger, Opening};

/// How to format.
#[derive(Clone)]
pub struct FormatOptions {
    /// Identity of the drive, for its serial number and WWN; random.
    pub uuid: [u8; 16],
    /// Random bytes for the drive's secrets.
    pub entropy: [u8; 32],
    /// Bytes of a zone, a power of two; from the capacity when absent.
    pub zone_size: Option<u32>,
}

impl Drop for FormatOptions {
    fn drop(&mut self) {
        self.entropy.zeroize();
    }
}

impl std::fmt::Debug for FormatOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FormatOptions")
            .field("uuid", &self.uuid)
            .field("zone_size", &self.zone_size)
            .finish_non_exhaustive()
    }
}

/// Why a disk cannot be formatted.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The disk is too small, or too small for the zones asked for.
    #[error(
        "the disk has {capacity} bytes, a drive needs {MIN_CAPACITY} bytes and 64 zones at least"
    )]
    TooSmall {
        /// Bytes of the disk.
        capacity: u64,
    },
    /// What is to be erased is no drive that could be.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The disk did not take it.
    #[error("writing the empty drive failed: {0}")]
    Disk(#[from] io::Error),
    /// The code contradicts itself.
    #[error("the empty drive is not consistent: {0}")]
    Contradiction(#[from] Contradiction),
}

/// What is on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A drive of ours, sound or not.
    Drive,
    /// Zeros where a drive has its superblocks.
    Blank,
    /// Something else.
    Foreign,
}

/// Looks at what is on a disk, without judging whether it is sound.
pub fn probe(disk: &dyn Disk) -> io::Result<Probe> {
    let mut found = Probe::Blank;
    for slot in [Slot::First, Slot::Second] {
        let mut block = vec![0; BLOCK_LEN];
        match disk.read_at(slot.position(), &mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            other => other?,
        }
        if block.starts_with(&MAGIC) {
            return Ok(Probe::Drive);
        }
        if block.iter().any(|byte| *byte != 0) {
            found = Probe::Foreign;
        }
    }
    Ok(found)
}

/// Makes an empty, sealed drive of a disk; what was on it is lost.
pub fn format(disk: &dyn Disk, options: &FormatOptions) -> Result<(), FormatError> {
    format_as(disk, options, Seal::Sealed)
}

/// Makes an empty drive of a disk that is sealed in this way; what was on it is lost.
pub fn format_as(disk: &dyn Disk, options: &FormatOptions, seal: Seal) -> Result<(), FormatError> {
    let capacity = disk.capacity();
    let geometry = match options.zone_size {
        Some(size) => Geometry::with_zone_size(capacity, size),
        None => Geometry::for_capacity(capacity),
    };
    let geometry = geometry.ok_or(FormatError::TooSmall { capacity })?;
    blank(disk)?;
    let birth = Birth {
        uuid: options.uuid,
        capacity,
        geometry,
        sequence: 0,
        seal,
        settings: &[],
    };
    lay_out(disk, birth, &mut SaltSource::new(options.entropy))
}

/// What is known of a drive before it is there.
pub(crate) struct Birth<'a> {
    /// Its identity.
    pub(crate) uuid: [u8; 16],
    /// Bytes of the disk.
    pub(crate) capacity: u64,
    /// How it is cut into zones.
    pub(crate) geometry: Geometry,
    /// The superblocks of the new drive follow this one.
    pub(crate) sequence: u64,
    /// How it is sealed.
    pub(crate) seal: Seal,
    /// Its first settings.
    pub(crate) settings: &'a [u8],
}

/// Writes an empty drive, its superblocks last: before them nothing of it counts.
pub(crate) fn lay_out(
    disk: &dyn Disk,
    birth: Birth<'_>,
    salts: &mut SaltSource,
) -> Result<(), FormatError> {
    let Birth {
        uuid,
        capacity,
        geometry,
        sequence,
        seal,
        settings,
    } = birth;
    let drive = salts.draw();
    let key = DataKey::new(salts.key());
    let area = Area {
        disk,
        geometry,
        drive,
    };
    area.found(settings)?;
    let nowhere = ZoneStamp {
        drive,
        zone: ZoneId(0),
        epoch: 0,
        salt: 0,
    };
    let superblock = Superblock {
        uuid,
        drive,
        capacity,
        geometry,
        sequence,
        boot: 0,
        manifest: nowhere,
        manifest_boot: 0,
        first_frame: 1,
        manifest_boot_salt: [0; 16],
        seal,
        state: DriveState::Serving,
        wrapped: wrap(
            &key,
            &Protection::Open,
            &Owner { uuid, seal },
            salts.nonce(),
        ),
    };
    let fresh = ZoneStamp {
        drive,
        zone: ZoneId(1),
        epoch: 1,
        salt: salts.draw(),
    };
    let opening = Opening {
        state: empty_state(nowhere)?,
        superblock,
        boot_salt: salts.boot_salt(),
        cipher: Keys::new(seal, &key).of_boot(&salts.boot_salt()),
        next_frame: 1,
    };
    let mut ledger = Ledger::open(opening, FreshZone { stamp: fresh }, &geometry)?;
    let sole = SoleDisk {
        disk,
        geometry,
        syncs: Syncs::Done,
    };
    calls::finish(&mut ledger, &sole)?;
    Ok(())
}

/// Makes sure that no superblock of an earlier drive counts any more.
fn blank(disk: &dyn Disk) -> io::Result<()> {
    for slot in [Slot::First, Slot::Second] {
        disk.write_at(slot.position(), &[IoSlice::new(&[0; BLOCK_LEN])])?;
    }
    disk.sync()
}

/// A manifest that lies nowhere yet, of a drive that holds nothing.
fn empty_state(nowhere: ZoneStamp) -> Result<ManifestState, Contradiction> {
    let mut state = ManifestState::default();
    state.apply(&Edit::Zone(ZoneInfo {
        kind: ZoneKind::Manifest,
        stamp: nowhere,
        boot: 0,
        boot_salt: [0; 16],
        ordinal: 0,
        end: None,
        live: 0,
        born: Seqno(0),
    }))?;
    state.apply(&Edit::Counters(Counters {
        next_epoch: 2,
        next_run: 1,
        next_ordinal: 1,
    }))?;
    let replay = ReplayPoint {
        ordinal: 1,
        offset: BLOCK32,
        group: 1,
        seqno: Seqno(0),
    };
    state.apply(&Edit::Replay(replay))?;
    Ok(state)
}
