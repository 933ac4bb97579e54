//! What a history stores: keys, and values of which every byte is known from key and version.
//!
//! Guarantee: a value that is cut, torn, mixed up or of another key never passes
//! [`Item::read`]. Not here: which values are stored (`model`).

use bytes::Bytes;
use kinetic_store::{Attributes, Object};

use crate::rng::Rng;

/// Bytes of a version: the commit and the part of it.
const VERSION: usize = 10;

/// One stored value: who wrote it, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// Number of the commit.
    pub(super) commit: u64,
    /// Place of the mutation in the commit.
    pub(super) part: u16,
    /// Bytes of the value.
    pub(super) length: u32,
}

/// The key with this number; every 16th is long, so that blocks of runs differ.
pub(super) fn key(number: u64) -> Bytes {
    let mut key = format!("key{number:04}").into_bytes();
    if number.is_multiple_of(16) {
        key.resize(180, b'x');
    }
    key.into()
}

impl Item {
    /// The entry version that goes with the value.
    pub(super) fn version(&self) -> Bytes {
        let mut version = self.commit.to_be_bytes().to_vec();
        version.extend(self.part.to_be_bytes());
        version.into()
    }

    /// Version, tag and algorithm.
    pub(super) fn attributes(&self) -> Attributes {
        let tag = self.rng(b"tag").next_u64().to_be_bytes();
        let algorithm = (!self.part.is_multiple_of(3)).then_some(i32::from(self.part));
        Attributes::new(&self.version(), &tag, algorithm)
    }

    /// The value under `key`.
    pub(super) fn value(&self, key: &[u8]) -> Bytes {
        let mut rng = self.rng(key);
        let length = usize::try_from(self.length).unwrap_or_default();
        let mut value = Vec::with_capacity(length.next_multiple_of(8));
        while value.len() < length {
            value.extend(rng.next_u64().to_le_bytes());
        }
        value.truncate(length);
        value.into()
    }

    fn rng(&self, key: &[u8]) -> Rng {
        let mut seed = self.commit ^ (u64::from(self.part) << 48) ^ (u64::from(self.length) << 20);
        for byte in key {
            seed = seed.rotate_left(7) ^ u64::from(*byte);
        }
        Rng::new(Rng::new(seed).next_u64())
    }

    /// The item of this version and length, whatever the bytes of the value.
    pub(super) fn named(version: &[u8], length: u32) -> Option<Self> {
        let version: [u8; VERSION] = version.try_into().ok()?;
        let (commit, part) = version.split_first_chunk::<8>()?;
        Some(Self {
            commit: u64::from_be_bytes(*commit),
            part: u16::from_be_bytes(part.try_into().ok()?),
            length,
        })
    }

    /// Which item an object is; `None` when any byte of it is not what was written under `key`.
    pub(super) fn read(key: &[u8], object: &Object) -> Option<Self> {
        let metadata = &object.metadata;
        let item = Self::named(metadata.attributes.version(), metadata.value_length)?;
        let same = metadata.attributes == item.attributes() && object.value == item.value(key);
        same.then_some(item)
    }
}

#[cfg(test)]
mod tests {
    use kinetic_store::Metadata;

    use super::*;

    #[test]
    fn every_changed_bit_and_every_other_key_is_noticed() {
        let item = Item {
            commit: 7,
            part: 2,
            length: 21,
        };
        let object = |value: Vec<u8>| Object {
            metadata: Metadata {
                attributes: item.attributes(),
                value_length: 21,
            },
            value: value.into(),
        };
        let value = item.value(b"key").to_vec();
        assert_eq!(Item::read(b"key", &object(value.clone())), Some(item));
        assert_eq!(Item::read(b"kez", &object(value.clone())), None);
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Item::read(b"key", &object(damaged)), None, "bit {bit}");
        }
    }
}
