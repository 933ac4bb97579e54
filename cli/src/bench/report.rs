//! The figures of a benchmark, for people and for programs.
//!
//! Guarantees: units are in the names; latencies in microseconds.

use std::time::Duration;

use serde_json::Value;

use super::tally::{OperationTally, Tally};
use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::output::{Content, Output, Section};

const COLUMNS: [&str; 13] = [
    "operation",
    "count",
    "ops_per_s",
    "MB_per_s",
    "mean_us",
    "p50_us",
    "p90_us",
    "p99_us",
    "p99.9_us",
    "max_us",
    "bytes",
    "missing",
    "errors",
];

pub(super) fn print(
    args: &BenchArgs,
    tally: &Tally,
    elapsed: Duration,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut rows: Vec<Vec<Value>> = tally
        .operations()
        .map(|(operation, tally)| row(operation.name(), tally, elapsed))
        .collect();
    rows.push(row("all", &tally.together(), elapsed));
    let mix = args
        .mix
        .0
        .iter()
        .map(|(operation, weight)| format!("{}={weight}", operation.name()));
    let settings = vec![
        ("mix", mix.collect::<Vec<_>>().join(",").into()),
        ("value_size", args.value_size.into()),
        ("connections", args.connections.into()),
        ("depth", args.depth.into()),
        ("durability", durability_name(args).into()),
        ("keys", args.keys.into()),
        ("key_size", args.key_size.into()),
        ("seed", args.seed.into()),
        ("seconds", rounded(elapsed.as_secs_f64(), 3)),
    ];
    output.sections(vec![
        Section {
            name: "settings",
            content: Content::Record(settings),
        },
        Section {
            name: "results",
            content: Content::Rows {
                columns: COLUMNS.to_vec(),
                rows,
            },
        },
    ])
}

fn durability_name(args: &BenchArgs) -> String {
    use clap::ValueEnum as _;
    let name = args.durability.to_possible_value();
    name.map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "figures are rounded further")]
fn row(name: &'static str, tally: &OperationTally, elapsed: Duration) -> Vec<Value> {
    let latencies = &tally.latencies;
    let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let microseconds = |nanoseconds: f64| rounded(nanoseconds / 1000.0, 1);
    let quantile = |quantile: f64| microseconds(latencies.value_at_quantile(quantile) as f64);
    vec![
        name.into(),
        latencies.len().into(),
        rounded(latencies.len() as f64 / seconds, 0),
        rounded(tally.bytes as f64 / seconds / 1e6, 1),
        microseconds(latencies.mean()),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(0.999),
        microseconds(latencies.max() as f64),
        tally.bytes.into(),
        tally.missing.into(),
        tally.errors.into(),
    ]
}

fn rounded(number: f64, digits: i32) -> Value {
    let scale = 10f64.powi(digits);
    let number = (number * scale).round() / scale;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and far below the limit"
    )]
    #[expect(clippy::cast_sign_loss, reason = "figures are not negative")]
    if digits == 0 {
        (number as u64).into()
    } else {
        number.into()
    }
}
