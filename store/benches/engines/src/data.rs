//! What is stored: the same keys and values for every engine, from one seed.
//!
//! Guarantee: keys are 24 random bytes, values do not compress and are worked out again to verify
//! what is read. Values are slices of a pool that is larger than a processor's caches, so that
//! putting one reads memory as a value from the network does.

use bytes::Bytes;

/// Bytes of the pool before its last value; a power of two.
const POOL: usize = 64 << 20;
/// Longest value, in bytes.
pub(crate) const LONGEST: usize = 1 << 20;
/// Values start at multiples of this many bytes.
const STEP: usize = 64;

/// A key.
pub(crate) type Key = [u8; 24];

/// Keys and values by number.
#[derive(Debug)]
pub(crate) struct Data {
    pool: Bytes,
    length: usize,
}

impl Data {
    /// Data with values of so many bytes.
    pub(crate) fn new(pool: &Bytes, length: usize) -> Self {
        Self {
            pool: pool.clone(),
            length: length.min(LONGEST),
        }
    }

    /// Bytes of a value.
    pub(crate) fn value_length(&self) -> usize {
        self.length
    }

    /// The value with this number.
    pub(crate) fn value(&self, number: u64) -> Bytes {
        let places = (POOL / STEP) as u64;
        let place = usize::try_from(scrambled(number ^ 0x5ca1_ab1e) % places).unwrap_or(0) * STEP;
        self.pool.slice(place..place + self.length)
    }

    /// Whether these bytes are the value with this number, by its length and both ends of it.
    pub(crate) fn is_value(&self, number: u64, bytes: &[u8]) -> bool {
        let wanted = self.value(number);
        wanted.len() == bytes.len()
            && wanted.first_chunk::<16>() == bytes.first_chunk::<16>()
            && wanted.last_chunk::<16>() == bytes.last_chunk::<16>()
    }
}

/// The bytes that values are cut from.
pub(crate) fn pool() -> Bytes {
    let words = (POOL + LONGEST) / 8;
    let bytes: Vec<u8> = (0..words as u64)
        .flat_map(|word| scrambled(word).to_le_bytes())
        .collect();
    bytes.into()
}

/// The key with this number.
pub(crate) fn key(number: u64) -> Key {
    let mut key = [0; 24];
    for (part, at) in key.chunks_exact_mut(8).zip(0..) {
        part.copy_from_slice(&scrambled(number * 3 + at).to_be_bytes());
    }
    key
}

/// These numbers in a random order, the same each time.
pub(crate) fn shuffled(numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable_by_key(|number| scrambled(number ^ 0x0dd_ba11));
    numbers
}

/// A pseudo-random number made of another one (splitmix64).
fn scrambled(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
