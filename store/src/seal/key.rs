//! The data key, and what protects it.
//!
//! Guarantee: no key is ever shown by `Debug`, and each is overwritten when it is dropped.

use std::fmt;
use std::num::NonZeroU32;

use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use zeroize::Zeroizing;

use crate::limits::MOST_PIN_ROUNDS;

/// The key from which everything of a drive is sealed; made at format, never changed.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// The key with these bytes, which must be random.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey(..)")
    }
}

/// What PBKDF2 made of a PIN, with the salt and rounds of a [`Kdf`].
#[derive(Clone)]
pub struct PinKey(Zeroizing<[u8; 32]>);

impl PinKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PinKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PinKey(..)")
    }
}

/// How a key is made of a PIN: PBKDF2-HMAC-SHA256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kdf {
    /// Random; a new one for each PIN.
    pub salt: [u8; 16],
    /// How often the hash is repeated; more than [`MOST_PIN_ROUNDS`] count as that many.
    pub rounds: u32,
}

impl Kdf {
    /// The key that a PIN comes to. Takes a good part of a second on purpose.
    #[must_use]
    pub fn key_of(&self, pin: &[u8]) -> PinKey {
        let rounds = NonZeroU32::new(self.rounds.min(MOST_PIN_ROUNDS)).unwrap_or(NonZeroU32::MIN);
        let mut key = PinKey::new([0; 32]);
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, &self.salt, pin, &mut key.0[..]);
        key
    }
}

/// How the data key is wrapped in the superblocks.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Whoever has the disk can read it: sealing then makes erasing instant, and no more.
    Open,
    /// By this key, which is made of a PIN in this way.
    Pin(PinKey, Kdf),
}
