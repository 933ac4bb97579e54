//! `kinetic-sim`: runs seeded histories from the command line.
//!
//! Guarantee: a failure is one line on stderr that replays its seed, and exit code 1; figures go
//! to stdout. Not here: what a history is (`kinetic_simulator::history`).

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kinetic_simulator::history::{self, Report, Violation};
use kinetic_store::Sabotage;

/// Simulates drives that break on command, the same way for the same seed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Histories of the disk engine: power cuts, kills, failing syncs, full hosts, rot.
    Engine(Engine),
}

#[derive(Debug, Args)]
struct Engine {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this one seed only.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Switch a deliberate bug on, which the histories must notice.
    #[arg(long)]
    sabotage: Option<Bug>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bug {
    /// Syncs are reported and not done.
    SkipSync,
    /// Writes are answered before their sync.
    AnswerEarly,
    /// Values are not verified.
    IgnoreChecksums,
    /// Values are moved whatever their keys refer to by then.
    MoveAlways,
    /// Zones are freed to which only memtables refer.
    FreeEarly,
}

impl From<Bug> for Sabotage {
    fn from(bug: Bug) -> Self {
        match bug {
            Bug::SkipSync => Self::SkipSync,
            Bug::AnswerEarly => Self::AnswerEarly,
            Bug::IgnoreChecksums => Self::IgnoreChecksums,
            Bug::MoveAlways => Self::MoveAlways,
            Bug::FreeEarly => Self::FreeEarly,
        }
    }
}

fn main() -> ExitCode {
    let Command::Engine(engine) = Arguments::parse().command;
    #[expect(
        clippy::disallowed_methods,
        reason = "the time that the histories took is a figure for people, not part of them"
    )]
    let started = Instant::now();
    let outcome = run(&engine);
    let seconds = started.elapsed().as_secs_f64();
    let told = match &outcome {
        Ok(report) => writeln!(std::io::stdout(), "{report}in {seconds:.1} s"),
        Err(violation) => writeln!(std::io::stderr(), "{violation}"),
    };
    match (outcome, told) {
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run(engine: &Engine) -> Result<Report, Violation> {
    let sabotage = engine.sabotage.map_or(Sabotage::Off, Into::into);
    match engine.seed {
        Some(seed) => history::run(seed, sabotage),
        None => {
            let seeds = engine.from..engine.from.saturating_add(engine.seeds);
            history::run_all(seeds, sabotage, engine.threads)
        }
    }
}
