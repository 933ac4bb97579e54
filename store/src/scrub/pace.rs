//! How fast scrub may read.
//!
//! Guarantee: over any time no more than its rate and one burst; a part of that while others are at
//! work.

use crate::limits::{SCRUB_BURST, SCRUB_BUSY_PARTS};

/// Whether others used the disk since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Idle,
    AtWork,
}

/// Bytes that may be read, and since when.
#[derive(Debug, Default)]
pub(super) struct Pace {
    allowance: u64,
    debt: u64,
    last: Option<u64>,
}

impl Pace {
    /// Whether it is time to read something; `rate` in bytes a second.
    pub(super) fn allows(&mut self, now: u64, rate: u64, others: Others) -> bool {
        let passed = now.saturating_sub(self.last.replace(now).unwrap_or(now));
        let rate = match others {
            Others::Idle => rate,
            Others::AtWork => rate / SCRUB_BUSY_PARTS,
        };
        let earned = u128::from(passed) * u128::from(rate) / 1_000_000;
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        let paid = earned.min(self.debt);
        self.debt -= paid;
        let burst = SCRUB_BURST.max(rate / 10);
        self.allowance = self.allowance.saturating_add(earned - paid).min(burst);
        self.debt == 0 && self.allowance > 0
    }

    /// So much was read.
    pub(super) fn spend(&mut self, bytes: u64) {
        let covered = bytes.min(self.allowance);
        self.allowance -= covered;
        self.debt += bytes - covered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_in_ten_seconds(others: Others) -> u64 {
        let (mut pace, mut read) = (Pace::default(), 0);
        for millisecond in 0..10_000 {
            while pace.allows(millisecond * 1000, 8 << 20, others) {
                pace.spend(100_000);
                read += 100_000;
            }
        }
        read
    }

    #[test]
    fn it_reads_at_its_rate_and_slower_beside_others() {
        let alone = bytes_in_ten_seconds(Others::Idle);
        assert!((79 << 20..=82 << 20).contains(&alone), "{alone}");
        let beside = bytes_in_ten_seconds(Others::AtWork);
        assert!((9 << 20..=12 << 20).contains(&beside), "{beside}");
    }
}
