//! A disk that counts what is written to it.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU64, Ordering};

use kinetic_store::disk::{Disk, FileDisk};

/// A file, and how many bytes were written to it.
pub(crate) struct Counting {
    disk: FileDisk,
    written: AtomicU64,
}

impl Counting {
    pub(crate) fn new(disk: FileDisk) -> Self {
        Self {
            disk,
            written: AtomicU64::new(0),
        }
    }

    /// Bytes written since the start.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Disk for Counting {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}
