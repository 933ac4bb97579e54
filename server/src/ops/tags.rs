//! Whether a tag is that of a value, by the algorithm that was stored with both.
//!
//! Guarantees: what cannot be judged (no tag, no algorithm, a private one) is never called wrong.
//! A tag may be the sum's bytes or its hexadecimal digits; of a sum that comes in several lengths
//! the tag's length decides; a CRC stands in either order of bytes, one of 32 bits also behind four
//! zeros. CRC64 is not said to be one polynomial: any of the usual ones will do.
//! Not here: reading values.

use crc_fast::CrcAlgorithm as Crc;
use kinetic_proto::schema::command::Algorithm;
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// What a tag says of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is the tag of this value.
    Matches,
    /// It is that of another value, or of none.
    Differs,
    /// Nobody here knows.
    Unknown,
}

/// Polynomials that go by the name of CRC64.
const CRC64: [Crc; 4] = [
    Crc::Crc64Xz,
    Crc::Crc64Ecma182,
    Crc::Crc64Nvme,
    Crc::Crc64GoIso,
];

/// Judges a tag.
#[must_use]
pub fn judge(algorithm: Option<i32>, tag: &[u8], value: &[u8]) -> Judgement {
    let known = algorithm.and_then(|number| Algorithm::try_from(number).ok());
    let Some(algorithm) = known.filter(|_| !tag.is_empty()) else {
        return Judgement::Unknown;
    };
    if algorithm == Algorithm::InvalidAlgorithm {
        return Judgement::Unknown;
    }
    let digits = from_digits(tag);
    let readings = [Some(tag), digits.as_deref()].into_iter().flatten();
    for sum in readings {
        if is_sum_of(algorithm, sum, value) {
            return Judgement::Matches;
        }
    }
    Judgement::Differs
}

fn is_sum_of(algorithm: Algorithm, sum: &[u8], value: &[u8]) -> bool {
    match (algorithm, sum.len()) {
        (Algorithm::Sha1, 20) => Sha1::digest(value)[..] == *sum,
        (Algorithm::Sha2, 28) => Sha224::digest(value)[..] == *sum,
        (Algorithm::Sha2, 32) => Sha256::digest(value)[..] == *sum,
        (Algorithm::Sha2, 48) => Sha384::digest(value)[..] == *sum,
        (Algorithm::Sha2, 64) => Sha512::digest(value)[..] == *sum,
        (Algorithm::Sha3, 28) => Sha3_224::digest(value)[..] == *sum,
        (Algorithm::Sha3, 32) => Sha3_256::digest(value)[..] == *sum,
        (Algorithm::Sha3, 48) => Sha3_384::digest(value)[..] == *sum,
        (Algorithm::Sha3, 64) => Sha3_512::digest(value)[..] == *sum,
        (Algorithm::Crc32, _) => is_crc32(sum, crc_fast::checksum(Crc::Crc32IsoHdlc, value)),
        (Algorithm::Crc32c, _) => is_crc32(sum, crc_fast::checksum(Crc::Crc32Iscsi, value)),
        (Algorithm::Crc64, 8) => CRC64.iter().any(|polynomial| {
            let crc = crc_fast::checksum(*polynomial, value);
            sum == crc.to_be_bytes() || sum == crc.to_le_bytes()
        }),
        _ => false,
    }
}

/// Four bytes, or eight of which the rest is zero.
fn is_crc32(sum: &[u8], crc: u64) -> bool {
    let Ok(short) = u32::try_from(crc) else {
        return false;
    };
    sum == short.to_be_bytes()
        || sum == short.to_le_bytes()
        || sum == crc.to_be_bytes()
        || sum == crc.to_le_bytes()
}

/// The bytes that hexadecimal digits stand for.
fn from_digits(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &[u8] = b"123456789";

    /// Published sums of the nine digits, or of "abc" where `value` says so.
    const SUMS: [(Algorithm, &[u8], &str); 9] = [
        (Algorithm::Crc32, CHECK, "cbf43926"),
        (Algorithm::Crc32c, CHECK, "e3069283"),
        (Algorithm::Crc64, CHECK, "995dc9bbdf1939fa"),
        (Algorithm::Crc64, CHECK, "6c40df5f0b497347"),
        (Algorithm::Crc64, CHECK, "ae8b14860a799888"),
        (Algorithm::Crc64, CHECK, "b90956c775a41001"),
        (
            Algorithm::Sha1,
            b"abc",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
        (
            Algorithm::Sha2,
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Algorithm::Sha3,
            b"abc",
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        ),
    ];

    fn judged(algorithm: Algorithm, tag: &[u8], value: &[u8]) -> Judgement {
        judge(Some(algorithm.into()), tag, value)
    }

    #[test]
    fn published_sums_match_as_bytes_and_as_digits_and_no_other_value_has_them() {
        for (algorithm, value, digits) in SUMS {
            let bytes = from_digits(digits.as_bytes()).unwrap();
            let capitals = digits.to_uppercase();
            for tag in [&bytes[..], digits.as_bytes(), capitals.as_bytes()] {
                let judged_as = |value: &[u8]| judged(algorithm, tag, value);
                assert_eq!(judged_as(value), Judgement::Matches, "{algorithm:?}");
                assert_eq!(judged_as(b"other"), Judgement::Differs, "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_crc_of_32_bits_may_stand_in_8_bytes_and_in_either_order() {
        for (algorithm, crc) in [
            (Algorithm::Crc32, 0xcbf4_3926_u32),
            (Algorithm::Crc32c, 0xe306_9283),
        ] {
            let long = u64::from(crc).to_be_bytes();
            for tag in [&crc.to_be_bytes()[..], &crc.to_le_bytes(), &long] {
                assert_eq!(judged(algorithm, tag, CHECK), Judgement::Matches);
            }
            let mut wrong = long;
            wrong[0] = 1;
            assert_eq!(judged(algorithm, &wrong, CHECK), Judgement::Differs);
        }
    }

    #[test]
    fn what_is_no_sum_of_its_algorithm_differs_and_what_nobody_knows_is_left_alone() {
        for tag in [&b"tag"[..], b"1234", &[0; 20]] {
            assert_eq!(judged(Algorithm::Sha1, tag, b"abc"), Judgement::Differs);
        }
        assert_eq!(judge(None, b"tag", b"abc"), Judgement::Unknown);
        assert_eq!(judge(Some(100), b"tag", b"abc"), Judgement::Unknown);
        assert_eq!(judge(Some(-1), b"tag", b"abc"), Judgement::Unknown);
        assert_eq!(judged(Algorithm::Sha1, b"", b"abc"), Judgement::Unknown);
    }
}
