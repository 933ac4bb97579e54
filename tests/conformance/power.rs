//! SET_POWER_LEVEL: what a drive answers that sleeps, what wakes it, how it ends, and who may.

use kinetic_proto::schema::command::get_log::Type;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::{HmacAlgorithm, Permission, Scope};
use kinetic_proto::schema::command::{Body, GetLog, PowerManagement, Security};
use kinetic_proto::{MessageType, Received, StatusCode};
use kinetic_tests::admin::secure;
use kinetic_tests::conversation::{Conversation, Reply, key_only};
use kinetic_tests::raw::Answer;

use crate::Fresh;

const OPERATIONAL: i32 = 1;
const HIBERNATE: i32 = 2;
const SHUTDOWN: i32 = 3;
const FAIL: i32 = 4;

fn set(talk: &mut Conversation, level: impl Into<Option<i32>>) -> Reply {
    let power = PowerManagement {
        level: level.into(),
    };
    let body = Body {
        power: Some(power),
        ..Body::default()
    };
    talk.ask(MessageType::SET_POWER_LEVEL, body, &[])
}

/// The level that a hello, or an answer to GETLOG, tells.
fn level_in(received: &Received) -> Option<i32> {
    let body = received.command.body.as_ref()?;
    let configuration = body.get_log.as_ref()?.configuration.as_ref()?;
    configuration.current_power_level
}

fn configuration(talk: &mut Conversation) -> Reply {
    let log = GetLog {
        types: vec![Type::Configuration.into()],
        ..GetLog::default()
    };
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    talk.ask(MessageType::GETLOG, body, &[])
}

#[test]
fn a_drive_that_hibernates_answers_so_to_all_but_what_wakes_it() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    talk.ask_entry(MessageType::PUT, key_only(b"key"), b"value")
        .success();
    assert_eq!(level_in(talk.hello()), Some(OPERATIONAL));
    set(&mut talk, HIBERNATE).success();
    for one in [&mut talk, &mut other] {
        for kind in [
            MessageType::GET,
            MessageType::PUT,
            MessageType::NOOP,
            MessageType::GETLOG,
            MessageType::FLUSHALLDATA,
            MessageType::START_BATCH,
        ] {
            let reply = one.ask(kind, Body::default(), &[]);
            assert_eq!(reply.code(), StatusCode::HIBERNATE, "{kind}");
            assert!(!reply.text().is_empty(), "{kind}");
        }
    }
    let mut late = fresh.talk();
    assert_eq!(level_in(late.hello()), Some(HIBERNATE));
    // Sleeping twice is sleeping.
    set(&mut late, HIBERNATE).success();
    set(&mut other, OPERATIONAL).success();
    let read = talk.ask_entry(MessageType::GET, key_only(b"key"), &[]);
    assert_eq!(read.success().value, "value");
    let told = configuration(&mut late).success();
    assert_eq!(level_in(&told.received), Some(OPERATIONAL));
}

#[test]
fn pin_operations_are_for_a_drive_that_is_awake() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    set(&mut talk, HIBERNATE).success();
    assert_eq!(
        talk.pin_operation(1, Some(b"1")).code(),
        StatusCode::HIBERNATE
    );
    set(&mut talk, OPERATIONAL).success();
    talk.pin_operation(1, Some(b"1")).success();
}

#[test]
fn a_locked_drive_is_neither_sent_to_sleep_nor_ended() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    talk.pin_operation(2, Some(b"1")).success();
    for level in [OPERATIONAL, HIBERNATE, SHUTDOWN] {
        assert_eq!(set(&mut talk, level).code(), StatusCode::DEVICE_LOCKED);
    }
    talk.pin_operation(1, Some(b"1")).success();
    talk.noop().success();
}

#[test]
fn a_level_that_cannot_be_set_is_an_invalid_request_and_changes_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for level in [None, Some(-1), Some(0), Some(FAIL), Some(5)] {
        let reply = set(&mut talk, level);
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{level:?}");
        assert!(reply.text().contains("HIBERNATE (2)"), "{}", reply.text());
    }
    talk.noop().success();
}

#[test]
fn only_who_has_the_permission_may() {
    let fresh = Fresh::drive();
    let identity = |number, permission: Permission| Acl {
        identity: Some(number),
        key: Some(format!("key {number}").into_bytes().into()),
        hmac_algorithm: Some(HmacAlgorithm::HmacSha1.into()),
        scope: vec![Scope {
            permission: vec![permission.into()],
            ..Scope::default()
        }],
        ..Acl::default()
    };
    let security = Security {
        acl: vec![
            identity(7, Permission::Setup),
            identity(8, Permission::PowerManagement),
        ],
        ..Security::default()
    };
    secure(&mut fresh.talk_tls(), security);
    let mut without = fresh.talk().speaking_as(7, b"key 7");
    assert_eq!(
        set(&mut without, HIBERNATE).code(),
        StatusCode::NOT_AUTHORIZED
    );
    let mut with = fresh.talk().speaking_as(8, b"key 8");
    set(&mut with, HIBERNATE).success();
    assert_eq!(set(&mut without, 1).code(), StatusCode::NOT_AUTHORIZED);
}

#[test]
fn a_start_is_operational() {
    let fresh = Fresh::drive();
    set(&mut fresh.talk(), HIBERNATE).success();
    let fresh = fresh.restarted();
    let mut talk = fresh.talk();
    assert_eq!(level_in(talk.hello()), Some(OPERATIONAL));
    talk.noop().success();
}

#[test]
fn a_drive_that_is_shut_down_answers_says_so_to_all_and_ends_with_what_it_has() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    let mut entry = key_only(b"key");
    // WRITEBACK
    entry.synchronization = Some(2);
    talk.ask_entry(MessageType::PUT, entry, b"value").success();
    set(&mut talk, SHUTDOWN).success();
    for one in [&mut talk, &mut other] {
        let Ok(Answer::Frame(last)) = one.raw().read() else {
            panic!("a last word");
        };
        let last = Reply::of(&last);
        assert!(last.received.is_unsolicited());
        assert_eq!(last.code(), StatusCode::SHUTDOWN);
        assert!(!matches!(one.raw().read(), Ok(Answer::Frame(_))));
    }
    let (status, folder) = fresh.ended();
    assert!(status.success(), "{status}");
    let image = folder.path().join("drive.img");
    let drive = kinetic_tests::drive::Drive::start(&image, &[]).expect("a drive");
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    let read = talk.ask_entry(MessageType::GET, key_only(b"key"), &[]);
    assert_eq!(read.success().value, "value");
}
