//! The first look at a disk: slots, data key, manifest.
//!
//! Guarantee: a drive that is locked, being erased or without a readable manifest has a survey all
//! the same; it says what it cannot show and why.
//! Not here: the log and the runs.

use std::sync::Arc;

use thiserror::Error;

use crate::disk::{Disk, PatientDisk};
use crate::layout::superblock::{DriveState, Superblock};
use crate::limits::RUN_BLOCK_MAX;
use crate::manifest::journal::{self, ManifestError, Remains};
use crate::open::settings::{Area, SettingsCopy, SettingsFault};
use crate::open::slots::{self, SlotFault, SlotsError};
use crate::run::{BlockCache, BlockReader};
use crate::seal::wrap::{self, Owner, UnwrapError};
use crate::seal::{Keys, PinKey};

/// Why there is no survey of a disk.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// It has no usable superblock.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The PIN is another one.
    #[error("the PIN is not the one that the drive was locked with")]
    WrongPin,
}

/// Why the contents of a drive are not shown.
#[derive(Debug, Error)]
pub enum Hidden {
    /// An erase was cut short.
    #[error("an erase of the drive was cut short; the next start finishes it")]
    Erasing,
    /// It takes a PIN.
    #[error("the drive has a lock PIN; without it nothing but superblocks and settings shows")]
    Locked,
    /// Its data key is of no use.
    #[error(
        "the drive's data key is damaged, or protected in a way that this program does not know: \
         nothing of its contents can be unsealed"
    )]
    NoKey,
    /// Nothing of its manifest can be read.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// A disk that is looked at and never written.
pub struct Survey {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) superblock: Superblock,
    pub(super) contents: Result<Contents, Hidden>,
}

/// What is shown of an unlocked drive.
pub(super) struct Contents {
    pub(super) keys: Arc<Keys>,
    pub(super) remains: Remains,
}

impl Survey {
    /// Looks at a disk; `pin` is the key of its lock PIN, where one is set and known.
    pub fn of(disk: Arc<dyn Disk>, pin: Option<&PinKey>) -> Result<Self, SurveyError> {
        let (disk, _traffic) = PatientDisk::over(disk);
        let superblock = slots::newest(&*disk)?;
        let contents = match contents(&*disk, &superblock, pin) {
            Err(Shut::WrongPin) => return Err(SurveyError::WrongPin),
            Err(Shut::Hidden(hidden)) => Err(hidden),
            Ok(contents) => Ok(contents),
        };
        Ok(Self {
            disk,
            superblock,
            contents,
        })
    }

    /// The superblock in force.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Bytes of the disk, and of the drive on it, where its end is missing.
    #[must_use]
    pub fn missing_end(&self) -> Option<(u64, u64)> {
        let (found, expected) = (self.disk.capacity(), self.superblock.capacity);
        (found < expected).then_some((found, expected))
    }

    /// Why its contents are not shown.
    #[must_use]
    pub fn hidden(&self) -> Option<&Hidden> {
        self.contents.as_ref().err()
    }

    /// Why its manifest can be read in part only.
    #[must_use]
    pub fn damaged_manifest(&self) -> Option<&ManifestError> {
        self.contents.as_ref().ok()?.remains.damage.as_ref()
    }

    /// What both superblock slots hold.
    pub fn slots(&self) -> [Result<Superblock, SlotFault>; 2] {
        slots::both(&*self.disk)
    }

    /// What both slots of settings hold.
    pub fn settings(&self) -> [Result<SettingsCopy, SettingsFault>; 2] {
        Area::of(&*self.disk, &self.superblock).copies()
    }

    /// Reads blocks of runs, each once.
    pub(super) fn blocks(&self, contents: &Contents) -> BlockReader {
        let cache = Arc::new(BlockCache::of_blocks(RUN_BLOCK_MAX as u64));
        BlockReader::new(Arc::clone(&self.disk), self.superblock.geometry, cache)
            .with_keys(Arc::clone(&contents.keys))
    }
}

enum Shut {
    Hidden(Hidden),
    WrongPin,
}

impl From<Hidden> for Shut {
    fn from(hidden: Hidden) -> Self {
        Self::Hidden(hidden)
    }
}

fn contents(
    disk: &dyn Disk,
    superblock: &Superblock,
    pin: Option<&PinKey>,
) -> Result<Contents, Shut> {
    if superblock.state == DriveState::Erasing {
        return Err(Hidden::Erasing.into());
    }
    let owner = Owner {
        uuid: superblock.uuid,
        seal: superblock.seal,
    };
    let key = wrap::unwrap(&superblock.wrapped, pin, &owner).map_err(|error| match error {
        UnwrapError::Locked => Hidden::Locked.into(),
        UnwrapError::WrongPin => Shut::WrongPin,
        UnwrapError::Damaged(_) => Hidden::NoKey.into(),
    })?;
    let keys = Arc::new(Keys::new(superblock.seal, &key));
    let remains = journal::read_remains(disk, superblock, &keys).map_err(Hidden::from)?;
    for info in remains.state.zones.values() {
        keys.enter(info.stamp, &info.boot_salt);
    }
    Ok(Contents { keys, remains })
}
