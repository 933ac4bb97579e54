//! Sealing of what lies in zones, in place: AES-256-GCM under the key of a boot, or not at all.
//!
//! Guarantee: a nonce is the epoch and the offset of what is sealed. An epoch is one life of one
//! zone, all of it written by one boot and no byte of it with two contents, so that no nonce comes
//! twice under a key. Under test, one that does panics. What is sealed opens only in its place.
//! Not here: which key it is (`keys`), the structures themselves.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use smallvec::SmallVec;

use super::derive::derive;
use super::key::DataKey;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::ZoneId;
use crate::layout::superblock::Seal;
use crate::limits::{SEAL_CHUNK, SEAL_TAG};

/// What something sealed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The records of a group.
    Records = 1,
    /// A chunk of a value.
    Value = 2,
    /// The payload of a block.
    Block = 3,
    /// The edits of a frame.
    Frame = 4,
}

/// Seals and opens with one key, or passes on as it is.
#[derive(Default)]
pub struct Cipher {
    key: Option<LessSafeKey>,
    #[cfg(any(test, feature = "sabotage"))]
    used: std::sync::Mutex<std::collections::BTreeSet<[u8; 12]>>,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seal = self.seal();
        formatter
            .debug_struct("Cipher")
            .field("seal", &seal)
            .finish_non_exhaustive()
    }
}

/// A place in a zone, and how it is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// The key.
    pub cipher: &'a Cipher,
    /// The life of the zone.
    pub stamp: &'a ZoneStamp,
    /// First byte of the structure, header included.
    pub offset: u32,
}

impl Cipher {
    /// The key of the boot with this salt.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the only key that is refused is one of another length"
    )]
    pub fn of_boot(key: &DataKey, salt: &[u8; 16]) -> Self {
        let bytes = derive(key.bytes(), salt, &[b"kineticd boot"]);
        let key = UnboundKey::new(&AES_256_GCM, &bytes[..]).expect("a key of 32 bytes");
        Self {
            key: Some(LessSafeKey::new(key)),
            #[cfg(any(test, feature = "sabotage"))]
            used: std::sync::Mutex::default(),
        }
    }

    /// How it seals.
    #[must_use]
    pub fn seal(&self) -> Seal {
        match self.key {
            Some(_) => Seal::Sealed,
            None => Seal::Plain,
        }
    }

    /// Bytes by which sealing lengthens.
    #[must_use]
    pub fn overhead(&self) -> usize {
        if self.key.is_some() { SEAL_TAG } else { 0 }
    }

    /// Bytes that a value of `length` takes on the disk.
    #[must_use]
    pub fn stored(&self, length: usize) -> usize {
        length + self.overhead() * length.div_ceil(SEAL_CHUNK)
    }

    /// [`stored`](Self::stored), as places are counted.
    #[must_use]
    pub fn stored32(&self, length: u32) -> u32 {
        let stored = usize::try_from(length).map(|length| self.stored(length));
        u32::try_from(stored.unwrap_or(usize::MAX)).unwrap_or(u32::MAX)
    }

    fn tag(&self, nonce: [u8; 12], associated: &[u8], bytes: &mut [u8]) -> Option<Tag> {
        let key = self.key.as_ref()?;
        #[cfg(any(test, feature = "sabotage"))]
        {
            let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
            assert!(used.insert(nonce), "the nonce {nonce:?} is used twice");
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        // Can only fail for more than 64 GiB; then there is no tag, and it never opens.
        key.seal_in_place_separate_tag(nonce, Aad::from(associated), bytes)
            .ok()
    }

    fn open(&self, nonce: [u8; 12], associated: &[u8], (bytes, tag): (&mut [u8], &[u8])) -> bool {
        let (Some(key), Ok(tag)) = (self.key.as_ref(), Tag::try_from(tag)) else {
            return self.key.is_none();
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, bytes, 0..)
            .is_ok()
    }
}

impl Spot<'_> {
    /// Checksum of `parts`, one after the other, at this place.
    #[must_use]
    pub fn checksum(&self, parts: &[&[u8]]) -> u32 {
        self.stamp.checksum(self.offset, parts)
    }

    /// Seals what `buffer` holds from `from` on, which follows `head` on the disk, and appends a
    /// tag. The head is associated with it.
    pub fn seal(&self, kind: Kind, head: &[u8], (buffer, from): (&mut Vec<u8>, usize)) {
        if self.cipher.key.is_none() {
            return;
        }
        let nonce = self.nonce(0);
        let associated = self.associated(kind, head);
        let body = buffer.get_mut(from..).unwrap_or_default();
        if let Some(tag) = self.cipher.tag(nonce, &associated, body) {
            buffer.extend_from_slice(tag.as_ref());
        }
    }

    /// Opens in place what [`seal`](Self::seal) made, and gives its length back; `None` where it
    /// is not that.
    #[must_use]
    pub fn open(&self, kind: Kind, head: &[u8], body: &mut [u8]) -> Option<usize> {
        let length = body.len().checked_sub(self.cipher.overhead())?;
        let (bytes, tag) = body.split_at_mut_checked(length)?;
        let nonce = self.nonce(0);
        let associated = self.associated(kind, head);
        let opened = self.cipher.open(nonce, &associated, (bytes, tag));
        opened.then_some(length)
    }

    /// Appends a value to `out`: its chunks, each sealed, and then a tag for each.
    pub fn seal_value(&self, value: &[u8], out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(value);
        let associated = self.associated(Kind::Value, &[]);
        let mut tags = SmallVec::<[u8; 256]>::new();
        let chunks = out.get_mut(from..).unwrap_or_default();
        for (chunk, start) in chunks.chunks_mut(SEAL_CHUNK).zip((0..).step_by(SEAL_CHUNK)) {
            if let Some(tag) = self.cipher.tag(self.nonce(start), &associated, chunk) {
                tags.extend_from_slice(tag.as_ref());
            }
        }
        out.extend_from_slice(&tags);
    }

    /// Opens in place a value of `length` bytes with its tags; `false` where it is not that.
    #[must_use]
    pub fn open_value(&self, bytes: &mut [u8], length: usize) -> bool {
        if bytes.len() != self.cipher.stored(length) {
            return false;
        }
        let associated = self.associated(Kind::Value, &[]);
        let Some((value, tags)) = bytes.split_at_mut_checked(length) else {
            return false;
        };
        let starts = (0..).step_by(SEAL_CHUNK);
        let chunks = value.chunks_mut(SEAL_CHUNK).zip(tags.chunks(SEAL_TAG));
        self.cipher.key.is_none()
            || chunks
                .zip(starts)
                .all(|(sealed, start)| self.cipher.open(self.nonce(start), &associated, sealed))
    }

    /// The nonce of what starts `skip` bytes behind the place.
    fn nonce(&self, skip: u32) -> [u8; 12] {
        let mut nonce = [0; 12];
        let (epoch, offset) = nonce.split_at_mut(8);
        epoch.copy_from_slice(&self.stamp.epoch.to_le_bytes());
        offset.copy_from_slice(&self.offset.wrapping_add(skip).to_le_bytes());
        nonce
    }

    fn associated(&self, kind: Kind, head: &[u8]) -> SmallVec<[u8; 64]> {
        let ZoneStamp {
            drive,
            zone: ZoneId(zone),
            ..
        } = self.stamp;
        let mut associated = SmallVec::new();
        associated.push(kind as u8);
        associated.extend_from_slice(&drive.to_le_bytes());
        associated.extend_from_slice(&zone.to_le_bytes());
        associated.extend_from_slice(head);
        associated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const STAMP: ZoneStamp = ZoneStamp {
        drive: 1,
        zone: ZoneId(2),
        epoch: 3,
        salt: 4,
    };

    fn cipher(salt: u8) -> Cipher {
        Cipher::of_boot(&DataKey::new(Zeroizing::new([9; 32])), &[salt; 16])
    }

    fn spot(cipher: &Cipher) -> Spot<'_> {
        Spot {
            cipher,
            stamp: &STAMP,
            offset: 4096,
        }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let cipher = cipher(1);
        let spot = spot(&cipher);
        let mut sealed = b"body".to_vec();
        spot.seal(Kind::Block, b"head", (&mut sealed, 0));
        assert_eq!(sealed.len(), 4 + SEAL_TAG);
        let mut opened = sealed.clone();
        assert_eq!(spot.open(Kind::Block, b"head", &mut opened), Some(4));
        assert_eq!(opened[..4], *b"body");
        let stamps = [
            ZoneStamp { drive: 9, ..STAMP },
            ZoneStamp {
                zone: ZoneId(9),
                ..STAMP
            },
            ZoneStamp { epoch: 9, ..STAMP },
        ];
        let other = self::cipher(2);
        let mut elsewhere: Vec<Spot<'_>> =
            stamps.iter().map(|stamp| Spot { stamp, ..spot }).collect();
        elsewhere.push(Spot {
            offset: 8192,
            ..spot
        });
        elsewhere.push(Spot {
            cipher: &other,
            ..spot
        });
        for spot in elsewhere {
            assert_eq!(spot.open(Kind::Block, b"head", &mut sealed.clone()), None);
        }
        assert_eq!(spot.open(Kind::Frame, b"head", &mut sealed.clone()), None);
        assert_eq!(spot.open(Kind::Block, b"heat", &mut sealed.clone()), None);
        assert_eq!(spot.open(Kind::Block, b"head", &mut [0; 3]), None);
    }

    #[test]
    fn a_value_is_sealed_in_chunks_and_every_flipped_bit_is_noticed() {
        let cipher = cipher(1);
        for (round, length) in (1_u32..).zip([1, 100, SEAL_CHUNK, SEAL_CHUNK + 1, 200_000]) {
            let spot = Spot {
                offset: round << 20,
                ..spot(&cipher)
            };
            let value: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut stored = Vec::new();
            spot.seal_value(&value, &mut stored);
            assert_eq!(stored.len(), cipher.stored(length));
            assert!(
                !stored
                    .windows(16)
                    .any(|w| value.windows(16).next() == Some(w))
            );
            let mut opened = stored.clone();
            assert!(spot.open_value(&mut opened, length));
            assert!(opened[..length] == value);
            for place in (0..stored.len()).step_by(1 + stored.len() / 50) {
                let mut damaged = stored.clone();
                damaged[place] ^= 1;
                assert!(!spot.open_value(&mut damaged, length), "byte {place}");
            }
            assert!(!spot.open_value(&mut stored, length - 1));
        }
    }

    #[test]
    fn a_plain_drive_stores_everything_as_it_is() {
        let plain = Cipher::default();
        let spot = spot(&plain);
        let mut stored = Vec::new();
        spot.seal_value(&[7; 100_000], &mut stored);
        spot.seal(Kind::Frame, b"", (&mut stored, 0));
        assert!(stored == [7; 100_000]);
        assert!(spot.open_value(&mut stored, 100_000));
    }

    #[test]
    #[should_panic(expected = "used twice")]
    fn a_nonce_that_comes_twice_is_noticed() {
        let cipher = cipher(1);
        for _ in 0..2 {
            spot(&cipher).seal_value(b"value", &mut Vec::new());
        }
    }
}
