//! Many histories on some threads, and the shortest one of a seed that still fails.
//!
//! Guarantee: the sum is the same in whatever order histories end.
//! Not here: clocks; whoever wants to know how long it takes looks at one when told of progress.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kinetic_store::Sabotage;

use super::story::{Script, play};
use crate::history::report::Report;
use crate::history::violation::Violation;

/// Many seeds.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The seeds.
    pub seeds: Range<u64>,
    /// The deliberate bug that is switched on.
    pub sabotage: Sabotage,
    /// Threads.
    pub jobs: usize,
}

/// How far a campaign is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// The sum of all histories that have ended without a violation.
    pub report: &'a Report,
    /// All seeds of the campaign below this one have ended.
    pub ended_below: u64,
    /// The violation that has just been found, if this is what there is to tell.
    pub violation: Option<&'a Violation>,
}

/// Whether a campaign goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Continue,
    /// No other history is begun.
    Stop,
}

#[derive(Debug, Default)]
struct Sum {
    report: Report,
    first: Option<Violation>,
    running: Vec<u64>,
    stopped: bool,
}

impl Campaign {
    /// Runs all histories and tells `watch` of each that ends. Gives back the sum of those that
    /// kept all promises, and the violation of the lowest seed that was run and did not.
    pub fn run(
        &self,
        watch: impl Fn(&Progress<'_>) -> Verdict + Sync,
    ) -> (Report, Option<Violation>) {
        let next = AtomicU64::new(self.seeds.start);
        let sum: Mutex<Sum> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| while self.run_next(&next, &sum, &watch) == Verdict::Continue {});
            }
        });
        let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        (sum.report, sum.first)
    }

    fn run_next(
        &self,
        next: &AtomicU64,
        sum: &Mutex<Sum>,
        watch: &(impl Fn(&Progress<'_>) -> Verdict + Sync),
    ) -> Verdict {
        let seed = {
            let mut sum = lock(sum);
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.seeds.end || sum.stopped {
                return Verdict::Stop;
            }
            sum.running.push(seed);
            seed
        };
        let script = Script {
            seed,
            sabotage: self.sabotage,
            operations: None,
        };
        let outcome = play(script);
        let mut sum = lock(sum);
        sum.running.retain(|running| *running != seed);
        let violation = match outcome {
            Ok(more) => {
                sum.report.add(&more);
                None
            }
            Err(found) => {
                if sum.first.as_ref().is_none_or(|old| old.seed > found.seed) {
                    sum.first = Some(found.clone());
                }
                Some(found)
            }
        };
        let lowest = sum.running.iter().copied().min();
        let begun = next.load(Ordering::Relaxed).min(self.seeds.end);
        let verdict = watch(&Progress {
            report: &sum.report,
            ended_below: lowest.unwrap_or(begun),
            violation: violation.as_ref(),
        });
        sum.stopped |= verdict == Verdict::Stop;
        Verdict::Continue
    }
}

fn lock(sum: &Mutex<Sum>) -> MutexGuard<'_, Sum> {
    sum.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the histories of many seeds on some threads and adds their reports; stops at a violation.
///
/// # Errors
/// The violation of the lowest seed that was run and broke a promise.
pub fn run_all(seeds: Range<u64>, sabotage: Sabotage, threads: usize) -> Result<Report, Violation> {
    let campaign = Campaign {
        seeds,
        sabotage,
        jobs: threads,
    };
    let (report, first) = campaign.run(|progress| match progress.violation {
        Some(_) => Verdict::Stop,
        None => Verdict::Continue,
    });
    first.map_or(Ok(report), Err)
}

/// The violation of a history that goes as this one went, and ends after as few operations as
/// still show one; `None` where none is shorter.
#[must_use]
pub fn shortest(found: &Violation) -> Option<Violation> {
    let attempt = |operations| {
        let script = Script {
            seed: found.seed,
            sabotage: found.sabotage,
            operations: Some(operations),
        };
        play(script).err()
    };
    let (mut low, mut high) = (0, found.operations.unwrap_or(1 << 13));
    let mut best = None;
    while low < high {
        let middle = low.midpoint(high);
        match attempt(middle) {
            Some(shorter) => {
                high = middle;
                best = Some(shorter);
            }
            None => low = middle + 1,
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        let alone = run_all(20..32, Sabotage::Off, 1).unwrap();
        assert_eq!(run_all(20..32, Sabotage::Off, 3).unwrap(), alone);
        assert_eq!(alone.histories, 12);
    }

    #[test]
    fn every_history_sees_its_operations_crashes_and_kinds_of_faults() {
        let least = run_all(100..112, Sabotage::Off, 1).unwrap().least.unwrap();
        assert!(
            least.operations >= 500 && least.crashes >= 3 && least.kinds >= 5,
            "{least:?}"
        );
    }
}
