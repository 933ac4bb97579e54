//! GET, GETVERSION, GETNEXT, GETPREVIOUS: what comes back, and what comes back of nothing.

use bytes::Bytes;
use kinetic_proto::schema::command::KeyValue;
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, key_only};

use crate::Fresh;

/// An entry as an answer has it, without tag and algorithm.
fn answered(key: &[u8], version: &'static [u8]) -> KeyValue {
    KeyValue {
        db_version: Some(Bytes::from_static(version)),
        tag: Some(Bytes::new()),
        ..key_only(key)
    }
}

fn neighbour(talk: &mut Conversation, kind: MessageType, key: &[u8]) -> Option<Bytes> {
    let reply = talk.ask_entry(kind, key_only(key), &[]);
    match reply.code() {
        StatusCode::NOT_FOUND => {
            assert_eq!(reply.entry(), KeyValue::default());
            assert!(reply.value.is_empty());
            None
        }
        _ => reply.success().entry().key,
    }
}

#[test]
fn version_and_tag_are_always_there_and_an_algorithm_only_if_it_was_stored() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"bare", b"value").success();
    let reply = talk.get(b"bare").success();
    assert_eq!(reply.entry(), answered(b"bare", b""));
    assert_eq!(&*reply.value, b"value");
}

#[test]
fn a_missing_key_is_not_found_with_an_empty_entry_and_an_empty_message() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for kind in [MessageType::GET, MessageType::GETVERSION] {
        let reply = talk.ask_entry(kind, key_only(b"missing"), &[]);
        assert_eq!(reply.code(), StatusCode::NOT_FOUND, "{kind}");
        assert_eq!(reply.entry(), KeyValue::default(), "{kind}");
        let status = reply.received.command.status.clone().expect("a status");
        assert_eq!(status.status_message.as_deref(), Some(""), "{kind}");
        assert!(reply.value.is_empty(), "{kind}");
    }
}

#[test]
fn metadata_only_leaves_the_value_out() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"a", b"value").success();
    let kinds = [
        (MessageType::GET, b"a"),
        (MessageType::GETNEXT, b"0"),
        (MessageType::GETPREVIOUS, b"b"),
    ];
    for (kind, key) in kinds {
        let entry = KeyValue {
            metadata_only: Some(true),
            ..key_only(key)
        };
        let reply = talk.ask_entry(kind, entry, &[]).success();
        assert_eq!(reply.entry(), answered(b"a", b""), "{kind}");
        assert!(reply.value.is_empty(), "{kind}");
        let reply = talk.ask_entry(kind, key_only(key), &[]).success();
        assert_eq!(&*reply.value, b"value", "{kind}");
    }
}

#[test]
fn a_get_version_has_the_version_and_nothing_else() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for version in [&b""[..], b"7"] {
        let stored = KeyValue {
            new_version: Some(Bytes::from_static(version)),
            tag: Some(Bytes::from_static(b"tag")),
            algorithm: Some(1),
            force: Some(true),
            ..key_only(b"k")
        };
        talk.ask_entry(MessageType::PUT, stored, b"value").success();
        let reply = talk.ask_entry(MessageType::GETVERSION, key_only(b"k"), &[]);
        let expected = KeyValue {
            db_version: Some(Bytes::from_static(version)),
            ..KeyValue::default()
        };
        assert_eq!(reply.clone().success().entry(), expected);
        assert!(reply.value.is_empty());
    }
}

#[test]
fn neighbours_are_strict_in_the_order_of_unsigned_bytes() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let keys: [&[u8]; 7] = [b"", b"\x00", b"a", b"a\x00", b"ab", b"b", b"\xff"];
    for key in keys {
        talk.put(key, key).success();
    }
    for pair in keys.windows(2) {
        let [lower, upper] = pair else { continue };
        let next = neighbour(&mut talk, MessageType::GETNEXT, lower);
        assert_eq!(next.as_deref(), Some(*upper));
        let previous = neighbour(&mut talk, MessageType::GETPREVIOUS, upper);
        assert_eq!(previous.as_deref(), Some(*lower));
    }
    // The key that is asked for need not exist.
    let next = neighbour(&mut talk, MessageType::GETNEXT, b"aa");
    assert_eq!(next.as_deref(), Some(&b"ab"[..]));
    let previous = neighbour(&mut talk, MessageType::GETPREVIOUS, b"aa");
    assert_eq!(previous.as_deref(), Some(&b"a\x00"[..]));
    assert_eq!(neighbour(&mut talk, MessageType::GETNEXT, b"\xff"), None);
    assert_eq!(neighbour(&mut talk, MessageType::GETPREVIOUS, b""), None);
}

#[test]
fn an_empty_drive_has_no_neighbours() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for kind in [MessageType::GETNEXT, MessageType::GETPREVIOUS] {
        assert_eq!(neighbour(&mut talk, kind, b"m"), None, "{kind}");
    }
}
