//! What the engine asks of a disk, and may count on: the [`Disk`] trait.
//!
//! What every implementation guarantees:
//! - a read returns what the last write that returned before it wrote, synced or not;
//! - bytes whose write returned before a successful [`Disk::sync`] began survive a loss of power;
//! - of the writes since, any subset of sectors may survive, each sector whole, in any order.
//!
//! Not here: retries, checksums, classification of errors, caching. Those are the engine's.

use std::io::{self, IoSlice};

use crate::effort::Effort;

/// A flat disk: all state of a drive lies on one of these.
///
/// Offsets and lengths are in bytes and need no alignment. Errors are [`io::Error`]; the engine
/// classifies them. Methods take `&self` and may be called from any number of threads; writes that
/// overlap in space and time leave either's bytes.
pub trait Disk: Send + Sync + 'static {
    /// Size in bytes, fixed for the life of the value.
    fn capacity(&self) -> u64;

    /// The unit in bytes that a loss of power leaves either old or new: 512 or 4096.
    fn sector_size(&self) -> u32;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the range reaches past the end; otherwise what the host reports
    /// (an unreadable sector is `EIO`).
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// As [`Disk::read_at`], for whoever would rather have an error than wait for another try.
    ///
    /// # Errors
    /// As [`Disk::read_at`].
    fn read_once_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buffer)
    }

    /// As [`Disk::read_at`], but from the medium itself where the host lets that be told apart from
    /// what it keeps in memory: for whoever checks the medium.
    ///
    /// # Errors
    /// As [`Disk::read_at`].
    fn read_medium_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buffer)
    }

    /// Fills `buffer` only if that needs no waiting: true when it is filled, false when it would
    /// have to wait, and then the content of `buffer` is unspecified.
    ///
    /// # Errors
    /// As [`Disk::read_at`].
    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool>;

    /// Writes all bytes of all parts, one after the other, from `offset`. Any number of parts.
    ///
    /// # Errors
    /// `InvalidInput` when the range reaches past the end (nothing is written); otherwise what
    /// the host reports, and then any part of the range may have been written.
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// Makes everything durable whose write returned before this call.
    ///
    /// # Errors
    /// What the host reports. After an error nothing is known of any write since the last sync
    /// that succeeded, and a later success proves nothing about them.
    fn sync(&self) -> io::Result<()>;

    /// Tells the disk that this range is no longer needed. Advice: afterwards the range reads as
    /// zeros or as before, sector by sector, until it is written again.
    ///
    /// # Errors
    /// `InvalidInput` when the range reaches past the end. A host that cannot discard is no error.
    fn discard(&self, offset: u64, length: u64) -> io::Result<()>;
}

/// Reads as far as `effort` may go; `false` where that is not far enough.
///
/// # Errors
/// Those of the [`Disk`].
pub fn read(disk: &dyn Disk, effort: Effort, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
    match effort {
        Effort::Cached => disk.try_read_at(offset, buffer),
        Effort::Once => disk.read_once_at(offset, buffer).map(|()| true),
        Effort::Disk => disk.read_at(offset, buffer).map(|()| true),
        Effort::Medium => disk.read_medium_at(offset, buffer).map(|()| true),
    }
}
