//! A disk that can be switched off under whoever uses it.
//!
//! Guarantee: once [`Power::cut`] has returned, no call changes the disk any more, whoever still
//! makes one. Faults of disks stand here, too: each opening of a drive gets a disk of its own, over
//! the same platter.

use std::io::{self, IoSlice};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use kinetic_store::disk::Disk;

/// Whether a disk has power.
#[derive(Debug)]
pub(super) struct Power {
    on: RwLock<bool>,
}

impl Power {
    pub(super) fn on() -> Arc<Self> {
        Arc::new(Self {
            on: RwLock::new(true),
        })
    }

    /// Switches off for good, once the calls under way have returned.
    pub(super) fn cut(&self) {
        *self.on.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Keeps it on as long as this is held, if it is on.
    fn hold(&self) -> io::Result<RwLockReadGuard<'_, bool>> {
        let on = self.on.read().unwrap_or_else(PoisonError::into_inner);
        match *on {
            true => Ok(on),
            false => Err(io::Error::other("the simulated drive has no power")),
        }
    }
}

/// A disk as long as it has power.
pub(super) struct PoweredDisk {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) power: Arc<Power>,
}

impl Disk for PoweredDisk {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.read_at(offset, buffer)
    }

    fn read_once_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.read_once_at(offset, buffer)
    }

    fn read_medium_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.read_medium_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let _on = self.power.hold()?;
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        let _on = self.power.hold()?;
        self.disk.discard(offset, length)
    }
}
