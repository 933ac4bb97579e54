//! `kineticd` beside Redis and beside canned frames, all in one run; prints tables of medians.
//!
//! Usage: `compare [--quick] [--rounds N] [--only BYTES] [--disk FOLDER] [--unsealed-too]`. Each
//! round starts each server afresh for each value size, so the servers' turns are interleaved and a
//! slow minute of the machine hits all of them; `--unsealed-too` adds `kineticd` on a drive that is
//! not sealed, and a table of what sealing costs. Everything listens on loopback and ends with this
//! program.

mod plan;

mod servers;

mod load;

mod disk;

mod report;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use kinetic_tests::drive::DriveError;
use kinetic_tests::process::ProcessError;
use kinetic_tests::program::ProgramError;

use disk::Ground;
use load::{Durability, Load};
use plan::{Cell, DURABLE_SIZE, Effort, Operation, SHAPES, SIZES, Shape, WRITERS};
use report::{DurableRow, Results};
use servers::{Server, TARGETS, TARGETS_AND_UNSEALED, Target};

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
    #[error("{what} cannot be read: {text}")]
    Unreadable { what: &'static str, text: String },
    #[error("{path} is not there: run cargo build -p kinetic-tests --examples first")]
    NotBuilt { path: PathBuf },
    #[error("{command} ended with {status}: {said}")]
    Failed {
        command: String,
        status: ExitStatus,
        said: String,
    },
}

/// What was asked for.
struct Options {
    effort: Effort,
    sizes: Vec<u64>,
    disk: PathBuf,
    targets: &'static [Target],
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!(
            "usage: compare [--quick] [--rounds N] [--only BYTES] [--disk FOLDER] [--unsealed-too]"
        );
        return ExitCode::from(2);
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        effort: Effort {
            rounds: 3,
            divisor: 1,
        },
        sizes: SIZES.to_vec(),
        disk: std::env::temp_dir(),
        targets: &TARGETS,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => {
                options.effort = Effort {
                    rounds: 1,
                    divisor: 30,
                }
            }
            "--rounds" => options.effort.rounds = arguments.next()?.parse().ok()?,
            "--only" => options.sizes = vec![arguments.next()?.parse().ok()?],
            "--disk" => options.disk = arguments.next()?.into(),
            "--unsealed-too" => options.targets = &TARGETS_AND_UNSEALED,
            _ => return None,
        }
    }
    Some(options)
}

fn compare(options: &Options) -> Result<(), BenchError> {
    let mut results = Results::new();
    let mut durable: Vec<DurableRow> = WRITERS
        .map(|writers| DurableRow {
            writers,
            drive: Vec::new(),
            unsealed: Vec::new(),
            written_file: Vec::new(),
            sparse_file: Vec::new(),
        })
        .into();
    for round in 0..options.effort.rounds {
        for &size in &options.sizes {
            let targets = options.targets;
            for turn in 0..targets.len() {
                let target = targets.iter().cycle().nth(round + turn).copied();
                let target = target.unwrap_or(Target::Kineticd);
                eprintln!(
                    "round {} of {}: {target:?}, {size} bytes",
                    round + 1,
                    options.effort.rounds
                );
                measure_size(options, target, size, &mut results)?;
            }
        }
        for row in &mut durable {
            eprintln!("round {}: {} durable writers", round + 1, row.writers);
            measure_durable(options, row)?;
        }
    }
    let mut out = io::stdout().lock();
    write_machine(&mut out, options)?;
    report::write_comparison(&mut out, &results)?;
    writeln!(out)?;
    report::write_durable(&mut out, &durable)?;
    if options.targets.contains(&Target::Unsealed) {
        writeln!(out)?;
        report::write_sealing(&mut out, &results, &durable)?;
    }
    Ok(())
}

/// All shapes of PUT, then of GET, against one fresh server.
fn measure_size(
    options: &Options,
    target: Target,
    size: u64,
    results: &mut Results,
) -> Result<(), BenchError> {
    let server = Server::start(target, &options.disk, size)?;
    for operation in [Operation::Put, Operation::Get] {
        let fill_cpu_us = match operation {
            Operation::Put => 0,
            Operation::Get => fill(&server, size)?,
        };
        for shape in SHAPES {
            let cell = Cell {
                size,
                operation,
                shape,
            };
            let load = plan_load(cell, plan::requests(cell, options.effort));
            let rate = load::run(&server, load, fill_cpu_us)?;
            results.entry((cell, target)).or_default().push(rate);
        }
    }
    Ok(())
}

/// Stores every key that will be read, and tells what the server's processor time for it was
/// where a bench will do the same again before it reads.
fn fill(server: &Server, size: u64) -> Result<u64, BenchError> {
    let shape = SHAPES.last().copied().unwrap_or(SHAPES[0]);
    if server.target == Target::Redis {
        // Keys are drawn at random: after twelve writes for each, hardly one is missing.
        let operation = Operation::Put;
        let cell = Cell {
            size,
            operation,
            shape,
        };
        load::run(server, plan_load(cell, plan::keys(size) * 12), 0)?;
        return Ok(0);
    }
    let operation = Operation::Get;
    let cell = Cell {
        size,
        operation,
        shape,
    };
    let before = server.cpu_us()?;
    load::run(server, plan_load(cell, 1), 0)?;
    Ok(server.cpu_us()?.saturating_sub(before))
}

fn plan_load(cell: Cell, requests: u64) -> Load {
    Load {
        operation: cell.operation,
        size: cell.size,
        shape: cell.shape,
        requests,
        keys: plan::keys(cell.size),
        durability: Durability::WriteBack,
    }
}

fn measure_durable(options: &Options, row: &mut DurableRow) -> Result<(), BenchError> {
    let requests = plan::durable_requests(row.writers, options.effort);
    let bare = |ground| disk::durable_rate(&options.disk, ground, row.writers, requests);
    row.written_file.push(bare(Ground::Written)?);
    row.sparse_file.push(bare(Ground::Sparse)?);
    for &target in options.targets {
        let rates = match target {
            Target::Kineticd => &mut row.drive,
            Target::Unsealed => &mut row.unsealed,
            Target::Redis | Target::Canned => continue,
        };
        let server = Server::start(target, &options.disk, DURABLE_SIZE)?;
        rates.push(load::run(&server, durable_load(row.writers, requests), 0)?);
    }
    Ok(())
}

fn durable_load(writers: u64, requests: u64) -> Load {
    let shape = Shape {
        connections: writers,
        depth: 1,
    };
    let cell = Cell {
        size: DURABLE_SIZE,
        operation: Operation::Put,
        shape,
    };
    Load {
        durability: Durability::WriteThrough,
        ..plan_load(cell, requests)
    }
}

/// Figures without their machine say nothing.
fn write_machine(out: &mut impl Write, options: &Options) -> io::Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or_default()
        .trim_start_matches([':', '\t', ' ']);
    let count = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    let disk: &Path = &options.disk;
    writeln!(
        out,
        "{count} processors ({model}), Linux {}, disk of {}; medians of {} rounds.\n",
        kernel.trim(),
        disk.display(),
        options.effort.rounds
    )
}
