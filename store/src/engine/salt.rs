//! Secret salts of zones, drawn from the random bytes that a boot was given.
//!
//! Guarantee: the same bytes give the same salts, so that a simulation repeats; different boots
//! get different ones as long as their bytes differ. A client never sees a salt or what is
//! computed from one.
//! Not here: where random bytes come from (whoever opens the store).

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Draws salts one after the other.
#[derive(Debug)]
pub struct SaltSource {
    entropy: [u8; 32],
    drawn: u64,
}

impl SaltSource {
    /// Draws from these random bytes.
    #[must_use]
    pub fn new(entropy: [u8; 32]) -> Self {
        Self { entropy, drawn: 0 }
    }

    /// The next salt.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.entropy, self.drawn)
    }

    /// The 128 random bits that stand in the zone headers of this boot.
    #[must_use]
    pub fn boot_salt(&self) -> [u8; 16] {
        let halves = [
            xxh3_64_with_seed(&self.entropy, u64::MAX),
            xxh3_64_with_seed(&self.entropy, 0),
        ];
        let mut salt = [0; 16];
        for (place, byte) in salt
            .iter_mut()
            .zip(halves.iter().flat_map(|half| half.to_le_bytes()))
        {
            *place = byte;
        }
        salt
    }
}
