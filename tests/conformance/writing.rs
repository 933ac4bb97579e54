//! PUT and DELETE: versions, force, synchronization, and that what is stored comes back as it was.

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{about, key_only};

use crate::Fresh;

fn versioned(key: &'static [u8], expected: &'static [u8], new: &'static [u8]) -> KeyValue {
    KeyValue {
        db_version: Some(Bytes::from_static(expected)),
        new_version: Some(Bytes::from_static(new)),
        ..key_only(key)
    }
}

#[test]
fn an_answer_has_an_empty_entry_and_no_value() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let put = talk.put(b"key", b"value").success();
    let delete = talk
        .ask_entry(MessageType::DELETE, key_only(b"key"), &[])
        .success();
    for reply in [put, delete] {
        assert_eq!(reply.entry(), KeyValue::default());
        assert!(reply.value.is_empty());
    }
}

#[test]
fn all_fields_come_back_as_they_were_stored() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let stored = KeyValue {
        new_version: Some(Bytes::from_static(b"\x00\xffversion")),
        tag: Some(Bytes::from_static(b"31337")),
        algorithm: Some(2),
        ..key_only(b"\x00key\xff")
    };
    talk.ask_entry(MessageType::PUT, stored, b"\x00value\xff")
        .success();
    let reply = talk.get(b"\x00key\xff").success();
    let expected = KeyValue {
        key: Some(Bytes::from_static(b"\x00key\xff")),
        db_version: Some(Bytes::from_static(b"\x00\xffversion")),
        tag: Some(Bytes::from_static(b"31337")),
        algorithm: Some(2),
        ..KeyValue::default()
    };
    assert_eq!(reply.entry(), expected);
    assert_eq!(&*reply.value, b"\x00value\xff");
}

#[test]
fn algorithms_that_nobody_knows_survive() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for algorithm in [100, 1_000_000, 0, -1, -7, i32::MAX, i32::MIN] {
        let stored = KeyValue {
            algorithm: Some(algorithm),
            tag: Some(Bytes::from_static(b"tag")),
            force: Some(true),
            ..key_only(b"private")
        };
        talk.ask_entry(MessageType::PUT, stored, b"value").success();
        let entry = talk.get(b"private").success().entry();
        assert_eq!(entry.algorithm, Some(algorithm));
        assert_eq!(entry.tag.as_deref(), Some(&b"tag"[..]));
    }
}

#[test]
fn empty_keys_versions_tags_and_values_are_values() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let stored = KeyValue {
        new_version: Some(Bytes::new()),
        tag: Some(Bytes::new()),
        ..key_only(b"")
    };
    talk.ask_entry(MessageType::PUT, stored, &[]).success();
    let reply = talk.get(b"").success();
    assert!(reply.value.is_empty());
    // An absent key is the empty one.
    let reply = talk.ask_entry(MessageType::GET, KeyValue::default(), &[]);
    reply.success();
    let absent = about(KeyValue::default());
    talk.ask(MessageType::DELETE, absent, &[]).success();
    assert_eq!(talk.get(b"").code(), StatusCode::NOT_FOUND);
}

#[test]
fn the_largest_key_version_and_value_are_stored() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let key = vec![b'k'; 4096];
    let value: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let stored = KeyValue {
        new_version: Some(vec![b'v'; 2048].into()),
        ..key_only(&key)
    };
    talk.ask_entry(MessageType::PUT, stored, &value).success();
    let reply = talk.get(&key).success();
    assert_eq!(reply.value, value);
    assert_eq!(
        reply.entry().db_version.map(|version| version.len()),
        Some(2048)
    );
}

#[test]
fn a_version_is_compared_with_the_stored_one_and_absent_is_empty() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let mismatch = StatusCode::VERSION_MISMATCH;
    let success = StatusCode::SUCCESS;
    let steps = [
        // Nothing is stored: only the empty version fits.
        (versioned(b"k", b"1", b"2"), mismatch),
        (versioned(b"k", b"", b"1"), success),
        (versioned(b"k", b"", b"2"), mismatch),
        (key_only(b"k"), mismatch),
        (versioned(b"k", b"1x", b"2"), mismatch),
        (versioned(b"k", b"1", b"2"), success),
        // Without a new version the stored one becomes empty, and then needs none.
        (
            KeyValue {
                new_version: None,
                ..versioned(b"k", b"2", b"")
            },
            success,
        ),
        (key_only(b"k"), success),
    ];
    for (number, (entry, expected)) in steps.into_iter().enumerate() {
        let reply = talk.ask_entry(MessageType::PUT, entry, b"value");
        assert_eq!(reply.code(), expected, "step {number}");
        assert_eq!(reply.entry(), KeyValue::default(), "step {number}");
        assert_eq!(reply.text(), "", "step {number}");
    }
}

#[test]
fn force_compares_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.ask_entry(MessageType::PUT, versioned(b"k", b"", b"1"), b"one")
        .success();
    let forced = KeyValue {
        force: Some(true),
        ..versioned(b"k", b"wrong", b"2")
    };
    talk.ask_entry(MessageType::PUT, forced.clone(), b"two")
        .success();
    assert_eq!(&*talk.get(b"k").success().value, b"two");
    talk.ask_entry(MessageType::DELETE, forced.clone(), &[])
        .success();
    // Missing, and deleted by force all the same.
    talk.ask_entry(MessageType::DELETE, forced, &[]).success();
}

#[test]
fn a_delete_needs_the_entry_and_its_version() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    // Whether a version is named or not.
    for absent in [key_only(b"k"), versioned(b"k", b"1", b"")] {
        let missing = talk.ask_entry(MessageType::DELETE, absent, &[]);
        assert_eq!(missing.code(), StatusCode::NOT_FOUND);
        assert_eq!(missing.entry(), KeyValue::default());
    }
    talk.ask_entry(MessageType::PUT, versioned(b"k", b"", b"1"), b"one")
        .success();
    for wrong in [key_only(b"k"), versioned(b"k", b"2", b"")] {
        let reply = talk.ask_entry(MessageType::DELETE, wrong, &[]);
        assert_eq!(reply.code(), StatusCode::VERSION_MISMATCH);
    }
    talk.ask_entry(MessageType::DELETE, versioned(b"k", b"1", b""), &[])
        .success();
    assert_eq!(talk.get(b"k").code(), StatusCode::NOT_FOUND);
}

#[test]
fn every_synchronization_is_taken_and_none_at_all_too() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let kinds = [
        None,
        Some(Synchronization::Writethrough),
        Some(Synchronization::Writeback),
        Some(Synchronization::Flush),
    ];
    for synchronization in kinds {
        let entry = KeyValue {
            synchronization: synchronization.map(i32::from),
            ..key_only(b"k")
        };
        talk.ask_entry(MessageType::PUT, entry.clone(), b"value")
            .success();
        talk.ask_entry(MessageType::DELETE, entry, &[]).success();
    }
}

#[test]
fn an_invalid_synchronization_is_refused_with_the_allowed_ones() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for kind in [MessageType::PUT, MessageType::DELETE] {
        for number in [-1, 0, 4, 99] {
            let entry = KeyValue {
                synchronization: Some(number),
                ..key_only(b"k")
            };
            let reply = talk.ask_entry(kind, entry, b"value");
            assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{kind} {number}");
            for allowed in ["WRITETHROUGH", "WRITEBACK", "FLUSH"] {
                assert!(reply.text().contains(allowed), "{}", reply.text());
            }
        }
    }
    assert_eq!(talk.get(b"k").code(), StatusCode::NOT_FOUND);
}

#[test]
fn a_write_without_an_entry_does_not_touch_the_empty_key() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"", b"mine").success();
    for kind in [MessageType::PUT, MessageType::DELETE] {
        let reply = talk.ask(kind, Body::default(), b"theirs");
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{kind}");
    }
    assert_eq!(&*talk.get(b"").success().value, b"mine");
}
