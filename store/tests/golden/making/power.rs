//! A disk in memory that knows what of it is synced, and whose power can be cut.
//!
//! Guarantee: reads give what was written last; a cut takes what was written since the last sync,
//! as far as whoever cuts says so.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kinetic_store::disk::{Disk, MemoryDisk};

use crate::image::Image;

/// What becomes of a write that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on the disk.
    Kept,
    /// All of it is but its first sector.
    Torn,
}

#[derive(Debug, Default)]
struct Power {
    /// Writes and syncs that are done before power fails; all of them where there is no number.
    calls_left: Option<u64>,
    unsynced: Vec<(u64, Vec<u8>)>,
}

/// The disk.
pub(crate) struct PowerDisk {
    cached: Arc<MemoryDisk>,
    durable: Arc<MemoryDisk>,
    power: Mutex<Power>,
}

impl PowerDisk {
    /// A disk with this content.
    pub(crate) fn of(image: &Image) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            cached: image.disk()?,
            durable: image.disk()?,
            power: Mutex::default(),
        }))
    }

    /// Power fails after so many more writes and syncs.
    pub(crate) fn fail_after(&self, calls: u64) {
        self.power().calls_left = Some(calls);
    }

    /// Writes since the last sync.
    pub(crate) fn unsynced(&self) -> usize {
        self.power().unsynced.len()
    }

    /// What a process that is killed leaves behind: the host has all of it.
    pub(crate) fn killed(&self) -> io::Result<Image> {
        Image::of(&*self.cached)
    }

    /// What is left when power is cut now, of each write since the last sync by its number.
    pub(crate) fn cut(&self, fate: impl Fn(usize) -> Fate) -> io::Result<Image> {
        let left = Image::of(&*self.durable)?.disk()?;
        for (number, (offset, bytes)) in self.power().unsynced.iter().enumerate() {
            let (sector, start) = (u64::from(self.sector_size()), *offset);
            let lost = match fate(number) {
                Fate::Kept => 0,
                Fate::Torn => (start + 1).next_multiple_of(sector) - start,
            };
            let kept = bytes.get(usize::try_from(lost).unwrap_or_default()..);
            let kept = kept.unwrap_or_default();
            left.write_at(start + lost, &[IoSlice::new(kept)])?;
        }
        Image::of(&*left)
    }

    fn power(&self) -> MutexGuard<'_, Power> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(power: &mut Power) -> io::Result<()> {
        if let Some(left) = &mut power.calls_left {
            let off = || io::Error::other("power is off");
            *left = left.checked_sub(1).ok_or_else(off)?;
        }
        Ok(())
    }
}

impl Disk for PowerDisk {
    fn capacity(&self) -> u64 {
        self.cached.capacity()
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.cached.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.cached.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut power = self.power();
        Self::call(&mut power)?;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).collect();
        power.unsynced.push((offset, bytes));
        self.cached.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        let mut power = self.power();
        Self::call(&mut power)?;
        for (offset, bytes) in power.unsynced.drain(..) {
            self.durable.write_at(offset, &[IoSlice::new(&bytes)])?;
        }
        Ok(())
    }

    fn discard(&self, _offset: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }
}
