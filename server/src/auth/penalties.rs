//! How long a source must wait before it may try a PIN again.
//!
//! Guarantees: the wait doubles with each wrong try of a source at a PIN, up to a bound, and ends
//! with the right one, but knowing one PIN helps nobody who guesses the other. How many are
//! remembered is bounded, and those whose wait ended longest ago are forgotten first. An IPv6
//! source is its /64, for whoever has one address there has all.
//! Not here: waiting (`net`), and comparing PINs (`device`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::{FIRST_PIN_DELAY_MS, MOST_PIN_DELAY_MS, PIN_MEMORY_SECONDS, PIN_SOURCES};

/// From where somebody tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl Source {
    /// The source of this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl Default for Source {
    /// Nowhere in particular.
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

/// Which PIN somebody tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// That for locking and unlocking.
    LockPin,
    /// That for erasing.
    ErasePin,
}

/// Who tries what.
pub type Guess = (Source, Secret);

/// Wrong PINs by source.
#[derive(Debug, Default)]
pub struct Penalties {
    guesses: BTreeMap<Guess, Penalty>,
}

#[derive(Debug, Clone, Copy)]
struct Penalty {
    wrong: u32,
    until_us: u64,
}

impl Penalties {
    /// When this source may try this PIN, in microseconds of the caller's clock: now or later.
    #[must_use]
    pub fn due_us(&self, guess: Guess, now_us: u64) -> u64 {
        let until = self.guesses.get(&guess).map_or(0, |one| one.until_us);
        until.max(now_us)
    }

    /// It was the right PIN.
    pub fn right(&mut self, guess: Guess) {
        self.guesses.remove(&guess);
    }

    /// It was a wrong PIN.
    pub fn wrong(&mut self, guess: Guess, now_us: u64) {
        let memory_us = PIN_MEMORY_SECONDS * 1_000_000;
        self.guesses
            .retain(|_, one| one.until_us.saturating_add(memory_us) > now_us);
        let wrong = self.guesses.get(&guess).map_or(0, |one| one.wrong);
        let wrong = wrong.saturating_add(1);
        let until_us = now_us.saturating_add(delay_ms(wrong) * 1000);
        self.guesses.insert(guess, Penalty { wrong, until_us });
        if self.guesses.len() > PIN_SOURCES {
            let first = self.guesses.iter().min_by_key(|(_, one)| one.until_us);
            if let Some(first) = first.map(|(guess, _)| *guess) {
                self.guesses.remove(&first);
            }
        }
    }
}

/// The wait after so many wrong PINs.
fn delay_ms(wrong: u32) -> u64 {
    let doublings = wrong.saturating_sub(1).min(32);
    (FIRST_PIN_DELAY_MS << doublings).min(MOST_PIN_DELAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    fn guess(text: &str) -> Guess {
        (source(text), Secret::ErasePin)
    }

    #[test]
    fn the_wait_doubles_up_to_a_bound_and_ends_with_the_right_pin() {
        let (mut penalties, one) = (Penalties::default(), guess("10.0.0.1"));
        let mut waits = Vec::new();
        let mut now_us = 5;
        assert_eq!(penalties.due_us(one, now_us), now_us);
        for _ in 0..8 {
            penalties.wrong(one, now_us);
            let due_us = penalties.due_us(one, now_us);
            waits.push((due_us - now_us) / 1000);
            now_us = due_us;
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]);
        assert_eq!(penalties.due_us(guess("10.0.0.2"), now_us), now_us);
        penalties.wrong(one, now_us);
        penalties.right(one);
        assert_eq!(penalties.due_us(one, now_us), now_us);
        penalties.wrong(one, now_us);
        assert_eq!(penalties.due_us(one, now_us), now_us + 500_000);
    }

    #[test]
    fn the_right_pin_of_one_kind_ends_no_wait_for_the_other() {
        let (mut penalties, source) = (Penalties::default(), source("10.0.0.1"));
        penalties.wrong((source, Secret::ErasePin), 0);
        penalties.right((source, Secret::LockPin));
        assert_eq!(penalties.due_us((source, Secret::LockPin), 1), 1);
        assert_eq!(penalties.due_us((source, Secret::ErasePin), 1), 500_000);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_a_mapped_address_is_the_mapped_one() {
        assert_eq!(source("fd00::1"), source("fd00::ffff:1"));
        assert_ne!(source("fd00::1"), source("fd00:0:0:1::1"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
    }

    #[test]
    fn the_memory_is_bounded_in_number_and_time() {
        let mut penalties = Penalties::default();
        for number in 0..=u32::try_from(PIN_SOURCES).unwrap() {
            let source = Source::of(Ipv4Addr::from_bits(number).into());
            penalties.wrong((source, Secret::LockPin), u64::from(number));
        }
        assert_eq!(penalties.guesses.len(), PIN_SOURCES);
        assert_eq!(penalties.due_us((source("0.0.0.0"), Secret::LockPin), 0), 0);
        let later = (PIN_MEMORY_SECONDS + 60) * 1_000_000;
        penalties.wrong(guess("10.0.0.1"), later);
        assert_eq!(penalties.guesses.len(), 1);
    }
}
