//! Replication beside a plain copy of the same bytes over TCP, in one run.
//!
//! Usage: `replicate [--keys 10000] [--value-size 65536] [--rounds 3] [--folder DIR]`; prints a
//! table. Each round copies the values three ways, one after another, from a first place by a
//! second one to a third:
//!
//! - *discarded*: from memory, the second passes on what it reads, the third throws it away;
//! - *stored*: from a file, the second and third write files, synced at the end;
//! - *drives*: three drives, `replicate` through a pipeline, each key durable on both peers when
//!   its status comes.
//!
//! Drives and files are made anew for each round, below the folder, and need some twelve times the
//! bytes of the values.

mod plain;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kinetic_client::{Client, Config, Durability, Peer};
use kinetic_tests::drive::Drive;

/// Writes that are under way while the first drive is filled.
const FILLING: usize = 64;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What is copied, how often, and where.
#[derive(Debug, Clone)]
struct Plan {
    keys: u64,
    value_size: usize,
    rounds: usize,
    folder: PathBuf,
}

impl Plan {
    fn bytes(&self) -> u64 {
        self.keys * self.value_size as u64
    }
}

/// How long a round took each way.
#[derive(Debug, Clone, Copy)]
struct Round {
    discarded: Duration,
    stored: Duration,
    drives: Duration,
}

fn main() -> ExitCode {
    let Some(plan) = plan(std::env::args().skip(1)) else {
        eprintln!("usage: replicate [--keys N] [--value-size BYTES] [--rounds N] [--folder DIR]");
        return ExitCode::from(2);
    };
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replicate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Option<Plan> {
    let mut plan = Plan {
        keys: 10_000,
        value_size: 64 << 10,
        rounds: 3,
        folder: std::env::temp_dir(),
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--keys" => plan.keys = value.parse().ok()?,
            "--value-size" => plan.value_size = value.parse().ok()?,
            "--rounds" => plan.rounds = value.parse().ok()?,
            "--folder" => plan.folder = value.into(),
            _ => return None,
        }
    }
    Some(plan)
}

fn run(plan: &Plan) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rounds = Vec::new();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "| round | discarded | stored | drives | of discarded | of stored |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    for number in 1..=plan.rounds {
        let folder = tempfile::tempdir_in(&plan.folder)?;
        let round = Round {
            discarded: plain::discarded(plan.bytes())?,
            stored: plain::stored(plan.bytes(), folder.path())?,
            drives: runtime.block_on(drives(plan, folder.path()))?,
        };
        writeln!(out, "| {number} {}", row(plan, round))?;
        rounds.push(round);
    }
    if let Some(round) = median(&rounds) {
        writeln!(out, "| median {}", row(plan, round))?;
    }
    Ok(())
}

fn row(plan: &Plan, round: Round) -> String {
    let cell = |took: Duration| {
        let seconds = took.as_secs_f64();
        let speed = plan.bytes() as f64 / seconds / 1e6;
        format!("{seconds:.2} s, {speed:.0} MB/s")
    };
    let share = |plain: Duration| plain.as_secs_f64() / round.drives.as_secs_f64();
    format!(
        "| {} | {} | {} | {:.2} | {:.2} |",
        cell(round.discarded),
        cell(round.stored),
        cell(round.drives),
        share(round.discarded),
        share(round.stored),
    )
}

/// Each way by itself.
fn median(rounds: &[Round]) -> Option<Round> {
    let middle = |of: fn(&Round) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    };
    Some(Round {
        discarded: middle(|round| round.discarded)?,
        stored: middle(|round| round.stored)?,
        drives: middle(|round| round.drives)?,
    })
}

/// The time from asking for the replication to the last key's status.
async fn drives(plan: &Plan, folder: &Path) -> Result<Duration, Failed> {
    let room = format!("{}MiB", (plan.bytes() >> 19) + 512);
    let start = |name: &str| Drive::start(&folder.join(name), &["--size", &room]);
    let (first, second, third) = (start("first")?, start("second")?, start("third")?);
    let client = Client::connect(first.plain().to_string(), Config::default()).await?;
    fill(plan, &client).await?;
    warm(plan, &client).await?;
    let peer = |address: SocketAddr| Peer::plain(address.ip().to_string(), address.port());
    let peers = [peer(second.plain()), peer(third.plain())];
    let begun = plain::now();
    let mut run = client.all_keys().replicate(peers).start();
    let mut copied = 0;
    while let Some(outcome) = run.next().await {
        let outcome = outcome?;
        if !outcome.is_complete() {
            return Err(format!("a key did not arrive: {outcome:?}").into());
        }
        copied += 1;
    }
    let took = begun.elapsed();
    for drive in [first, second, third] {
        drive.stop()?;
    }
    if copied == plan.keys {
        Ok(took)
    } else {
        Err(format!("{copied} of {} keys were copied", plan.keys).into())
    }
}

/// Reads everything once.
async fn warm(plan: &Plan, client: &Client) -> Result<(), Failed> {
    let (mut keys, mut read) = (client.all_keys().keys(), 0);
    while let Some(key) = keys.next().await {
        let entry = client.get(key?).await?;
        read += entry.map_or(0, |entry| entry.value.len() as u64);
    }
    if read == plan.bytes() {
        Ok(())
    } else {
        Err(format!("the first drive holds {read} of {} bytes", plan.bytes()).into())
    }
}

async fn fill(plan: &Plan, client: &Client) -> Result<(), Failed> {
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..plan.keys {
        if under_way.len() >= FILLING
            && let Some(put) = under_way.join_next().await
        {
            put??;
        }
        let value = plain::piece(number, plan.value_size);
        let put = client.put(format!("key {number:08}"), value).force();
        under_way.spawn(put.durability(Durability::WriteBack).into_future());
    }
    while let Some(put) = under_way.join_next().await {
        put??;
    }
    Ok(client.flush().await?)
}
