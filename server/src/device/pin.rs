//! PINs as they are kept: by PBKDF2-HMAC-SHA256, never as they are said.
//!
//! Guarantees: each has a random salt of its own; comparing takes the same time whatever differs.
//! Deriving takes a good part of a second on purpose: call it where nobody waits.

use std::num::NonZeroU32;

use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use serde::{Deserialize, Serialize};

use super::opaque::Opaque;
use crate::limits::MOST_PIN_ROUNDS;

/// Bytes of a salt.
pub const SALT_SIZE: usize = 16;

/// Bytes of what is derived.
pub const DERIVED_SIZE: usize = 32;

/// A PIN that can be recognised, and not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinHash {
    salt: Opaque,
    rounds: u32,
    derived: Opaque,
}

impl PinHash {
    /// Of this PIN, under a salt that no other has.
    #[must_use]
    pub fn of(pin: &[u8], salt: [u8; SALT_SIZE], rounds: u32) -> Self {
        Self {
            derived: Opaque(derive(pin, &salt, rounds).to_vec()),
            salt: Opaque(salt.to_vec()),
            rounds,
        }
    }

    /// Whether it is of this PIN.
    #[must_use]
    pub fn is_of(&self, pin: &[u8]) -> bool {
        let (salt, derived) = (&self.salt.0, &self.derived.0);
        let rounds = bounded(self.rounds);
        pbkdf2::verify(PBKDF2_HMAC_SHA256, rounds, salt, pin, derived).is_ok()
    }
}

/// What a PIN comes to under a salt.
#[must_use]
pub fn derive(pin: &[u8], salt: &[u8], rounds: u32) -> [u8; DERIVED_SIZE] {
    let mut derived = [0; DERIVED_SIZE];
    pbkdf2::derive(PBKDF2_HMAC_SHA256, bounded(rounds), salt, pin, &mut derived);
    derived
}

/// Rounds as they may stand on a disk, kept to what ends in a minute.
fn bounded(rounds: u32) -> NonZeroU32 {
    NonZeroU32::new(rounds.min(MOST_PIN_ROUNDS)).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_recognised_and_others_are_not() {
        let hash = PinHash::of(b"1234", [1; SALT_SIZE], 2);
        assert!(hash.is_of(b"1234"));
        for other in [&b"1235"[..], b"123", b"12345", b""] {
            assert!(!hash.is_of(other));
        }
        assert_ne!(hash, PinHash::of(b"1234", [2; SALT_SIZE], 2));
        assert!(!format!("{hash:?}").contains("1234"));
    }

    #[test]
    fn what_is_derived_is_pbkdf2_hmac_sha256() {
        // Made with Python's hashlib.pbkdf2_hmac.
        let expected = "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a";
        let derived = derive(b"password", b"salt", 4096);
        let text: String = derived.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, expected);
    }
}
