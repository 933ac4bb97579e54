//! How a history goes, from its seed to its report.
//!
//! Guarantee: the seed decides everything. A history that is cut short goes as the whole one until
//! it has seen its operations; then the machine loses power and what is left is checked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kinetic_store::Sabotage;

use crate::history::atlas::Fault;
use crate::history::machine::{Machine, Start, Weather, Worker};
use crate::history::plan::{Ending, LastAct, Plan, Prey, pick};
use crate::history::report::Report;
use crate::history::violation::{Broken, Promise, Violation};
use crate::rng::Rng;

/// Runs of the process after which all kinds of faults come, so that enough of them happen.
const PATIENCE: u64 = 15;
/// Runs of the process, at most.
const MOST_SESSIONS: u64 = 400;
/// Runs of the process in which anything rots, or syncs are lies.
const LAST_SESSIONS: u64 = 6;

/// Which history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) sabotage: Sabotage,
    /// Ends it after so many operations.
    pub(super) operations: Option<u64>,
}

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

/// Runs the history of a seed, or the first part of it.
///
/// # Errors
/// The promise that the engine broke.
pub fn run(seed: u64, sabotage: Sabotage, operations: Option<u64>) -> Result<Report, Violation> {
    play(Script {
        seed,
        sabotage,
        operations,
    })
}

/// The same.
pub(super) fn play(script: Script) -> Result<Report, Violation> {
    let outcome = catch_unwind(AssertUnwindSafe(|| story(script)));
    let broken = match outcome {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(broken)) => broken,
        Err(_) => Broken {
            promise: Promise::Panic,
            detail: String::from("its message stands above"),
        },
    };
    let Broken { promise, detail } = broken;
    let Script {
        seed,
        sabotage,
        operations,
    } = script;
    Err(Violation {
        seed,
        operations,
        promise,
        detail,
        sabotage,
    })
}

fn story(script: Script) -> Result<Report, Broken> {
    let mut rng = Rng::new(script.seed);
    let plan = Plan::draw(&mut rng, script.sabotage);
    let mut machine = match Machine::new(plan, rng.fork()) {
        Ok(machine) => machine,
        Err(error) => return Broken::found(Promise::Opening, format!("no disk: {error}")),
    };
    machine.limit = script.operations.unwrap_or(u64::MAX);
    match live(&mut machine) {
        Ok(()) => Ok(machine.into_report()),
        Err(Broken { promise, detail }) => {
            let (starts, operations) = (machine.report.starts, machine.report.operations);
            Broken::found(
                promise,
                format!("{detail} (start {starts}, operation {operations})"),
            )
        }
    }
}

fn live(machine: &mut Machine) -> Result<(), Broken> {
    machine.format()?;
    let mut start = machine.start(Weather::Rough)?;
    if start == Start::Serving {
        machine.fill()?;
        if machine.is_stopped() {
            start = machine.start(Weather::Rough)?;
        }
    }
    let goals = machine.plan.goals;
    let mut sessions = 0;
    while start == Start::Serving
        && !machine.is_cut_short()
        && !machine.has_met(goals)
        && sessions < MOST_SESSIONS
    {
        session(machine)?;
        start = machine.start(Weather::Rough)?;
        sessions += 1;
        if sessions == PATIENCE {
            machine.plan.weather = Fault::STRICT.to_vec();
        }
    }
    machine.act = machine.plan.last_act;
    sessions = 0;
    while start == Start::Serving
        && !machine.is_cut_short()
        && machine.act != LastAct::Calm
        && sessions < LAST_SESSIONS
    {
        session(machine)?;
        start = machine.start(Weather::Rough)?;
        sessions += 1;
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
        Prey::Nothing | Prey::Secrets => pick(&mut machine.rng, &[4, 40, 250], 40),
        _ => 700,
    };
    let length = 1 + machine.rng.below(longest);
    let habits = pick(&mut machine.rng, &HABITS, HABITS[0]);
    let trouble_at = machine.rng.below(length);
    if prey == Prey::Nothing {
        let calls = pick(&mut machine.rng, &[3, 12, 60, 200], 20);
        machine.arm(ending, calls);
    }
    machine.lie_in_wait(prey);
    for number in 0..length {
        if number == trouble_at {
            machine.arm_trouble();
        }
        act(machine, habits)?;
        if machine.is_stopped() || machine.is_cut_short() {
            break;
        }
        if prey != Prey::Nothing && machine.is_at(prey)? {
            // A round of reclaim is longer than what else is waited for.
            let calls = if prey == Prey::Reclaim { 40 } else { 8 };
            prey = Prey::Nothing;
            machine.arm(Ending::CutInCall, calls);
        }
    }
    if prey == Prey::Secrets && !machine.is_stopped() {
        machine.arm(Ending::CutInCall, 6);
        machine.change_secrets()?;
    }
    if !machine.is_stopped() {
        machine.stop(ending);
    }
    Ok(())
}

fn act(machine: &mut Machine, habits: Habits) -> Result<(), Broken> {
    machine.pass_time();
    match machine.rng.below(240) {
        0..4 => return machine.change_secrets(),
        4 | 5 => return machine.look_at_rot(),
        6 => return machine.optimize(),
        7..13 => return machine.step(Worker::Scrub).map(drop),
        _ => {}
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
    let was_filled = machine.plan.filled > 0;
    if was_filled && !machine.is_damaged() && !machine.is_cut_short() {
        machine.refill()?;
        machine.check_accounting()?;
    }
    machine.stop(Ending::Cut);
    if machine.start(Weather::Calm)? == Start::Serving && !machine.is_damaged() {
        machine.settle()?;
        machine.check_accounting()?;
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
            let report = run(seed, Sabotage::Off, None).unwrap();
            assert_eq!(
                run(seed, Sabotage::Off, None).unwrap(),
                report,
                "seed {seed}"
            );
            hashes.push(report.trace_hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 12);
    }
}
