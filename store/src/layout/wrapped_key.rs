//! The data key as a superblock holds it: sealed, with what it takes to unseal it but the PIN.
//!
//! Guarantee: any bytes decode; whether they hold a key is for whoever unseals it.
//! Not here: sealing and unsealing (`seal::wrap`).

use super::codec::{Field, Put, Reader, Truncated, fields, width};

/// Fields of a wrapped key, in order.
pub const FIELDS: [Field; 7] = fields([
    ("kind", 1),
    ("reserved", 3),
    ("rounds", 4),
    ("kdf salt", 16),
    ("nonce", 12),
    ("sealed key", 32),
    ("tag", 16),
]);
/// Bytes of a wrapped key.
pub const WIDTH: usize = width(&FIELDS);

/// There is no key.
pub const NONE: u8 = 0;
/// Whoever has the disk can unseal the key.
pub const OPEN: u8 = 1;
/// It takes a PIN.
pub const PIN: u8 = 2;

/// The data key, sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrappedKey {
    /// [`NONE`], [`OPEN`] or [`PIN`]; others are kept as they are.
    pub kind: u8,
    /// Rounds of PBKDF2 that make a key of the PIN.
    pub rounds: u32,
    /// Salt of that.
    pub salt: [u8; 16],
    /// Nonce under which the data key is sealed.
    pub nonce: [u8; 12],
    /// The sealed data key and its tag.
    pub sealed: [u8; 48],
}

impl WrappedKey {
    /// No key: what a drive has that is being erased.
    pub const NOTHING: Self = Self {
        kind: NONE,
        rounds: 0,
        salt: [0; 16],
        nonce: [0; 12],
        sealed: [0; 48],
    };

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put(&[self.kind, 0, 0, 0]);
        out.put_u32(self.rounds);
        out.put(&self.salt);
        out.put(&self.nonce);
        out.put(&self.sealed);
    }

    /// Reads it.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let [kind, _, _, _] = reader.array()?;
        Ok(Self {
            kind,
            rounds: reader.u32()?,
            salt: reader.array()?,
            nonce: reader.array()?,
            sealed: reader.array()?,
        })
    }
}
