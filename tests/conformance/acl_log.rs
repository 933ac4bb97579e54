//! GETLOG of `org.kinetic.acl`: who may read the list of identities, by which door, and what of it.

use bytes::Bytes;
use kinetic_proto::schema::command::get_log::{Device, Type};
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::Scope;
use kinetic_proto::schema::command::{Body, GetLog};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply};
use serde_json::{Value, json};

use crate::Fresh;
use crate::security::{acl, ask as ask_security, list, owner};

const GETLOG: i32 = 7;
const SECURITY: i32 = 8;
const REPLACING: Option<i32> = Some(1);
const NAME: &[u8] = b"org.kinetic.acl";

/// Asks for the list and, in the same request, for logs of these types.
fn ask(talk: &mut Conversation, types: &[Type]) -> Reply {
    let types = [Type::Device].iter().chain(types);
    let log = GetLog {
        types: types.map(|&kind| kind.into()).collect(),
        device: Some(Device {
            name: Some(Bytes::from_static(NAME)),
        }),
        ..GetLog::default()
    };
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    talk.ask(MessageType::GETLOG, body, &[])
}

fn identities(reply: &Reply) -> Value {
    let list: Value = serde_json::from_slice(&reply.value).expect("JSON");
    list.get("identities").cloned().expect("identities")
}

#[test]
fn the_list_in_force_is_told_over_tls_without_a_key() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let reply = ask(&mut talk, &[Type::Limits]).success();
    let log = reply.body().get_log.expect("body.getLog");
    assert_eq!(log.device.and_then(|one| one.name).as_deref(), Some(NAME));
    assert!(log.limits.is_some());
    assert_eq!(identities(&reply)[0]["identity"], 1, "the factory's");

    let part = Scope {
        offset: Some(2),
        value: Some(Bytes::from_static(b"\0\xff")),
        permission: vec![3, 0, 3],
        tls_required: Some(true),
    };
    let seven = Acl {
        scope: vec![part],
        max_priority: Some(6),
        ..acl(7, b"hidden-key", &[])
    };
    ask_security(&mut talk, list(&[owner(), seven], REPLACING)).success();
    let fresh = fresh.restarted();
    let reply = ask(&mut fresh.talk_tls(), &[]).success();
    let seven = json!({"identity": 7, "hmacAlgorithm": "HmacSHA1", "maxPriority": 6,
        "scopes": [{"offset": 2, "value": "AP8=", "permissions": ["READ", "RANGE"],
                    "TlsRequired": true}]});
    assert_eq!(identities(&reply)[1], seven);
    let text = String::from_utf8(reply.value.to_vec()).expect("text");
    for key in [
        "hidden-key",
        "aGlkZGVuLWtleQ",
        "asdfasdf",
        "YXNkZmFzZGY",
        "\"key\"",
    ] {
        assert!(!text.contains(key), "{text}");
    }
}

#[test]
fn it_takes_tls_and_both_permissions_and_nothing_is_told_in_part() {
    let fresh = Fresh::drive();
    let limited = [
        owner(),
        acl(2, b"two", &[GETLOG]),
        acl(3, b"three", &[SECURITY]),
        acl(4, b"four", &[GETLOG, SECURITY]),
    ];
    let mut talk = fresh.talk_tls();
    ask_security(&mut talk, list(&limited, REPLACING)).success();
    let mut plain = fresh.talk_plain();
    let refused = ask(&mut plain, &[Type::Limits]);
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    assert!(refused.text().contains("TLS"), "{}", refused.text());
    assert!(refused.value.is_empty() && refused.body().get_log.is_none());
    // As SECURITY, it is refused for the connection before it is for the identity.
    let mut plain = fresh.talk_plain().speaking_as(2, b"two");
    assert_eq!(ask(&mut plain, &[]).code(), StatusCode::INVALID_REQUEST);
    plain.noop().success();
    for (identity, key) in [(2, &b"two"[..]), (3, b"three")] {
        let mut talk = fresh.talk_tls().speaking_as(identity, key);
        let refused = ask(&mut talk, &[Type::Limits]);
        assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
        assert_eq!(refused.text(), "permission denied");
        assert!(refused.value.is_empty() && refused.body().get_log.is_none());
        talk.noop().success();
    }
    let mut four = fresh.talk_tls().speaking_as(4, b"four");
    assert_eq!(identities(&ask(&mut four, &[]).success())[3]["identity"], 4);
}

#[test]
fn an_identity_that_is_merged_without_scopes_is_gone_for_open_connections_too() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    let two = acl(2, b"two", &[0]);
    ask_security(&mut talk, list(&[owner(), two.clone()], REPLACING)).success();
    let mut open = fresh.talk().speaking_as(2, b"two");
    open.noop().success();
    let gone = Acl {
        scope: Vec::new(),
        ..two
    };
    ask_security(&mut talk, list(&[gone], None)).success();
    open.send(MessageType::NOOP, Body::default(), &[]);
    assert_eq!(open.farewell().code(), StatusCode::HMAC_FAILURE);
    let fresh = fresh.restarted();
    let reply = ask(&mut fresh.talk_tls(), &[]).success();
    assert_eq!(identities(&reply).as_array().map(Vec::len), Some(1));
    // The last one who may change the list stays.
    let nobody = Acl {
        scope: Vec::new(),
        ..owner()
    };
    let refused = ask_security(&mut fresh.talk_tls(), list(&[nobody], None));
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    assert!(refused.text().contains("SECURITY"), "{}", refused.text());
}

#[test]
fn a_locked_drive_tells_nobody() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_tls();
    talk.pin_operation(2, Some(b"pin")).success();
    assert_eq!(ask(&mut talk, &[]).code(), StatusCode::DEVICE_LOCKED);
}
