//! HMAC-SHA1 of commands.
//!
//! Guarantees: the key itself is not kept, only the two hash states derived from it, so that a
//! signature costs the hash of the command and no key schedule; comparison takes constant time;
//! nothing prints a key. The input is the length of the command bytes as a big-endian 32-bit
//! number and then the bytes as they are on the wire; for no bytes at all the input is empty.
//! Not here: who has which key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Bytes of a signature.
pub const SIGNATURE_SIZE: usize = 20;

/// A signature that is not the one the key gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the HMAC of {length} bytes does not match the command: wrong key, or the input lacks the \
     four-byte length before the command bytes"
)]
pub struct BadSignature {
    /// Bytes of the signature that was offered; a right one has [`SIGNATURE_SIZE`].
    pub length: usize,
}

/// The signing key of one identity, ready for use.
#[derive(Clone)]
pub struct SigningKey {
    keyed: Hmac<Sha1>,
}

impl SigningKey {
    /// Prepares a key of any length, the empty one included.
    pub fn new(key: &[u8]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC hashes long keys and pads short ones"
        )]
        let keyed = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Self { keyed }
    }

    /// The signature of command bytes.
    pub fn sign(&self, command_bytes: &[u8]) -> [u8; SIGNATURE_SIZE] {
        self.feed(command_bytes).finalize().into_bytes().into()
    }

    /// Whether a signature is the one of these command bytes, in constant time.
    pub fn verify(&self, command_bytes: &[u8], hmac: &[u8]) -> Result<(), BadSignature> {
        let mac = self.feed(command_bytes);
        mac.verify_slice(hmac)
            .map_err(|_same| BadSignature { length: hmac.len() })
    }

    fn feed(&self, command_bytes: &[u8]) -> Hmac<Sha1> {
        let mut mac = self.keyed.clone();
        if !command_bytes.is_empty() {
            // A frame cannot carry 4 GiB; saturating keeps the function total.
            let length = u32::try_from(command_bytes.len()).unwrap_or(u32::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(command_bytes);
        }
        mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw_hmac(key: &[u8], data: &[u8]) -> String {
        let mut mac = SigningKey::new(key).keyed;
        mac.update(data);
        hex::encode(mac.finalize().into_bytes())
    }

    #[test]
    fn rfc_2202_vectors_hold() {
        let long_key = [0xaa; 80];
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b617318655057264e28bc0b6fb378c8ef146be00",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
            ),
            (
                &counting,
                &[0xcd; 50],
                "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
            ),
            (
                &[0x0c; 20],
                b"Test With Truncation",
                "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04",
            ),
            (
                &long_key,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
            (
                &long_key,
                b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
                "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
            ),
        ];
        for (key, data, expected) in cases {
            assert_eq!(raw_hmac(key, data), expected);
        }
    }

    #[test]
    fn the_length_comes_before_the_command() {
        let key = SigningKey::new(b"asdfasdf");
        let expected = raw_hmac(b"asdfasdf", b"\x00\x00\x00\x03abc");
        assert_eq!(hex::encode(key.sign(b"abc")), expected);
    }

    #[test]
    fn no_command_bytes_sign_as_the_empty_string() {
        let key = SigningKey::new(b"asdfasdf");
        assert_eq!(hex::encode(key.sign(b"")), raw_hmac(b"asdfasdf", b""));
    }

    #[test]
    fn short_long_and_changed_signatures_are_refused() {
        let key = SigningKey::new(b"asdfasdf");
        let good = key.sign(b"command");
        assert_eq!(key.verify(b"command", &good), Ok(()));
        let longer = [good.as_slice(), &[0]].concat();
        let mut changed = good;
        changed[19] ^= 1;
        for bad in [&good[..19], &longer, &changed, &[]] {
            assert_eq!(
                key.verify(b"command", bad),
                Err(BadSignature { length: bad.len() })
            );
        }
        assert!(key.verify(b"Command", &good).is_err());
        assert!(
            SigningKey::new(b"asdfasdg")
                .verify(b"command", &good)
                .is_err()
        );
    }

    #[test]
    fn printing_a_key_shows_nothing_of_it() {
        assert_eq!(
            format!("{:?}", SigningKey::new(b"secret")),
            "SigningKey(..)"
        );
    }
}
