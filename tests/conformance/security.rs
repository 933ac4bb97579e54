//! SECURITY: lists of identities, and PINs, over TLS; what is in force, and after a restart.

use bytes::Bytes;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::Scope;
use kinetic_proto::schema::command::{Body, Security};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::{FACTORY_IDENTITY, frame, signed};
use prost::Message as _;

use crate::Fresh;

const READ: i32 = 0;
const WRITE: i32 = 1;
const SECURITY: i32 = 8;
const LIST: Option<i32> = Some(1);
const ERASE_PIN: Option<i32> = Some(2);
const LOCK_PIN: Option<i32> = Some(3);

pub(crate) fn ask(talk: &mut Conversation, security: Security) -> Reply {
    let body = Body {
        security: Some(Box::new(security)),
        ..Body::default()
    };
    talk.ask(MessageType::SECURITY, body, &[])
}

pub(crate) fn acl(identity: i64, key: &'static [u8], permissions: &[i32]) -> Acl {
    Acl {
        identity: Some(identity),
        key: Some(Bytes::from_static(key)),
        hmac_algorithm: Some(1),
        scope: vec![Scope {
            permission: permissions.to_vec(),
            ..Scope::default()
        }],
        max_priority: None,
    }
}

pub(crate) fn owner() -> Acl {
    acl(
        FACTORY_IDENTITY,
        b"asdfasdf",
        &[READ, WRITE, 2, 3, 4, 5, 7, SECURITY, 9],
    )
}

pub(crate) fn list(acl: &[Acl], purpose: Option<i32>) -> Security {
    Security {
        acl: acl.to_vec(),
        security_op_type: purpose,
        ..Security::default()
    }
}

fn pins(purpose: Option<i32>, old: Option<&'static [u8]>, new: Option<&'static [u8]>) -> Security {
    let (old, new) = (old.map(Bytes::from_static), new.map(Bytes::from_static));
    let mut security = Security {
        security_op_type: purpose,
        ..Security::default()
    };
    if purpose == LOCK_PIN {
        (security.old_lock_pin, security.new_lock_pin) = (old, new);
    } else {
        (security.old_erase_pin, security.new_erase_pin) = (old, new);
    }
    security
}

#[test]
fn security_needs_tls() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_plain();
    let reply = ask(&mut talk, list(&[owner()], LIST));
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    assert!(reply.text().contains("TLS"), "{}", reply.text());
    talk.noop().success();
}

#[test]
fn a_named_list_replaces_all_at_once_for_open_connections_too_and_survives_a_restart() {
    let fresh = Fresh::drive();
    let (mut talk, mut plain) = (fresh.talk_tls(), fresh.talk_plain());
    plain.noop().success();
    let new = acl(7, b"seven", &[READ, SECURITY]);
    // The answer has the key that the request came with: checked for every answer.
    ask(&mut talk, list(&[new], LIST)).success();
    plain.send(MessageType::NOOP, Body::default(), &[]);
    assert_eq!(plain.farewell().code(), StatusCode::HMAC_FAILURE);
    let fresh = fresh.restarted();
    let mut seven = fresh.talk().speaking_as(7, b"seven");
    assert_eq!(seven.get(b"key").code(), StatusCode::NOT_FOUND);
    let refused = seven.put(b"key", b"value");
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(refused.text(), "permission denied");
    let mut old = fresh.talk();
    old.send(MessageType::NOOP, Body::default(), &[]);
    assert_eq!(old.farewell().code(), StatusCode::HMAC_FAILURE);
}

#[test]
fn a_list_of_an_old_client_is_merged_and_survives_a_restart_as_it_was_in_force() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    ask(&mut talk, list(&[acl(2, b"two", &[READ])], None)).success();
    talk.noop().success();
    ask(
        &mut talk,
        list(&[acl(3, b"three", &[READ]), acl(2, b"deux", &[READ])], None),
    )
    .success();
    let fresh = fresh.restarted();
    for (identity, key) in [(1, &b"asdfasdf"[..]), (2, b"deux"), (3, b"three")] {
        fresh.talk().speaking_as(identity, key).noop().success();
    }
}

/// The owner beside an identity 9 that something is wrong with.
fn nine(change: impl FnOnce(&mut Acl)) -> Security {
    let mut nine = acl(9, b"nine", &[READ]);
    change(&mut nine);
    list(&[owner(), nine], LIST)
}

#[test]
fn a_list_that_leaves_nobody_or_breaks_a_rule_changes_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let invalid = StatusCode::INVALID_REQUEST;
    let unknown = StatusCode::NO_SUCH_HMAC_ALGORITHM;
    let many: Vec<Acl> = (0..1025)
        .map(|identity| acl(identity, b"k", &[SECURITY]))
        .collect();
    let cases = [
        (list(&[], LIST), invalid, "SECURITY"),
        (list(&[acl(2, b"two", &[READ])], LIST), invalid, "SECURITY"),
        (list(&[acl(1, b"one", &[READ])], None), invalid, "SECURITY"),
        (list(&[owner(), owner()], LIST), invalid, "twice"),
        (
            list(&many, LIST),
            invalid,
            "1025 identities, and the limit is 1024",
        ),
        (nine(|acl| acl.identity = None), invalid, "identity"),
        (nine(|acl| acl.key = None), invalid, "9"),
        (nine(|acl| acl.key = Some(Bytes::new())), invalid, "9"),
        (
            nine(|acl| acl.max_priority = Some(10)),
            invalid,
            "maxPriority",
        ),
        (nine(|acl| acl.hmac_algorithm = None), unknown, "9"),
        (nine(|acl| acl.hmac_algorithm = Some(-1)), unknown, "9"),
        (nine(|acl| acl.scope[0].permission.clear()), invalid, "9"),
        (nine(|acl| acl.scope[0].permission.push(6)), invalid, "6"),
        (nine(|acl| acl.scope[0].permission.push(-1)), invalid, "-1"),
        (
            nine(|acl| acl.scope[0].offset = Some(4097)),
            invalid,
            "4096",
        ),
    ];
    for (security, code, text) in cases {
        let reply = ask(&mut talk, security);
        assert_eq!(reply.code(), code, "{}", reply.text());
        assert!(reply.text().contains(text), "{}", reply.text());
    }
    talk.noop().success();
    let mut nine = fresh.talk_tls();
    let noop = nine.command(MessageType::NOOP, Body::default());
    let message = signed(noop.encode_to_vec(), 9, b"nine");
    nine.raw().send(&frame(&message, &[])).expect("it is sent");
    assert_eq!(nine.farewell().code(), StatusCode::HMAC_FAILURE);
}

#[test]
fn who_may_not_is_denied_and_an_empty_security_changes_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    ask(&mut talk, Security::default()).success();
    ask(&mut talk, list(&[owner(), acl(2, b"two", &[READ])], LIST)).success();
    let mut two = fresh.talk_tls().speaking_as(2, b"two");
    for security in [
        Security::default(),
        list(&[owner()], LIST),
        pins(LOCK_PIN, None, None),
    ] {
        let reply = ask(&mut two, security);
        assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
    }
    talk.noop().success();
}

#[test]
fn scopes_count_by_offset_value_and_channel_and_priorities_have_their_bound() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let limited = Acl {
        scope: vec![
            Scope {
                offset: Some(1),
                value: Some(Bytes::from_static(b"bc")),
                permission: vec![READ, WRITE],
                tls_required: None,
            },
            Scope {
                permission: vec![READ],
                tls_required: Some(true),
                ..Scope::default()
            },
        ],
        max_priority: Some(5),
        ..acl(2, b"two", &[])
    };
    let nothing = Acl {
        scope: Vec::new(),
        ..acl(3, b"three", &[])
    };
    ask(&mut talk, list(&[owner(), limited, nothing], LIST)).success();
    let mut plain = fresh.talk_plain().speaking_as(2, b"two");
    plain.put(b"abcd", b"value").success();
    plain.get(b"abcd").success();
    for key in [&b"bc"[..], b"ab", b"", b"xxbc"] {
        assert_eq!(plain.get(key).code(), StatusCode::NOT_AUTHORIZED);
        let mut tls = fresh.talk_tls().speaking_as(2, b"two");
        assert_eq!(tls.get(key).code(), StatusCode::NOT_FOUND);
    }
    for (priority, code) in [(5, StatusCode::SUCCESS), (6, StatusCode::NOT_AUTHORIZED)] {
        let mut get = plain.command(MessageType::GET, about(key_only(b"abcd")));
        get.header.as_mut().expect("a header").priority = Some(priority);
        assert_eq!(plain.ask_command(&get, &[]).code(), code);
    }
    let mut three = fresh.talk_tls().speaking_as(3, b"three");
    three.noop().success();
    assert_eq!(three.get(b"abcd").code(), StatusCode::NOT_AUTHORIZED);
}

#[test]
fn a_request_without_a_priority_asks_for_none_that_its_identity_has_not() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let lowest = Acl {
        max_priority: Some(1),
        ..acl(2, b"two", &[READ, WRITE])
    };
    ask(&mut talk, list(&[owner(), lowest], LIST)).success();
    let mut two = fresh.talk_plain().speaking_as(2, b"two");
    two.put(b"key", b"value").success();
    two.get(b"key").success();
    for (priority, code) in [(1, StatusCode::SUCCESS), (2, StatusCode::NOT_AUTHORIZED)] {
        let mut get = two.command(MessageType::GET, about(key_only(b"key")));
        get.header.as_mut().expect("a header").priority = Some(priority);
        assert_eq!(two.ask_command(&get, &[]).code(), code);
    }
}

#[test]
fn one_request_has_one_purpose() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let two = [
        Security {
            acl: vec![owner()],
            ..pins(ERASE_PIN, None, Some(b"1234"))
        },
        Security {
            new_lock_pin: Some(Bytes::from_static(b"1234")),
            ..pins(None, None, Some(b"1234"))
        },
        Security {
            security_op_type: LIST,
            ..pins(LOCK_PIN, None, Some(b"1234"))
        },
        list(&[], Some(4)),
        list(&[], Some(-1)),
    ];
    for security in two {
        let reply = ask(&mut talk, security);
        assert_eq!(
            reply.code(),
            StatusCode::INVALID_REQUEST,
            "{}",
            reply.text()
        );
    }
    // Nothing of them was done.
    ask(&mut talk, pins(ERASE_PIN, Some(b"anything"), None)).success();
    ask(&mut talk, pins(LOCK_PIN, Some(b"anything"), None)).success();
}

#[test]
fn pins_are_set_replaced_and_cleared_by_whoever_knows_the_old_one() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    for purpose in [ERASE_PIN, LOCK_PIN] {
        ask(&mut talk, pins(purpose, None, Some(b"first"))).success();
        for wrong in [None, Some(&b""[..]), Some(b"First")] {
            let reply = ask(&mut talk, pins(purpose, wrong, Some(b"mine")));
            assert_eq!(reply.code(), StatusCode::NOT_AUTHORIZED);
            assert!(!reply.text().contains("irst"), "{}", reply.text());
        }
        ask(&mut talk, pins(purpose, Some(b"first"), Some(b"second"))).success();
        ask(&mut talk, pins(purpose, Some(b"second"), Some(b""))).success();
        ask(&mut talk, pins(purpose, None, None)).success();
    }
    // An old client names no purpose, and giving the old PIN only clears it.
    ask(&mut talk, pins(None, None, Some(b"third"))).success();
    ask(&mut talk, pins(None, Some(b"third"), None)).success();
    talk.pin_operation(3, None).success();
}

#[test]
fn a_pin_has_at_most_as_many_bytes_as_the_drive_reports() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let hello = talk.hello().command.body.clone().expect("a body");
    let limits = hello.get_log.expect("a log").limits.expect("limits");
    assert_eq!(limits.max_pin_size, Some(1024));
    for (purpose, field) in [(ERASE_PIN, "newErasePIN"), (LOCK_PIN, "newLockPIN")] {
        let reply = ask(&mut talk, pins(purpose, None, Some(&[b'1'; 1025])));
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
        for part in [field, "1025", "1024"] {
            assert!(reply.text().contains(part), "{}", reply.text());
        }
    }
    ask(&mut talk, pins(ERASE_PIN, None, Some(&[b'1'; 1024]))).success();
}

#[test]
fn the_log_warns_while_the_factory_key_is_in_force() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let messages = |talk: &mut Conversation| {
        let log = kinetic_proto::schema::command::GetLog {
            types: vec![5],
            ..Default::default()
        };
        let body = Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        };
        let reply = talk.ask(MessageType::GETLOG, body, &[]).success();
        let log = reply.body().get_log.expect("a log");
        String::from_utf8_lossy(&log.messages.expect("messages")).into_owned()
    };
    assert!(messages(&mut talk).starts_with("warning: identity 1 has the factory key"));
    assert!(fresh.drive.log().contains("the factory key"));
    let mine = Acl {
        key: Some(Bytes::from_static(b"mine")),
        ..owner()
    };
    ask(&mut talk, list(&[mine], LIST)).success();
    let mut talk = fresh.talk().speaking_as(1, b"mine");
    assert!(!messages(&mut talk).contains("warning"));
}
