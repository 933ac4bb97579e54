//! `ping`, `info`, `log`, `flush`, `bench`: for people not empty, for programs JSON that holds.

use std::thread;

use serde_json::{Value, json};

use crate::Served;
use crate::kinetic::Kinetic;

#[test]
fn ping_tells_who_answered_and_how_long_it_took() {
    let served = Served::new();
    let address = served.drive.plain().to_string();
    let said = served.run(&["ping"]).done();
    assert!(said.text().contains(&address), "{said}");
    let said = served.run(&["ping", "--output", "json"]).done();
    assert_eq!(said.json()["drive"], address, "{said}");
    let milliseconds = said.json()["milliseconds"].as_f64();
    assert!(milliseconds.is_some_and(|time| time > 0.0), "{said}");
}

#[test]
fn info_shows_what_the_drive_is() {
    let served = Served::new();
    let said = served.run(&["info"]).done();
    assert!(said.text().contains("max value size"), "{said}");
    let said = served.run(&["info", "--output", "json"]).done();
    let info = said.json();
    assert_eq!(info["connection"]["cluster_version"], 0, "{said}");
    assert_eq!(info["connection"]["locked"], "no", "{said}");
    let port = served.drive.plain().port();
    assert_eq!(info["configuration"]["port"], port, "{said}");
    assert_eq!(info["limits"]["max_key_size"], 4096, "{said}");
    assert_eq!(info["limits"]["max_value_size"], 1 << 20, "{said}");
    let capacity = info["capacity"]["capacity_bytes"].as_u64();
    assert!(
        capacity.is_some_and(|bytes| bytes > 0 && bytes <= 256 << 20),
        "{said}"
    );
    let full = info["capacity"]["portion_full"].as_f64();
    assert!(
        full.is_some_and(|full| (0.0..0.5).contains(&full)),
        "{said}"
    );
}

#[test]
fn every_log_is_shown_in_both_forms() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "a"])
        .input(b"12345")
        .run()
        .done();
    for (kind, section) in [
        ("utilizations", "utilizations"),
        ("temperatures", "temperatures"),
        ("capacities", "capacity"),
        ("configuration", "configuration"),
        ("statistics", "statistics"),
        ("messages", "messages"),
        ("limits", "limits"),
    ] {
        served.run(&["log", kind]).done();
        let said = served.run(&["log", kind, "--output", "json"]).done();
        let report = said.json();
        let object = report.as_object().expect("an object");
        let names: Vec<&String> = object.keys().collect();
        assert_eq!(names, [section], "{said}");
    }
    let said = served
        .run(&["log", "statistics", "--output", "json"])
        .done();
    let puts = said.json()["statistics"]
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["message"] == "PUT").cloned());
    let puts = puts.unwrap_or_else(|| panic!("no PUT: {said}"));
    assert_eq!(puts["count"], 1, "{said}");
    assert!(
        puts["bytes"].as_u64().is_some_and(|bytes| bytes >= 5),
        "{said}"
    );
}

#[test]
fn a_device_log_needs_a_name_that_the_drive_knows() {
    let served = Served::new();
    served.run(&["log", "device"]).fails(2, &["NAME"]);
    served
        .run(&["log", "device", "com.example.absent"])
        .fails(3, &["log"]);
    let said = served.run(&["log", "device", "org.kinetic.capabilities"]);
    assert!(said.done().json().is_object());
    served
        .run(&["log", "diaries"])
        .fails(2, &["diaries", "statistics"]);
}

#[test]
fn flush_is_silent_or_says_so_in_json() {
    let served = Served::new();
    let put = served
        .kinetic()
        .args(["put", "a", "--durability", "write-back"]);
    put.input(b"kept").run().done();
    assert!(served.run(&["flush"]).done().out.is_empty());
    let said = served.run(&["flush", "--output", "json"]).done();
    assert_eq!(said.json(), json!({ "flushed": true }), "{said}");
    let served = served.killed_and_restarted();
    assert_eq!(served.run(&["get", "a"]).done().text(), "kept");
}

/// The row of an operation, with figures that can be.
#[track_caller]
fn row(report: &Value, operation: &str) -> Value {
    let rows = report["results"].as_array().expect("results");
    let found = rows.iter().find(|row| row["operation"] == operation);
    let row = found
        .unwrap_or_else(|| panic!("no {operation} in {report}"))
        .clone();
    let figure = |name: &str| {
        let figure = row.get(name).and_then(Value::as_f64);
        figure.unwrap_or_else(|| panic!("{name}: {row}"))
    };
    let names = ["p50_us", "p90_us", "p99_us", "p99.9_us", "max_us"];
    let latencies = names.map(figure);
    assert!(latencies.is_sorted() && latencies[0] > 0.0, "{row}");
    assert!(
        figure("mean_us") > 0.0 && figure("mean_us") <= figure("max_us"),
        "{row}"
    );
    assert!(
        figure("ops_per_s") > 0.0 && figure("MB_per_s") >= 0.0,
        "{row}"
    );
    assert!(figure("errors") == 0.0 && figure("missing") == 0.0, "{row}");
    row
}

#[test]
fn a_small_bench_gives_figures_that_can_be() {
    let served = Served::new();
    let arguments = [
        "bench",
        "--count",
        "600",
        "--keys",
        "50",
        "--value-size",
        "1KiB",
    ];
    let more = ["--mix", "get=2,put=1", "--connections", "2", "--depth", "4"];
    let bench = served.kinetic().args(arguments).args(more);
    let said = bench.args(["--output", "json"]).run().done();
    let report = said.json();
    let (all, get, put) = (
        row(&report, "all"),
        row(&report, "get"),
        row(&report, "put"),
    );
    let count = |row: &Value| row["count"].as_u64().expect("a count");
    assert_eq!(count(&all), 600, "{said}");
    assert_eq!(count(&get) + count(&put), 600, "{said}");
    assert!(count(&get) > count(&put) && count(&put) > 100, "{said}");
    for row in [&all, &get, &put] {
        assert_eq!(row["bytes"], count(row) * 1024, "{said}");
    }
    assert_eq!(report["settings"]["mix"], "get=2,put=1", "{said}");
    assert_eq!(report["settings"]["connections"], 2, "{said}");
    assert!(
        report["settings"]["seconds"]
            .as_f64()
            .is_some_and(|time| time > 0.0)
    );
    assert_eq!(served.run(&["list", "bench/"]).done().lines().len(), 50);
}

#[test]
fn a_bench_runs_every_operation_and_cleans_up_where_told() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "mine"])
        .input(b"x")
        .run()
        .done();
    for mix in ["get", "put", "version", "next", "noop"] {
        let bench = ["bench", "--count", "40", "--keys", "10", "--clean"];
        let bench = served.kinetic().args(bench).args(["--mix", mix]);
        let said = bench.args(["--output", "json"]).run().done();
        assert_eq!(row(&said.json(), mix)["count"], 40, "{said}");
        let listed = served.run(&["list"]).done();
        assert_eq!(listed.lines(), ["mine"], "{mix}: {listed}");
    }
    let table = served
        .run(&["bench", "--count", "40", "--keys", "10"])
        .done();
    assert!(table.text().contains("p99 us"), "{table}");
    let too_large = ["bench", "--count", "1", "--value-size", "2MiB"];
    served.run(&too_large).fails(2, &["2097152", "1048576"]);
}

#[test]
fn a_bench_whose_drive_dies_ends_with_code_5() {
    let served = Served::new();
    let mut talk = served.talk();
    let address = served.drive.plain();
    thread::scope(|scope| {
        let bench = ["bench", "--mix", "put", "--duration", "100s"];
        let bench = scope.spawn(move || Kinetic::at(address).args(bench).run());
        // Each look is an answer of the drive, so this goes no faster than that serves.
        while talk.ask_range_of_all().is_empty() && !bench.is_finished() {}
        served.drive.kill().expect("a killed drive");
        let said = bench.join().expect("an end").exits(5);
        assert!(said.err.contains("operations failed"), "{said}");
    });
}
