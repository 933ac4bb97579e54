//! `kinetic-sim`: runs seeded histories from the command line.
//!
//! Guarantee: a failure is one line on stderr that replays its seed, and exit code 1; figures go
//! to stdout, progress to stderr, so that a run that is stopped can be summed up from its last
//! line. Not here: what a history is (`kinetic_simulator::history`).

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use kinetic_simulator::history::{self, BUGS, Campaign, Progress, Report, Verdict, Violation};
use kinetic_store::Sabotage;

/// A history asks for memory all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    #[arg(long, conflicts_with_all = ["seeds", "from", "jobs"])]
    seed: Option<u64>,
    /// End the history of that seed after so many operations.
    #[arg(long, requires = "seed")]
    operations: Option<u64>,
    /// Threads; one less than the machine has processors, if not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Go on behind a violation, and tell all of them.
    #[arg(long)]
    keep_going: bool,
    /// Seconds from one line of progress to the next; 0 for none.
    #[arg(long, default_value_t = 10)]
    progress: u64,
    /// Switch a deliberate bug on, which the histories must notice.
    #[arg(long, value_parser = PossibleValuesParser::new(BUGS.map(|(name, _)| name)))]
    sabotage: Option<String>,
}

fn main() -> ExitCode {
    let Command::Engine(engine) = Arguments::parse().command;
    let started = now();
    let (report, violation) = match engine.seed {
        Some(seed) => match history::run(seed, engine.bug(), engine.operations) {
            Ok(report) => (report, None),
            Err(violation) => (Report::default(), Some(violation)),
        },
        None => engine.run(started),
    };
    let seconds = started.elapsed().as_secs_f64();
    let mut told = writeln!(std::io::stdout(), "{report}in {seconds:.1} s");
    if let Some(violation) = &violation {
        told = told.and(tell(violation, engine.operations));
    }
    match (violation, told) {
        (None, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The violation, and the shortest history of its seed that shows one.
fn tell(violation: &Violation, operations: Option<u64>) -> std::io::Result<()> {
    let mut err = std::io::stderr();
    writeln!(err, "{violation}")?;
    if operations.is_none()
        && let Some(shorter) = history::shortest(violation)
    {
        writeln!(err, "shortest: {shorter}")?;
    }
    Ok(())
}

impl Engine {
    fn bug(&self) -> Sabotage {
        let named = |(name, _): &&(&str, Sabotage)| Some(*name) == self.sabotage.as_deref();
        BUGS.iter()
            .find(named)
            .map_or(Sabotage::Off, |(_, bug)| *bug)
    }

    fn run(&self, started: Instant) -> (Report, Option<Violation>) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let campaign = Campaign {
            seeds: self.from..self.from.saturating_add(self.seeds),
            sabotage: self.bug(),
            jobs: self.jobs.unwrap_or(cores - 1).max(1),
        };
        let told_at = AtomicU64::new(0);
        campaign.run(|progress| {
            let elapsed = started.elapsed();
            let due = self.progress > 0
                && elapsed.as_secs() >= told_at.load(Ordering::Relaxed) + self.progress;
            if due {
                told_at.store(elapsed.as_secs(), Ordering::Relaxed);
                self.tell(progress, elapsed);
            }
            match progress.violation {
                Some(violation) if self.keep_going => {
                    let _unseen = writeln!(std::io::stderr(), "{violation}");
                    Verdict::Continue
                }
                Some(_) => Verdict::Stop,
                None => Verdict::Continue,
            }
        })
    }

    /// One line: how far the run is, and how fast.
    fn tell(&self, progress: &Progress<'_>, elapsed: Duration) {
        let Report {
            histories,
            operations,
            cuts,
            kills,
            starts,
            faults,
            ..
        } = progress.report;
        let seconds = elapsed.as_secs_f64();
        let count = u32::try_from(*histories).map_or(f64::INFINITY, f64::from);
        let rate = count / seconds;
        let faults: Vec<String> = faults
            .iter()
            .map(|(fault, tally)| format!("{fault:?} {}", tally.times))
            .collect();
        let _unseen = writeln!(
            std::io::stderr(),
            "{seconds:.0} s: seeds {}..{} done, {histories} histories without a violation, \
             {rate:.1} a second, {operations} operations, {cuts} power cuts, {kills} kills, \
             {starts} starts; {}",
            self.from,
            progress.ended_below,
            faults.join(", "),
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time that the histories took is a figure for people, not part of them"
)]
fn now() -> Instant {
    Instant::now()
}
