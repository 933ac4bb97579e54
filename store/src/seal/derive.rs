//! Keys from keys: HKDF-SHA256.
//!
//! Guarantee: who knows a derived key learns nothing of its source, nor of what is derived from it
//! under another salt or purpose (RFC 5869).

use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// The key that comes of a secret, a salt and what it is for.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "HKDF refuses only more than 255 outputs of its hash, and this is one"
)]
pub fn derive(secret: &[u8], salt: &[u8], purpose: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(purpose, HKDF_SHA256)
        .and_then(|output| output.fill(&mut key[..]))
        .expect("one output of SHA-256");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_hkdf_holds() {
        // RFC 5869, test case 1, its first 32 bytes.
        let salt: Vec<u8> = (0..=12).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let key = derive(&[0x0b; 22], &salt, &[&info]);
        let published = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
            0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
            0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(*key, published);
    }
}
