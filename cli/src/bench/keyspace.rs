//! The keys of a benchmark, and the numbers that choose among them.
//!
//! Guarantees: keys are all of one size and all different; the numbers follow from the seed.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Numbered keys: a prefix and a decimal number with leading zeros.
#[derive(Debug, Clone)]
pub(super) struct Keyspace {
    prefix: Vec<u8>,
    digits: usize,
    count: u64,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} different keys with this prefix need --key-size {needed} or more")]
pub(super) struct KeysTooShort {
    count: u64,
    needed: usize,
}

impl Keyspace {
    pub(super) fn new(prefix: &[u8], size: usize, count: u64) -> Result<Self, KeysTooShort> {
        let needed = prefix.len() + count.saturating_sub(1).to_string().len();
        if size < needed {
            return Err(KeysTooShort { count, needed });
        }
        Ok(Self {
            prefix: prefix.to_vec(),
            digits: size - prefix.len(),
            count,
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The key of a number, which wraps at the count.
    pub(super) fn key(&self, number: u64) -> Bytes {
        let mut key = BytesMut::with_capacity(self.prefix.len() + self.digits);
        key.put_slice(&self.prefix);
        key.put_bytes(b'0', self.digits);
        let mut rest = number % self.count.max(1);
        for place in key.iter_mut().rev().take(self.digits) {
            *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        key.freeze()
    }
}

/// A generator of evenly spread 64-bit numbers (SplitMix64; Steele, Lea, Flood, 2014).
#[derive(Debug, Clone)]
pub(super) struct SplitMix(u64);

impl SplitMix {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, evenly enough for a benchmark.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_size_asked_for_and_are_in_order() {
        let keys = Keyspace::new(b"b/", 8, 1000).unwrap();
        assert_eq!(keys.key(0), "b/000000");
        assert_eq!(keys.key(907), "b/000907");
        assert_eq!(keys.key(1001), "b/000001");
    }

    #[test]
    fn keys_that_cannot_all_differ_are_refused() {
        assert_eq!(Keyspace::new(b"b/", 4, 101).unwrap_err().needed, 5);
        assert!(Keyspace::new(b"b/", 4, 100).is_ok());
        assert!(Keyspace::new(b"", 1, 10).is_ok());
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = SplitMix::new(1);
        let mut seen = [0u32; 7];
        for _ in 0..7000 {
            seen[usize::try_from(random.below(7)).unwrap()] += 1;
        }
        assert!(
            seen.iter().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
    }
}
