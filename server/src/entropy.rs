//! Random bytes: the host's, or whose a simulation gives.
//!
//! Guarantee: those of the host are fit for keys and salts. Not here: what they are for. A drive's
//! own certificate is always made of the host's.

use std::fmt;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

/// The host gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host gives no random bytes")]
pub struct NoRandomness;

/// Fills what it is given.
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// Where random bytes come from.
#[derive(Clone, Default)]
pub struct Entropy(Option<Arc<Fill>>);

impl Entropy {
    /// Bytes by which this function fills what it is given: anybody who knows it can guess them.
    pub fn given(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fill)))
    }

    /// The next ones.
    pub fn random<const COUNT: usize>(&self) -> Result<[u8; COUNT], NoRandomness> {
        let mut bytes = [0; COUNT];
        match &self.0 {
            Some(fill) => fill(&mut bytes),
            None => {
                let filled = SystemRandom::new().fill(&mut bytes);
                filled.map_err(|_unspecified| NoRandomness)?;
            }
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match &self.0 {
            Some(_) => "given entropy",
            None => "the host's entropy",
        })
    }
}

/// Bytes of the host that nobody can guess.
pub fn random<const COUNT: usize>() -> Result<[u8; COUNT], NoRandomness> {
    Entropy::default().random()
}
