//! `debug pdu`: a capture as JSON, and what is wrong with its HMAC.

use bytes::BytesMut;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::Header;
use kinetic_proto::{MessageType, Seal, SigningKey, message};

use crate::kinetic::{Kinetic, Said};

fn capture(key: &[u8], value: &[u8]) -> Vec<u8> {
    let command = Command {
        header: Some(Header {
            sequence: Some(7),
            message_type: Some(MessageType::PUT.into()),
            ..Header::default()
        }),
        ..Command::default()
    };
    let seal = Seal::Signed {
        identity: 3,
        key: &SigningKey::new(key),
    };
    let mut out = BytesMut::new();
    message::encode_frame(seal, &command, value.len(), &mut out).expect("a frame");
    out.extend_from_slice(value);
    out.to_vec()
}

fn debug(capture: &[u8]) -> Said {
    let command = Kinetic::new().args(["debug", "pdu", "-", "--output", "json"]);
    command.env("KINETIC_KEY", "right").input(capture).run()
}

#[test]
fn a_capture_shows_frame_message_and_command() {
    let bytes = capture(b"right", b"value");
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
    for said in [debug(&bytes), debug(digits.as_bytes())] {
        let shown = said.done().json();
        let at = |path: &str| shown.pointer(path).cloned().unwrap_or_default();
        assert_eq!(at("/frame/value_bytes"), 5);
        assert_eq!(at("/frame/value_bytes_missing"), 0);
        assert_eq!(at("/message/hmacAuth/identity"), 3);
        assert_eq!(at("/message/command/header/messageType"), "PUT");
        assert_eq!(at("/message/command/header/sequence"), 7);
        assert_eq!(at("/hmac/right"), true);
    }
}

#[test]
fn a_wrong_hmac_says_what_was_done_wrong() {
    for (key, words) in [
        (&b"asdfasdf"[..], "key of the factory"),
        (b"right\n", "a newline"),
        (b"", "an empty key"),
        (b"quite another", "another key"),
    ] {
        let said = debug(&capture(key, b"")).exits(6);
        assert!(said.err.contains("the HMAC is wrong"), "{said}");
        let shown = said.json();
        let verdict = shown
            .pointer("/hmac/verdict")
            .and_then(|text| text.as_str());
        assert!(verdict.is_some_and(|text| text.contains(words)), "{shown}");
        assert_eq!(shown.pointer("/hmac/right"), Some(&false.into()));
    }
    let said = Kinetic::new().args(["debug", "pdu", "-"]);
    let said = said.input(&capture(b"asdfasdf", b"")).run().done();
    assert!(said.text().ends_with("HMAC: right\n"), "{said}");
}

#[test]
fn what_is_no_pdu_is_refused_with_its_reason() {
    debug(b"HTTP/1.1 200 OK").fails(2, &["begins with F"]);
    debug(b"0x46 0x00").fails(2, &["xxd -p"]);
    debug(b"F\0\0").fails(2, &["9 bytes", "there are 3"]);
    debug(b"F\0\0\0\x09\0\0\0\0x").fails(2, &["9 bytes"]);
    Kinetic::new()
        .args(["debug", "pdu", "/nowhere"])
        .run()
        .fails(7, &["/nowhere"]);
}
