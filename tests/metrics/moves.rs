//! Each figure moves when its cause does, by what it should, and nothing else moves with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;

use kinetic_proto::schema::command::Body;
use kinetic_proto::{MessageType, StatusCode};
use kinetic_store::Options;
use kinetic_tests::admin::{ERASE, LOCK, set_erase_pin, set_lock_pin};
use kinetic_tests::batch;
use kinetic_tests::conversation::Conversation;
use kinetic_tests::raw::{FACTORY_IDENTITY, RawConnection, frame, signed};
use prost::Message as _;

use crate::{Told, Watched, put, series};

/// What goes on by itself for a while after a write: syncs, zones made ready, and what both cost.
const AFTERWARDS: &[&str] = &[
    "kinetic_sync_duration_seconds",
    "kinetic_disk_written_bytes_total",
    "kinetic_write_amplification_ratio",
    "kinetic_used_bytes",
    "kinetic_free_bytes",
    "kinetic_free_zones",
    "kinetic_buffered_bytes",
];

/// The families of what moved.
fn families(moved: &BTreeMap<String, f64>) -> BTreeSet<String> {
    let name = |series: &String| {
        let name = series.split('{').next().unwrap_or_default();
        let name = name.strip_suffix("_sum").unwrap_or(name);
        name.strip_suffix("_count").unwrap_or(name).to_owned()
    };
    moved.keys().map(name).collect()
}

/// Only these moved, and what goes on by itself.
fn only(moved: &BTreeMap<String, f64>, expected: &[&str]) {
    let found = families(moved);
    let known: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?} did not move: {moved:?}");
    let more: Vec<_> = found.difference(&known).collect();
    let strange = more
        .iter()
        .find(|name| !AFTERWARDS.contains(&name.as_str()));
    assert!(strange.is_none(), "{more:?} moved, too: {moved:?}");
}

#[test]
fn a_request_is_counted_by_type_and_code_with_its_time() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    let (reply, moved) = watched.moved(|| talk.get(b"absent"));
    assert_eq!(reply.code(), StatusCode::NOT_FOUND);
    let count = "kinetic_requests_total{type=\"GET\",code=\"NOT_FOUND\"}";
    assert_eq!(series(&moved, count), 1.0);
    let timed = "kinetic_request_duration_seconds_count{type=\"GET\"}";
    assert_eq!(series(&moved, timed), 1.0);
    let time = "kinetic_request_duration_seconds_sum{type=\"GET\"}";
    assert!((0.0..10.0).contains(&series(&moved, time)));
    let names = ["kinetic_requests_total", "kinetic_request_duration_seconds"];
    only(&moved, &names);
    let (_, moved) = watched.moved(|| talk.noop().success());
    let count = "kinetic_requests_total{type=\"NOOP\",code=\"SUCCESS\"}";
    assert_eq!(series(&moved, count), 1.0);
    only(&moved, &names);
    let (_, moved) = watched.moved(|| talk.ask(MessageType::COUNT, Body::default(), &[]).success());
    let count = "kinetic_requests_total{type=\"COUNT\",code=\"SUCCESS\"}";
    assert_eq!(series(&moved, count), 1.0);
    // What nobody knows has one label, whatever its number is.
    let (reply, moved) = watched.moved(|| talk.ask(MessageType(3008), Body::default(), &[]));
    let code = reply.code().name().expect("a known code");
    let count = format!("kinetic_requests_total{{type=\"OTHER\",code=\"{code}\"}}");
    assert_eq!(series(&moved, &count), 1.0);
}

#[test]
fn a_put_moves_what_is_written_and_a_get_what_is_read() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    let (_, moved) = watched.moved(|| put(&mut talk, b"key", &[7; 1000]).success());
    for (name, by) in [
        ("kinetic_requests_total{type=\"PUT\",code=\"SUCCESS\"}", 1.0),
        ("kinetic_request_value_bytes_total{type=\"PUT\"}", 1000.0),
        ("kinetic_commits_total", 1.0),
        ("kinetic_group_commits_count", 1.0),
        ("kinetic_group_commits_sum", 1.0),
        ("kinetic_group_bytes_count", 1.0),
        ("kinetic_put_bytes_total", 1003.0),
    ] {
        assert_eq!(series(&moved, name), by, "{name}");
    }
    assert!(series(&moved, "kinetic_sync_duration_seconds_count") >= 1.0);
    assert!(series(&moved, "kinetic_group_bytes_sum") > 1000.0);
    assert!(series(&moved, "kinetic_disk_written_bytes_total") > 1000.0);
    assert!(series(&moved, "kinetic_memtable_bytes") > 0.0);
    let names = [
        "kinetic_requests_total",
        "kinetic_request_duration_seconds",
        "kinetic_request_value_bytes_total",
        "kinetic_commits_total",
        "kinetic_group_commits",
        "kinetic_group_bytes",
        "kinetic_put_bytes_total",
        "kinetic_memtable_bytes",
    ];
    only(&moved, &names);

    let names = [
        "kinetic_requests_total",
        "kinetic_request_duration_seconds",
        "kinetic_answer_value_bytes_total",
    ];
    let (_, moved) = watched.moved(|| talk.get(b"key").success());
    let bytes = "kinetic_answer_value_bytes_total{type=\"GET\"}";
    assert_eq!(series(&moved, bytes), 1000.0);
    let misses = "kinetic_cache_misses_total{cache=\"value\"}";
    assert!(series(&moved, misses) >= 1.0);
    assert!(series(&moved, "kinetic_cache_bytes{cache=\"value\"}") > 1000.0);
    let cached = ["kinetic_cache_misses_total", "kinetic_cache_bytes"];
    only(&moved, &[&names[..], &cached].concat());
    let (_, moved) = watched.moved(|| talk.get(b"key").success());
    assert_eq!(
        series(&moved, "kinetic_cache_hits_total{cache=\"value\"}"),
        1.0
    );
    only(
        &moved,
        &[&names[..], &["kinetic_cache_hits_total"]].concat(),
    );
}

#[test]
fn what_a_batch_keeps_is_counted_apart_and_has_no_time() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    let (_, moved) = watched.moved(|| {
        batch::start(&mut talk, 1).success();
        batch::put(&mut talk, 1, b"one", b"1");
        batch::put(&mut talk, 1, b"two", b"22");
        batch::end(&mut talk, 1).success();
    });
    for (name, by) in [
        ("kinetic_batched_requests_total{type=\"PUT\"}", 2.0),
        ("kinetic_request_value_bytes_total{type=\"PUT\"}", 3.0),
        ("kinetic_request_duration_seconds_count{type=\"PUT\"}", 0.0),
        (
            "kinetic_requests_total{type=\"START_BATCH\",code=\"SUCCESS\"}",
            1.0,
        ),
        (
            "kinetic_requests_total{type=\"END_BATCH\",code=\"SUCCESS\"}",
            1.0,
        ),
        ("kinetic_commits_total", 1.0),
        ("kinetic_put_bytes_total", 9.0),
    ] {
        assert_eq!(series(&moved, name), by, "{name}");
    }
}

#[test]
fn connections_are_counted_by_port_as_they_come_and_go_and_are_refused() {
    let mut told = Told::default();
    told.config.max_connections = 2;
    let watched = Watched::told(told);
    let limit = watched.scrape().value("kinetic_connections_limit");
    assert_eq!(limit, 2.0);
    let (_first, moved) = watched.moved(|| watched.talk());
    only(
        &moved,
        &[
            "kinetic_connections_open",
            "kinetic_connections_accepted_total",
        ],
    );
    let accepted = "kinetic_connections_accepted_total{port=\"plain\"}";
    assert_eq!(series(&moved, accepted), 1.0);
    let (second, moved) = watched.moved(|| watched.talk_tls());
    let accepted = "kinetic_connections_accepted_total{port=\"tls\"}";
    assert_eq!(series(&moved, accepted), 1.0);
    assert_eq!(series(&moved, "kinetic_connections_open"), 1.0);
    let (_, moved) = watched.moved(|| {
        let mut refused = RawConnection::connect(watched.server.plain_addr()).expect("a door");
        kinetic_tests::conversation::farewell(&mut refused)
    });
    let refused = "kinetic_connections_refused_total{port=\"plain\"}";
    assert_eq!(series(&moved, refused), 1.0);
    only(&moved, &["kinetic_connections_refused_total"]);
    let before = watched.scrape();
    let refused = "kinetic_connections_refused_total{port=\"tls\"}";
    let _unheard = TcpStream::connect(watched.tls()).expect("a door");
    watched.until("a refusal", |now| {
        series(&now.since(&before), refused) == 1.0
    });
    drop(second);
    watched.until("the end", |now| {
        now.value("kinetic_connections_open") == 1.0
    });
}

#[test]
fn a_wrong_signature_a_wrong_pin_and_a_broken_handshake_are_counted() {
    let watched = Watched::start();
    let wrong = {
        let mut talk = watched.talk();
        talk.command(MessageType::NOOP, Body::default())
    };
    watched.until("the end", |now| {
        now.value("kinetic_connections_open") == 0.0
    });
    let (_, moved) = watched.moved(|| {
        let (mut raw, _hello) =
            RawConnection::connect_and_greet(watched.server.plain_addr()).expect("a hello");
        let message = signed(wrong.encode_to_vec(), FACTORY_IDENTITY, b"another key");
        raw.send(&frame(&message, &[])).expect("a message");
        let farewell = kinetic_tests::conversation::farewell(&mut raw);
        assert_eq!(farewell.code(), StatusCode::HMAC_FAILURE);
    });
    assert_eq!(series(&moved, "kinetic_hmac_failures_total"), 1.0);

    let mut talk = watched.talk_tls();
    set_lock_pin(&mut talk, b"1234");
    set_erase_pin(&mut talk, b"5678");
    for (operation, name) in [
        (LOCK, "kinetic_wrong_pins_total{pin=\"lock\"}"),
        (ERASE, "kinetic_wrong_pins_total{pin=\"erase\"}"),
    ] {
        let (reply, moved) = watched.moved(|| talk.pin_operation(operation, Some(b"0000")));
        assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
        assert_eq!(series(&moved, name), 1.0, "{moved:?}");
        only(
            &moved,
            &[
                "kinetic_requests_total",
                "kinetic_request_duration_seconds",
                "kinetic_wrong_pins_total",
            ],
        );
    }

    let before = watched.scrape();
    let mut stream = TcpStream::connect(watched.tls()).expect("a door");
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .expect("what is no handshake");
    watched.until("a failure", |now| {
        series(&now.since(&before), "kinetic_tls_handshake_failures_total") == 1.0
    });
}

/// Puts so many values of 64 KiB, each under its number.
fn fill(talk: &mut Conversation, numbers: impl Iterator<Item = u32>) {
    for number in numbers {
        put(talk, &number.to_be_bytes(), &[7; 64 << 10]).success();
    }
}

#[test]
fn upkeep_moves_its_own_figures_and_space_follows() {
    let options = Options {
        memtable_bytes: 2 << 10,
        ..Options::default()
    };
    let watched = Watched::told(Told {
        options,
        ..Told::default()
    });
    let mut talk = watched.talk();
    let fresh = watched.scrape();
    fill(&mut talk, 0..400);
    let filled = watched.until("a flush", |now| {
        now.value("kinetic_flushes_total") > fresh.value("kinetic_flushes_total")
            && now.value("kinetic_live_bytes") > 0.0
    });
    assert!(filled.value("kinetic_runs") >= 1.0);
    let capacity = filled.value("kinetic_capacity_bytes");
    let used = filled.value("kinetic_used_bytes");
    assert!(used > fresh.value("kinetic_used_bytes") + f64::from(20 << 20));
    assert_eq!(filled.value("kinetic_free_bytes"), capacity - used);
    assert!(filled.value("kinetic_free_zones") < fresh.value("kinetic_free_zones"));
    let amplification = filled.value("kinetic_write_amplification_ratio");
    let written = filled.value("kinetic_disk_written_bytes_total");
    let put = filled.value("kinetic_put_bytes_total");
    assert_eq!(amplification, written / put);
    assert!((1.0..1.5).contains(&amplification), "{amplification}");

    // Every other value is dead now: a zone is worth emptying.
    fill(&mut talk, (0..400).step_by(2));
    talk.ask(MessageType::MEDIAOPTIMIZE, Body::default(), &[])
        .success();
    let moved = watched.scrape().since(&filled);
    assert!(series(&moved, "kinetic_merges_total") >= 1.0, "{moved:?}");
    assert!(
        series(&moved, "kinetic_reclaim_moved_values_total") >= 1.0,
        "{moved:?}"
    );
    let copied = series(&moved, "kinetic_reclaim_moved_bytes_total");
    assert!(copied >= f64::from(64 << 10), "{moved:?}");

    // What is in runs is found through the cache of blocks.
    let reading = watched.scrape();
    for number in 0..400_u32 {
        talk.get(&number.to_be_bytes()).success();
    }
    let moved = watched.scrape().since(&reading);
    assert!(series(&moved, "kinetic_cache_hits_total{cache=\"block\"}") > 0.0);
    assert!(
        watched
            .scrape()
            .value("kinetic_cache_bytes{cache=\"block\"}")
            > 0.0
    );
    assert!(
        watched
            .scrape()
            .value("kinetic_cache_misses_total{cache=\"block\"}")
            > 0.0
    );
}

#[test]
fn damage_is_counted_where_it_is_met_and_scrub_says_what_it_found() {
    let watched = Watched::start();
    let mut talk = watched.talk();
    put(&mut talk, b"sound", &[1; 100_000]).success();
    put(&mut talk, b"rotten", &[2; 100_000]).success();
    talk.ask(MessageType::MEDIAOPTIMIZE, Body::default(), &[])
        .success();
    let store = watched
        .server
        .drive()
        .device
        .store()
        .expect("an open store");
    let (position, length) = store.place_of(b"rotten").expect("a place");
    watched.disk.flip_bit(position + length / 2, 3);
    let (reply, moved) = watched.moved(|| talk.get(b"rotten"));
    assert_eq!(reply.code(), StatusCode::PERM_DATA_ERROR);
    assert_eq!(
        series(&moved, "kinetic_damaged_reads_total{of=\"value\"}"),
        1.0
    );
    let failures = "kinetic_disk_read_failures_total";
    assert_eq!(series(&moved, failures), 0.0);

    let before = watched.scrape();
    store.ask_scrub();
    let scrubbed = watched.until("a scrub", |now| {
        series(&now.since(&before), "kinetic_scrub_rounds_total") >= 1.0
    });
    assert_eq!(scrubbed.value("kinetic_scrub_findings"), 1.0);
    assert!(scrubbed.value("kinetic_scrub_bytes") > 100_000.0);
    let moved = scrubbed.since(&before);
    assert_eq!(
        series(&moved, "kinetic_damaged_reads_total{of=\"value\"}"),
        1.0
    );

    watched.disk.fail_reads(position, length);
    let (reply, moved) = watched.moved(|| talk.get(b"rotten"));
    assert_eq!(reply.code(), StatusCode::PERM_DATA_ERROR);
    assert!(series(&moved, failures) >= 1.0, "{moved:?}");
}
