//! The data key under the key of a PIN, or under none.
//!
//! Guarantee: a wrapped key unwraps only on the drive that it was wrapped for, in the way in which
//! it was wrapped, and a wrong PIN is noticed (AES-256-GCM). Without a PIN it is sealed under a key
//! of zeros, which keeps nothing from anybody.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::Zeroizing;

use super::key::{DataKey, Kdf, PinKey, Protection};
use crate::layout::superblock::Seal;
use crate::layout::wrapped_key::{OPEN, PIN, WrappedKey};

/// Why a key cannot be unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnwrapError {
    /// It takes a PIN.
    #[error("the drive is locked; unlock it with its lock PIN")]
    Locked,
    /// It is another PIN.
    #[error("the PIN is not the one that the drive was locked with")]
    WrongPin,
    /// Not a wrapped key.
    #[error("the drive's data key is damaged or of a kind ({0}) that this program does not know")]
    Damaged(u8),
}

/// The drive that a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its identity.
    pub uuid: [u8; 16],
    /// How it is sealed; nobody who cannot unwrap the key may say otherwise.
    pub seal: Seal,
}

/// Wraps the key of this drive; the nonce is random and never used again.
#[must_use]
pub fn wrap(key: &DataKey, protection: &Protection, owner: &Owner, nonce: [u8; 12]) -> WrappedKey {
    let mut wrapped = WrappedKey {
        nonce,
        ..WrappedKey::NOTHING
    };
    match protection {
        Protection::Open => wrapped.kind = OPEN,
        Protection::Pin(_, Kdf { salt, rounds }) => {
            wrapped.kind = PIN;
            wrapped.rounds = *rounds;
            wrapped.salt = *salt;
        }
    }
    let cipher = match protection {
        Protection::Open => cipher(&[0; 32]),
        Protection::Pin(pin, _) => cipher(pin.bytes()),
    };
    let mut sealed = Zeroizing::new(key.bytes().to_vec());
    // Can only fail for more than 64 GiB.
    let _sealed = cipher.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated(owner, &wrapped)),
        &mut *sealed,
    );
    if let Some(bytes) = sealed.first_chunk() {
        wrapped.sealed = *bytes;
    }
    wrapped
}

/// Unwraps the key of this drive.
pub fn unwrap(
    wrapped: &WrappedKey,
    pin: Option<&PinKey>,
    owner: &Owner,
) -> Result<DataKey, UnwrapError> {
    let damaged = UnwrapError::Damaged(wrapped.kind);
    let (cipher, refusal) = match (wrapped.kind, pin) {
        (OPEN, _) => (cipher(&[0; 32]), damaged),
        (PIN, Some(pin)) => (cipher(pin.bytes()), UnwrapError::WrongPin),
        (PIN, None) => return Err(UnwrapError::Locked),
        _ => return Err(damaged),
    };
    let mut bytes = Zeroizing::new(wrapped.sealed);
    let nonce = Nonce::assume_unique_for_key(wrapped.nonce);
    let opened = cipher
        .open_in_place(nonce, Aad::from(associated(owner, wrapped)), &mut bytes[..])
        .map_err(|_unspecified| refusal)?;
    let key = opened.first_chunk::<32>().ok_or(damaged)?;
    Ok(DataKey::new(Zeroizing::new(*key)))
}

/// The drive and everything of the wrapped key that is not sealed.
fn associated(owner: &Owner, wrapped: &WrappedKey) -> Vec<u8> {
    let rounds = wrapped.rounds.to_le_bytes();
    let seal = owner.seal as u8;
    [
        &owner.uuid[..],
        &[seal, wrapped.kind],
        &rounds,
        &wrapped.salt,
    ]
    .concat()
}

#[expect(
    clippy::expect_used,
    reason = "the only key that is refused is one of another length"
)]
fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        uuid: [1; 16],
        seal: Seal::Sealed,
    };

    fn key() -> DataKey {
        DataKey::new(Zeroizing::new([5; 32]))
    }

    fn by_pin(pin: u8) -> WrappedKey {
        let kdf = Kdf {
            salt: [3; 16],
            rounds: 9,
        };
        wrap(
            &key(),
            &Protection::Pin(PinKey::new([pin; 32]), kdf),
            &OWNER,
            [2; 12],
        )
    }

    #[test]
    fn a_key_unwraps_with_its_pin_only() {
        let wrapped = by_pin(7);
        assert!(!wrapped.sealed.windows(4).any(|bytes| bytes == [5; 4]));
        let right = PinKey::new([7; 32]);
        assert_eq!(unwrap(&wrapped, Some(&right), &OWNER), Ok(key()));
        let wrong = PinKey::new([8; 32]);
        assert_eq!(
            unwrap(&wrapped, Some(&wrong), &OWNER),
            Err(UnwrapError::WrongPin)
        );
        assert_eq!(unwrap(&wrapped, None, &OWNER), Err(UnwrapError::Locked));
    }

    #[test]
    fn a_key_without_a_pin_unwraps_on_its_drive_only() {
        let wrapped = wrap(&key(), &Protection::Open, &OWNER, [2; 12]);
        assert_eq!(unwrap(&wrapped, None, &OWNER), Ok(key()));
        let other = Owner {
            seal: Seal::Plain,
            ..OWNER
        };
        assert_eq!(
            unwrap(&wrapped, None, &other),
            Err(UnwrapError::Damaged(OPEN))
        );
        let nothing = WrappedKey::NOTHING;
        assert_eq!(unwrap(&nothing, None, &OWNER), Err(UnwrapError::Damaged(0)));
    }

    #[test]
    fn every_flipped_bit_of_a_wrapped_key_is_noticed() {
        let wrapped = by_pin(7);
        let pin = PinKey::new([7; 32]);
        let mut bytes = Vec::new();
        wrapped.encode(&mut bytes);
        for bit in (0..8).chain(32..84 * 8) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut reader = crate::layout::codec::Reader::new(&damaged);
            let damaged = WrappedKey::decode(&mut reader).unwrap();
            assert!(unwrap(&damaged, Some(&pin), &OWNER).is_err(), "bit {bit}");
        }
    }
}
