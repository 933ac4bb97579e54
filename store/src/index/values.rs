//! Values: reading what an entry refers to.
//!
//! Guarantee: every value given out was verified, on this read or on an earlier one after which it
//! was kept. What is asked of the medium is read there, whatever is kept.
//! Not here: which entry is the newest of a key (`view`).

use std::sync::Arc;

use bytes::Bytes;

use crate::cache::{Budget, Place, PlaceCache, Weighed};
use crate::disk::{self, Disk};
use crate::effort::Effort;
use crate::entry::{Seqno, ValueRef};
use crate::error::{Damage, ReadError};
use crate::layout::checksum::checksum;
use crate::layout::geometry::Geometry;
use crate::layout::superblock::Seal;
use crate::limits::{KEPT_VALUE, USUAL_VALUE};
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

impl Weighed for Bytes {
    /// An allocator gives up to a quarter more than was asked for.
    fn weight(&self) -> usize {
        self.len() + self.len() / 4
    }
}

/// Reads values.
pub struct ValueReader {
    disk: Arc<dyn Disk>,
    geometry: Geometry,
    checking: Checking,
    keys: Arc<Keys>,
    /// Small values that were read before: opening them again costs more than the network does.
    kept: Option<PlaceCache<Bytes>>,
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
            kept: None,
        }
    }

    /// The same, that keeps small values in at most so many bytes.
    #[must_use]
    pub fn keeping(self, bytes: u64) -> Self {
        let budget = Budget {
            bytes,
            usual: USUAL_VALUE,
            most: u64::from(KEPT_VALUE),
        };
        Self {
            kept: (bytes > 0).then(|| PlaceCache::new(budget)),
            ..self
        }
    }

    /// What keeps small values, where something does.
    #[must_use]
    pub fn cache(&self) -> Option<&PlaceCache<Bytes>> {
        self.kept.as_ref()
    }

    /// The value of the entry with this number, which is kept where it is small.
    pub fn read_kept(
        &self,
        value: &ValueRef,
        seqno: Seqno,
        effort: Effort,
    ) -> Result<Bytes, ReadError> {
        let small = (1..=KEPT_VALUE).contains(&value.length) && effort != Effort::Medium;
        let Some(kept) = self.kept.as_ref().filter(|_| small) else {
            return self.read(value, effort);
        };
        let place = Place {
            location: value.location,
            life: seqno.0,
        };
        if let Some(value) = kept.get(&place) {
            return Ok(value);
        }
        let value = self.read(value, effort)?;
        kept.insert(place, value.clone());
        Ok(value)
    }

    /// The value, which is not kept.
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
        let read = disk::read(&*self.disk, effort, position, &mut bytes);
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

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::disk::MemoryDisk;
    use crate::layout::geometry::{Location, ZoneId};

    const LENGTH: usize = 1000;

    #[test]
    fn what_is_kept_is_given_out_for_its_entry_only() {
        let geometry = Geometry::with_zone_size(64 << 16, 1 << 16).unwrap();
        let disk = Arc::new(MemoryDisk::new(geometry.bytes()));
        let location = Location {
            zone: ZoneId(3),
            offset: 8192,
        };
        let write = |byte: u8| {
            let bytes = [byte; LENGTH];
            let position = geometry.position(location);
            disk.write_at(position, &[IoSlice::new(&bytes)]).unwrap();
            ValueRef {
                location,
                length: u32::try_from(LENGTH).unwrap(),
                checksum: checksum(&bytes),
            }
        };
        let shared = Arc::<MemoryDisk>::clone(&disk);
        let values = ValueReader::new(shared, geometry, Checking::On, Arc::default());
        let values = values.keeping(1 << 20);
        let read = |value: &ValueRef, number| {
            let read = values.read_kept(value, Seqno(number), Effort::Disk);
            read.unwrap()[0]
        };
        let old = write(1);
        assert_eq!(read(&old, 1), 1);
        let new = write(2);
        assert_eq!(read(&new, 2), 2, "the zone is in another life");
        assert_eq!(read(&old, 1), 1, "kept");
        let medium = values.read_kept(&old, Seqno(1), Effort::Medium);
        assert!(medium.is_err(), "no longer there");
    }
}
