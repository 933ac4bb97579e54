//! Requests that are framed well and are wrong: signatures, identities, sequences, sizes.

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, KeyValue, Range};
use kinetic_proto::{MessageType, StatusCode, schema};
use kinetic_tests::conversation::{about, key_only};
use kinetic_tests::raw::{FACTORY_IDENTITY, FACTORY_KEY, frame, request, signed};
use prost::Message as _;

use crate::Target;

/// Sends a PUT signed like this between two good ones; the last word's text.
fn hang_up_of(identity: i64, key: &[u8]) -> String {
    let target = Target::new();
    let mut talk = target.talk();
    let before = talk.command(MessageType::PUT, about(key_only(b"before")));
    let forged = talk.command(MessageType::PUT, about(key_only(b"forged")));
    let after = talk.command(MessageType::PUT, about(key_only(b"after it")));
    let message = signed(forged.encode_to_vec(), identity, key);
    let bytes = [
        request(&before, b"value"),
        frame(&message, b"value"),
        request(&after, b"value"),
    ];
    talk.raw().send(&bytes.concat()).expect("it is sent");
    talk.answer().success();
    let reply = talk.farewell();
    assert_eq!(reply.code(), StatusCode::HMAC_FAILURE);
    let mut other = target.talk();
    other.get(b"before").success();
    assert_eq!(other.get(b"forged").code(), StatusCode::NOT_FOUND);
    assert_eq!(other.get(b"after it").code(), StatusCode::NOT_FOUND);
    target.still_serves();
    reply.text().to_owned()
}

#[test]
fn a_wrong_key_ends_the_connection_and_the_usual_causes_are_named() {
    let text = hang_up_of(FACTORY_IDENTITY, b"not the key");
    assert!(
        text.contains("key is wrong") && text.contains("length"),
        "{text}"
    );
}

#[test]
fn an_unknown_identity_ends_the_connection_and_is_named() {
    let text = hang_up_of(4711, FACTORY_KEY);
    assert!(text.contains("4711"), "{text}");
}

#[test]
fn an_hmac_that_is_empty_short_long_or_missing_ends_the_connection() {
    let target = Target::new();
    for length in [Some(0), Some(1), Some(19), Some(21), Some(4000), None] {
        let mut talk = target.talk();
        let command = talk.command(MessageType::NOOP, Body::default());
        let message = signed(command.encode_to_vec(), FACTORY_IDENTITY, FACTORY_KEY);
        let mut message = schema::Message::decode(&*message).expect("a message");
        let auth = message.hmac_auth.as_mut().expect("a signature");
        auth.hmac = length.map(|length| {
            let sound = auth.hmac.clone().unwrap_or_default();
            sound
                .iter()
                .copied()
                .chain(std::iter::repeat(0))
                .take(length)
                .collect()
        });
        let bytes = frame(&message.encode_to_vec(), &[]);
        talk.raw().send(&bytes).expect("it is sent");
        assert_eq!(
            talk.farewell().code(),
            StatusCode::HMAC_FAILURE,
            "{length:?}"
        );
    }
    target.still_serves();
}

#[test]
fn an_old_sequence_stores_nothing_and_the_connection_stays() {
    let target = Target::new();
    let mut talk = target.talk();
    let first = talk.command(MessageType::PUT, about(key_only(b"replayed")));
    talk.ask_command(&first, b"once").success();
    let gone = talk.ask_entry(MessageType::DELETE, key_only(b"replayed"), &[]);
    gone.success();
    // The very bytes again, as somebody who listened would send them.
    let replayed = talk.ask_command(&first, b"once");
    assert_eq!(replayed.code(), StatusCode::INVALID_REQUEST);
    assert_eq!(talk.get(b"replayed").code(), StatusCode::NOT_FOUND);
    target.still_serves();
}

#[test]
fn a_wrong_cluster_version_stores_nothing_and_the_connection_stays() {
    let target = Target::new();
    let mut talk = target.talk();
    let mut command = talk.command(MessageType::PUT, about(key_only(b"elsewhere")));
    command.header.as_mut().expect("a header").cluster_version = Some(12);
    let reply = talk.ask_command(&command, b"value");
    assert_eq!(reply.code(), StatusCode::VERSION_FAILURE);
    assert!(reply.text().contains("12"), "{}", reply.text());
    assert_eq!(talk.get(b"elsewhere").code(), StatusCode::NOT_FOUND);
    target.still_serves();
}

/// Asks, demands a refusal that names field, size and limit, and a connection that goes on.
fn too_large(kind: MessageType, entry: KeyValue, value: &[u8], words: [&str; 3]) {
    let target = Target::new();
    let mut talk = target.talk();
    let reply = talk.ask_entry(kind, entry, value);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{kind}");
    for word in words {
        assert!(reply.text().contains(word), "{word} in {}", reply.text());
    }
    talk.put(b"behind it", b"value").success();
    target.still_serves();
}

#[test]
fn an_oversize_key_is_refused_by_every_operation_on_entries() {
    let kinds = [
        MessageType::PUT,
        MessageType::DELETE,
        MessageType::GET,
        MessageType::GETVERSION,
        MessageType::GETNEXT,
        MessageType::GETPREVIOUS,
    ];
    for kind in kinds {
        too_large(kind, key_only(&[b'k'; 4097]), &[], ["key", "4097", "4096"]);
    }
}

#[test]
fn an_end_of_a_range_that_no_key_comes_near_is_refused_by_every_operation_on_ranges() {
    let target = Target::new();
    let mut talk = target.talk();
    let limit = kinetic_proto::limits::MAX_RANGE_END_SIZE as usize;
    let end = |bytes| Some(Bytes::from(vec![0xff; bytes]));
    for kind in [
        MessageType::GETKEYRANGE,
        MessageType::MEDIASCAN,
        MessageType::MEDIAOPTIMIZE,
        MessageType::COUNT,
        MessageType::RANGE_METADATA,
        MessageType::RANGE_DIGEST,
    ] {
        let mut ask = |start_key, end_key| {
            let range = Range {
                start_key,
                end_key,
                ..Range::default()
            };
            let body = Body {
                range: Some(range),
                ..Body::default()
            };
            talk.ask(kind, body, &[])
        };
        ask(end(limit), end(limit)).success();
        for (reply, field) in [
            (ask(end(limit + 1), None), "startKey"),
            (ask(None, end(1_000_000)), "endKey"),
        ] {
            assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "{kind}");
            let told = reply.text();
            assert!(told.contains(field) && told.contains("8192"), "{told}");
        }
    }
    target.still_serves();
}

#[test]
fn an_oversize_version_is_refused_old_or_new() {
    let long = Some(Bytes::from(vec![b'v'; 2049]));
    let new = KeyValue {
        new_version: long.clone(),
        ..key_only(b"k")
    };
    too_large(
        MessageType::PUT,
        new,
        b"value",
        ["newVersion", "2049", "2048"],
    );
    let old = KeyValue {
        db_version: long,
        ..key_only(b"k")
    };
    for kind in [MessageType::PUT, MessageType::DELETE] {
        too_large(kind, old.clone(), &[], ["dbVersion", "2049", "2048"]);
    }
}

#[test]
fn an_oversize_tag_is_refused() {
    let limit = kinetic_proto::limits::MAX_TAG_SIZE;
    let size = limit + 1;
    let entry = KeyValue {
        tag: Some(vec![b't'; size as usize].into()),
        ..key_only(b"k")
    };
    let words = ["tag", &size.to_string(), &limit.to_string()];
    too_large(MessageType::PUT, entry, b"value", words);
}

#[test]
fn an_oversize_value_is_thrown_away_and_the_connection_goes_on() {
    let value = vec![7; (1 << 20) + 1];
    let words = ["value", "1048577", "1048576"];
    too_large(MessageType::PUT, key_only(b"k"), &value, words);
}

#[test]
fn values_of_16_mib_are_thrown_away_without_being_held_in_memory() {
    let target = Target::new();
    let before = target.peak_memory_bytes();
    let value = vec![7; 16 << 20];
    let mut talks = [target.talk(), target.talk(), target.talk(), target.talk()];
    for talk in &mut talks {
        talk.send(MessageType::PUT, about(key_only(b"k")), &value);
    }
    for talk in &mut talks {
        assert_eq!(talk.answer().code(), StatusCode::INVALID_REQUEST);
        assert_eq!(talk.get(b"k").code(), StatusCode::NOT_FOUND);
    }
    let grown = target.peak_memory_bytes() - before;
    assert!(
        grown < 16 << 20,
        "{grown} bytes for values that are thrown away"
    );
    target.still_serves();
}
