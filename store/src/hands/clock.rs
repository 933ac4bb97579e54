//! The host's steady clock, for hands that work in real time.

use std::time::{Duration, Instant};

/// Microseconds since it was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct SteadyClock {
    origin: Instant,
}

impl SteadyClock {
    pub(super) fn start() -> Self {
        Self { origin: now() }
    }

    pub(super) fn now_us(self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// How long it is until then.
    pub(super) fn until(self, due_us: u64) -> Duration {
        Duration::from_micros(due_us.saturating_sub(self.now_us()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "threads run on the host's clock; steps get `now`"
)]
fn now() -> Instant {
    Instant::now()
}
