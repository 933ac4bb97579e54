//! What all fuzz targets have in common: no input may take longer than its length accounts for.
//!
//! Measured is the processor's time of this thread, so that a busy machine is no finding.
//! Not here: what else must hold, which each decoder's own fuzz function knows.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// For every input, and what a first one starts.
const BASE_NS: i64 = 50_000_000;

/// For every byte of it: some hundred times what an instrumented decoder needs.
const BYTE_NS: i64 = 20_000;

/// Runs a decoder.
///
/// # Panics
/// When it takes longer than the length of the input accounts for, twice in a row.
pub fn in_time(bytes: &[u8], decoder: fn(&[u8])) {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let limit = BASE_NS.saturating_add(length.saturating_mul(BYTE_NS));
    // The first time may have paid for what is made once.
    if taken(bytes, decoder) > limit {
        let again = taken(bytes, decoder);
        assert!(
            again <= limit,
            "{} bytes took {again} ns twice, and the limit is {limit} ns",
            bytes.len()
        );
    }
}

fn taken(bytes: &[u8], decoder: fn(&[u8])) -> i64 {
    let now = || {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
        tv_sec * 1_000_000_000 + tv_nsec
    };
    let start = now();
    decoder(bytes);
    now() - start
}
