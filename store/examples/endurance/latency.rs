//! Durable PUTs: how long each takes on an idle drive, and beside flushes, merges and reclaim.

use std::error::Error;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Durability, Expected, Mutation, Priority, Store,
};

use crate::Outcome;
use crate::drive::{Drive, key, scrambled};

#[derive(Default)]
struct Answer {
    outcome: Mutex<Option<Result<(), CommitError>>>,
    there: Condvar,
}

impl Completion for Answer {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.there.notify_all();
    }
}

/// Fills a drive to three quarters; then measures alone, and beside overwrites that keep upkeep
/// busy.
pub(crate) fn latency(file: &str, gib: u64, seconds: u64) -> Outcome {
    let mut drive = Drive::create(file, gib)?;
    let value = Bytes::from(vec![0x5a; 4096]);
    let count = drive.store.status().capacity_bytes / 100 * 75 / 4300;
    for number in 0..count {
        drive.put(key(number), value.clone())?;
    }
    drive.settle();
    // Overwrites until reclaim has begun.
    let mut random = 1;
    while drive.store.status().moves == 0 {
        for _ in 0..1000 {
            random = scrambled(random);
            drive.put(key(random % count), value.clone())?;
        }
    }
    drive.settle();
    std::thread::sleep(Duration::from_secs(5));
    let idle = durable(&drive.store, Duration::from_secs(seconds))?;
    print("idle", &idle);
    let store = drive.store.clone();
    let before = drive.store.status();
    let load = std::thread::spawn(move || durable(&store, Duration::from_secs(seconds)).ok());
    let start = Instant::now();
    let mut puts = 0_u64;
    // Paced: a fifth of what the drive takes, so that the disk and not the queue is measured.
    while start.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..64 {
            random = scrambled(random);
            drive.put(key(random % count), value.clone())?;
            puts += 1;
        }
        std::thread::sleep(Duration::from_millis(8));
    }
    drive.settle();
    let busy = load
        .join()
        .map_err(|panic| format!("measuring failed: {panic:?}"))?;
    let busy = busy.ok_or("measuring failed")?;
    let after = drive.store.status();
    print("beside upkeep", &busy);
    println!(
        "meanwhile {} puts a second, {} flushes, {} merges, {} moves",
        puts / seconds.max(1),
        after.flushes - before.flushes,
        after.merges - before.merges,
        after.moves - before.moves
    );
    drive.stop()
}

fn durable(store: &Store, time: Duration) -> Result<Vec<Duration>, Box<dyn Error>> {
    let value = Bytes::from(vec![0xa5; 4096]);
    let (start, mut took) = (Instant::now(), Vec::new());
    let mut number = 0;
    while start.elapsed() < time {
        number += 1;
        let answer = Arc::new(Answer::default());
        let begun = Instant::now();
        let commit = Commit {
            mutations: vec![Mutation::Put {
                key: Bytes::from(format!("durable{:03}", number % 100)),
                value: value.clone(),
                attributes: Attributes::new(b"", b"", None),
                expected: Expected::Any,
            }],
            durability: Durability::WriteThrough,
            priority: Priority::NORMAL,
            token: 0,
            completion: Arc::<Answer>::clone(&answer),
        };
        if store.submit(commit).is_err() {
            continue;
        }
        store.kick();
        let mut outcome = answer
            .outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while outcome.is_none() {
            outcome = answer
                .there
                .wait(outcome)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(Err(error)) = *outcome {
            return Err(error.into());
        }
        took.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    took.sort_unstable();
    Ok(took)
}

fn print(what: &str, took: &[Duration]) {
    let at = |thousandths: usize| {
        let place = (took.len() * thousandths / 1000).min(took.len().saturating_sub(1));
        took.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    println!(
        "{what}: {} durable PUTs, median {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms",
        took.len(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}
