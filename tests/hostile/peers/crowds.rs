//! Many peers at once, or one with very many requests.

use std::path::Path;

use bytes::Bytes;
use kinetic_proto::schema::command::p2p_operation::Operation;
use kinetic_proto::schema::command::{Body, KeyList, KeyValue, P2pOperation, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, about, farewell, key_only};
use kinetic_tests::drive::Drive;
use kinetic_tests::raw::{Answer, Door, RawConnection};
use kinetic_tests::tls::Version;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Target;

const IDLE: u64 = 1000;

/// What an idle connection may cost the drive, buffers of the kernel left out.
const IDLE_BYTES: u64 = 16 << 10;

/// The same over TLS, whose state is the larger part.
const IDLE_TLS_BYTES: u64 = 64 << 10;

/// The other ends of so many connections are in this process.
fn raise_descriptor_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).expect("as many descriptors as the host allows");
}

#[expect(clippy::print_stdout, reason = "the figure stands in PERFORMANCE.md")]
fn idle_cost(target: &Target, door: Door, what: &str) -> u64 {
    // What the first connections need once is not counted.
    let mut idle: Vec<RawConnection> = (0..8).map(|_| greeted(door)).collect();
    let before = target.memory_bytes("VmRSS:");
    idle.extend((0..IDLE).map(|_| greeted(door)));
    target.still_serves();
    let each = target.memory_bytes("VmRSS:").saturating_sub(before) / IDLE;
    println!("{what}: {each} bytes of resident memory for each of {IDLE} idle connections");
    drop(idle);
    target.still_serves();
    each
}

fn greeted(door: Door) -> RawConnection {
    let (connection, _hello) = RawConnection::connect_and_greet(door).expect("a hello");
    connection
}

#[test]
fn a_thousand_idle_connections_cost_little_memory_and_keep_nobody_waiting() {
    raise_descriptor_limit();
    // Also where the host's soft limit of open files is lower than that.
    let start = |image: &Path| Drive::start_with_descriptors(image, &["--size", "256MiB"], 300);
    let target = Target::on(start);
    let each = idle_cost(&target, Door::Plain(target.drive.plain()), "plain");
    assert!(each < IDLE_BYTES, "{each} bytes");
}

#[test]
fn a_thousand_idle_tls_connections_cost_little_memory_and_keep_nobody_waiting() {
    raise_descriptor_limit();
    let target = Target::new();
    let door = Door::Tls(target.drive.tls(), Version::Tls13);
    let each = idle_cost(&target, door, "TLS 1.3");
    assert!(each < IDLE_TLS_BYTES, "{each} bytes");
}

#[test]
fn a_crowd_that_never_reads_costs_a_bounded_amount_of_memory_and_keeps_nobody_waiting() {
    let target = Target::new();
    let mut talk = target.talk();
    let value = vec![7; 1 << 20];
    talk.put(b"large", &value).success();
    let before = target.peak_memory_bytes();
    // If each of them were given what one connection may have, it would be 1 GiB and more.
    let mut silent: Vec<_> = (0..240).map(|_| target.talk()).collect();
    for peer in &mut silent {
        for _ in 0..20 {
            peer.send(MessageType::GET, about(key_only(b"large")), &[]);
        }
    }
    for _ in 0..50 {
        assert_eq!(talk.get(b"large").success().value, value);
        target.still_serves();
    }
    let grown = target.peak_memory_bytes() - before;
    assert!(grown < 768 << 20, "{grown} bytes for peers that never read");
    // Whoever reads after all gets everything, although the others still do not.
    let late = silent.last_mut().expect("a peer");
    for _ in 0..20 {
        assert_eq!(late.answer().success().value.len(), value.len());
    }
    drop(silent);
    target.still_serves();
}

#[test]
fn half_a_million_empty_fields_are_refused_before_they_take_memory() {
    let target = Target::new();
    let mut talk = target.talk();
    let count = 500_000;
    let keys = KeyList {
        key: vec![Bytes::new(); count],
        ..KeyList::default()
    };
    let keys = || Body {
        key_list: Some(keys.clone()),
        ..Body::default()
    };
    let push = |operation| {
        let push = P2pOperation {
            operation,
            ..P2pOperation::default()
        };
        Some(Box::new(push))
    };
    let flat = push(vec![Operation::default(); count]);
    let nested = Operation {
        p2pop: flat.as_deref().cloned(),
        ..Operation::default()
    };
    let pushed = |p2p_operation| Body {
        p2p_operation,
        ..Body::default()
    };
    let before = target.peak_memory_bytes();
    for (kind, body) in [
        (MessageType::EXISTS, keys()),
        (MessageType::MULTI_GET, keys()),
        (MessageType::PEER2PEERPUSH, pushed(flat)),
        (MessageType::PEER2PEERPUSH, pushed(push(vec![nested]))),
    ] {
        let reply = talk.ask(kind, body, &[]);
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{kind}");
        assert!(reply.text().contains("50000"), "{}", reply.text());
    }
    let grown = target.peak_memory_bytes() - before;
    assert!(grown < 12 << 20, "{grown} bytes");
    target.still_serves();
}

#[test]
fn one_connection_too_many_is_told_so_and_those_that_are_there_go_on() {
    let target = Target::with_settings("max-connections = 5");
    // The one that stored the entry may not be forgotten yet.
    let mut inside: Vec<Conversation> = Vec::new();
    while inside.len() < 5 {
        inside.extend(
            Conversation::begin(target.drive.plain())
                .ok()
                .filter(let_in),
        );
    }
    for _ in 0..10 {
        let mut refused = RawConnection::connect(target.drive.plain()).expect("a connection");
        let reply = farewell(&mut refused);
        assert_eq!(reply.code(), StatusCode::SERVICE_BUSY);
        assert!(reply.text().contains("5 connections"), "{}", reply.text());
    }
    // Over TLS there is no word for it before the handshake.
    let tls = RawConnection::connect(Door::Tls(target.drive.tls(), Version::Tls13));
    tls.map(drop).expect_err("no room for TLS either");
    for talk in &mut inside {
        talk.noop().success();
    }
    inside.truncate(4);
    // The drive hears of the end a moment later.
    while inside.len() < 5 {
        inside.extend(
            Conversation::begin(target.drive.plain())
                .ok()
                .filter(let_in),
        );
    }
    for talk in &mut inside {
        talk.noop().success();
    }
}

/// Whether what the drive said first was a hello.
fn let_in(talk: &Conversation) -> bool {
    talk.connection_id() != 0
}

#[test]
fn ten_thousand_requests_in_flight_without_reading_are_all_answered_in_bounded_memory() {
    let target = Target::new();
    let mut talk = target.talk();
    let before = target.peak_memory_bytes();
    let mut expected = Vec::new();
    for number in 0..10_000_u32 {
        let key = (number % 100).to_be_bytes();
        let put = KeyValue {
            force: Some(true),
            synchronization: Some(Synchronization::Writeback.into()),
            ..key_only(&key)
        };
        expected.push(match number % 4 {
            0 => talk.send(MessageType::PUT, about(put), &[7; 512]),
            1 => talk.send(MessageType::GET, about(key_only(&key)), &[]),
            2 => talk.send(MessageType::GETKEYRANGE, Body::default(), &[]),
            _ => talk.send(MessageType::NOOP, Body::default(), &[]),
        });
    }
    target.still_serves();
    let mut answered: Vec<u64> = (0..expected.len())
        .map(|_| talk.answer().header().ack_sequence.expect("a sequence"))
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, expected);
    let grown = target.peak_memory_bytes() - before;
    assert!(
        grown < 64 << 20,
        "{grown} bytes for one peer that read late"
    );
}

#[test]
fn a_tls_handshake_that_stalls_keeps_nobody_waiting_and_is_closed() {
    let target = Target::new();
    let tls = target.drive.tls();
    let mut stalled = target.stalled_handshakes();
    target.still_serves();
    let mut shaken = Conversation::begin(Door::Tls(tls, Version::Tls12)).expect("a hello");
    shaken.noop().success();
    for peer in &mut stalled {
        // An alert is no frame; what counts is that the end comes.
        while !matches!(peer.read(), Ok(Answer::Closed)) {}
    }
    shaken.noop().success();
    target.still_serves();
}
