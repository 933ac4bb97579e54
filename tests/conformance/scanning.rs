//! MEDIASCAN: which keys it names, how far it gets, who may, and that others are served meanwhile.
//! MEDIAOPTIMIZE: its end, who may, and its time.

use bytes::Bytes;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::{HmacAlgorithm, Permission, Scope};
use kinetic_proto::schema::command::{Body, KeyValue, Range, Security};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::admin::secure;
use kinetic_tests::conversation::{Conversation, Reply, key_only};

use crate::Fresh;

const CRC32C: i32 = 4;
const SHA1: i32 = 1;

fn scan(talk: &mut Conversation, range: Range) -> Reply {
    talk.ask(MessageType::MEDIASCAN, about(range), &[])
}

fn about(range: Range) -> Body {
    Body {
        range: Some(range),
        ..Body::default()
    }
}

fn end_key(reply: &Reply) -> Option<Bytes> {
    reply.body().range.and_then(|range| range.end_key)
}

fn put_tagged(talk: &mut Conversation, key: &str, tag: &[u8], algorithm: Option<i32>) {
    let entry = KeyValue {
        tag: Some(Bytes::copy_from_slice(tag)),
        algorithm,
        force: Some(true),
        ..key_only(key.as_bytes())
    };
    talk.ask_entry(MessageType::PUT, entry, b"123456789")
        .success();
}

/// The published checksum of the nine digits.
const RIGHT: [u8; 4] = [0xe3, 0x06, 0x92, 0x83];

/// Six keys, of which `b`, `d` and `f` have tags of other values.
fn six_keys() -> (Fresh, Conversation) {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    put_tagged(&mut talk, "a", &RIGHT, Some(CRC32C));
    put_tagged(&mut talk, "b", b"1234", Some(CRC32C));
    put_tagged(&mut talk, "c", b"e3069283", Some(CRC32C));
    put_tagged(&mut talk, "d", b"tag", Some(SHA1));
    put_tagged(&mut talk, "e", b"private", Some(100));
    put_tagged(
        &mut talk,
        "f",
        &[0, 0, 0, 1, 0xe3, 6, 0x92, 0x83],
        Some(CRC32C),
    );
    put_tagged(&mut talk, "g", b"of nothing", None);
    (fresh, talk)
}

#[test]
fn keys_whose_tag_is_not_that_of_their_value_are_named_in_order() {
    let (_fresh, mut talk) = six_keys();
    let reply = scan(&mut talk, Range::default()).success();
    assert_eq!(reply.keys(), ["b", "d", "f"]);
    assert_eq!(end_key(&reply), None);
    // The message may be absent: the whole store.
    let reply = talk.ask(MessageType::MEDIASCAN, Body::default(), &[]);
    assert_eq!(reply.success().keys(), ["b", "d", "f"]);
}

#[test]
fn both_ends_count_as_asked_and_a_finished_scan_gives_its_own_end_back() {
    let (_fresh, mut talk) = six_keys();
    let b_to_d = |start: Option<bool>, end: Option<bool>| Range {
        start_key: Some(Bytes::from_static(b"b")),
        start_key_inclusive: start,
        end_key: Some(Bytes::from_static(b"d")),
        end_key_inclusive: end,
        ..Range::default()
    };
    for (start, end, keys) in [
        (Some(true), None, vec!["b", "d"]),
        (None, None, vec!["d"]),
        (Some(true), Some(false), vec!["b"]),
    ] {
        let reply = scan(&mut talk, b_to_d(start, end)).success();
        assert_eq!(reply.keys(), keys);
        assert_eq!(end_key(&reply).as_deref(), Some(&b"d"[..]));
    }
    let open = Range {
        start_key: Some(Bytes::from_static(b"e")),
        end_key: Some(Bytes::new()),
        ..Range::default()
    };
    let reply = scan(&mut talk, open).success();
    assert_eq!(reply.keys(), ["f"]);
    assert_eq!(end_key(&reply).as_deref(), Some(&b""[..]));
}

#[test]
fn a_full_list_says_where_to_go_on() {
    let (_fresh, mut talk) = six_keys();
    let (mut start, mut found, mut rounds) = (None, Vec::new(), 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            max_returned: Some(1),
            ..Range::default()
        };
        let reply = scan(&mut talk, range).success();
        found.extend(reply.keys());
        rounds += 1;
        match end_key(&reply) {
            Some(end) => start = Some(end),
            None => break,
        }
        assert!(rounds < 10, "it never ends");
    }
    assert_eq!(
        (found, rounds),
        (vec!["b".into(), "d".into(), "f".into()], 4)
    );
}

#[test]
fn a_range_over_the_limit_is_refused_with_both_numbers() {
    let (_fresh, mut talk) = six_keys();
    let many = |count| Range {
        max_returned: Some(count),
        ..Range::default()
    };
    let refused = scan(&mut talk, many(201));
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    assert!(refused.text().contains("201") && refused.text().contains("200"));
    scan(&mut talk, many(200)).success();
}

#[test]
fn keys_without_range_are_never_named_and_who_has_it_nowhere_is_refused() {
    let (fresh, _talk) = six_keys();
    let acl = |identity, value: &'static [u8], permission: Permission| Acl {
        identity: Some(identity),
        key: Some(Bytes::from_static(b"key")),
        hmac_algorithm: Some(HmacAlgorithm::HmacSha1.into()),
        scope: vec![Scope {
            value: Some(Bytes::from_static(value)),
            permission: vec![permission.into()],
            ..Scope::default()
        }],
        ..Acl::default()
    };
    let security = Security {
        acl: vec![
            acl(1, b"", Permission::Security),
            acl(7, b"d", Permission::Range),
            acl(8, b"", Permission::Read),
        ],
        ..Security::default()
    };
    secure(&mut fresh.talk_tls(), security);
    let mut seven = fresh.talk().speaking_as(7, b"key");
    let reply = scan(&mut seven, Range::default()).success();
    assert_eq!(reply.keys(), ["d"]);
    let two = Range {
        max_returned: Some(1),
        ..Range::default()
    };
    let reply = scan(&mut seven, two).success();
    assert_eq!(end_key(&reply).as_deref(), Some(&b"d"[..]));
    let mut eight = fresh.talk().speaking_as(8, b"key");
    for kind in [MessageType::MEDIASCAN, MessageType::MEDIAOPTIMIZE] {
        let refused = eight.ask(kind, Body::default(), &[]);
        assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    }
    seven
        .ask(MessageType::MEDIAOPTIMIZE, Body::default(), &[])
        .success();
}

#[test]
fn the_index_is_put_in_order_and_the_end_comes_back() {
    let (_fresh, mut talk) = six_keys();
    let range = Range {
        end_key: Some(Bytes::from_static(b"c")),
        ..Range::default()
    };
    let reply = talk
        .ask(MessageType::MEDIAOPTIMIZE, about(range), &[])
        .success();
    assert_eq!(end_key(&reply).as_deref(), Some(&b"c"[..]));
    assert_eq!(reply.keys(), Vec::<String>::new());
    let optimizing = talk.send(MessageType::MEDIAOPTIMIZE, Body::default(), &[]);
    let noop = talk.send(MessageType::NOOP, Body::default(), &[]);
    let order = [(); 2].map(|()| talk.answer().header().ack_sequence);
    assert_eq!(order, [Some(noop), Some(optimizing)]);
    assert_eq!(&*talk.get(b"a").success().value, b"123456789");
}

/// Enough that a scan takes a while: 24 MiB, each value with the sum of it.
fn large() -> (Fresh, Conversation) {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..24_u8 {
        let entry = KeyValue {
            tag: Some(Bytes::from_static(b"none of this value's")),
            algorithm: Some(SHA1),
            force: Some(true),
            ..key_only(&[b'k', number])
        };
        let value = vec![number; 1 << 20];
        talk.ask_entry(MessageType::PUT, entry, &value).success();
    }
    (fresh, talk)
}

#[test]
fn what_is_asked_after_a_scan_is_answered_before_it() {
    let (_fresh, mut talk) = large();
    let scanning = talk.send(MessageType::MEDIASCAN, Body::default(), &[]);
    let noop = talk.send(MessageType::NOOP, Body::default(), &[]);
    let get = talk.command(MessageType::GETVERSION, Body::default());
    talk.send_command(&get, &[]);
    let order: Vec<Option<u64>> = (0..3)
        .map(|_| talk.answer().header().ack_sequence)
        .collect();
    assert_eq!(order, [Some(noop), Some(noop + 1), Some(scanning)]);
}

#[test]
fn a_scan_whose_time_is_up_answers_what_it_has_and_can_be_gone_on_with() {
    let (_fresh, mut talk) = large();
    let (mut start, mut found, mut rounds) = (None, Vec::new(), 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            ..Range::default()
        };
        let mut command = talk.command(MessageType::MEDIASCAN, about(range));
        if let Some(header) = &mut command.header {
            header.timeout = Some(3_600_000);
            header.time_quanta = Some(1);
        }
        let reply = talk.ask_command(&command, &[]).success();
        found.extend(reply.body().range.unwrap_or_default().keys);
        rounds += 1;
        match end_key(&reply) {
            Some(end) => start = Some(end),
            None => break,
        }
    }
    assert_eq!(found.len(), 24);
    assert!(rounds > 2, "{rounds} rounds");
}
