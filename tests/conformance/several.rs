//! EXISTS, MULTI_GET and GET_PART: several keys in one request, and parts of a value.

use bytes::Bytes;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::{HmacAlgorithm, Permission, Scope};
use kinetic_proto::schema::command::{Body, Found, KeyList, KeyValue, Security};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::admin::secure;
use kinetic_tests::conversation::{Conversation, Reply, key_only};

use crate::Fresh;

fn ask(talk: &mut Conversation, kind: MessageType, keys: &[&[u8]]) -> Reply {
    let key = keys.iter().map(|key| Bytes::copy_from_slice(key)).collect();
    let list = KeyList {
        key,
        ..KeyList::default()
    };
    let body = Body {
        key_list: Some(list),
        ..Body::default()
    };
    talk.ask(kind, body, &[])
}

fn present(reply: Reply) -> Vec<bool> {
    let list = reply.success().body().key_list;
    list.expect("body.keyList").present
}

fn codes(found: &[Found]) -> Vec<StatusCode> {
    let status = |one: &Found| StatusCode::of(one.status.as_ref().expect("a status"));
    found.iter().map(status).collect()
}

/// Identity 7 may read and list what begins with `mine`.
fn restrict(fresh: &Fresh) -> Conversation {
    let scope = |value: &'static [u8], permissions: &[Permission]| Scope {
        value: Some(Bytes::from_static(value)),
        permission: permissions.iter().map(|&one| one.into()).collect(),
        ..Scope::default()
    };
    let acl = |identity, scope| Acl {
        identity: Some(identity),
        key: Some(Bytes::from_static(b"key")),
        hmac_algorithm: Some(HmacAlgorithm::HmacSha1.into()),
        scope: vec![scope],
        ..Acl::default()
    };
    let security = Security {
        acl: vec![
            acl(1, scope(b"", &[Permission::Security])),
            acl(7, scope(b"mine", &[Permission::Read, Permission::Range])),
        ],
        ..Security::default()
    };
    secure(&mut fresh.talk_tls(), security);
    fresh.talk().speaking_as(7, b"key")
}

#[test]
fn each_key_is_said_to_be_there_or_not_in_the_order_asked() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"a", b"value").success();
    talk.put(b"", b"").success();
    let reply = ask(&mut talk, MessageType::EXISTS, &[b"b", b"a", b"", b"a"]);
    assert_eq!(present(reply), [false, true, true, true]);
    let none = ask(&mut talk, MessageType::EXISTS, &[]);
    assert_eq!(present(none), Vec::<bool>::new());
    let refused = ask(&mut talk, MessageType::EXISTS, &[b"a", &[b'k'; 4097]]);
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_thousand_keys_may_be_named_and_no_more() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"0999", b"value").success();
    let keys: Vec<String> = (0..1001).map(|number| format!("{number:04}")).collect();
    let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let told = present(ask(&mut talk, MessageType::EXISTS, &keys[..1000]));
    assert_eq!(told.len(), 1000);
    assert_eq!(told.iter().position(|&there| there), Some(999));
    let reply = ask(&mut talk, MessageType::MULTI_GET, &keys[..1000]).success();
    assert_eq!(reply.body().found.len(), 1000);
    assert_eq!(&reply.value[..], b"value");
    for kind in [MessageType::EXISTS, MessageType::MULTI_GET] {
        let refused = ask(&mut talk, kind, &keys);
        assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
        let text = refused.text();
        assert!(text.contains("1001") && text.contains("1000"), "{text}");
    }
}

#[test]
fn without_permission_nothing_is_said_of_any_key_or_of_that_one() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"mine", b"value").success();
    talk.put(b"yours", b"secret").success();
    let mut seven = restrict(&fresh);
    let told = present(ask(&mut seven, MessageType::EXISTS, &[b"mine", b"mine2"]));
    assert_eq!(told, [true, false]);
    let refused = ask(&mut seven, MessageType::EXISTS, &[b"mine", b"yours"]);
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(refused.text(), "permission denied");
    let keys: [&[u8]; 4] = [b"yours", b"mine", b"mine2", b"not there"];
    let reply = ask(&mut seven, MessageType::MULTI_GET, &keys).success();
    let found = reply.body().found;
    let expected = [
        StatusCode::NOT_AUTHORIZED,
        StatusCode::SUCCESS,
        StatusCode::NOT_FOUND,
        StatusCode::NOT_AUTHORIZED,
    ];
    assert_eq!(codes(&found), expected);
    assert_eq!(found[0].key_value, None);
    assert_eq!(&reply.value[..], b"value");
    let refused = seven.ask_entry(MessageType::GET_PART, key_only(b"yours"), &[]);
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(
        (refused.text(), refused.value.len()),
        ("permission denied", 0)
    );
}

#[test]
fn values_follow_each_other_in_the_order_asked() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let entry = KeyValue {
        new_version: Some(Bytes::from_static(b"v1")),
        tag: Some(Bytes::from_static(b"tag")),
        algorithm: Some(4),
        force: Some(true),
        ..key_only(b"b")
    };
    talk.ask_entry(MessageType::PUT, entry, b"second").success();
    talk.put(b"a", b"first").success();
    talk.put(b"c", b"").success();
    let keys: [&[u8]; 4] = [b"b", b"absent", b"c", b"a"];
    let reply = ask(&mut talk, MessageType::MULTI_GET, &keys).success();
    assert_eq!(&reply.value[..], b"secondfirst");
    let found = reply.body().found;
    let lengths: Vec<_> = found.iter().map(|one| one.value_length).collect();
    assert_eq!(lengths, [Some(6), None, Some(0), Some(5)]);
    let told = KeyValue {
        db_version: Some(Bytes::from_static(b"v1")),
        tag: Some(Bytes::from_static(b"tag")),
        algorithm: Some(4),
        value_length: Some(6),
        ..key_only(b"b")
    };
    assert_eq!(found[0].key_value, Some(told));
    assert_eq!(codes(&found)[1], StatusCode::NOT_FOUND);
}

#[test]
fn what_does_not_fit_is_not_attempted_and_the_first_always_fits() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for (key, size) in [(b"a", 1 << 20), (b"b", 600_000), (b"c", 500_000), (b"d", 1)] {
        talk.put(key, &vec![key[0]; size]).success();
    }
    let keys: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    let mut left = &keys[..];
    let mut rounds = Vec::new();
    while !left.is_empty() {
        let reply = ask(&mut talk, MessageType::MULTI_GET, left).success();
        let codes = codes(&reply.body().found);
        let done = codes
            .iter()
            .position(|&code| code == StatusCode::NOT_ATTEMPTED)
            .unwrap_or(codes.len());
        // Nothing is attempted behind the first that is not.
        assert!(
            codes[done..]
                .iter()
                .all(|&code| code == StatusCode::NOT_ATTEMPTED)
        );
        let sizes = reply.body().found;
        let sum: u64 = sizes.iter().filter_map(|one| one.value_length).sum();
        assert_eq!(sum, reply.value.len() as u64);
        rounds.push(done);
        left = &left[done..];
    }
    assert_eq!(rounds, [1, 1, 2]);
}

#[test]
fn many_entries_with_long_versions_fit_in_several_answers() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let keys: Vec<String> = (0..300).map(|number| format!("{number}")).collect();
    for key in &keys {
        let entry = KeyValue {
            new_version: Some(Bytes::from(vec![1; 2048])),
            tag: Some(Bytes::from(vec![2; 4096])),
            force: Some(true),
            ..key_only(key.as_bytes())
        };
        talk.ask_entry(MessageType::PUT, entry, b"v").success();
    }
    let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let reply = ask(&mut talk, MessageType::MULTI_GET, &keys).success();
    let codes = codes(&reply.body().found);
    let done = codes
        .iter()
        .filter(|&&code| code == StatusCode::SUCCESS)
        .count();
    assert!((100..300).contains(&done), "{done}");
    assert_eq!(codes.len(), 300);
    assert_eq!(codes[299], StatusCode::NOT_ATTEMPTED);
    assert_eq!(reply.value.len(), done);
}

#[test]
fn a_part_comes_with_what_is_known_of_the_whole() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let entry = KeyValue {
        new_version: Some(Bytes::from_static(b"v1")),
        force: Some(true),
        ..key_only(b"key")
    };
    let value: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    talk.ask_entry(MessageType::PUT, entry, &value).success();
    let mut part = |offset, length| {
        let entry = KeyValue {
            offset,
            length,
            ..key_only(b"key")
        };
        let reply = talk.ask_entry(MessageType::GET_PART, entry, &[]).success();
        let told = KeyValue {
            db_version: Some(Bytes::from_static(b"v1")),
            tag: Some(Bytes::new()),
            value_length: Some(200_000),
            ..key_only(b"key")
        };
        assert_eq!(reply.entry(), told);
        reply.value
    };
    assert_eq!(part(None, None), value);
    assert_eq!(part(Some(70_000), Some(10)), value[70_000..70_010]);
    assert_eq!(part(Some(199_999), Some(10)), value[199_999..]);
    assert_eq!(part(Some(5), Some(0)).len(), 0);
    assert_eq!(part(Some(200_000), None).len(), 0);
    assert_eq!(part(Some(u64::MAX), Some(u64::MAX)).len(), 0);
    let absent = talk.ask_entry(MessageType::GET_PART, key_only(b"absent"), &[]);
    assert_eq!(absent.code(), StatusCode::NOT_FOUND);
}
