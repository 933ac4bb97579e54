//! Headers: sequences, connection ids, cluster versions, message types, and what answers say.

use bytes::Bytes;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{
    Body, Header, PinOperation, Status, pin_operation::PinOpType,
};
use kinetic_proto::schema::message::{AuthType, PiNauth};
use kinetic_proto::{MessageType, StatusCode, schema};
use kinetic_tests::conversation::{Conversation, Reply, about, farewell, key_only};
use kinetic_tests::raw::{FACTORY_IDENTITY, FACTORY_KEY, frame, signed};
use prost::Message as _;

use crate::Fresh;

fn noop_with(talk: &mut Conversation, change: impl FnOnce(&mut Header)) -> Command {
    let mut command = talk.command(MessageType::NOOP, Body::default());
    change(command.header.as_mut().expect("a header"));
    command
}

#[test]
fn an_answer_has_its_request_s_sequence_even_if_that_is_0_or_absent() {
    let fresh = Fresh::drive();
    for sequence in [Some(0), None] {
        let mut talk = fresh.talk();
        let command = noop_with(&mut talk, |header| header.sequence = sequence);
        // That ackSequence is there, and which, is checked for every answer.
        talk.ask_command(&command, &[]).success();
    }
}

#[test]
fn the_first_sequence_may_be_anything_and_gaps_are_fine() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for sequence in [7_000_000, 7_000_001, 9_000_000, u64::MAX - 1] {
        let command = noop_with(&mut talk, |header| header.sequence = Some(sequence));
        talk.ask_command(&command, &[]).success();
    }
}

#[test]
fn a_sequence_that_does_not_grow_is_an_invalid_request_and_the_connection_stays() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let command = noop_with(&mut talk, |header| header.sequence = Some(100));
    talk.ask_command(&command, &[]).success();
    for sequence in [100, 99, 0] {
        let command = noop_with(&mut talk, |header| header.sequence = Some(sequence));
        let reply = talk.ask_command(&command, &[]);
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
        assert!(reply.text().contains("100"), "{}", reply.text());
    }
    let command = noop_with(&mut talk, |header| header.sequence = Some(101));
    talk.ask_command(&command, &[]).success();
}

#[test]
fn a_wrong_or_absent_connection_id_is_accepted() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for id in [None, Some(0), Some(-1), Some(i64::MAX)] {
        let command = noop_with(&mut talk, |header| header.connection_id = id);
        // The answer has the connection's own id: checked for every answer.
        talk.ask_command(&command, &[]).success();
    }
}

#[test]
fn another_cluster_version_is_a_version_failure_that_tells_the_drive_s() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for version in [1, -1, i64::MAX] {
        let mut command = talk.command(MessageType::PUT, about(key_only(b"never")));
        let header = command.header.as_mut().expect("a header");
        header.cluster_version = Some(version);
        let reply = talk.ask_command(&command, b"stored");
        assert_eq!(reply.code(), StatusCode::VERSION_FAILURE);
        assert_eq!(reply.header().cluster_version, Some(0));
    }
    assert_eq!(talk.get(b"never").code(), StatusCode::NOT_FOUND);
    let command = noop_with(&mut talk, |header| header.cluster_version = Some(0));
    talk.ask_command(&command, &[]).success();
}

#[test]
fn a_wrong_signature_counts_before_a_wrong_cluster_version() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let command = noop_with(&mut talk, |header| header.cluster_version = Some(5));
    let message = signed(command.encode_to_vec(), FACTORY_IDENTITY, b"another key");
    talk.raw().send(&frame(&message, &[])).expect("it is sent");
    assert_eq!(talk.farewell().code(), StatusCode::HMAC_FAILURE);
}

#[test]
fn a_signed_command_without_header_is_told_so_and_the_connection_stays() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.send_command(&Command::default(), &[]);
    let reply = talk.answer();
    assert_eq!(reply.code(), StatusCode::HEADER_REQUIRED);
    assert_eq!(reply.header().ack_sequence, Some(0));
    talk.noop().success();
}

#[test]
fn unknown_types_and_types_of_answers_are_invalid_requests_and_the_connection_stays() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let types = [
        0,
        -1,
        1,
        3,
        5,
        29,
        31,
        50,
        98,
        99,
        1000,
        1001,
        i32::MAX,
        i32::MIN,
    ];
    for number in types {
        talk.send(MessageType(number), Body::default(), &[]);
        let reply = talk.answer();
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST, "type {number}");
        assert!(!reply.text().is_empty(), "type {number} without a sentence");
    }
    let command = noop_with(&mut talk, |header| header.message_type = None);
    talk.send_command(&command, &[]);
    assert_eq!(talk.answer().code(), StatusCode::INVALID_REQUEST);
    talk.noop().success();
}

#[test]
fn a_pin_operation_without_tls_is_an_invalid_request_without_signature_and_the_connection_stays() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk_plain();
    let operation = PinOperation {
        pin_op_type: Some(PinOpType::LockPinop.into()),
    };
    let body = Body {
        pin_op: Some(operation),
        ..Body::default()
    };
    let command = talk.command(MessageType::PINOP, body);
    let message = schema::Message {
        auth_type: Some(AuthType::Pinauth.into()),
        pin_auth: Some(PiNauth {
            pin: Some(Bytes::from_static(b"1234")),
        }),
        command_bytes: Some(command.encode_to_vec().into()),
        ..schema::Message::default()
    };
    let bytes = frame(&message.encode_to_vec(), &[]);
    talk.raw().send(&bytes).expect("it is sent");
    let reply = Reply::of(&talk.raw().read_frame().expect("an answer"));
    assert_eq!(reply.received.auth_type, Some(AuthType::Pinauth.into()));
    assert_eq!(reply.received.hmac, None);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    assert!(reply.text().contains("TLS"), "{}", reply.text());
    talk.noop().success();
}

#[test]
fn an_auth_type_that_is_not_for_requests_ends_the_connection() {
    let fresh = Fresh::drive();
    for auth_type in [Some(AuthType::Unsolicitedstatus.into()), Some(-1), Some(77)] {
        let mut talk = fresh.talk();
        let command = noop_with(&mut talk, |_| {});
        let message = signed(command.encode_to_vec(), FACTORY_IDENTITY, FACTORY_KEY);
        let mut message = schema::Message::decode(&*message).expect("a message");
        message.auth_type = auth_type;
        let bytes = frame(&message.encode_to_vec(), &[]);
        talk.raw().send(&bytes).expect("it is sent");
        assert_eq!(farewell(talk.raw()).code(), StatusCode::INVALID_REQUEST);
    }
}

#[test]
fn priority_timeout_quanta_and_early_exit_do_not_keep_a_request_from_its_answer() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"key", b"value").success();
    for priority in 1..=9 {
        let mut command = talk.command(MessageType::GET, about(key_only(b"key")));
        let header = command.header.as_mut().expect("a header");
        header.priority = Some(priority);
        header.timeout = Some(20_000);
        header.time_quanta = Some(1);
        header.early_exit = Some(true);
        let reply = talk.ask_command(&command, &[]).success();
        assert_eq!(&*reply.value, b"value");
    }
}

#[test]
fn a_status_in_a_request_and_a_value_where_none_belongs_mean_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let mut command = talk.command(MessageType::NOOP, Body::default());
    command.status = Some(Status {
        code: Some(9),
        ..Status::default()
    });
    let reply = talk.ask_command(&command, b"a value").success();
    assert!(reply.value.is_empty());
}

#[test]
fn a_write_of_a_batch_that_is_not_open_ends_the_connection_even_if_its_id_is_0() {
    let fresh = Fresh::drive();
    for batch in [0, 7] {
        let mut talk = fresh.talk();
        let mut command = talk.command(MessageType::PUT, about(key_only(b"member")));
        command.header.as_mut().expect("a header").batch_id = Some(batch);
        talk.send_command(&command, b"value");
        assert_eq!(talk.farewell().code(), StatusCode::INVALID_BATCH);
        let found = fresh.talk().get(b"member").code();
        assert_eq!(found, StatusCode::NOT_FOUND);
    }
}

#[test]
fn a_noop_has_no_body_and_a_flush_neither() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for kind in [MessageType::NOOP, MessageType::FLUSHALLDATA] {
        let reply = talk.ask(kind, Body::default(), &[]).success();
        assert_eq!(reply.body(), Body::default(), "{kind}");
        assert!(reply.value.is_empty());
    }
}
