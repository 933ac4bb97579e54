//! Values on their way to a cold zone: one group, written in one piece.
//!
//! Guarantee: a group of a cold zone has the form of one of the log, with number 0, on blocks of
//! its own; it is sealed once, for one place, and a write that fails is repeated with the same
//! bytes.
//! Not here: when the moves are handed in (`round`): not before the group is synced.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::counters::Counters;
use crate::engine::moves::Move;
use crate::engine::shared::Shared;
use crate::entry::{Entry, Key, State};
use crate::layout::codec::len32;
use crate::layout::geometry::Location;
use crate::limits::BLOCK32;
use crate::log::group::{self, GroupHeader};
use crate::log::record::{self, Placement};
use crate::run::ZoneRoom;
use crate::seal::{Cipher, Spot};

/// Values that are collected.
#[derive(Debug)]
pub struct Batch {
    cipher: Arc<Cipher>,
    moves: Vec<Move>,
    values: Vec<Bytes>,
    records_length: usize,
    values_length: usize,
}

/// A group, ready to be written.
#[derive(Debug)]
pub struct ColdGroup {
    location: Location,
    bytes: Vec<u8>,
    moves: Vec<Move>,
}

impl Batch {
    /// An empty one, to be sealed with this.
    #[must_use]
    pub fn new(cipher: &Arc<Cipher>) -> Self {
        Self {
            cipher: Arc::clone(cipher),
            moves: Vec::new(),
            values: Vec::new(),
            records_length: 0,
            values_length: 0,
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// Bytes of values in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values_length
    }

    /// Adds a value that lies where `from` says.
    pub fn add(&mut self, key: Key, from: Entry, value: Bytes) {
        let to = Location::default();
        let moved = Move { key, from, to };
        self.records_length += moved.record_length();
        self.values_length += self.cipher.stored(value.len());
        self.moves.push(moved);
        self.values.push(value);
    }

    /// Bytes that its group would take with this one, too.
    #[must_use]
    pub fn length_with(&self, key: &Key, from: &Entry) -> u32 {
        let State::Live(attributes, value) = &from.state else {
            return 0;
        };
        let records = self.records_length + record::encoded_length(key, Some(attributes));
        let head = group::WIDTH + records + self.cipher.overhead();
        let values = self.values_length + self.cipher.stored(value.length as usize);
        group::padded_length(head, values, BLOCK32)
    }

    /// The group, for the room that it fits.
    #[must_use]
    pub fn seal(mut self, room: &mut ZoneRoom, shared: &Shared) -> ColdGroup {
        let cipher = &*self.cipher;
        let start = room.next.next_multiple_of(BLOCK32);
        let spot = |offset| Spot {
            cipher,
            stamp: &room.stamp,
            offset,
        };
        let mut records = Vec::with_capacity(self.records_length);
        for moved in &self.moves {
            record::encode(&mut records, &moved.key, &moved.from, Placement::Inside);
        }
        let head = group::WIDTH + records.len() + cipher.overhead();
        let length = group::padded_length(head, self.values_length, BLOCK32);
        let header = GroupHeader {
            boot: shared.boot,
            number: 0,
            durable_up_to: 0,
            length,
            seal: cipher.seal(),
            records_length: len32(records.len() + cipher.overhead()),
            count: len32(self.moves.len()),
        };
        let mut bytes = header.encode(&spot(start), &mut records);
        bytes.reserve_exact(length as usize);
        bytes.extend_from_slice(&records);
        let zone = room.stamp.zone;
        for (moved, value) in self.moves.iter_mut().zip(&self.values) {
            let offset = start + len32(bytes.len());
            spot(offset).seal_value(value, &mut bytes);
            moved.to = Location { zone, offset };
        }
        bytes.resize(length as usize, 0);
        room.next = start + length;
        ColdGroup {
            location: Location {
                zone,
                offset: start,
            },
            bytes,
            moves: self.moves,
        }
    }
}

impl ColdGroup {
    /// Writes it.
    pub fn write(&self, shared: &Shared) -> io::Result<()> {
        let position = shared.geometry.position(self.location);
        shared
            .disk
            .write_at(position, &[IoSlice::new(&self.bytes)])?;
        Counters::add(&shared.counters.cold_bytes, self.bytes.len() as u64);
        Ok(())
    }

    /// Its bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of values in it.
    #[must_use]
    pub fn values(&self) -> u64 {
        let live = self.moves.iter().filter_map(|moved| moved.from.live());
        live.map(|value| u64::from(value.length)).sum()
    }

    /// The moves that may be handed in once it is synced.
    #[must_use]
    pub fn into_moves(self) -> Vec<Move> {
        self.moves
    }
}
