//! The load: for each connection as many tasks as there are requests in flight.
//!
//! Guarantees: at most `depth` requests are in flight on a connection, and as many while the load
//! lasts; a task whose connection is gone ends. Each connection has a tally of its own, so that
//! connections don't wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use kinetic_client::{Client, Durability, Error, LogType};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::keyspace::{Keyspace, SplitMix};
use super::tally::{Outcome, Tally};
use crate::args::{Mix, Operation};

/// What a GETLOG asks for: all that is figures.
const FIGURES: [LogType; 6] = [
    LogType::Utilizations,
    LogType::Temperatures,
    LogType::Capacities,
    LogType::Configuration,
    LogType::Statistics,
    LogType::Limits,
];

/// Which operation comes next, on which key.
#[derive(Debug)]
pub(super) enum Order {
    /// One operation on one key after the other.
    EachKey(Operation),
    /// Operations by weight on keys at random.
    Mixed {
        parts: Vec<(Operation, u32)>,
        total: u64,
    },
}

/// When it is enough.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Count(u64),
    Moment(Instant),
}

/// A load on a drive.
#[derive(Debug)]
pub(super) struct Load {
    keys: Keyspace,
    value: Bytes,
    durability: Durability,
    order: Order,
    until: Until,
    begun: AtomicU64,
}

impl Order {
    pub(super) fn mixed(mix: &Mix) -> Self {
        Self::Mixed {
            total: mix.0.iter().map(|(_, weight)| u64::from(*weight)).sum(),
            parts: mix.0.clone(),
        }
    }
}

impl Load {
    pub(super) fn new(
        keys: Keyspace,
        value: Bytes,
        (durability, order, until): (Durability, Order, Until),
    ) -> Self {
        Self {
            keys,
            value,
            durability,
            order,
            until,
            begun: AtomicU64::new(0),
        }
    }

    /// Runs to the end on all connections, each where it lives.
    pub(super) async fn run(
        self: Arc<Self>,
        clients: &[(Client, Handle)],
        depth: usize,
        seed: u64,
    ) -> Tally {
        let mut tasks = JoinSet::new();
        let mut seeds = SplitMix::new(seed);
        let mut tallies = Vec::new();
        for (client, home) in clients {
            let tally = Arc::new(Mutex::new(Tally::default()));
            for _ in 0..depth {
                let random = SplitMix::new(seeds.next());
                let task = Arc::clone(&self).work(client.clone(), random, Arc::clone(&tally));
                tasks.spawn_on(task, home);
            }
            tallies.push(tally);
        }
        tasks.join_all().await;
        let mut whole = Tally::default();
        for tally in tallies {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            whole.merge(std::mem::take(&mut *tally));
        }
        whole
    }

    async fn work(self: Arc<Self>, client: Client, mut random: SplitMix, tally: Arc<Mutex<Tally>>) {
        let mut now = Instant::now();
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let enough = match self.until {
                Until::Count(count) => number >= count,
                Until::Moment(end) => now >= end,
            };
            if enough {
                return;
            }
            let (operation, key) = self.next(number, &mut random);
            let started = now;
            let outcome = self.ask(&client, operation, key).await;
            now = Instant::now();
            let is_over = matches!(outcome, Err(Error::Disconnected(_)));
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.record(operation, now - started, outcome);
            drop(tally);
            if is_over {
                return;
            }
        }
    }

    fn next(&self, number: u64, random: &mut SplitMix) -> (Operation, Bytes) {
        match &self.order {
            Order::EachKey(operation) => (*operation, self.keys.key(number)),
            Order::Mixed { parts, total } => {
                let mut ticket = random.below(*total);
                let drawn = parts.iter().find(|(_, weight)| {
                    let hit = ticket < u64::from(*weight);
                    ticket = ticket.saturating_sub(u64::from(*weight));
                    hit
                });
                let operation = drawn.map_or(Operation::Noop, |(operation, _)| *operation);
                (operation, self.keys.key(random.below(self.keys.count())))
            }
        }
    }

    async fn ask(
        &self,
        client: &Client,
        operation: Operation,
        key: Bytes,
    ) -> Result<Outcome, Error> {
        let found = |bytes: Option<usize>| match bytes {
            Some(bytes) => Outcome::Done {
                bytes: bytes as u64,
            },
            None => Outcome::Missing,
        };
        match operation {
            Operation::Put => {
                let put = client
                    .put(key, self.value.clone())
                    .durability(self.durability);
                put.force().await.map(|()| found(Some(self.value.len())))
            }
            Operation::Get => {
                let entry = client.get(key).await?;
                Ok(found(entry.map(|entry| entry.value.len())))
            }
            Operation::Next => {
                let entry = client.next(key).await?;
                Ok(found(entry.map(|entry| entry.value.len())))
            }
            Operation::Version => Ok(found(client.version(key).await?.map(|_| 0))),
            Operation::Delete => {
                let delete = client.delete(key).durability(self.durability);
                delete.force().await.map(|()| found(Some(0)))
            }
            Operation::Log => client.log(&FIGURES).await.map(|_| found(Some(0))),
            Operation::Noop => client.noop().await.map(|()| found(Some(0))),
        }
    }
}
