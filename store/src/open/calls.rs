//! Disk calls of the ledger while nobody else uses the disk yet.

use std::io::{self, IoSlice};

use crate::disk::Disk;
use crate::layout::geometry::{Geometry, Location};
use crate::layout::superblock::Superblock;
use crate::upkeep::ledger::{Advance, DiskCalls, Ledger};

/// Whether syncs are done; only a deliberate bug says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// They are.
    Done,
    /// They are skipped.
    Skipped,
}

/// A disk of which only this code has a handle.
pub struct SoleDisk<'a> {
    /// The disk.
    pub disk: &'a dyn Disk,
    /// How it is cut into zones.
    pub geometry: Geometry,
    /// Whether to sync.
    pub syncs: Syncs,
}

impl DiskCalls for SoleDisk<'_> {
    fn write(&self, location: Location, bytes: &[u8]) -> io::Result<()> {
        self.disk
            .write_at(self.geometry.position(location), &[IoSlice::new(bytes)])
    }

    fn write_superblock(&self, superblock: &Superblock) -> io::Result<()> {
        superblock.write(self.disk)
    }

    fn sync(&self) -> io::Result<()> {
        match self.syncs {
            Syncs::Done => self.disk.sync(),
            Syncs::Skipped => Ok(()),
        }
    }
}

/// Does all steps of the change that is under way.
pub fn finish(ledger: &mut Ledger, disk: &SoleDisk<'_>) -> io::Result<()> {
    while ledger.step(disk)? == Advance::Working {}
    Ok(())
}
