//! Sparse bytes: a nominal terabyte that costs only what was written.
//!
//! Guarantee: zero-filled when new; zeroing what is zero already costs no memory. Ranges are
//! checked by the caller; what reaches past the end is silently left out.

use std::io;

use memmap2::{MmapMut, MmapOptions};

/// Zeroing looks at this many bytes at a time; a page of the host.
const PAGE: usize = 4096;

/// A sparse array of bytes in memory.
pub(super) struct Platter {
    bytes: MmapMut,
    sector: u64,
}

impl Platter {
    /// Room for `capacity` bytes, in whole sectors.
    pub(super) fn new(capacity: u64, sector: u64) -> io::Result<Self> {
        let length = capacity.div_ceil(sector).saturating_mul(sector);
        let length = usize::try_from(length)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let bytes = MmapOptions::new()
            .len(length)
            .no_reserve_swap()
            .map_anon()?;
        Ok(Self { bytes, sector })
    }

    /// Bytes in a sector.
    pub(super) fn sector(&self) -> u64 {
        self.sector
    }

    pub(super) fn bytes(&self, offset: u64, length: u64) -> &[u8] {
        let (from, to) = (index(offset), index(offset.saturating_add(length)));
        self.bytes.get(from..to).unwrap_or_default()
    }

    fn bytes_mut(&mut self, offset: u64, length: u64) -> &mut [u8] {
        let (from, to) = (index(offset), index(offset.saturating_add(length)));
        self.bytes.get_mut(from..to).unwrap_or_default()
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let from = self.bytes(offset, buffer.len() as u64);
        if from.len() == buffer.len() {
            buffer.copy_from_slice(from);
        }
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let to = self.bytes_mut(offset, data.len() as u64);
        if to.len() == data.len() {
            to.copy_from_slice(data);
        }
    }

    pub(super) fn zero(&mut self, offset: u64, length: u64) {
        for page in self.bytes_mut(offset, length).chunks_mut(PAGE) {
            if page.iter().any(|byte| *byte != 0) {
                page.fill(0);
            }
        }
    }

    pub(super) fn flip(&mut self, offset: u64, bit: u8) {
        if let Some(byte) = self.bytes_mut(offset, 1).first_mut() {
            *byte ^= 1 << (bit % 8);
        }
    }
}

/// Where an offset lies in memory. A length was accepted only if it fits.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
