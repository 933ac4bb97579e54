//! Which of the two superblock slots counts.
//!
//! Guarantee: the valid slot with the higher sequence; both slots are rewritten before anything
//! else, so that a lagging or damaged one is repaired first. What is no drive is never written to,
//! nor what another program made and this one does not understand: one such slot refuses the drive,
//! whatever the other one says.

use std::io;

use thiserror::Error;

use crate::disk::Disk;
use crate::layout::superblock::{FORMAT_VERSION, Slot, SlotError, Superblock};
use crate::layout::wrapped_key::PIN;
use crate::seal::Kdf;

/// Why a disk has no usable superblock.
#[derive(Debug, Error)]
pub enum SlotsError {
    /// The disk failed.
    #[error("reading the superblocks failed: {0}")]
    Disk(#[from] io::Error),
    /// There is no drive on the disk.
    #[error(
        "this is not a Kinetic drive; to make it one, and lose what is on it, run \
         `kinetic drive format --force`"
    )]
    NotADrive,
    /// Both slots are damaged.
    #[error("both superblocks are damaged; the drive cannot be opened")]
    Corrupt,
    /// Another version of the format.
    #[error(
        "the drive has format version {0}, this program reads version {FORMAT_VERSION}; {remedy}",
        remedy = remedy(*.0)
    )]
    Version(u32),
    /// Features of the format that this program does not know.
    #[error(
        "the drive has features ({0:#x}) that this program does not know; open it with the \
         kineticd that made it, or a newer one"
    )]
    Features(u64),
    /// Sealing that this program does not know.
    #[error(
        "the drive is sealed in a way ({0}) that this program does not know; open it with the \
         kineticd that made it, or a newer one"
    )]
    Seal(u8),
    /// A state that this program does not know.
    #[error(
        "the drive is in a state ({0}) that this program does not know; open it with the kineticd \
         that made it, or a newer one"
    )]
    State(u8),
    /// The file or device is smaller than when it was formatted.
    #[error(
        "the disk has {found} bytes, but the drive on it was made with {expected}: \
         the end is missing; copy it again if it was cut short, or save what can be read with \
         `kinetic drive repair --salvage DIR`"
    )]
    Truncated {
        /// Bytes of the disk.
        found: u64,
        /// Bytes it had when it was formatted.
        expected: u64,
    },
}

/// What to do about a drive of another version.
fn remedy(version: u32) -> &'static str {
    if version < FORMAT_VERSION {
        "that one was never stable: save what the drive holds with `kinetic export` while the \
         kineticd that made it serves it, then make it anew with `kinetic drive format --force`"
    } else {
        "open it with the kineticd that made it, or a newer one"
    }
}

/// Why a slot holds no superblock.
#[derive(Debug, Error)]
pub enum SlotFault {
    /// What lies there is none.
    #[error("{0}")]
    Damaged(#[from] SlotError),
    /// The disk did not give it.
    #[error("reading the superblock failed: {0}")]
    Unreadable(#[from] io::Error),
}

/// What both slots hold.
pub fn both(disk: &dyn Disk) -> [Result<Superblock, SlotFault>; 2] {
    [Slot::First, Slot::Second].map(|slot| Ok(Superblock::read(disk, slot)??))
}

/// Whether two superblocks say the same: one lags where power failed between two writes.
#[must_use]
pub fn agree(one: &Superblock, other: &Superblock) -> bool {
    let sequence = one.sequence;
    *one == Superblock {
        sequence,
        ..other.clone()
    }
}

/// How the key is made that a drive needs to be opened; `None` where it needs none.
pub fn kdf_of(disk: &dyn Disk) -> Result<Option<Kdf>, SlotsError> {
    let wrapped = choose(disk)?.wrapped;
    let kdf = Kdf {
        salt: wrapped.salt,
        rounds: wrapped.rounds,
    };
    Ok((wrapped.kind == PIN).then_some(kdf))
}

/// Reads both slots and chooses; the disk must be as long as the drive.
pub fn choose(disk: &dyn Disk) -> Result<Superblock, SlotsError> {
    let superblock = newest(disk)?;
    let (found, expected) = (disk.capacity(), superblock.capacity);
    if found < expected || superblock.geometry.bytes() > found {
        return Err(SlotsError::Truncated { found, expected });
    }
    Ok(superblock)
}

/// Reads both slots and chooses, of however short a disk.
pub fn newest(disk: &dyn Disk) -> Result<Superblock, SlotsError> {
    let mut best: Option<Superblock> = None;
    let mut worst = SlotsError::NotADrive;
    for slot in [Slot::First, Slot::Second] {
        let read = match Superblock::read(disk, slot) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) if best.is_none() && slot == Slot::Second => return Err(error.into()),
            // One unreadable slot is what the other one is for.
            Err(_) => Err(SlotError::Corrupt),
            Ok(read) => read,
        };
        match read {
            Ok(found)
                if best
                    .as_ref()
                    .is_none_or(|best| best.sequence < found.sequence) =>
            {
                best = Some(found);
            }
            Ok(_) | Err(SlotError::Foreign) => {}
            Err(SlotError::Corrupt | SlotError::Geometry(_)) => worst = SlotsError::Corrupt,
            // A newer program may have been cut off between the two slots.
            Err(SlotError::Version(version)) => return Err(SlotsError::Version(version)),
            Err(SlotError::Features(bits)) => return Err(SlotsError::Features(bits)),
            Err(SlotError::Seal(seal)) => return Err(SlotsError::Seal(seal)),
            Err(SlotError::State(state)) => return Err(SlotsError::State(state)),
        }
    }
    best.ok_or(worst)
}
