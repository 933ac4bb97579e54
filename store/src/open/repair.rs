//! Slots that are written again from each other: the one repair that loses nothing.
//!
//! Guarantee: a slot is written only where the other one verifies and counts, with what that one
//! says and a higher sequence, so that a power cut at any moment leaves the other one as it is.
//! What is damaged elsewhere is left alone: nothing of it can be made again from what is left.
//! Not here: finding damage outside the slots (`survey`), asking for consent (`kinetic drive`).

use std::io;

use thiserror::Error;

use super::settings::{Area, SettingsError, SettingsFault};
use super::slots::{self, SlotFault, SlotsError};
use crate::disk::Disk;
use crate::layout::superblock::{DriveState, Slot, Superblock};

/// A slot that can be written again from the other one.
#[derive(Debug)]
pub enum Mend {
    /// A superblock slot.
    Superblock(Slot, Lost<SlotFault>),
    /// A slot of settings.
    Settings(Slot, Lost<SettingsFault>),
}

/// Why a slot does not hold what the other one does.
#[derive(Debug)]
pub enum Lost<F> {
    /// It cannot be read, or is damaged.
    Fault(F),
    /// It says what was true before: power failed between two writes.
    Lagging,
}

/// Why slots cannot be repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    /// There is no slot to repair another one from.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// Neither are there settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The disk did not take it.
    #[error("writing the slot failed: {0}; nothing is worse than before, replace the disk")]
    Disk(#[from] io::Error),
    /// It took it, and gives something else back.
    #[error("a slot was written and still cannot be read; replace the disk")]
    StillBad,
}

/// Slots that can be written again from the other one; nothing is written.
pub fn mendable(disk: &dyn Disk) -> Result<Vec<Mend>, SlotsError> {
    let superblock = slots::choose(disk)?;
    let mut mends = Vec::new();
    for (slot, found) in [Slot::First, Slot::Second]
        .into_iter()
        .zip(slots::both(disk))
    {
        match found {
            Ok(found) if slots::agree(&found, &superblock) => {}
            Ok(_) => mends.push(Mend::Superblock(slot, Lost::Lagging)),
            Err(fault) => mends.push(Mend::Superblock(slot, Lost::Fault(fault))),
        }
    }
    if superblock.state == DriveState::Serving {
        mends.extend(settings(&Area::of(disk, &superblock)));
    }
    Ok(mends)
}

fn settings(area: &Area<'_>) -> Vec<Mend> {
    use Slot::{First, Second};
    match area.copies() {
        [Ok(first), Ok(second)] if first.settings == second.settings => Vec::new(),
        [Ok(first), Ok(second)] => {
            let older = if first.sequence < second.sequence {
                First
            } else {
                Second
            };
            vec![Mend::Settings(older, Lost::Lagging)]
        }
        [Err(fault), Ok(_)] => vec![Mend::Settings(First, Lost::Fault(fault))],
        [Ok(_), Err(fault)] => vec![Mend::Settings(Second, Lost::Fault(fault))],
        // Nothing is left to write them from.
        [Err(_), Err(_)] => Vec::new(),
    }
}

/// Writes every slot that can be mended, each synced, and makes sure that it is.
pub fn mend(disk: &dyn Disk) -> Result<(), RepairError> {
    for mend in mendable(disk)? {
        match mend {
            Mend::Superblock(slot, _) => rewrite(disk, slot)?,
            Mend::Settings(..) => {
                let superblock = slots::choose(disk)?;
                Area::of(disk, &superblock).settle(&|| disk.sync())?;
            }
        }
    }
    if mendable(disk)?.is_empty() {
        Ok(())
    } else {
        Err(RepairError::StillBad)
    }
}

/// Writes what counts into a slot that does not hold it.
fn rewrite(disk: &dyn Disk, slot: Slot) -> io::Result<()> {
    let Ok(chosen) = slots::choose(disk) else {
        return Ok(());
    };
    let sequence = chosen.sequence + 1;
    if Slot::of(sequence) != slot {
        // What counts stands in this slot: it is not the one that was lost.
        return Ok(());
    }
    Superblock { sequence, ..chosen }.write(disk)?;
    disk.sync()
}
