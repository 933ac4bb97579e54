//! Settings: opaque bytes that the server keeps on the drive, readable without any key.
//!
//! Guarantee: a write is the new settings or the old ones, power cut or not, and once it succeeded
//! both slots hold the new ones, each synced, or it says that only one does; a write that fails
//! leaves the old ones in force. The slots alternate, so that the one in force is never
//! the one that is being written. Behind the settings of a slot are zeros to its end, so that
//! nothing is left of longer ones: once a write succeeded, and again once the drive was opened.
//! Not here: what settings mean (the server).

use std::io::{self, IoSlice};

use thiserror::Error;

use super::slots::{self, SlotsError};
use crate::disk::Disk;
use crate::layout::geometry::Geometry;
use crate::layout::settings::{Place, SettingsHeader, WIDTH};
use crate::layout::superblock::{DriveState, Slot, Superblock};
use crate::limits::{BLOCK, BLOCK_LEN};

/// Bytes that are looked at together behind the settings of a slot.
const WIPE: usize = 64 << 10;
static ZEROS: [u8; WIPE] = [0; WIPE];

/// Why settings cannot be read or written.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// They do not fit.
    #[error("the settings have {bytes} bytes where {limit} are the most; remove some of them")]
    TooLarge {
        /// Bytes of the settings.
        bytes: u64,
        /// Most bytes that fit on this drive.
        limit: u64,
    },
    /// No usable superblock.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The disk failed.
    #[error("the disk failed at the settings: {0}")]
    Disk(#[from] io::Error),
    /// No slot verifies, though there are settings from the first moment of a drive on.
    #[error("both copies of the drive's settings are damaged")]
    Damaged,
    /// A sync failed earlier.
    #[error(
        "the drive is read-only since its disk failed to sync; copy the data off and replace it"
    )]
    ReadOnly,
    /// An erase was cut short.
    #[error("the drive is being erased; start it, so that the erase is finished")]
    Erasing,
}

/// In how many copies the settings lie on the disk, which are in force.
#[derive(Debug)]
pub enum Kept {
    /// In both, each synced.
    Twice,
    /// In one, synced: the disk failed at the other one, and one bad sector would take them.
    Once(io::Error),
}

/// Why a slot holds no settings of the drive.
#[derive(Debug, Error)]
pub enum SettingsFault {
    /// What lies there is not whole, or another drive's.
    #[error("it does not match its checksum, or belongs to another drive")]
    Damaged,
    /// The disk did not give it.
    #[error("reading it failed: {0}")]
    Unreadable(#[from] io::Error),
}

/// What a slot of settings holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsCopy {
    /// Grows with every write.
    pub sequence: u64,
    /// The settings.
    pub settings: Vec<u8>,
}

/// The settings of the drive on a disk; empty on a fresh one.
pub fn read_settings(disk: &dyn Disk) -> Result<Vec<u8>, SettingsError> {
    let superblock = slots::choose(disk)?;
    if superblock.state == DriveState::Erasing {
        return Ok(Vec::new());
    }
    let found = Area::of(disk, &superblock).read()?;
    Ok(found.settings)
}

/// Settings from before an erase that was cut short, as far as they can be read still, for whoever
/// finishes it and wants to keep a part of them; `None` where no erase is under way.
pub fn settings_before_erase(disk: &dyn Disk) -> Result<Option<Vec<u8>>, SettingsError> {
    let superblock = slots::choose(disk)?;
    if superblock.state != DriveState::Erasing {
        return Ok(None);
    }
    let area = Area::of(disk, &superblock);
    let any = |slot| area.verified(slot).ok().flatten();
    let left = [Slot::First, Slot::Second].into_iter().filter_map(any);
    let newest = left.max_by_key(|(header, _)| header.sequence);
    Ok(Some(newest.map_or_else(Vec::new, |(_, found)| found)))
}

/// Replaces the settings of a drive that is not open, durably.
pub fn write_settings(disk: &dyn Disk, settings: &[u8]) -> Result<Kept, SettingsError> {
    let superblock = slots::choose(disk)?;
    if superblock.state == DriveState::Erasing {
        return Err(SettingsError::Erasing);
    }
    Area::of(disk, &superblock).write(settings, &|| disk.sync())
}

/// The two slots of a drive.
pub(crate) struct Area<'a> {
    /// The disk.
    pub(crate) disk: &'a dyn Disk,
    /// How it is cut into zones.
    pub(crate) geometry: Geometry,
    /// Random number of the drive.
    pub(crate) drive: u64,
}

impl<'a> Area<'a> {
    /// The slots of the drive with this superblock.
    pub(crate) fn of(disk: &'a dyn Disk, superblock: &Superblock) -> Self {
        Self {
            disk,
            geometry: superblock.geometry,
            drive: superblock.drive,
        }
    }

    /// The first settings in both slots, each synced, and nothing of earlier ones. What does not
    /// fit is left out.
    pub(crate) fn found(&self, settings: &[u8]) -> io::Result<()> {
        let room = self.place(Slot::First).room();
        let settings = Some(settings).filter(|settings| settings.len() as u64 <= room);
        let settings = settings.unwrap_or_default();
        // One slot after the other, so that a cut leaves earlier ones or these to be found.
        for sequence in [0, 1] {
            self.put(sequence, settings)?;
            self.disk.sync()?;
        }
        Ok(())
    }

    /// Writes settings into both slots, one after the other, each synced by `sync`.
    pub(crate) fn write(
        &self,
        settings: &[u8],
        sync: &dyn Fn() -> io::Result<()>,
    ) -> Result<Kept, SettingsError> {
        let (bytes, limit) = (settings.len() as u64, self.place(Slot::First).room());
        if bytes > limit {
            return Err(SettingsError::TooLarge { bytes, limit });
        }
        let sequence = self.read()?.sequence.saturating_add(1);
        let written = self.put(sequence, settings).and_then(|()| sync());
        if let Err(error) = written {
            // It may be there in part or whole, and must not count: it is reported as failed.
            let position = self.place(Slot::of(sequence)).position;
            let _blanked = self
                .disk
                .write_at(position, &[IoSlice::new(&[0; BLOCK_LEN])]);
            return Err(error.into());
        }
        // The new settings are durable, and what the other slot holds is not known any more where
        // this fails: one sector that turns bad in the first would take the settings along.
        let second = self.put(sequence.saturating_add(1), settings);
        Ok(match second.and_then(|()| sync()) {
            Ok(()) => Kept::Twice,
            Err(error) => Kept::Once(error),
        })
    }

    /// What both slots hold.
    pub(crate) fn copies(&self) -> [Result<SettingsCopy, SettingsFault>; 2] {
        [Slot::First, Slot::Second].map(|slot| self.slot(slot)?.ok_or(SettingsFault::Damaged))
    }

    /// Makes sure that both slots hold what is in force. The newer one may be what a host shows
    /// from its cache and could not write, without telling this process: it is written again
    /// before the other one is touched. Where the disk does not take the other one, one is enough
    /// to go on with; the scrub tells of it.
    pub(crate) fn settle(&self, sync: &dyn Fn() -> io::Result<()>) -> Result<(), SettingsError> {
        let SettingsCopy { sequence, settings } = self.read()?;
        let [first, second] = [Slot::First, Slot::Second].map(|slot| self.slot(slot));
        let alike = match (first, second) {
            (Ok(Some(first)), Ok(Some(second))) => first.settings == second.settings,
            _ => false,
        };
        let settled = alike && self.is_clean(settings.len());
        self.put(sequence, &settings)?;
        // No failure may go unnoticed: after a failed sync no later one proves anything.
        sync()?;
        if !settled && self.put(sequence.saturating_add(1), &settings).is_ok() {
            sync()?;
        }
        Ok(())
    }

    /// How many slots do not verify, or lag.
    pub(crate) fn lost_slots(&self) -> usize {
        let [first, second] = [Slot::First, Slot::Second].map(|slot| self.slot(slot));
        match (first.ok().flatten(), second.ok().flatten()) {
            (Some(first), Some(second)) => usize::from(first.settings != second.settings),
            (Some(_), None) | (None, Some(_)) => 1,
            (None, None) => 2,
        }
    }

    fn read(&self) -> Result<SettingsCopy, SettingsError> {
        let mut best: Option<SettingsCopy> = None;
        let mut failure = SettingsError::Damaged;
        for slot in [Slot::First, Slot::Second] {
            match self.slot(slot) {
                Ok(Some(found)) if best.as_ref().is_none_or(|b| b.sequence < found.sequence) => {
                    best = Some(found);
                }
                Ok(_) => {}
                // One unreadable slot is what the other one is for.
                Err(error) => failure = error.into(),
            }
        }
        best.ok_or(failure)
    }

    /// What a slot holds; `None` where that does not verify.
    fn slot(&self, slot: Slot) -> io::Result<Option<SettingsCopy>> {
        let verified = self.verified(slot)?;
        let ours = verified.filter(|(header, _)| header.drive == self.drive);
        Ok(ours.map(|(header, settings)| SettingsCopy {
            sequence: header.sequence,
            settings,
        }))
    }

    /// What a slot holds, of whichever drive.
    fn verified(&self, slot: Slot) -> io::Result<Option<(SettingsHeader, Vec<u8>)>> {
        let place = self.place(slot);
        let mut bytes = vec![0; WIDTH];
        self.disk.read_at(place.position, &mut bytes)?;
        let Some(header) = SettingsHeader::peek(&bytes) else {
            return Ok(None);
        };
        if u64::from(header.length) > place.room() {
            return Ok(None);
        }
        bytes.resize(WIDTH + header.length as usize, 0);
        self.disk.read_at(place.position, &mut bytes)?;
        let settings = SettingsHeader::verified(&bytes).map(<[u8]>::to_vec);
        Ok(settings.map(|settings| (header, settings)))
    }

    fn put(&self, sequence: u64, settings: &[u8]) -> io::Result<()> {
        let mut bytes = SettingsHeader::encode(self.drive, sequence, settings);
        bytes.resize(bytes.len().next_multiple_of(BLOCK_LEN), 0);
        let place = self.place(Slot::of(sequence));
        self.disk
            .write_at(place.position, &[IoSlice::new(&bytes)])?;
        for (start, length) in self.leftovers(place, bytes.len()) {
            let zeros = ZEROS.get(..length).unwrap_or(&ZEROS);
            self.disk.write_at(start, &[IoSlice::new(zeros)])?;
        }
        Ok(())
    }

    /// Whether nothing is left behind settings of this length in both slots; what a write that was
    /// cut short left may begin in the middle of a block.
    fn is_clean(&self, settings: usize) -> bool {
        let mut slots = [Slot::First, Slot::Second]
            .map(|slot| self.place(slot))
            .into_iter();
        slots.all(|place| self.leftovers(place, WIDTH + settings).next().is_none())
    }

    /// Where a slot holds anything but zeros behind its first so many bytes, in pieces. What is
    /// clean is not written, so that a new image stays sparse.
    fn leftovers(&self, place: Place, used: usize) -> impl Iterator<Item = (u64, usize)> {
        let Place { position, length } = place;
        let (first, end) = (position + used as u64, position + length);
        (first..end).step_by(WIPE).filter_map(move |start| {
            let length = usize::try_from(end - start).unwrap_or(WIPE).min(WIPE);
            let mut bytes = vec![0; length];
            let read = self.disk.read_at(start, &mut bytes);
            let is_clean = read.is_ok() && ZEROS.starts_with(&bytes);
            (!is_clean).then_some((start, length))
        })
    }

    fn place(&self, slot: Slot) -> Place {
        Place::of(slot, &self.geometry)
    }
}

const _: () = assert!(WIDTH as u64 <= BLOCK);
