//! Erasing: an empty drive with the same identity, and nothing of the old one to be read again.
//!
//! Guarantee: first both superblock slots say that an erase is under way and hold no data key any
//! more, each synced; from the first of them on the old drive is never shown again, and whoever
//! opens the disk finishes what was cut short. The new drive has another random number and another
//! data key, so that nothing that is left of the old one is recognised or could be unsealed.
//! Not here: the old bytes themselves, which stay until they are overwritten.

use std::io;

use zeroize::Zeroize as _;

use super::format::{self, Birth, FormatError};
use super::slots;
use crate::disk::Disk;
use crate::engine::salt::SaltSource;
use crate::layout::superblock::{DriveState, Superblock};
use crate::layout::wrapped_key::WrappedKey;

/// How to erase.
#[derive(Clone)]
pub struct EraseOptions {
    /// Random bytes for the secrets of the empty drive.
    pub entropy: [u8; 32],
    /// Settings of the empty drive. An erase that is cut short and finished later leaves none.
    pub settings: Vec<u8>,
}

impl Drop for EraseOptions {
    fn drop(&mut self) {
        self.entropy.zeroize();
        self.settings.zeroize();
    }
}

impl std::fmt::Debug for EraseOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EraseOptions")
            .finish_non_exhaustive()
    }
}

/// Makes an empty drive, without a PIN, of the drive on a disk.
pub fn erase(disk: &dyn Disk, options: &EraseOptions) -> Result<(), FormatError> {
    let superblock = slots::choose(disk)?;
    let salts = SaltSource::new(options.entropy);
    finish(disk, superblock, (salts, &options.settings))
}

/// Does all of an erase, whether or not a part of it was done before.
pub(crate) fn finish(
    disk: &dyn Disk,
    superblock: Superblock,
    (mut salts, settings): (SaltSource, &[u8]),
) -> Result<(), FormatError> {
    let superblock = mark(disk, superblock)?;
    let birth = Birth {
        uuid: superblock.uuid,
        capacity: superblock.capacity,
        geometry: superblock.geometry,
        sequence: superblock.sequence,
        seal: superblock.seal,
        settings,
    };
    format::lay_out(disk, birth, &mut salts)
}

/// Drops the data key from both slots.
fn mark(disk: &dyn Disk, mut superblock: Superblock) -> io::Result<Superblock> {
    superblock.state = DriveState::Erasing;
    superblock.wrapped = WrappedKey::NOTHING;
    for _ in 0..2 {
        superblock.sequence += 1;
        superblock.write(disk)?;
        disk.sync()?;
    }
    Ok(superblock)
}
