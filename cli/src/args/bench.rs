//! Arguments of the benchmark.
//!
//! Guarantees: a mix has at least one operation and a weight above 0. Not here: running it.

use std::time::Duration;

use clap::Args;

use super::{DurabilityArg, bounded};
use crate::limits::{MAX_BENCH_CONNECTIONS, MAX_BENCH_DEPTH};
use crate::units::{parse_size, parse_time};

/// What a benchmark does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Get,
    Put,
    Delete,
    Version,
    Next,
    Log,
    Noop,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::Get,
        Self::Put,
        Self::Delete,
        Self::Version,
        Self::Next,
        Self::Log,
        Self::Noop,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Version => "version",
            Self::Next => "next",
            Self::Log => "log",
            Self::Noop => "noop",
        }
    }
}

/// Operations with their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mix(pub(crate) Vec<(Operation, u32)>);

impl Mix {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<(Operation, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let operation = Operation::ALL
                .into_iter()
                .find(|known| known.name() == name);
            let operation = operation.ok_or_else(|| {
                let names = Operation::ALL.map(Operation::name).join(", ");
                format!("{name:?} is no operation; there are {names}")
            })?;
            let weight = weight
                .parse()
                .ok()
                .filter(|weight| (1..=1_000_000).contains(weight));
            let weight = weight.ok_or("a weight is a whole number from 1 to 1000000")?;
            if parts.iter().any(|(known, _)| *known == operation) {
                return Err(format!("{name} is named twice"));
            }
            parts.push((operation, weight));
        }
        Ok(Self(parts))
    }

    pub(crate) fn has(&self, operation: Operation) -> bool {
        self.0.iter().any(|(known, _)| *known == operation)
    }
}

fn connections(text: &str) -> Result<usize, String> {
    bounded(text, MAX_BENCH_CONNECTIONS)
}

fn depth(text: &str) -> Result<usize, String> {
    bounded(text, MAX_BENCH_DEPTH)
}

fn positive(text: &str) -> Result<u64, String> {
    bounded(text, usize::MAX).map(|number| number as u64)
}

#[derive(Debug, Args)]
#[command(after_help = "\
Keys are chosen evenly and at random from the seed. Where the mix reads, the keys are stored
first, which is not measured. Puts replace whatever is there. The keys stay on the drive unless
--clean is given. MB/s counts bytes of values, a million to the MB; latencies are from the call
to its answer, queues in the client included. A log is a GETLOG of utilizations, temperatures,
capacities, configuration, statistics and limits.")]
pub(crate) struct BenchArgs {
    /// Operations with their weights: get, put, delete, version, next, log, noop
    #[arg(long, default_value = "get=50,put=50", value_parser = Mix::parse, value_name = "MIX")]
    pub(crate) mix: Mix,

    /// Bytes of each value
    #[arg(long, default_value = "4KiB", value_parser = parse_size, value_name = "SIZE")]
    pub(crate) value_size: u64,

    /// Connections to the drive
    #[arg(long, default_value = "1", value_parser = connections, value_name = "N")]
    pub(crate) connections: usize,

    /// Requests in flight on each connection
    #[arg(long, default_value = "16", value_parser = depth, value_name = "N")]
    pub(crate) depth: usize,

    /// When the drive answers puts and deletes
    #[arg(long, value_enum, default_value_t = DurabilityArg::WriteBack, value_name = "WHEN")]
    pub(crate) durability: DurabilityArg,

    /// How long to measure
    #[arg(long, default_value = "5s", value_parser = parse_time, value_name = "TIME")]
    pub(crate) duration: Duration,

    /// How many operations to measure, instead of a time
    #[arg(long, value_parser = positive, conflicts_with = "duration", value_name = "N")]
    pub(crate) count: Option<u64>,

    /// How many different keys
    #[arg(long, default_value = "10000", value_parser = positive, value_name = "N")]
    pub(crate) keys: u64,

    /// Bytes of each key, prefix included
    #[arg(long, default_value_t = 24, value_name = "BYTES")]
    pub(crate) key_size: usize,

    /// What every key begins with
    #[arg(long, default_value = "bench/", value_name = "TEXT")]
    pub(crate) key_prefix: String,

    /// The seed of keys and operations
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// Threads of the client, to which the connections are dealt; no more than those are started
    /// [default: one for each processor]
    #[arg(long, value_parser = connections, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Remove the keys at the end
    #[arg(long)]
    pub(crate) clean: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_operations_with_weights() {
        let mix = Mix::parse("get=90,put=10").unwrap();
        assert_eq!(mix.0, [(Operation::Get, 90), (Operation::Put, 10)]);
        assert_eq!(Mix::parse("noop").unwrap().0, [(Operation::Noop, 1)]);
    }

    #[test]
    fn a_mix_that_makes_no_sense_is_refused() {
        for text in [
            "",
            "gett=1",
            "get=0",
            "get=-1",
            "get=x",
            "get=1,get=2",
            "get=1,",
        ] {
            assert!(Mix::parse(text).is_err(), "{text}");
        }
    }
}
