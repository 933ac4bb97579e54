//! Values: reading what an entry refers to.
//!
//! Guarantee: every value given out was verified. Nothing is kept here: a cache of small values
//! that were read before was measured and gained nothing over the page cache.
//! Not here: which entry is the newest of a key (`view`).

use std::sync::Arc;

use bytes::Bytes;

use crate::disk::Disk;
use crate::effort::Effort;
use crate::entry::ValueRef;
use crate::error::{Damage, ReadError};
use crate::layout::checksum::checksum;
use crate::layout::geometry::Geometry;
use crate::layout::superblock::Seal;
use crate::seal::{Keys, Spot};

/// Whether a value is checked before it is given out; it is, except in the proof that tests
/// would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checking {
    /// Always.
    On,
    /// A deliberate bug.
    Off,
}

/// Reads values.
pub struct ValueReader {
    disk: Arc<dyn Disk>,
    geometry: Geometry,
    checking: Checking,
    keys: Arc<Keys>,
}

impl ValueReader {
    /// A reader of the values on `disk`.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        geometry: Geometry,
        checking: Checking,
        keys: Arc<Keys>,
    ) -> Self {
        Self {
            disk,
            geometry,
            checking,
            keys,
        }
    }

    /// The value.
    pub fn read(&self, value: &ValueRef, effort: Effort) -> Result<Bytes, ReadError> {
        if value.length == 0 {
            return Ok(Bytes::new());
        }
        let misplaced = ReadError::Unreadable(Damage::Misplaced);
        let life = self.keys.at(value.location.zone).ok_or(misplaced)?;
        let stored = life.cipher.stored32(value.length);
        if !self.geometry.holds(value.location, stored) {
            return Err(misplaced);
        }
        let mut bytes = vec![0; stored as usize];
        let position = self.geometry.position(value.location);
        let read = match effort {
            Effort::Cached => self.disk.try_read_at(position, &mut bytes),
            Effort::Disk => self.disk.read_at(position, &mut bytes).map(|()| true),
            Effort::Medium => {
                let read = self.disk.read_medium_at(position, &mut bytes);
                read.map(|()| true)
            }
        };
        match read {
            Ok(true) => {}
            Ok(false) => return Err(ReadError::NotCached),
            Err(error) => return Err(ReadError::Unreadable(Damage::Disk(error.kind()))),
        }
        let length = value.length as usize;
        let spot = Spot {
            cipher: &life.cipher,
            stamp: &life.stamp,
            offset: value.location.offset,
        };
        let sound = match life.cipher.seal() {
            Seal::Sealed => spot.open_value(&mut bytes, length),
            Seal::Plain => checksum(&bytes) == value.checksum,
        };
        if !sound && self.checking == Checking::On {
            return Err(ReadError::Unreadable(Damage::Checksum));
        }
        bytes.truncate(length);
        Ok(bytes.into())
    }
}
