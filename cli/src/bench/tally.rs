//! What was measured: for each operation its latencies, bytes, failures.
//!
//! Guarantees: latencies are exact to three digits. Not here: how they are printed.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use kinetic_client::Error;

use crate::args::Operation;
use crate::limits::{LATENCY_DIGITS, MAX_LATENCY_NS};

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Tally {
    operations: BTreeMap<Operation, OperationTally>,
    first_error: Option<Error>,
}

/// What was measured of one operation.
#[derive(Debug, Clone)]
pub(super) struct OperationTally {
    /// In nanoseconds, of operations that succeeded.
    pub(super) latencies: Histogram<u64>,
    /// Of values, both ways.
    pub(super) bytes: u64,
    /// Reads that found no key.
    pub(super) missing: u64,
    pub(super) errors: u64,
}

/// How one operation went.
pub(super) enum Outcome {
    Done { bytes: u64 },
    Missing,
}

impl Default for OperationTally {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "bounds and digits are constants that fit"
        )]
        let latencies = Histogram::new_with_bounds(1, MAX_LATENCY_NS, LATENCY_DIGITS)
            .expect("the bounds of latencies are valid");
        Self {
            latencies,
            bytes: 0,
            missing: 0,
            errors: 0,
        }
    }
}

impl Tally {
    pub(super) fn record(
        &mut self,
        operation: Operation,
        latency: Duration,
        outcome: Result<Outcome, Error>,
    ) {
        let tally = self.operations.entry(operation).or_default();
        match outcome {
            Ok(outcome) => {
                let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                tally.latencies.saturating_record(nanoseconds);
                match outcome {
                    Outcome::Done { bytes } => tally.bytes += bytes,
                    Outcome::Missing => tally.missing += 1,
                }
            }
            Err(error) => {
                tally.errors += 1;
                self.first_error.get_or_insert(error);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (operation, tally) in other.operations {
            self.operations.entry(operation).or_default().merge(&tally);
        }
        if let Some(error) = other.first_error {
            self.first_error.get_or_insert(error);
        }
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = (Operation, &OperationTally)> {
        self.operations
            .iter()
            .map(|(operation, tally)| (*operation, tally))
    }

    /// All operations taken together.
    pub(super) fn together(&self) -> OperationTally {
        let mut total = OperationTally::default();
        for tally in self.operations.values() {
            total.merge(tally);
        }
        total
    }

    pub(super) fn successes(&self) -> u64 {
        self.operations
            .values()
            .map(|tally| tally.latencies.len())
            .sum()
    }

    pub(super) fn errors(&self) -> u64 {
        self.operations.values().map(|tally| tally.errors).sum()
    }

    pub(super) fn first_error(&self) -> Option<&Error> {
        self.first_error.as_ref()
    }
}

impl OperationTally {
    fn merge(&mut self, other: &Self) {
        self.latencies += &other.latencies;
        self.bytes += other.bytes;
        self.missing += other.missing;
        self.errors += other.errors;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_connections_add_up() {
        let mut whole = Tally::default();
        for milliseconds in [1, 3] {
            let mut part = Tally::default();
            let latency = Duration::from_millis(milliseconds);
            part.record(Operation::Get, latency, Ok(Outcome::Done { bytes: 10 }));
            part.record(Operation::Get, latency, Ok(Outcome::Missing));
            let timeout = Error::Timeout { after: latency };
            part.record(Operation::Put, latency, Err(timeout));
            whole.merge(part);
        }
        assert_eq!((whole.successes(), whole.errors()), (4, 2));
        let total = whole.together();
        assert_eq!((total.bytes, total.missing, total.errors), (20, 2, 2));
        assert!((2_990_000..=3_010_000).contains(&total.latencies.max()));
        assert!(whole.first_error().is_some());
    }
}
