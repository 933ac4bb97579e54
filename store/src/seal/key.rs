//! The data key, and what protects it.
//!
//! Guarantee: no key is ever shown by `Debug`, and each is overwritten when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

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
    /// How often the hash is repeated.
    pub rounds: u32,
}

/// How the data key is wrapped in the superblocks.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Whoever has the disk can read it: sealing then makes erasing instant, and no more.
    Open,
    /// By this key, which is made of a PIN in this way.
    Pin(PinKey, Kdf),
}
