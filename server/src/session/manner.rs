//! How a request wants to be done, beside what it asks for.
//!
//! Guarantee: everything that a header says of it is in bounds here: a priority is one of nine, a
//! time that is absent or 0 is none.
//! Not here: whether the identity may ask for that priority (`conversation`), and clocks.

use kinetic_proto::HeaderView;
use kinetic_store::{Effort, Priority};

/// How a request wants to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How urgent it is.
    pub priority: Priority,
    /// When its time is over, in microseconds of the clock by which it came.
    pub due_us: Option<u64>,
    /// How hard the disk is tried for it.
    pub effort: Effort,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            priority: Priority::NORMAL,
            due_us: None,
            effort: Effort::Disk,
        }
    }
}

impl Manner {
    /// As the header says it of a request that came at this time. One that names no priority asks
    /// for the smaller of NORMAL and the greatest that its identity may have.
    #[must_use]
    pub fn of(header: &HeaderView, greatest: Option<i32>, arrived_us: u64) -> Self {
        let normal = Priority::NORMAL;
        let priority = match (header.priority, greatest) {
            (Some(number), _) => Priority::nearest(number.into()),
            (None, Some(greatest)) => normal.min(Priority::nearest(greatest.into())),
            (None, None) => normal,
        };
        let timeout_ms = header.timeout.filter(|timeout| *timeout > 0);
        let due = |timeout_ms: u64| arrived_us.saturating_add(timeout_ms.saturating_mul(1000));
        let effort = match header.early_exit {
            Some(true) => Effort::Once,
            Some(false) | None => Effort::Disk,
        };
        Self {
            priority,
            due_us: timeout_ms.map(due),
            effort,
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now_us: u64) -> bool {
        self.due_us.is_some_and(|due_us| due_us <= now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_says_nothing_asks_for_nothing() {
        let silent = HeaderView::default();
        assert_eq!(Manner::of(&silent, None, 7), Manner::default());
        let level = |greatest| Manner::of(&silent, Some(greatest), 7).priority.level();
        assert_eq!((level(9), level(5), level(2)), (5, 5, 2));
    }

    #[test]
    fn a_time_counts_from_the_arrival_and_0_is_none() {
        let due = |timeout| {
            let header = HeaderView {
                timeout: Some(timeout),
                ..HeaderView::default()
            };
            Manner::of(&header, None, 500)
        };
        assert_eq!(due(0).due_us, None);
        assert!(!due(2).is_over(2499) && due(2).is_over(2500));
        assert_eq!(due(u64::MAX).due_us, Some(u64::MAX));
    }
}
