//! A disk whose failed reads are tried again.
//!
//! Guarantees: a read fails only after [`READ_TRIES`] tries, or after the only one that whoever
//! reads wants, and each failure is counted. A read
//! that must not wait is not repeated on the spot: it says that it would have to wait, and whoever
//! may wait tries again. Nothing but reads is repeated: after a failed sync a later success proves
//! nothing, and a failed write is the business of whoever wrote.
//! Not here: what an unreadable place costs (the readers).

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::contract::Disk;
use crate::limits::READ_TRIES;

/// What went to the disk of an open store and came from it.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Tries of reads that the disk failed.
    pub read_failures: AtomicU64,
    /// Bytes that it has taken.
    pub written_bytes: AtomicU64,
}

/// The disk of an open store.
pub struct PatientDisk {
    disk: Arc<dyn Disk>,
    traffic: Arc<Traffic>,
}

impl PatientDisk {
    /// The same disk, with patience, and what counts its traffic.
    #[must_use]
    pub fn over(disk: Arc<dyn Disk>) -> (Arc<dyn Disk>, Arc<Traffic>) {
        let traffic = Arc::<Traffic>::default();
        let patient = Self {
            disk,
            traffic: Arc::clone(&traffic),
        };
        (Arc::new(patient), traffic)
    }

    fn read(&self, most: u32, mut read: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let mut tries = 1;
        loop {
            match read() {
                Err(error) if is_of_the_medium(&error) => {
                    self.traffic.read_failures.fetch_add(1, Ordering::Relaxed);
                    if tries == most {
                        return Err(error);
                    }
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

fn is_of_the_medium(error: &io::Error) -> bool {
    may_be_passing(error.kind())
}

/// Whether another try of a read may help: what was asked for is on the disk.
#[must_use]
pub fn may_be_passing(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, UnexpectedEof};
    !matches!(kind, UnexpectedEof | InvalidInput)
}

impl Disk for PatientDisk {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read(READ_TRIES, || self.disk.read_at(offset, buffer))
    }

    fn read_once_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read(1, || self.disk.read_once_at(offset, buffer))
    }

    fn read_medium_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read(READ_TRIES, || self.disk.read_medium_at(offset, buffer))
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        match self.disk.try_read_at(offset, buffer) {
            Err(error) if is_of_the_medium(&error) => {
                self.traffic.read_failures.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
            outcome => outcome,
        }
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.disk.write_at(offset, parts)?;
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let written = &self.traffic.written_bytes;
        written.fetch_add(length as u64, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}
