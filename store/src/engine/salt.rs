//! Secrets of a boot, drawn from the random bytes that it was given.
//!
//! Guarantee: the same bytes give the same secrets, so that a simulation repeats; different boots
//! get different ones as long as their bytes differ. Who knows some of them, such as those that
//! stand in superblocks and zone headers, learns nothing of the others (HKDF-SHA256).
//! Not here: where random bytes come from (whoever opens the store).

use zeroize::Zeroizing;

use crate::seal::derive;

/// Draws secrets one after the other.
pub struct SaltSource {
    entropy: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl std::fmt::Debug for SaltSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SaltSource")
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}

impl SaltSource {
    /// Draws from these random bytes.
    #[must_use]
    pub fn new(entropy: [u8; 32]) -> Self {
        let entropy = Zeroizing::new(entropy);
        Self { entropy, drawn: 0 }
    }

    /// The next salt.
    pub fn draw(&mut self) -> u64 {
        u64::from_le_bytes(first(&self.next()))
    }

    /// The next nonce.
    pub fn nonce(&mut self) -> [u8; 12] {
        first(&self.next())
    }

    /// The next key.
    pub fn key(&mut self) -> Zeroizing<[u8; 32]> {
        self.next()
    }

    /// The 128 random bits that stand in the zone headers of this boot.
    #[must_use]
    pub fn boot_salt(&self) -> [u8; 16] {
        first(&derive(&self.entropy[..], b"", &[b"boot salt"]))
    }

    /// Random bytes for what is not part of this boot.
    #[must_use]
    pub fn branch(&self) -> [u8; 32] {
        *derive(&self.entropy[..], b"", &[b"branch"])
    }

    fn next(&mut self) -> Zeroizing<[u8; 32]> {
        self.drawn += 1;
        let number = self.drawn.to_le_bytes();
        derive(&self.entropy[..], b"", &[b"secret", &number])
    }
}

/// The first bytes of a secret.
fn first<const N: usize>(secret: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    secret.first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_give_the_same_secrets_and_no_secret_comes_twice() {
        let draw = || {
            let mut source = SaltSource::new([7; 32]);
            let salts: Vec<u64> = (0..100).map(|_| source.draw()).collect();
            (salts, *source.key(), source.boot_salt(), source.branch())
        };
        let (mut salts, ..) = draw();
        assert_eq!(draw(), draw());
        salts.sort_unstable();
        salts.dedup();
        assert_eq!(salts.len(), 100);
        assert_ne!(
            SaltSource::new([8; 32]).draw(),
            SaltSource::new([7; 32]).draw()
        );
    }
}
