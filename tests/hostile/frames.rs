//! Bytes that are no frames, or frames that are no messages.

use kinetic_proto::MessageType;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::Body;
use kinetic_tests::conversation::{about, farewell, key_only};
use kinetic_tests::raw::{Answer, FACTORY_IDENTITY, FACTORY_KEY, frame, request, signed};

use crate::Target;

/// A header that announces these lengths.
fn announcing(message: u32, value: u32) -> Vec<u8> {
    let lengths = [message.to_be_bytes(), value.to_be_bytes()].concat();
    [b"F".as_slice(), &lengths].concat()
}

/// Sends bytes and demands a last word with this code, and a drive that goes on.
fn ends_with(bytes: &[u8], code: StatusCode) -> String {
    let target = Target::new();
    let mut connection = target.connect();
    connection.send(bytes).expect("it is sent");
    let reply = farewell(&mut connection);
    assert_eq!(reply.code(), code, "{}", reply.text());
    target.still_serves();
    reply.text().to_owned()
}

#[test]
fn a_wrong_magic_is_told_and_the_connection_closed() {
    let text = ends_with(b"GET / HTTP/1.1\r\n\r\n", StatusCode::INVALID_REQUEST);
    assert!(text.contains("0x47") || text.contains('F'), "{text}");
}

#[test]
fn a_wrong_magic_behind_a_good_request_does_not_take_its_answer_away() {
    let target = Target::new();
    let mut talk = target.talk();
    let command = talk.command(MessageType::PUT, about(key_only(b"good")));
    let mut bytes = request(&command, b"value");
    bytes.extend(b"garbage");
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    assert_eq!(talk.farewell().code(), StatusCode::INVALID_REQUEST);
    assert_eq!(&*target.talk().get(b"good").success().value, b"value");
}

#[test]
fn a_tls_hello_on_the_plain_port_is_closed_and_logged_as_what_it_is() {
    let target = Target::new();
    let mut connection = target.connect();
    // A record of type 22, version 3.1, 512 bytes: the start of any TLS client's hello.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 64]].concat();
    connection.send(&hello).expect("it is sent");
    let end = connection.read().expect("the end");
    assert!(matches!(end, Answer::Closed), "{end:?}");
    let log = target.drive.log();
    assert!(log.contains("TLS") && log.contains("plain port"), "{log}");
    target.still_serves();
}

#[test]
fn a_message_of_2_gib_is_refused_at_its_header() {
    ends_with(&announcing(1 << 31, 0), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_value_of_2_gib_is_refused_at_its_header() {
    ends_with(&announcing(100, 1 << 31), StatusCode::INVALID_REQUEST);
}

#[test]
fn negative_lengths_are_refused_at_their_header() {
    ends_with(&announcing(u32::MAX, 0), StatusCode::INVALID_REQUEST);
    ends_with(&announcing(0, u32::MAX), StatusCode::INVALID_REQUEST);
    ends_with(&announcing(u32::MAX, u32::MAX), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_message_one_byte_over_1_mib_is_refused_at_its_header_with_the_limit() {
    let text = ends_with(&announcing((1 << 20) + 1, 0), StatusCode::INVALID_REQUEST);
    assert!(
        text.contains("1048577") && text.contains("1048576"),
        "{text}"
    );
}

#[test]
fn a_value_one_byte_over_16_mib_is_refused_at_its_header_with_the_limit() {
    let length = (16 << 20) + 1;
    let text = ends_with(&announcing(100, length), StatusCode::INVALID_REQUEST);
    assert!(
        text.contains("16777217") && text.contains("16777216"),
        "{text}"
    );
}

#[test]
fn a_frame_cut_anywhere_does_nothing_and_disturbs_nobody() {
    let target = Target::new();
    let mut talk = target.talk();
    let command = talk.command(MessageType::PUT, about(key_only(b"cut")));
    let whole = request(&command, b"a value that is cut");
    for length in 1..whole.len() {
        let mut connection = target.connect();
        let part = whole.get(..length).expect("a part");
        connection.send(part).expect("it is sent");
        connection
            .finish_sending()
            .expect("a half-closed connection");
        let end = connection.read().expect("the end");
        assert!(matches!(end, Answer::Closed), "cut at {length}: {end:?}");
    }
    assert_eq!(target.talk().get(b"cut").code(), StatusCode::NOT_FOUND);
    // The connection that was open all along sends the same, whole.
    talk.ask_command(&command, b"a value that is cut").success();
    target.still_serves();
}

#[test]
fn connections_dropped_within_a_frame_disturb_nobody() {
    let target = Target::new();
    let mut talk = target.talk();
    let command = talk.command(MessageType::PUT, about(key_only(b"dropped")));
    let whole = request(&command, &[7; 100_000]);
    for length in [0, 1, 5, 9, 40, 1000, 99_999] {
        let mut connection = target.connect();
        let part = whole.get(..length).expect("a part");
        connection.send(part).expect("it is sent");
        // The hello is read, so the close is a plain one; unread bytes would make it a reset.
        drop(connection);
        let mut unread =
            kinetic_tests::raw::RawConnection::connect(target.drive.plain()).expect("a connection");
        unread.send(part).expect("it is sent");
        drop(unread);
    }
    assert_eq!(talk.get(b"dropped").code(), StatusCode::NOT_FOUND);
    target.still_serves();
}

#[test]
fn a_message_that_is_no_protobuf_is_told_and_the_connection_closed() {
    let text = ends_with(&frame(&[0xff; 50], b"value"), StatusCode::INVALID_REQUEST);
    assert!(text.contains("message"), "{text}");
}

#[test]
fn a_signed_command_that_is_no_protobuf_is_told_and_the_connection_closed() {
    let message = signed(vec![0xff; 50], FACTORY_IDENTITY, FACTORY_KEY);
    let text = ends_with(&frame(&message, &[]), StatusCode::INVALID_REQUEST);
    assert!(text.contains("command"), "{text}");
}

#[test]
fn a_frame_of_no_bytes_at_all_is_told_and_the_connection_closed() {
    ends_with(&announcing(0, 0), StatusCode::HEADER_REQUIRED);
}

#[test]
fn every_byte_of_a_request_flipped_stores_nothing_and_stops_nothing() {
    let target = Target::new();
    let mut talk = target.talk();
    let command = talk.command(MessageType::PUT, about(key_only(b"flipped")));
    let whole = request(&command, b"");
    // Lengths are left alone: a drive rightly waits for what they announce.
    for position in (0..1).chain(9..whole.len()) {
        let mut bytes = whole.clone();
        if let Some(byte) = bytes.get_mut(position) {
            *byte ^= 0x55;
        }
        let mut connection = target.connect();
        connection.send(&bytes).expect("it is sent");
        connection
            .finish_sending()
            .expect("a half-closed connection");
        // A last word or an answer or nothing, but an end.
        while let Answer::Frame(_) = connection.read().expect("frames or the end") {}
    }
    assert_eq!(target.talk().get(b"flipped").code(), StatusCode::NOT_FOUND);
    talk.ask(MessageType::NOOP, Body::default(), &[]).success();
    target.still_serves();
}
