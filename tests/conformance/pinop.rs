//! PINOP: lock, unlock, erase and secure erase, by PIN, over TLS; and the drive meanwhile.

use bytes::Bytes;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::Scope;
use kinetic_proto::schema::command::{Body, GetLog, Security, Setup};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::admin::{
    ERASE, LOCK, SECURE_ERASE, UNLOCK, secure, set_erase_pin, set_lock_pin,
};
use kinetic_tests::conversation::{Conversation, about, key_only};

use crate::Fresh;

#[test]
fn a_pin_operation_takes_tls_and_pinauth_and_nothing_else_takes_pinauth() {
    let fresh = Fresh::drive();
    let mut plain = fresh.talk_plain();
    let reply = plain.pin_operation(LOCK, Some(b"1234"));
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    assert!(reply.text().contains("TLS"), "{}", reply.text());
    plain.noop().success();
    let mut tls = fresh.talk_tls();
    let reply = tls.ask(MessageType::PINOP, Body::default(), &[]);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    assert!(reply.text().contains("PINAUTH"), "{}", reply.text());
    // Only the message type makes a PIN operation, whatever the body holds.
    let mut get = tls.command(MessageType::GET, about(key_only(b"key")));
    let body = get.body.as_mut().expect("a body");
    body.pin_op = Some(kinetic_proto::schema::command::PinOperation {
        pin_op_type: Some(LOCK),
    });
    let reply = tls.ask_by_pin(&get, Some(b"1234"));
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    tls.noop().success();
}

#[test]
fn what_is_no_pin_operation_lacks_a_pin_or_has_too_long_a_one_is_refused() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    for number in [-1, 0, 5] {
        let reply = talk.pin_operation(number, Some(b"1234"));
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    }
    for number in [LOCK, UNLOCK] {
        for pin in [None, Some(&b""[..])] {
            let reply = talk.pin_operation(number, pin);
            assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
        }
    }
    let reply = talk.pin_operation(ERASE, Some(&[b'1'; 1025]));
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    assert!(reply.text().contains("1024"), "{}", reply.text());
    talk.noop().success();
}

#[test]
fn a_locked_drive_serves_pin_operations_only_on_old_and_new_connections_and_plain_and_tls() {
    let fresh = Fresh::drive();
    let (mut plain, mut tls) = (fresh.talk_plain(), fresh.talk_tls());
    plain.put(b"key", b"value").success();
    tls.pin_operation(LOCK, Some(b"1234")).success();
    tls.pin_operation(LOCK, Some(b"other")).success();
    let (new_plain, new_tls) = (fresh.talk_plain(), fresh.talk_tls());
    for talk in [&mut plain, &mut tls, &mut { new_plain }, &mut { new_tls }] {
        assert_eq!(talk.hello().status_code(), StatusCode::SUCCESS);
        let locked = StatusCode::DEVICE_LOCKED;
        assert_eq!(talk.noop().code(), locked);
        assert_eq!(talk.get(b"key").code(), locked);
        assert_eq!(talk.put(b"key", b"other").code(), locked);
        let kinds = [
            MessageType::DELETE,
            MessageType::GETVERSION,
            MessageType::GETNEXT,
            MessageType::GETPREVIOUS,
            MessageType::GETKEYRANGE,
            MessageType::FLUSHALLDATA,
            MessageType::SECURITY,
            MessageType::SETUP,
            MessageType::START_BATCH,
        ];
        for kind in kinds {
            assert_eq!(
                talk.ask(kind, Body::default(), &[]).code(),
                locked,
                "{kind}"
            );
        }
        let log = GetLog {
            types: vec![2],
            ..GetLog::default()
        };
        let body = Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        };
        assert_eq!(talk.ask(MessageType::GETLOG, body, &[]).code(), locked);
    }
    tls.pin_operation(UNLOCK, Some(b"any")).success();
    tls.pin_operation(UNLOCK, Some(b"when unlocked")).success();
    assert_eq!(&*plain.get(b"key").success().value, b"value");
}

#[test]
fn a_lock_without_a_pin_survives_a_restart_and_so_does_the_unlock() {
    let fresh = Fresh::drive();
    fresh.talk().put(b"key", b"value").success();
    fresh.talk_tls().pin_operation(LOCK, Some(b"1")).success();
    let fresh = fresh.restarted();
    assert_eq!(fresh.talk().get(b"key").code(), StatusCode::DEVICE_LOCKED);
    fresh.talk_tls().pin_operation(UNLOCK, Some(b"2")).success();
    let fresh = fresh.restarted();
    fresh.talk().get(b"key").success();
}

#[test]
fn with_a_lock_pin_every_start_is_locked_and_nothing_else_unlocks() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    talk.put(b"key", b"value").success();
    set_lock_pin(&mut talk, b"1234");
    talk.get(b"key").success();
    assert_eq!(
        talk.pin_operation(LOCK, Some(b"12345")).code(),
        StatusCode::NOT_AUTHORIZED
    );
    talk.get(b"key").success();
    let fresh = fresh.restarted();
    let mut talk = fresh.talk_tls();
    assert_eq!(talk.get(b"key").code(), StatusCode::DEVICE_LOCKED);
    let reply = talk.pin_operation(UNLOCK, Some(b"1235"));
    assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
    assert!(!reply.text().contains("123"), "{}", reply.text());
    assert_eq!(talk.get(b"key").code(), StatusCode::DEVICE_LOCKED);
    talk.pin_operation(UNLOCK, Some(b"1234")).success();
    assert_eq!(&*talk.get(b"key").success().value, b"value");
    talk.pin_operation(LOCK, Some(b"1234")).success();
    talk.pin_operation(UNLOCK, Some(b"1234")).success();
    talk.get(b"key").success();
}

#[test]
fn an_erase_takes_the_erase_pin_and_leaves_a_drive_as_from_the_factory() {
    for operation in [ERASE, SECURE_ERASE] {
        let fresh = Fresh::drive();
        let mut talk = fresh.talk_tls();
        talk.put(b"key", b"value").success();
        set_lock_pin(&mut talk, b"lock");
        set_erase_pin(&mut talk, b"erase");
        let mine = Acl {
            identity: Some(5),
            key: Some(Bytes::from_static(b"mine")),
            hmac_algorithm: Some(1),
            scope: vec![Scope {
                permission: vec![0, 1, 4, 8],
                ..Scope::default()
            }],
            max_priority: None,
        };
        let list = Security {
            acl: vec![mine],
            security_op_type: Some(1),
            ..Security::default()
        };
        secure(&mut talk, list);
        let mut talk = talk.speaking_as(5, b"mine");
        let setup = Body {
            setup: Some(Setup {
                new_cluster_version: Some(9),
                ..Setup::default()
            }),
            ..Body::default()
        };
        talk.ask(MessageType::SETUP, setup, &[]).success();
        for wrong in [None, Some(&b"lock"[..])] {
            let reply = talk.pin_operation(operation, wrong);
            assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
        }
        talk.pin_operation(operation, Some(b"erase")).success();
        for fresh in [fresh].into_iter().map(Fresh::restarted) {
            let mut talk = fresh.talk();
            let header = talk.hello().command.header.expect("a header");
            assert_eq!(header.cluster_version, Some(0));
            assert_eq!(talk.get(b"key").code(), StatusCode::NOT_FOUND);
            talk.put(b"new", b"value").success();
            fresh.talk_tls().pin_operation(operation, None).success();
            assert_eq!(talk.get(b"new").code(), StatusCode::NOT_FOUND);
        }
    }
}

#[test]
fn a_locked_drive_can_be_erased_and_open_connections_go_on() {
    let fresh = Fresh::drive();
    let (mut plain, mut tls) = (fresh.talk_plain(), fresh.talk_tls());
    plain.put(b"key", b"value").success();
    set_lock_pin(&mut tls, b"lock");
    tls.pin_operation(LOCK, Some(b"lock")).success();
    tls.pin_operation(SECURE_ERASE, Some(b"any, for none is set"))
        .success();
    assert_eq!(plain.get(b"key").code(), StatusCode::NOT_FOUND);
    plain.put(b"key", b"new").success();
}

#[test]
fn a_lock_ends_open_batches() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk_tls());
    let with_batch = |talk: &mut Conversation, kind, body| {
        let mut command = talk.command(kind, body);
        command.header.as_mut().expect("a header").batch_id = Some(1);
        command
    };
    let start = with_batch(&mut talk, MessageType::START_BATCH, Body::default());
    talk.ask_command(&start, &[]).success();
    let put = with_batch(&mut talk, MessageType::PUT, about(key_only(b"member")));
    talk.send_command(&put, b"value");
    talk.noop().success();
    other.pin_operation(LOCK, Some(b"1")).success();
    other.pin_operation(UNLOCK, Some(b"1")).success();
    let end = with_batch(&mut talk, MessageType::END_BATCH, Body::default());
    assert_eq!(
        talk.ask_command(&end, &[]).code(),
        StatusCode::INVALID_BATCH
    );
    assert_eq!(talk.get(b"member").code(), StatusCode::NOT_FOUND);
}

#[test]
fn whoever_guesses_pins_waits_and_others_do_not() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    set_erase_pin(&mut talk, b"1234");
    for _guess in 0..2 {
        let reply = talk.pin_operation(ERASE, Some(b"0000"));
        assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
    }
    // The third try waits for a second, and who asks meanwhile is answered first.
    let command = talk.pin_command(ERASE);
    let mut other = fresh.talk();
    let answered_first = std::thread::scope(|scope| {
        let guessing = scope.spawn(|| talk.ask_by_pin(&command, Some(b"1111")).code());
        for _request in 0..20 {
            other.noop().success();
        }
        let first = !guessing.is_finished();
        let code = guessing.join().expect("an answer");
        assert_eq!(code, StatusCode::NOT_AUTHORIZED);
        first
    });
    assert!(answered_first);
    talk.pin_operation(ERASE, Some(b"1234")).success();
}
