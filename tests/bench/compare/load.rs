//! One measurement: load of one shape against one server, by that server's own bench command.
//!
//! `kinetic bench` drives `kineticd` and the canned frames, `redis-benchmark` drives Redis. Both
//! get the same value size, connections, depth, number of requests and number of keys.

use std::process::Command;
use std::time::Duration;

use kinetic_tests::process::Process;
use kinetic_tests::program::Program;
use serde_json::Value;

use crate::BenchError;
use crate::plan::{Operation, Shape};
use crate::servers::{Server, Target};

/// A measurement that prints nothing for so long hangs.
const DEADLINE: Duration = Duration::from_secs(180);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) operation: Operation,
    pub(crate) size: u64,
    pub(crate) shape: Shape,
    pub(crate) requests: u64,
    pub(crate) keys: u64,
    pub(crate) durability: Durability,
}

/// When a PUT is acknowledged; Redis has one way only here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    WriteBack,
    WriteThrough,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p99_us: f64,
    /// Of the server, for one request.
    pub(crate) cpu_us: f64,
}

/// Runs the load and waits for its end.
///
/// `kinetic bench` stores all keys before it reads, which is no part of its figures but of the
/// server's processor time: `fill_cpu_us` is what that takes, and is left out.
pub(crate) fn run(server: &Server, load: Load, fill_cpu_us: u64) -> Result<Rate, BenchError> {
    let mut command = match server.target {
        Target::Redis => redis(server, load),
        Target::Kineticd | Target::Unsealed | Target::Canned => kinetic(server, load)?,
    };
    let cpu_before = server.cpu_us()?;
    let mut process = Process::start(&mut command)?;
    let (status, lines) = process.finish(DEADLINE)?;
    let cpu = server.cpu_us()?.saturating_sub(cpu_before + fill_cpu_us);
    let text = lines.join("\n");
    if !status.success() {
        let said = format!("{text}\n{}", process.said());
        return Err(BenchError::Failed {
            command: format!("{command:?}"),
            status,
            said,
        });
    }
    let read = match server.target {
        Target::Redis => read_redis(&text),
        Target::Kineticd | Target::Unsealed | Target::Canned => read_kinetic(&text),
    };
    let (per_second, p99_us) = read.ok_or(BenchError::Unreadable {
        what: "the bench's output",
        text,
    })?;
    Ok(Rate {
        per_second,
        p99_us,
        cpu_us: cpu as f64 / load.requests as f64,
    })
}

fn kinetic(server: &Server, load: Load) -> Result<Command, BenchError> {
    let mix = match load.operation {
        Operation::Put => "put=100",
        Operation::Get => "get=100",
    };
    let durability = match load.durability {
        Durability::WriteBack => "write-back",
        Durability::WriteThrough => "write-through",
    };
    let mut command = Command::new(Program::Command.path()?);
    command.args([
        "--drive",
        &server.address.to_string(),
        "--output",
        "json",
        "bench",
    ]);
    command.args(["--mix", mix, "--durability", durability]);
    for (name, number) in [
        ("--value-size", load.size),
        ("--connections", load.shape.connections),
        ("--depth", load.shape.depth),
        ("--count", load.requests),
        ("--keys", load.keys),
    ] {
        command.args([name, &number.to_string()]);
    }
    Ok(command)
}

fn redis(server: &Server, load: Load) -> Command {
    let test = match load.operation {
        Operation::Put => "set",
        Operation::Get => "get",
    };
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-t", test, "--csv"]);
    for (name, number) in [
        ("-p", u64::from(server.address.port())),
        ("-d", load.size),
        ("-c", load.shape.connections),
        ("-P", load.shape.depth),
        ("-n", load.requests),
        ("-r", load.keys),
    ] {
        command.args([name, &number.to_string()]);
    }
    command
}

/// The row of all operations; one that missed its key or failed is no measurement.
fn read_kinetic(text: &str) -> Option<(f64, f64)> {
    let report: Value = serde_json::from_str(text).ok()?;
    let rows = report.get("results")?.as_array()?;
    let all = rows
        .iter()
        .find(|row| row.get("operation").is_some_and(|name| name == "all"))?;
    let number = |name: &str| all.get(name)?.as_f64();
    let failed = number("missing")? + number("errors")?;
    (failed == 0.0).then_some((number("ops_per_s")?, number("p99_us")?))
}

/// `"test","rps","avg_latency_ms","min_..","p50_..","p95_..","p99_..","max_.."` and a row of it.
fn read_redis(text: &str) -> Option<(f64, f64)> {
    let row = text.lines().last()?;
    let mut fields = row.split(',').map(|field| field.trim_matches('"'));
    let per_second = fields.nth(1)?.parse().ok()?;
    let p99_ms: f64 = fields.nth(4)?.parse().ok()?;
    Some((per_second, p99_ms * 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_kinetic_bench_is_read_unless_requests_failed() {
        let report = |errors: u64| {
            format!(
                r#"{{"results":[{{"operation":"all","ops_per_s":7,"p99_us":3.5,"missing":0,
                "errors":{errors}}}]}}"#
            )
        };
        assert_eq!(read_kinetic(&report(0)), Some((7.0, 3.5)));
        assert_eq!(read_kinetic(&report(1)), None);
    }

    #[test]
    fn the_row_of_redis_benchmark_is_read() {
        let text = "\"test\",\"rps\",\"avg\",\"min\",\"p50\",\"p95\",\"p99\",\"max\"\n\
                    \"SET\",\"1000.50\",\"0.1\",\"0.2\",\"0.3\",\"0.4\",\"0.5\",\"0.6\"";
        let (per_second, p99_us) = read_redis(text).expect("a row");
        assert!((per_second - 1000.5).abs() < 1e-9);
        assert!((p99_us - 500.0).abs() < 1e-9);
        assert!(read_redis("nothing of the kind").is_none());
    }
}
