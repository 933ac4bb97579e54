//! Sparse bytes: a nominal terabyte that costs only what was written.
//!
//! Guarantee: zero-filled when new; reading or zeroing what is zero already costs no memory.
//! Ranges are checked by the caller; what reaches past the end is silently left out.
//!
//! Pages that nobody wrote are not even read: reading one would map the host's page of zeros, and
//! the first write would then have to take that back on every processor, a quarter of the time of
//! the histories when two threads run them.

use std::io;
use std::ops::Range;

use memmap2::{MmapMut, MmapOptions};

/// What is written or zeroed together; a page of the host.
const PAGE: usize = 4096;

/// A sparse array of bytes in memory.
pub(super) struct Platter {
    bytes: MmapMut,
    /// One bit for each page: somebody wrote into it.
    written: Vec<u64>,
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
        let written = vec![0; length.div_ceil(PAGE * 64)];
        Ok(Self {
            bytes,
            written,
            sector,
        })
    }

    /// Bytes in a sector.
    pub(super) fn sector(&self) -> u64 {
        self.sector
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) {
        if !self.holds(offset, buffer.len()) {
            return;
        }
        let mut buffer = buffer;
        for (page, range) in pages(offset, buffer.len()) {
            let (part, rest) = buffer.split_at_mut(range.len());
            match self.bytes.get(range) {
                Some(bytes) if self.is_written(page) => part.copy_from_slice(bytes),
                _ => part.fill(0),
            }
            buffer = rest;
        }
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if !self.holds(offset, data.len()) {
            return;
        }
        for (page, _) in pages(offset, data.len()) {
            self.mark(page);
        }
        if let Some(to) = self
            .bytes
            .get_mut(index(offset)..index(offset) + data.len())
        {
            to.copy_from_slice(data);
        }
    }

    /// Makes `length` bytes from `offset` on those of `other`, a platter of the same size.
    pub(super) fn copy(&mut self, other: &Self, offset: u64, length: u64) {
        if !self.holds(offset, index(length)) || !other.holds(offset, index(length)) {
            return;
        }
        for (page, range) in pages(offset, index(length)) {
            if !self.is_written(page) && !other.is_written(page) {
                continue;
            }
            self.mark(page);
            if let (Some(to), Some(from)) =
                (self.bytes.get_mut(range.clone()), other.bytes.get(range))
            {
                to.copy_from_slice(from);
            }
        }
    }

    pub(super) fn zero(&mut self, offset: u64, length: u64) {
        if !self.holds(offset, index(length)) {
            return;
        }
        for (page, range) in pages(offset, index(length)) {
            if self.is_written(page)
                && let Some(bytes) = self.bytes.get_mut(range)
            {
                bytes.fill(0);
            }
        }
    }

    pub(super) fn flip(&mut self, offset: u64, bit: u8) {
        if let Some(byte) = self.bytes.get_mut(index(offset)) {
            *byte ^= 1 << (bit % 8);
            self.mark(index(offset) / PAGE);
        }
    }

    fn holds(&self, offset: u64, length: usize) -> bool {
        index(offset)
            .checked_add(length)
            .is_some_and(|end| end <= self.bytes.len())
    }

    fn is_written(&self, page: usize) -> bool {
        let word = self.written.get(page / 64).copied().unwrap_or_default();
        word & (1 << (page % 64)) != 0
    }

    fn mark(&mut self, page: usize) {
        if let Some(word) = self.written.get_mut(page / 64) {
            *word |= 1 << (page % 64);
        }
    }
}

/// The pages of `length` bytes from `offset` on, each with the part of the range in it.
fn pages(offset: u64, length: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let (from, to) = (index(offset), index(offset) + length);
    (from / PAGE..to.div_ceil(PAGE))
        .map(move |page| (page, from.max(page * PAGE)..to.min((page + 1) * PAGE)))
}

/// Where an offset lies in memory. A length was accepted only if it fits.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
