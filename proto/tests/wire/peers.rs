//! Frames of real clients and of the reference simulator: all are read, equal to prost, verify,
//! and are written again byte by byte as they were.

use bytes::{Bytes, BytesMut};
use kinetic_proto::envelope::{fuzz_command_view, fuzz_message_view};
use kinetic_proto::schema::command::Header;
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::{
    Frame, FrameDecoder, Limits, MessageType, MessageView, Received, Seal, SigningKey, StatusCode,
    limits, message,
};
use prost::Message as _;

use crate::captured::{Exchange, exchanges};

const FACTORY_KEY: &[u8] = b"asdfasdf";

fn frame_of(place: &str, bytes: &[u8]) -> Frame {
    let mut decoder = FrameDecoder::default();
    let mut buffer = BytesMut::from(bytes);
    let frame = decoder
        .decode(&mut buffer)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(decoder.finish(&buffer), Ok(()), "{place}");
    frame.unwrap_or_else(|| panic!("{place}: the frame is not whole"))
}

/// Reads a frame by the views and by prost, and writes it again.
fn read(place: &str, bytes: &[u8]) -> Received {
    let frame = frame_of(place, bytes);
    fuzz_message_view(&frame.message);
    fuzz_command_view(MessageView::parse(&frame.message).unwrap().command_bytes());
    let received = Received::decode(&frame.message).unwrap();
    assert_eq!(
        received.command.encode_to_vec(),
        received.command_bytes,
        "{place}: command"
    );
    let key = SigningKey::new(FACTORY_KEY);
    let seal = match received.identity {
        Some(identity) => Seal::Signed {
            identity,
            key: &key,
        },
        None => Seal::Unsolicited,
    };
    let mut again = BytesMut::new();
    message::encode_frame(seal, &received.command, frame.value.length(), &mut again).unwrap();
    again.extend_from_slice(&frame.value.whole().unwrap());
    if received.verify(&key).is_ok() || received.is_unsolicited() {
        assert_eq!(Bytes::from(again), bytes, "{place}: frame");
    }
    received
}

fn header(received: &Received) -> &Header {
    received.command.header.as_ref().unwrap()
}

/// A request is badly signed exactly where the simulator said so.
fn check_request(exchange: &Exchange, request: &[u8]) {
    let (place, what) = (&exchange.place, &exchange.what);
    let received = read(place, request);
    let message_type = header(&received).message_type;
    assert_eq!(
        message_type.map(i64::from),
        exchange.message_type,
        "{place}: {what}"
    );
    assert!(MessageType(message_type.unwrap()).is_request(), "{place}");
    let refused = exchange.status == Some(i64::from(StatusCode::HMAC_FAILURE.0));
    assert_eq!(
        received.verify(&SigningKey::new(FACTORY_KEY)).is_err(),
        refused,
        "{place}"
    );
}

fn check_response(exchange: &Exchange, response: &[u8]) -> Received {
    let (place, what) = (&exchange.place, &exchange.what);
    let received = read(place, response);
    assert_eq!(
        Some(i64::from(received.status_code().0)),
        exchange.status,
        "{place}: {what}"
    );
    let verified = received.verify(&SigningKey::new(FACTORY_KEY));
    assert_eq!(verified.is_err(), received.is_unsolicited(), "{place}");
    received
}

fn check_hello(place: &str, hello: &Received) {
    assert_eq!(
        hello.auth_type,
        Some(AuthType::Unsolicitedstatus as i32),
        "{place}"
    );
    assert!(header(hello).connection_id.unwrap() > 0, "{place}");
    assert_eq!(header(hello).message_type, None, "{place}");
    let log = hello
        .command
        .body
        .as_ref()
        .and_then(|body| body.get_log.as_ref())
        .unwrap();
    assert!(log.configuration.is_some(), "{place}");
    let reported = Limits::from_message(log.limits.as_ref().unwrap());
    assert_eq!(reported.max_key_size, Some(limits::MAX_KEY_SIZE), "{place}");
    assert_eq!(
        reported.max_tag_size, None,
        "{place}: the simulator's -1 is no limit"
    );
}

#[test]
fn captured_frames_are_read_verify_and_are_written_again_as_they_were() {
    let Some(exchanges) = exchanges() else {
        println!("skipped: KINETIC_CAPTURES is not set");
        return;
    };
    let mut hellos = 0;
    for exchange in &exchanges {
        if let Some(request) = &exchange.request {
            check_request(exchange, request);
        }
        let Some(bytes) = &exchange.response else {
            continue;
        };
        let response = check_response(exchange, bytes);
        let Some(request) = &exchange.request else {
            check_hello(&exchange.place, &response);
            hellos += 1;
            continue;
        };
        let request = read(&exchange.place, request);
        let sequence = header(&request).sequence.unwrap_or_default();
        assert_eq!(
            response.ack_sequence().unwrap_or_default(),
            sequence,
            "{}",
            exchange.place
        );
    }
    println!("{} exchanges, {hellos} of them hellos", exchanges.len());
    assert!(
        exchanges.len() >= 110 && hellos >= 6,
        "{} exchanges",
        exchanges.len()
    );
}
