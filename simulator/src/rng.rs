//! The one source of chance in a simulation: SplitMix64 (Steele, Lea, Flood, 2014).
//!
//! Guarantee: the same seed gives the same sequence on every host and in every release; failing
//! seeds are bug reports and must stay true. Not here: anything fit for secrets.

/// A seeded generator of 64-bit numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator of this seed. All seeds are equally good, small ones too.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0. Its bias is below `end` in 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64().checked_rem(end).unwrap_or(0)
    }

    /// True `wanted` times in `of`; never when `of` is 0.
    pub fn chance(&mut self, wanted: u64, of: u64) -> bool {
        self.below(of) < wanted && of > 0
    }

    /// One of `choices`, or `None` when there is none.
    pub fn choose<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let at = self.below(choices.len() as u64);
        usize::try_from(at).ok().and_then(|at| choices.get(at))
    }

    /// A generator for a part of the simulation, so that what this part draws does not shift
    /// what others draw.
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_is_the_published_one() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut rng = Rng::new(0);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert!((0..100).all(|_| rng.chance(1, 1) && !rng.chance(0, 5) && !rng.chance(1, 0)));
        assert_eq!(rng.choose::<u8>(&[]), None);
        let heads = (0..1000).filter(|_| rng.chance(1, 4)).count();
        assert!((200..300).contains(&heads), "{heads}");
    }
}
