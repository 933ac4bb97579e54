//! SETUP: cluster version and firmware, of both generations of the protocol.

use kinetic_proto::schema::command::{Body, GetLog, Setup};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply};

use crate::Fresh;

fn ask(talk: &mut Conversation, setup: Setup, value: &[u8]) -> Reply {
    let body = Body {
        setup: Some(setup),
        ..Body::default()
    };
    talk.ask(MessageType::SETUP, body, value)
}

fn to_version(version: i64, purpose: Option<i32>) -> Setup {
    Setup {
        new_cluster_version: Some(version),
        setup_op_type: purpose,
        ..Setup::default()
    }
}

/// How both generations of the protocol ask for firmware.
fn to_firmware() -> [Setup; 2] {
    [
        Setup {
            firmware_download: Some(true),
            ..Setup::default()
        },
        Setup {
            setup_op_type: Some(1),
            ..Setup::default()
        },
    ]
}

fn version(talk: &mut Conversation) -> String {
    let log = GetLog {
        types: vec![3],
        ..GetLog::default()
    };
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    let reply = talk.ask(MessageType::GETLOG, body, &[]).success();
    let log = reply.body().get_log.expect("a log");
    log.configuration
        .and_then(|one| one.version)
        .expect("a version")
}

#[test]
fn a_cluster_version_counts_at_once_for_all_and_survives_a_restart() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    // That the answer has no clusterVersion is checked for every answer.
    ask(&mut talk, to_version(7, None), &[]).success();
    for late in [&mut talk, &mut other] {
        let refused = late.noop();
        assert_eq!(refused.code(), StatusCode::VERSION_FAILURE);
        assert_eq!(refused.header().cluster_version, Some(7));
    }
    let mut talk = talk.at_cluster_version(7);
    ask(&mut talk, to_version(-8, Some(2)), &[]).success();
    let fresh = fresh.restarted();
    let mut talk = fresh.talk();
    let header = talk.hello().command.header.expect("a header");
    assert_eq!(header.cluster_version, Some(-8));
    assert_eq!(talk.noop().code(), StatusCode::VERSION_FAILURE);
    talk.at_cluster_version(-8).noop().success();
}

#[test]
fn an_empty_setup_changes_nothing_and_two_purposes_are_refused() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    ask(&mut talk, to_version(3, None), &[]).success();
    let mut talk = talk.at_cluster_version(3);
    talk.ask(MessageType::SETUP, Body::default(), &[]).success();
    ask(&mut talk, Setup::default(), b"no firmware without its flag").success();
    let both = Setup {
        firmware_download: Some(true),
        ..to_version(4, None)
    };
    let purposes = [
        both,
        to_version(4, Some(1)),
        to_version(4, Some(-1)),
        to_version(4, Some(9)),
        Setup {
            setup_op_type: Some(2),
            ..Setup::default()
        },
    ];
    for setup in purposes {
        let reply = ask(&mut talk, setup, b"image");
        assert_eq!(
            reply.code(),
            StatusCode::INVALID_REQUEST,
            "{}",
            reply.text()
        );
    }
    for setup in to_firmware() {
        let reply = ask(&mut talk, setup, &[]);
        assert_eq!(
            reply.code(),
            StatusCode::INVALID_REQUEST,
            "{}",
            reply.text()
        );
    }
    talk.noop().success();
    assert!(!version(&mut talk).contains("firmware"));
}

#[test]
fn firmware_is_stored_reported_as_unverified_and_kept() {
    let fresh = Fresh::drive();
    for setup in to_firmware() {
        let mut talk = fresh.talk();
        ask(&mut talk, setup, &[7; 1 << 20]).success();
        let version = version(&mut talk);
        for part in ["firmware", "1048576 bytes", "unverified", "not executed"] {
            assert!(version.contains(part), "{version}");
        }
    }
    let fresh = fresh.restarted();
    assert!(version(&mut fresh.talk()).contains("1048576 bytes"));
}
