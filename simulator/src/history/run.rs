//! A history from its seed to its report.
//!
//! Guarantee: the seed decides everything; many histories give the same sum in any order.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use kinetic_store::Sabotage;

use super::machine::{Machine, Start, Weather, Worker};
use super::plan::{Ending, Plan, Prey, Trouble, pick};
use super::report::Report;
use super::violation::{Broken, Promise, Violation};
use crate::rng::Rng;

/// How often each kind of action comes in a run of the process, of their sum.
#[derive(Clone, Copy, Debug)]
struct Habits {
    submit: u64,
    writer: u64,
    syncer: u64,
    upkeep: u64,
    kick: u64,
    look: u64,
    settle: u64,
}

const HABITS: [Habits; 5] = [
    Habits {
        submit: 20,
        writer: 20,
        syncer: 12,
        upkeep: 40,
        kick: 4,
        look: 7,
        settle: 1,
    },
    // Upkeep falls behind.
    Habits {
        submit: 30,
        writer: 30,
        syncer: 20,
        upkeep: 15,
        kick: 0,
        look: 5,
        settle: 0,
    },
    // Merges and flushes get far between commits.
    Habits {
        submit: 12,
        writer: 12,
        syncer: 4,
        upkeep: 68,
        kick: 2,
        look: 4,
        settle: 0,
    },
    // Nearly nothing is synced.
    Habits {
        submit: 30,
        writer: 30,
        syncer: 1,
        upkeep: 34,
        kick: 10,
        look: 5,
        settle: 0,
    },
    // Groups of many commits.
    Habits {
        submit: 50,
        writer: 6,
        syncer: 6,
        upkeep: 35,
        kick: 0,
        look: 3,
        settle: 0,
    },
];

/// Runs the history of a seed.
///
/// # Errors
/// The promise that the engine broke.
pub fn run(seed: u64, sabotage: Sabotage) -> Result<Report, Violation> {
    let outcome = catch_unwind(AssertUnwindSafe(|| story(seed, sabotage)));
    let broken = match outcome {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(broken)) => broken,
        Err(_) => Broken {
            promise: Promise::Panic,
            detail: String::from("its message stands above"),
        },
    };
    let Broken { promise, detail } = broken;
    Err(Violation {
        seed,
        promise,
        detail,
        sabotage,
    })
}

/// Runs the histories of many seeds on some threads and adds their reports.
///
/// # Errors
/// The violation of the lowest seed that was run and broke a promise.
pub fn run_all(seeds: Range<u64>, sabotage: Sabotage, threads: usize) -> Result<Report, Violation> {
    let next = AtomicU64::new(seeds.start);
    let sum: Mutex<(Report, Option<Violation>)> = Mutex::default();
    let sum_lock = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sum_lock().1.is_some() {
                        return;
                    }
                    let outcome = run(seed, sabotage);
                    let (report, first) = &mut *sum_lock();
                    match outcome {
                        Ok(more) => report.add(&more),
                        Err(found) if first.as_ref().is_none_or(|old| old.seed > found.seed) => {
                            *first = Some(found);
                        }
                        Err(_) => {}
                    }
                }
            });
        }
    });
    let (report, first) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(report), Err)
}

fn story(seed: u64, sabotage: Sabotage) -> Result<Report, Broken> {
    let mut rng = Rng::new(seed);
    let plan = Plan::draw(&mut rng, sabotage);
    let actions = plan.actions;
    let mut machine = match Machine::new(plan, rng.fork()) {
        Ok(machine) => machine,
        Err(error) => return Broken::found(Promise::Opening, format!("no disk: {error}")),
    };
    match live(&mut machine, actions) {
        Ok(()) => Ok(machine.into_report()),
        Err(Broken { promise, detail }) => {
            let (trouble, starts) = (machine.plan.trouble, machine.report.starts);
            Broken::found(
                promise,
                format!("{detail} (trouble {trouble:?}, start {starts})"),
            )
        }
    }
}

fn live(machine: &mut Machine, actions: u64) -> Result<(), Broken> {
    machine.format()?;
    let mut start = machine.start(Weather::Rough)?;
    if start == Start::Serving {
        machine.fill()?;
        if machine.is_stopped() {
            start = machine.start(Weather::Rough)?;
        }
    }
    while start == Start::Serving && machine.report.actions < actions {
        session(machine)?;
        start = machine.start(Weather::Rough)?;
    }
    if start == Start::Serving {
        the_end(machine)?;
    }
    Ok(())
}

/// One run of the process, from its start to its end.
fn session(machine: &mut Machine) -> Result<(), Broken> {
    let ending = Plan::ending(&mut machine.rng);
    let mut prey = Plan::prey(&mut machine.rng);
    let longest = match prey {
        Prey::Nothing => pick(&mut machine.rng, &[4, 40, 250], 40),
        _ => 700,
    };
    let length = 1 + machine.rng.below(longest);
    let habits = pick(&mut machine.rng, &HABITS, HABITS[0]);
    let trouble_at = machine.rng.below(length);
    if prey == Prey::Nothing {
        let calls = pick(&mut machine.rng, &[3, 12, 60, 200], 20);
        machine.arm(ending, calls);
    }
    for number in 0..length {
        if number == trouble_at {
            machine.arm_trouble();
        }
        act(machine, habits)?;
        if machine.is_stopped() {
            return Ok(());
        }
        if prey != Prey::Nothing && machine.is_at(prey)? {
            // A round of reclaim is longer than what else is waited for.
            let calls = if prey == Prey::Reclaim { 40 } else { 8 };
            prey = Prey::Nothing;
            machine.arm(Ending::CutInCall, calls);
        }
    }
    machine.stop(ending);
    Ok(())
}

fn act(machine: &mut Machine, habits: Habits) -> Result<(), Broken> {
    machine.pass_time();
    if machine.rng.chance(1, 60) {
        return machine.change_secrets();
    }
    let Habits {
        submit,
        writer,
        syncer,
        upkeep,
        kick,
        look,
        settle,
    } = habits;
    let mut roll = machine
        .rng
        .below(submit + writer + syncer + upkeep + kick + look + settle);
    let mut falls_in = |share: u64| {
        let inside = roll < share;
        roll = roll.saturating_sub(share);
        inside
    };
    if falls_in(submit) {
        machine.submit()
    } else if falls_in(writer) {
        machine.step(Worker::Writer).map(drop)
    } else if falls_in(syncer) {
        machine.step(Worker::Syncer).map(drop)
    } else if falls_in(upkeep) {
        machine.step(Worker::Upkeep).map(drop)
    } else if falls_in(kick) {
        machine.step(Worker::Submitter).map(drop)
    } else if falls_in(look) {
        machine.look()
    } else {
        machine.settle()?;
        if machine.is_stopped() {
            return Ok(());
        }
        machine.check_accounting()
    }
}

/// On a sound machine everything comes to rest and a flush makes all of it durable.
fn the_end(machine: &mut Machine) -> Result<(), Broken> {
    machine.disk.clear_faults();
    machine.submit_flush()?;
    machine.settle()?;
    machine.check_accounting()?;
    machine.stop(Ending::Cut);
    if machine.start(Weather::Calm)? == Start::Serving && machine.plan.trouble != Trouble::Rot {
        machine.settle()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_history_and_another_seed_another() {
        let mut hashes = Vec::new();
        for seed in 0..12 {
            let report = run(seed, Sabotage::Off).unwrap();
            assert_eq!(run(seed, Sabotage::Off).unwrap(), report, "seed {seed}");
            hashes.push(report.trace_hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 12);
    }

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        let alone = run_all(20..32, Sabotage::Off, 1).unwrap();
        assert_eq!(run_all(20..32, Sabotage::Off, 3).unwrap(), alone);
        assert_eq!(alone.histories, 12);
    }
}
