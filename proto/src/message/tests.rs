//! Sealed messages byte by byte: envelope, presence, packing, limits.

use super::*;
use crate::schema::Message;
use crate::schema::command::{Batch, Body, GetLog, Header, Range};
use crate::schema::message::HmaCauth;

fn key() -> SigningKey {
    SigningKey::new(b"asdfasdf")
}

fn command(body: Option<Body>) -> Command {
    let header = Header {
        ack_sequence: Some(0),
        message_type: Some(29),
        ..Header::default()
    };
    Command {
        header: Some(header),
        body: body.map(Box::new),
        status: Some(StatusCode::SUCCESS.to_message()),
    }
}

#[test]
fn a_signed_message_is_what_prost_would_write() {
    for identity in [0, 1, 300, i64::MAX, -1, i64::MIN] {
        let command = command(None);
        let command_bytes = command.encode_to_vec();
        let expected = Message {
            auth_type: Some(AuthType::Hmacauth as i32),
            hmac_auth: Some(HmaCauth {
                identity: Some(identity),
                hmac: Some(key().sign(&command_bytes).to_vec().into()),
            }),
            pin_auth: None,
            command_bytes: Some(command_bytes.into()),
        };
        let sealed = seal_message(&key(), identity, &command).unwrap();
        assert_eq!(sealed, expected.encode_to_vec());
        let read = Received::decode(&sealed).unwrap();
        assert_eq!(read.verify(&key()), Ok(()));
        assert!(read.verify(&SigningKey::new(b"other")).is_err());
        assert_eq!((read.identity, read.command), (Some(identity), command));
    }
}

#[test]
fn pin_and_unsolicited_messages_carry_no_signature() {
    let pin = Pin(Bytes::from_static(b"1234"));
    let cases = [
        (
            Seal::PinRequest(&pin),
            AuthType::Pinauth,
            Some(&b"1234"[..]),
        ),
        (Seal::PinResponse, AuthType::Pinauth, None),
        (Seal::Unsolicited, AuthType::Unsolicitedstatus, None),
    ];
    for (seal, auth_type, expected_pin) in cases {
        let mut out = BytesMut::new();
        encode_message(seal, &command(None), &mut out).unwrap();
        let message = Message::decode(out.freeze()).unwrap();
        assert_eq!(message.auth_type, Some(auth_type as i32));
        assert_eq!(message.hmac_auth, None);
        let pin = message.pin_auth.map(|auth| auth.pin.unwrap());
        assert_eq!(pin.as_deref(), expected_pin);
        assert_eq!(
            message.command_bytes.unwrap(),
            command(None).encode_to_vec()
        );
    }
    assert_eq!(format!("{pin:?}"), "Pin(..)");
}

#[test]
fn frames_are_appended_behind_what_is_there() {
    let mut out = BytesMut::from(&b"before"[..]);
    let seal = Seal::Signed {
        identity: 1,
        key: &key(),
    };
    encode_frame(seal, &command(None), 5, &mut out).unwrap();
    let message = seal_message(&key(), 1, &command(None)).unwrap();
    let length = u32::try_from(message.len()).unwrap();
    let expected = [b"before", &frame_header(length, 5)[..], &message].concat();
    assert_eq!(out, expected);
}

#[test]
fn a_message_over_the_limit_leaves_the_buffer_alone() {
    let get_log = GetLog {
        messages: Some(vec![0; 1 << 20].into()),
        ..GetLog::default()
    };
    let body = Body {
        get_log: Some(Box::new(get_log)),
        ..Body::default()
    };
    let mut out = BytesMut::from(&b"before"[..]);
    let refused = encode_frame(Seal::Unsolicited, &command(Some(body)), 0, &mut out);
    assert!(
        matches!(refused, Err(FrameError::MessageTooLong { .. })),
        "{refused:?}"
    );
    assert_eq!(out, "before");
}

#[test]
fn empty_and_absent_end_keys_differ_on_the_wire() {
    let encoded = |end_key: Option<Bytes>| {
        Range {
            end_key,
            ..Range::default()
        }
        .encode_to_vec()
    };
    assert_eq!(encoded(None), []);
    assert_eq!(encoded(Some(Bytes::new())), [0x12, 0]);
    assert_eq!(
        Range::decode(&[0x12, 0][..]).unwrap().end_key,
        Some(Bytes::new())
    );
}

#[test]
fn zero_is_written_where_it_is_present() {
    let header = Header {
        batch_id: Some(0),
        ack_sequence: Some(0),
        ..Header::default()
    };
    assert_eq!(header.encode_to_vec(), [0x30, 0, 0x70, 0]);
}

#[test]
fn batch_sequences_are_written_packed_and_read_both_ways() {
    let batch = Batch {
        sequence: vec![1, 300],
        ..Batch::default()
    };
    assert_eq!(batch.encode_to_vec(), [0x12, 3, 1, 0xac, 2]);
    assert_eq!(Batch::decode(&[0x10, 1, 0x10, 0xac, 2][..]).unwrap(), batch);
}

#[test]
fn log_types_are_written_unpacked_and_read_both_ways() {
    let log = GetLog {
        types: vec![0, -1, 6],
        ..GetLog::default()
    };
    let mut expected = vec![8, 0, 8];
    expected.extend([0xff; 9]);
    expected.extend([1, 8, 6]);
    assert_eq!(log.encode_to_vec(), expected);
    let packed = GetLog::decode(&[0x0a, 2, 0, 6][..]).unwrap();
    assert_eq!(packed.types, [0, 6]);
}

#[test]
fn a_message_without_a_signature_does_not_verify() {
    let mut out = BytesMut::new();
    encode_message(Seal::Unsolicited, &command(None), &mut out).unwrap();
    let read = Received::decode(&out.freeze()).unwrap();
    assert!(read.is_unsolicited());
    assert!(read.verify(&key()).is_err());
    assert_eq!(read.status_code(), StatusCode::SUCCESS);
    assert_eq!(read.ack_sequence(), Some(0));
}

#[test]
fn an_empty_message_reads_as_an_empty_command() {
    let read = Received::decode(&Bytes::new()).unwrap();
    assert_eq!(read.command, Command::default());
    assert_eq!(read.status_code(), StatusCode(-1));
}

#[test]
fn a_command_is_small_enough_to_be_moved_around() {
    assert!(
        size_of::<Command>() <= 1024,
        "{} bytes",
        size_of::<Command>()
    );
}
