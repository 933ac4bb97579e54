//! A disk in RAM.
//!
//! Guarantees: costs only what was written (a nominal 16 GiB starts at half a megabyte); reads
//! never wait; `sync` always succeeds and means nothing, since nothing here survives its process.
//!
//! Not here: faults. The simulator's disk loses, tears and refuses; this one only holds.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{PoisonError, RwLock};

use super::contract::Disk;
use super::error::PastEnd;

/// Bytes in one chunk, allocated when first written; untouched pages of it cost nothing either.
const CHUNK_SIZE: usize = 1 << 20;

/// The same, in the type of offsets.
const CHUNK: u64 = CHUNK_SIZE as u64;

/// A disk in RAM, zero-filled when new.
pub struct MemoryDisk {
    capacity: u64,
    chunks: Vec<RwLock<Option<Box<[u8]>>>>,
}

impl MemoryDisk {
    /// An empty disk of `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let chunks = (0..capacity.div_ceil(CHUNK))
            .map(|_| RwLock::new(None))
            .collect();
        Self { capacity, chunks }
    }

    /// Calls `visit` with each chunk that `length` bytes at `offset` touch, the first byte within
    /// that chunk, and the number of bytes.
    fn each_chunk(
        &self,
        offset: u64,
        length: usize,
        mut visit: impl FnMut(&RwLock<Option<Box<[u8]>>>, usize, usize),
    ) {
        let (mut at, mut left) = (offset, length as u64);
        while left > 0 {
            let within = at % CHUNK;
            let count = left.min(CHUNK - within);
            let chunk = usize::try_from(at / CHUNK)
                .ok()
                .and_then(|n| self.chunks.get(n));
            if let (Some(chunk), Ok(from), Ok(size)) =
                (chunk, usize::try_from(within), usize::try_from(count))
            {
                visit(chunk, from, size);
            }
            at += count;
            left -= count;
        }
    }

    fn write_part(&self, offset: u64, mut part: &[u8]) {
        self.each_chunk(offset, part.len(), |chunk, from, size| {
            let (now, later) = part.split_at(size);
            part = later;
            let mut chunk = chunk.write().unwrap_or_else(PoisonError::into_inner);
            let bytes = chunk.get_or_insert_with(|| vec![0; CHUNK_SIZE].into_boxed_slice());
            if let Some(to) = bytes.get_mut(from..from + size) {
                to.copy_from_slice(now);
            }
        });
    }
}

impl Disk for MemoryDisk {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        PastEnd::check(offset, buffer.len() as u64, self.capacity).map_err(PastEnd::on_read)?;
        let mut filled = 0;
        self.each_chunk(offset, buffer.len(), |chunk, from, size| {
            let chunk = chunk.read().unwrap_or_else(PoisonError::into_inner);
            let bytes = chunk
                .as_ref()
                .and_then(|bytes| bytes.get(from..from + size));
            if let Some(to) = buffer.get_mut(filled..filled + size) {
                match bytes {
                    Some(bytes) => to.copy_from_slice(bytes),
                    None => to.fill(0),
                }
            }
            filled += size;
        });
        Ok(())
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.read_at(offset, buffer).map(|()| true)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        PastEnd::check(offset, length, self.capacity).map_err(PastEnd::on_write)?;
        let mut at = offset;
        for part in parts {
            self.write_part(at, part);
            at += part.len() as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Frees whole chunks; what is left of the range at either end keeps its content.
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        PastEnd::check(offset, length, self.capacity).map_err(PastEnd::on_write)?;
        let (first, end) = (offset.div_ceil(CHUNK), (offset + length) / CHUNK);
        for number in first..end {
            if let Some(chunk) = usize::try_from(number)
                .ok()
                .and_then(|n| self.chunks.get(n))
            {
                *chunk.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryDisk")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
