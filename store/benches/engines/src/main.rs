//! The disk engine beside RocksDB with blob files and fjall with key-value separation: the same
//! keys, values and threads, in one run, in interleaved rounds; figures for docs/PERFORMANCE.md.
//!
//! Guarantee: each pass starts in an empty folder and leaves nothing behind; all engines allocate
//! with the same allocator; what is read is verified.
#![expect(clippy::print_stdout, reason = "the tables are printed")]

mod data;

mod engine;

mod engines;

mod figure;

mod meter;

mod pass;

mod table;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Parser;

use data::Data;
use engine::Outcome;
use engines::Kind;
use pass::Plan;
use table::{Results, Shown};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the disk engine beside RocksDB and fjall and prints a table of medians in Markdown.
///
/// A pass is one engine with one size of value and one number of threads. It puts 512 MiB (1 GiB of
/// values from 64 KiB on), reads, scans, deletes, and syncs. Rates are operations a second.
#[derive(Debug, Parser)]
#[command(name = "engines")]
struct Args {
    /// Rounds: passes of each engine, one engine after the other, then again.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=99))]
    rounds: u64,
    /// Folder for the data, on the disk that is to be measured; takes up to 4 GiB for a while.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Sizes of values in bytes, at most 1 MiB.
    #[arg(long, value_delimiter = ',', default_values_t = [1024, 4096, 65536, 1 << 20])]
    only: Vec<usize>,
    /// Threads that ask at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4])]
    threads: Vec<usize>,
    /// Engines that are measured, in this order.
    #[arg(long, value_delimiter = ',', default_values_t = Kind::ALL, value_enum)]
    engines: Vec<Kind>,
    /// Percent of the data; below 100 it is a try, not a measurement.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    scale: u64,
}

/// Whether this was built for a processor with the instructions that RocksDB sums its blobs and log
/// with; it decides when it is built, the others when they run.
const SUMS_FAST: bool = cfg!(any(
    not(target_arch = "x86_64"),
    target_feature = "pclmulqdq"
));

fn main() -> Outcome {
    let args = Args::parse();
    if !SUMS_FAST {
        return Err("RocksDB's checksums would be slow: set RUSTFLAGS=-Ctarget-cpu=native".into());
    }
    if !meter::is_on_disk(&args.dir)? {
        let dir = args.dir.display();
        return Err(format!("{dir} is memory, not a disk: name another folder with --dir").into());
    }
    let loads = || {
        args.only
            .iter()
            .flat_map(|value| args.threads.iter().map(|t| (*value, *t)))
    };
    if loads().any(|(value, threads)| !(1..=data::LONGEST).contains(&value) || threads == 0) {
        return Err("values have 1 to 1048576 bytes, and threads are one at least".into());
    }
    let pool = data::pool();
    let mut results = Results::default();
    for load @ (value, threads) in loads() {
        let data = Data::new(&pool, value);
        let plan = Plan::of(value, threads, args.scale);
        for round in 1..=args.rounds {
            for kind in &args.engines {
                let folder = tempfile::Builder::new()
                    .prefix("engines-")
                    .tempdir_in(&args.dir)?;
                let figures = pass::run(*kind, folder.path(), &data, &plan)?;
                let rates = figures.iter().map(|(figure, sample)| {
                    let processors = sample.processor_us.unwrap_or_default();
                    format!("{figure:?} {:.1} ({processors:.1} us)", sample.rate)
                });
                let rates = rates.collect::<Vec<_>>().join(", ");
                eprintln!("{value} B, {threads} threads, round {round}, {kind:?}: {rates}");
                results.add(load, *kind, figures);
                folder.close()?;
                meter::sync_all(&args.dir)?;
            }
        }
    }
    println!("Operations a second\n\n{}", results.table(Shown::Rates));
    println!(
        "Microseconds of processors for each\n\n{}",
        results.table(Shown::Processors)
    );
    Ok(())
}
