//! The whole platter: extents that are mapped when they are first written.
//!
//! Guarantees: those of the store's disk; and [`SparseDisk::lose_unsynced`] leaves exactly what the
//! last sync covered. Memory: the pages that were written and, until the next sync, what they
//! replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kinetic_store::disk::{Disk, PastEnd};

use super::extent::{Before, Extent};
use crate::limits::EXTENT;

/// A disk in memory, of any nominal size.
pub struct SparseDisk {
    capacity: u64,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    extents: BTreeMap<u64, Extent>,
    /// What was done since the last sync, to be taken back in reverse.
    unsynced: Vec<Undo>,
}

enum Undo {
    Write(u64, Before),
    Discard(u64, Extent),
}

impl SparseDisk {
    /// An empty disk of `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            state: RwLock::default(),
        }
    }

    /// The power is cut: all that was not synced is gone.
    pub fn lose_unsynced(&self) {
        let mut state = self.write_lock();
        let State { extents, unsynced } = &mut *state;
        for undo in std::mem::take(unsynced).into_iter().rev() {
            match undo {
                Undo::Discard(number, extent) => {
                    extents.insert(number, extent);
                }
                Undo::Write(number, before) => {
                    if let Some(extent) = extents.get_mut(&number) {
                        extent.restore(&before);
                    }
                }
            }
        }
    }

    /// Bytes of extents that are mapped; of these, only written pages take memory.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.read_lock().extents.len() as u64 * EXTENT
    }

    fn read_lock(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pieces of a range by extents: number, first byte in it, bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let (mut at, mut left) = (offset, length as u64);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let within = at % EXTENT;
        let count = left.min(EXTENT - within);
        let number = at / EXTENT;
        at += count;
        left -= count;
        // Both are below the size of an extent.
        Some((
            number,
            usize::try_from(within).ok()?,
            usize::try_from(count).ok()?,
        ))
    })
}

impl Disk for SparseDisk {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let length = buffer.len();
        PastEnd::check(offset, length as u64, self.capacity).map_err(PastEnd::on_read)?;
        let state = self.read_lock();
        let mut rest = buffer;
        for (number, from, count) in pieces(offset, length) {
            let (part, later) = rest.split_at_mut(count);
            match state.extents.get(&number) {
                Some(extent) => extent.read(from, part),
                None => part.fill(0),
            }
            rest = later;
        }
        Ok(())
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.read_at(offset, buffer).map(|()| true)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        PastEnd::check(offset, length, self.capacity).map_err(PastEnd::on_write)?;
        let mut state = self.write_lock();
        let State { extents, unsynced } = &mut *state;
        let mut at = offset;
        for part in parts {
            let mut rest: &[u8] = part;
            for (number, from, count) in pieces(at, part.len()) {
                let (now, later) = rest.split_at(count);
                let extent = match extents.entry(number) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(Extent::new()?)
                    }
                };
                let mut before = Vec::new();
                extent.write(from, now, &mut before);
                unsynced.extend(before.into_iter().map(|one| Undo::Write(number, one)));
                rest = later;
            }
            at += part.len() as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let done = std::mem::take(&mut self.write_lock().unsynced);
        // Given back to the host without anybody waiting for the lock.
        drop(done);
        Ok(())
    }

    /// Lets whole extents go; what is left of the range at either end keeps its content.
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        PastEnd::check(offset, length, self.capacity).map_err(PastEnd::on_write)?;
        let whole = offset.div_ceil(EXTENT)..(offset + length) / EXTENT;
        if whole.is_empty() {
            return Ok(());
        }
        let mut state = self.write_lock();
        let State { extents, unsynced } = &mut *state;
        let known: Vec<u64> = extents.range(whole).map(|(number, _)| *number).collect();
        for number in known {
            let dropped = extents.remove(&number);
            unsynced.extend(dropped.map(|extent| Undo::Discard(number, extent)));
        }
        Ok(())
    }
}

impl fmt::Debug for SparseDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SparseDisk")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn write(disk: &SparseDisk, offset: u64, bytes: &[u8]) {
        disk.write_at(offset, &[IoSlice::new(bytes)]).unwrap();
    }

    fn read(disk: &SparseDisk, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![1; length];
        disk.read_at(offset, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_holds_what_was_written_wherever_and_zeros_elsewhere() {
        let disk = SparseDisk::new(4_000_000_000_000);
        assert_eq!(disk.mapped_bytes(), 0);
        for offset in [0, EXTENT - 3, 3_999_999_000_000, 777_777_777_777] {
            write(&disk, offset, b"kinetic");
            let from = offset - offset.min(2);
            let at = usize::try_from(offset - from).unwrap();
            assert_eq!(read(&disk, from, 20)[at..at + 7], *b"kinetic");
        }
        assert_eq!(disk.mapped_bytes(), 4 * EXTENT);
        let past = disk.write_at(3_999_999_999_999, &[IoSlice::new(b"ab")]);
        assert_eq!(past.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let past = disk.read_at(u64::MAX, &mut [0]);
        assert_eq!(past.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_power_cut_leaves_exactly_what_the_last_sync_covered() {
        const SIZE: u64 = 3 * EXTENT;
        let mut rng = Rng::new(7);
        let disk = SparseDisk::new(SIZE);
        // Few places, so that writes overlap; a model of what is written and what is synced.
        let base = EXTENT - 32 * 1024;
        let mut now = vec![0_u8; 64 * 1024];
        let mut synced = now.clone();
        for round in 0..2000 {
            match rng.below(10) {
                0 => {
                    disk.sync().unwrap();
                    synced.clone_from(&now);
                }
                1 => {
                    disk.lose_unsynced();
                    now.clone_from(&synced);
                }
                2 if round % 7 == 0 => {
                    disk.discard(EXTENT, EXTENT).unwrap();
                    now[32 * 1024..].fill(0);
                }
                _ => {
                    let from = rng.below(50_000);
                    let byte = u8::try_from(1 + rng.below(255)).unwrap();
                    let length = usize::try_from(1 + rng.below(14_000)).unwrap();
                    let bytes = vec![byte; length];
                    write(&disk, base + from, &bytes);
                    let from = usize::try_from(from).unwrap();
                    now[from..from + bytes.len()].copy_from_slice(&bytes);
                }
            }
            assert!(read(&disk, base, now.len()) == now, "round {round}");
        }
    }

    #[test]
    fn a_discarded_extent_gives_its_memory_back_once_that_is_synced() {
        let disk = SparseDisk::new(4 * EXTENT);
        write(&disk, EXTENT, b"kinetic");
        disk.sync().unwrap();
        disk.discard(EXTENT - 1, EXTENT).unwrap();
        assert_eq!(
            read(&disk, EXTENT, 7),
            b"kinetic",
            "it is not covered whole"
        );
        disk.discard(EXTENT, EXTENT).unwrap();
        assert_eq!(
            (read(&disk, EXTENT, 7), disk.mapped_bytes()),
            (vec![0; 7], 0)
        );
        disk.lose_unsynced();
        assert_eq!(read(&disk, EXTENT, 7), b"kinetic");
    }
}
