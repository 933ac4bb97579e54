//! Random bytes of the host.
//!
//! Guarantee: fit for keys and salts. Not here: what they are for.

use ring::rand::{SecureRandom, SystemRandom};

/// The host gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host gives no random bytes")]
pub struct NoRandomness;

/// Bytes that nobody can guess.
pub fn random<const COUNT: usize>() -> Result<[u8; COUNT], NoRandomness> {
    let mut bytes = [0; COUNT];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_unspecified| NoRandomness)?;
    Ok(bytes)
}
