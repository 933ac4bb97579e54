//! `bench`: throughput and latencies of a drive under a mix of operations.
//!
//! Guarantees: the same seed asks for the same keys and operations in the same order on each
//! task; preparing and cleaning up are not measured; a failed operation makes the command fail.
//! In layer order: `keyspace` (which keys), `tally` (what was measured), `crew` (on which
//! threads), `load` (doing it), `report`.

mod keyspace;

mod tally;

mod crew;

mod load;

mod report;

use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::Bytes;
use kinetic_client::Client;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::args::{BenchArgs, GlobalArgs, Operation};
use crate::connect::{config, one_drive};
use crate::failure::Failure;
use crate::output::Output;

use crew::Crew;
use keyspace::{Keyspace, SplitMix};
use load::{Load, Order, Until};
use tally::Tally;

pub(crate) async fn run(
    global: &GlobalArgs,
    args: BenchArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let keys = Keyspace::new(args.key_prefix.as_bytes(), args.key_size, args.keys);
    let keys = keys.map_err(|error| Failure::Usage(error.to_string()))?;
    let crew = Crew::new(args.threads, args.connections).map_err(|source| Failure::File {
        path: "the threads of the load".into(),
        source,
    })?;
    let clients = connect_all(global, &args, &crew).await?;
    let first = clients.first().map(|(client, _)| client);
    let value = value(&args, first)?;
    let load = |order: Order, until: Until| {
        Arc::new(Load::new(
            keys.clone(),
            value.clone(),
            (args.durability.into(), order, until),
        ))
    };
    let all = Until::Count(args.keys);
    let reads = [Operation::Get, Operation::Version, Operation::Next];
    if reads.iter().any(|read| args.mix.has(*read)) {
        let store = load(Order::EachKey(Operation::Put), all);
        settle(&store.run(&clients, args.depth, args.seed).await)?;
        if let Some(first) = first {
            first
                .flush()
                .await
                .map_err(Failure::of("flush after preparing"))?;
        }
    }
    let until = match args.count {
        Some(count) => Until::Count(count),
        None => Until::Moment(Instant::now() + args.duration),
    };
    let started = Instant::now();
    let measured = load(Order::mixed(&args.mix), until)
        .run(&clients, args.depth, args.seed)
        .await;
    let elapsed = started.elapsed();
    report::print(&args, &measured, elapsed, output)?;
    if args.clean {
        let remove = load(Order::EachKey(Operation::Delete), all);
        settle(&remove.run(&clients, args.depth, args.seed).await)?;
    }
    settle(&measured)
}

/// Connects as often as asked for, each time on one of the threads.
async fn connect_all(
    global: &GlobalArgs,
    args: &BenchArgs,
    crew: &Crew,
) -> Result<Vec<(Client, Handle)>, Failure> {
    let (config, drive) = (config(global)?, one_drive(global)?);
    let mut clients = Vec::new();
    for home in crew.deal().take(args.connections) {
        let connecting = Client::connect(drive.clone(), config.clone());
        let connected = home.spawn(connecting).await;
        let client = connected.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        clients.push((client, home.clone()));
    }
    Ok(clients)
}

/// One value for all puts, of bytes that no layer can compress.
fn value(args: &BenchArgs, client: Option<&Client>) -> Result<Bytes, Failure> {
    let limit = client.and_then(|client| client.limits().max_value_size);
    let size = args.value_size;
    if let Some(limit) = limit.map(u64::from).filter(|limit| size > *limit) {
        return Err(Failure::Usage(format!(
            "--value-size {size} is over the drive's limit of {limit} bytes"
        )));
    }
    let mut random = SplitMix::new(args.seed);
    let words = (0..size.div_ceil(8)).flat_map(|_| random.next().to_le_bytes());
    Ok(words
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect())
}

fn settle(tally: &Tally) -> Result<(), Failure> {
    match tally.first_error() {
        None => Ok(()),
        Some(first) => Err(Failure::Bench {
            count: tally.errors(),
            total: tally.errors() + tally.successes(),
            first: first.clone(),
        }),
    }
}
