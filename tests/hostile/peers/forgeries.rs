//! Requests that somebody on the way, or a client with a right of its own, could make of others.

use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::Body;
use kinetic_proto::{MessageType, StatusCode, schema};
use kinetic_tests::conversation::{Conversation, about, key_only};
use kinetic_tests::raw::{FACTORY_IDENTITY, FACTORY_KEY, frame, request, signed};
use prost::Message as _;

use crate::Target;

/// One command under the signature of another.
fn grafted(signature_of: &Command, command: &Command) -> Vec<u8> {
    let sound = signed(signature_of.encode_to_vec(), FACTORY_IDENTITY, FACTORY_KEY);
    let mut message = schema::Message::decode(&*sound).expect("a message");
    message.command_bytes = Some(command.encode_to_vec().into());
    frame(&message.encode_to_vec(), &[])
}

#[test]
fn the_hmac_of_another_command_ends_the_connection_and_nothing_is_done() {
    let target = Target::new();
    let kinds = [
        MessageType::DELETE,
        MessageType::PUT,
        MessageType::FLUSHALLDATA,
    ];
    for kind in kinds {
        let mut talk = target.talk();
        let harmless = talk.command(MessageType::GET, about(key_only(crate::KEPT)));
        talk.ask_command(&harmless, &[]).success();
        let forged = talk.command(kind, about(key_only(crate::KEPT)));
        talk.raw()
            .send(&grafted(&harmless, &forged))
            .expect("it is sent");
        assert_eq!(talk.farewell().code(), StatusCode::HMAC_FAILURE, "{kind}");
        target.still_serves();
    }
}

#[test]
fn the_same_command_with_another_sequence_needs_another_hmac() {
    let target = Target::new();
    let mut talk = target.talk();
    let put = talk.command(MessageType::PUT, about(key_only(b"once")));
    talk.ask_command(&put, &[]).success();
    let mut later = put.clone();
    later.header.as_mut().expect("a header").sequence = Some(1000);
    talk.raw().send(&grafted(&put, &later)).expect("it is sent");
    assert_eq!(talk.farewell().code(), StatusCode::HMAC_FAILURE);
    target.still_serves();
}

#[test]
fn a_signature_counts_for_the_identity_that_it_names_only() {
    let target = Target::new();
    // -1 and 0 are identities like any other, and nobody has them.
    for identity in [2, 0, -1, i64::MAX, i64::MIN] {
        let mut talk = target.talk();
        let noop = talk.command(MessageType::NOOP, Body::default());
        let message = signed(noop.encode_to_vec(), identity, FACTORY_KEY);
        talk.raw().send(&frame(&message, &[])).expect("it is sent");
        let last = talk.farewell();
        assert_eq!(last.code(), StatusCode::HMAC_FAILURE);
        assert!(
            last.text().contains(&identity.to_string()),
            "{}",
            last.text()
        );
    }
    target.still_serves();
}

/// Three writes of one key, in order of their sequences.
fn three(talk: &mut Conversation) -> Vec<(Command, &'static [u8])> {
    let values: [&[u8]; 3] = [b"first", b"second", b"third"];
    let entry = schema::command::KeyValue {
        force: Some(true),
        ..key_only(b"ordered")
    };
    let command = |value| (talk.command(MessageType::PUT, about(entry.clone())), value);
    values.map(command).into()
}

#[test]
fn reordered_requests_do_nothing_after_a_later_one_and_each_is_told_so() {
    let target = Target::new();
    let mut talk = target.talk();
    let writes = three(&mut talk);
    for (index, code) in [
        (2, StatusCode::SUCCESS),
        (0, StatusCode::INVALID_REQUEST),
        (1, StatusCode::INVALID_REQUEST),
    ] {
        let (command, value) = writes.get(index).expect("one of three");
        assert_eq!(talk.ask_command(command, value).code(), code);
    }
    assert_eq!(&*talk.get(b"ordered").success().value, b"third");
    target.still_serves();
}

#[test]
fn a_recorded_conversation_played_again_on_its_connection_does_nothing() {
    let target = Target::new();
    let mut talk = target.talk();
    let writes = three(&mut talk);
    let recorded: Vec<u8> = writes
        .iter()
        .flat_map(|(command, value)| request(command, value))
        .collect();
    talk.raw().send(&recorded).expect("it is sent");
    for _ in 0..3 {
        talk.answer().success();
    }
    talk.put(b"ordered", b"by its owner").success();
    for _ in 0..50 {
        talk.raw().send(&recorded).expect("it is sent");
    }
    for _ in 0..150 {
        assert_eq!(talk.answer().code(), StatusCode::INVALID_REQUEST);
    }
    assert_eq!(&*talk.get(b"ordered").success().value, b"by its owner");
    target.still_serves();
}
