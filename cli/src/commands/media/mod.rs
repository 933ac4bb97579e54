//! What a drive does with its medium when it is asked to: `scan` and `optimize`.

mod optimize;
mod scan;

use std::time::Duration;

use super::connect;
use crate::args::GlobalArgs;
use crate::limits::SCAN_QUANTUM_SECONDS;

pub(super) use optimize::optimize;
pub(super) use scan::scan;

/// The time after which a drive is to answer: less than that for which the answer is waited.
fn quantum(global: &GlobalArgs) -> Duration {
    let longest = Duration::from_secs(SCAN_QUANTUM_SECONDS);
    let timeout = global.timeout;
    timeout.map_or(longest, |timeout| longest.min(timeout / 2))
}
