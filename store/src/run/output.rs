//! Room in, aligned writes out: where the blocks of a run go.
//!
//! Guarantee: a block never spans zones; offset and length of every write are multiples of 4096
//! bytes, so that it can go past the page cache; writes come in the order of their places.
//! Not here: what the blocks hold (`builder`), the disk (`engine` writes and syncs).

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::len32;
use crate::layout::geometry::Location;
use crate::limits::{BLOCK, RUN_BLOCK_MAX, RUN_WRITE};
use crate::seal::{Cipher, Spot};

use super::format::block::{BlockHandle, NewBlock};
use super::format::meta::Extent;

const ALIGNMENT: u32 = 4096;
const _: () = assert!(ALIGNMENT as u64 == BLOCK);

/// A part of a zone that nobody has written in this life of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneRoom {
    /// The life of the zone.
    pub stamp: ZoneStamp,
    /// First free byte, from the start of the zone; rounded up to 4096 where it is not.
    pub next: u32,
    /// End of the room, from the start of the zone.
    pub end: u32,
}

/// Bytes that wait to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingWrite {
    /// Where they go; the offset is a multiple of 4096.
    pub location: Location,
    /// The bytes; their number is a multiple of 4096.
    pub bytes: Vec<u8>,
}

/// Collects blocks into writes.
#[derive(Debug, Default)]
pub struct Output {
    room: Option<ZoneRoom>,
    buffer: Vec<u8>,
    buffer_start: u32,
    ready: VecDeque<PendingWrite>,
    extents: Vec<Extent>,
    bytes: u64,
    cipher: Arc<Cipher>,
}

impl Output {
    /// Collects blocks that are sealed with this.
    #[must_use]
    pub fn new(cipher: Arc<Cipher>) -> Self {
        Self {
            cipher,
            ..Self::default()
        }
    }

    /// Bytes left in the room.
    #[must_use]
    pub fn left(&self) -> usize {
        let left = self.room.map_or(0, |room| room.end - room.next);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Continues in another room and returns what is left of the one before.
    pub fn give_room(&mut self, mut room: ZoneRoom) -> Option<ZoneRoom> {
        let rest = self.close_room();
        room.end -= room.end % ALIGNMENT;
        room.next = aligned(room.next).min(room.end);
        self.buffer_start = room.next;
        self.extents.push(Extent {
            stamp: room.stamp,
            start: room.next,
            end: room.next,
        });
        self.room = Some(room);
        rest
    }

    /// Pads and passes on what was collected, and gives back the room behind it.
    pub fn close_room(&mut self) -> Option<ZoneRoom> {
        let mut room = self.room.take()?;
        room.next = aligned(room.next).min(room.end);
        if !self.buffer.is_empty() {
            let padded = self.buffer.len().next_multiple_of(RUN_ALIGNMENT);
            self.buffer.resize(padded, 0);
            let bytes = mem::take(&mut self.buffer);
            self.pass_on(&room.stamp, bytes);
        }
        self.extents.pop_if(|extent| extent.start == extent.end);
        (room.next < room.end).then_some(room)
    }

    /// Appends a block; `None` when the room is too small for it or no block is that long.
    pub fn place(&mut self, block: &NewBlock<'_>) -> Option<BlockHandle> {
        let length = block.length(&self.cipher)?;
        let room = self.room.as_mut()?;
        let offset = room.next;
        let end = offset.checked_add(length).filter(|end| *end <= room.end)?;
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(RUN_WRITE + RUN_BLOCK_MAX);
        }
        let spot = Spot {
            cipher: &self.cipher,
            stamp: &room.stamp,
            offset,
        };
        block.encode(&spot, &mut self.buffer);
        room.next = end;
        let zone = room.stamp.zone;
        self.extents.last_mut()?.end = end;
        self.bytes += u64::from(length);
        Some(BlockHandle {
            location: Location { zone, offset },
            length,
        })
    }

    /// The next write, if enough was collected or nothing can be added to it any more.
    pub fn take_write(&mut self) -> Option<PendingWrite> {
        if let (true, Some(room)) = (self.buffer.len() >= RUN_WRITE, self.room) {
            let whole = self.buffer.len() - self.buffer.len() % RUN_ALIGNMENT;
            let mut tail = Vec::with_capacity(RUN_WRITE + RUN_BLOCK_MAX);
            tail.extend_from_slice(self.buffer.get(whole..).unwrap_or_default());
            self.buffer.truncate(whole);
            let bytes = mem::replace(&mut self.buffer, tail);
            self.pass_on(&room.stamp, bytes);
        }
        self.ready.pop_front()
    }

    /// Bytes of all blocks so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the blocks lie; the builder asks when the last room is closed.
    #[must_use]
    pub fn take_extents(&mut self) -> Vec<Extent> {
        mem::take(&mut self.extents)
    }

    fn pass_on(&mut self, stamp: &ZoneStamp, bytes: Vec<u8>) {
        let location = Location {
            zone: stamp.zone,
            offset: self.buffer_start,
        };
        self.buffer_start += len32(bytes.len());
        self.ready.push_back(PendingWrite { location, bytes });
    }
}

const RUN_ALIGNMENT: usize = ALIGNMENT as usize;

fn aligned(offset: u32) -> u32 {
    offset
        .checked_next_multiple_of(ALIGNMENT)
        .unwrap_or(u32::MAX - u32::MAX % ALIGNMENT)
}
