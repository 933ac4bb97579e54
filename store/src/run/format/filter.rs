//! The filter: a Bloom filter over all keys of the leaves below one level-1 node.
//!
//! Guarantee: a key that was put in is never denied. At the default size about one absent key in
//! a hundred is let through.
//! Not here: when to consult it (`reader`). A filter is only a hint; without it a search still
//! finds everything.

use xxhash_rust::xxh3::xxh3_64;

use crate::layout::codec::{Field, Put, fields, len32};
use crate::limits::FILTER_BITS_PER_KEY;

use super::Malformed;

/// Payload of a filter; the bits fill the rest of it.
pub const FIELDS: [Field; 2] = fields([("probes", 1), ("bits", 0)]);

/// Bits that each key sets: about `ln 2` of the bits per key, where Bloom filters err least.
const PROBES: u8 = {
    let probes = FILTER_BITS_PER_KEY * 69 / 100;
    assert!(probes >= 1 && probes <= MOST_PROBES as usize);
    probes.to_le_bytes()[0]
};

/// More probes than any sensible filter has; a larger number is damage.
const MOST_PROBES: u8 = 30;

/// Hash of a key, the same on every machine and in every version of the format.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// Payload bytes of a filter of `keys` keys.
#[must_use]
pub fn payload_length(keys: usize) -> usize {
    1 + (keys * FILTER_BITS_PER_KEY).div_ceil(8).max(8)
}

/// Appends the payload of a filter of these hashes to `out`, which is empty.
pub fn encode(hashes: &[u64], out: &mut Vec<u8>) {
    out.put_u8(PROBES);
    out.resize(payload_length(hashes.len()), 0);
    let Some((_, bits)) = out.split_first_mut() else {
        return;
    };
    let count = bit_count(bits);
    for hash in hashes {
        for bit in probes(*hash, PROBES, count) {
            if let Some(byte) = bits.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
}

/// Whether a key with this hash may be below; `false` is certain.
///
/// # Errors
/// When the payload is no filter.
pub fn may_hold(payload: &[u8], hash: u64) -> Result<bool, Malformed> {
    let (&number, bits) = payload.split_first().ok_or(Malformed)?;
    if !(1..=MOST_PROBES).contains(&number) || bits.is_empty() {
        return Err(Malformed);
    }
    let set = |bit: usize| {
        let byte = bits.get(bit / 8).copied().unwrap_or_default();
        byte & (1 << (bit % 8)) != 0
    };
    Ok(probes(hash, number, bit_count(bits)).all(set))
}

fn bit_count(bits: &[u8]) -> u64 {
    u64::from(len32(bits.len())) * 8
}

/// Double hashing; the high half of a product maps a hash to a bit without a division.
fn probes(hash: u64, number: u8, count: u64) -> impl Iterator<Item = usize> {
    let step = hash.rotate_left(32) | 1;
    (0..u64::from(number)).map(move |probe| {
        let place = hash.wrapping_add(step.wrapping_mul(probe));
        let bit = (u128::from(place) * u128::from(count)) >> 64;
        usize::try_from(bit).unwrap_or_default()
    })
}

/// Fuzzing: arbitrary bytes are looked at as a filter, and taken as keys none is denied.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_filter(bytes: &[u8]) {
    for key in [&b""[..], b"key", bytes] {
        let _hint = may_hold(bytes, hash(key));
    }
    let hashes: Vec<u64> = bytes.chunks(16).map(hash).collect();
    let mut payload = Vec::new();
    encode(&hashes, &mut payload);
    assert!(
        hashes
            .iter()
            .all(|hash| may_hold(&payload, *hash) == Ok(true))
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_denied_and_few_strangers_are_let_through() {
        let hashes: Vec<u64> = (0_u32..5000).map(|n| hash(&n.to_be_bytes())).collect();
        let mut payload = Vec::new();
        encode(&hashes, &mut payload);
        assert!(hashes.iter().all(|hash| may_hold(&payload, *hash).unwrap()));
        let strangers = (1_000_000_u32..1_010_000)
            .filter(|n| may_hold(&payload, hash(&n.to_be_bytes())).unwrap())
            .count();
        assert!(strangers < 200, "{strangers} of 10,000");
    }

    #[test]
    fn the_hash_is_the_one_of_the_format() {
        assert_eq!(hash(b""), 0x2d06_8005_38d3_94c2);
    }

    #[test]
    fn an_empty_payload_is_no_filter() {
        assert_eq!(may_hold(&[], 1), Err(Malformed));
        assert_eq!(may_hold(&[PROBES], 1), Err(Malformed));
        assert_eq!(may_hold(&[255, 1], 1), Err(Malformed));
    }
}
