//! The clocks of the server: tokio's, so that whoever pauses that one has the server stand still,
//! and the host's for what only names a run.

use std::time::SystemTime;

use tokio::time::Instant;

/// A steady clock that starts at 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Microseconds since the start.
    pub(crate) fn now_us(self) -> u64 {
        let passed = Instant::now().saturating_duration_since(self.origin);
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds since 1970: where connection ids start, so that they differ between two runs.
pub(crate) fn epoch_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "names the run, decides nothing")]
    let now = SystemTime::now();
    let passed = now.duration_since(SystemTime::UNIX_EPOCH);
    let passed = passed.map_or(1, |passed| passed.as_millis());
    i64::try_from(passed).unwrap_or(1)
}
