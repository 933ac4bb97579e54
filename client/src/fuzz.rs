//! Fuzzing: whatever a drive sends, every request is answered once, and nothing unsigned is
//! believed where a signature is due.
//!
//! The bytes of an input of [`fuzz_answers`] are what a drive sends after its hello. If the first
//! one is even, the rest is what comes over the wire. If it is odd, the rest is a list of commands,
//! each behind its length in two bytes, little-endian, and they are signed here: no fuzzer finds an
//! HMAC. Not here: frames and messages by themselves (`kinetic_proto`), and corpora (tests).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kinetic_proto::limits::FRAME_HEADER_SIZE;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::{Body, KeyValue, Setup};
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::{CommandView, FrameDecoder, Limits, MessageType, Received, SigningKey, frame};

use crate::core::{Capabilities, Event, Hello, Outgoing, Reply, Request, Session, Signer, Special};
use crate::error::Error;
use crate::ops::{Entry, read_acls, read_digest, read_found};
use crate::pdu::{Pdu, Verdict};

const KEY: &[u8] = b"a key that no capture has";
const IDENTITY: i64 = 1;

/// The one request of [`asked`] whose answer is not signed.
const UNSIGNED: usize = 0;

/// The one request of [`asked`] that ends a batch.
const BATCH: usize = 1;

/// Requests of every kind that makes a difference to how its answer is read. Their sequences start
/// at one; the batch takes three of them.
fn asked() -> Vec<Request> {
    let keyed = KeyValue {
        key: Some(Bytes::from_static(b"key")),
        ..KeyValue::default()
    };
    let setup = Setup {
        new_cluster_version: Some(7),
        ..Setup::default()
    };
    let setup = Body {
        setup: Some(setup),
        ..Body::default()
    };
    let ahead = vec![
        Request::new(MessageType::START_BATCH),
        Request::of_key(MessageType::PUT, keyed.clone()),
    ];
    let with = |kind, special| Request {
        special: Some(Box::new(special)),
        ..Request::new(kind)
    };
    vec![
        with(MessageType::PINOP, Special::WithPin(Pin("1234".into()))),
        with(MessageType::END_BATCH, Special::Behind(ahead)),
        Request::of_key(MessageType::GET, keyed.clone()),
        Request::of_key(MessageType::GETNEXT, keyed.clone()),
        Request::of_key(MessageType::GETVERSION, keyed),
        Request::new(MessageType::GETKEYRANGE),
        Request::new(MessageType::GETLOG),
        Request::with_body(MessageType::SETUP, setup),
        Request::new(MessageType::NOOP),
    ]
}

/// What a drive sends on a connection on which it has been asked all sorts of things.
///
/// # Panics
/// When a request is answered twice or not at all, an answer is believed that is not signed, or
/// what it holds is read as something else.
pub fn fuzz_answers(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let is_signed = first % 2 == 1;
    let mut stream = if is_signed {
        signed(rest)
    } else {
        BytesMut::from(rest)
    };
    let mut session = session();
    let mut left: BTreeSet<usize> = (0..session.outstanding()).collect();
    let mut decoder = FrameDecoder::default();
    while let Ok(Some(frame)) = decoder.decode(&mut stream) {
        match session.receive(frame) {
            Event::Answer { token, outcome } => {
                assert!(left.remove(&token), "request {token} is answered twice");
                assert!(is_signed || token == UNSIGNED, "request {token} was forged");
                read(token, outcome);
            }
            Event::Late => {}
            Event::Over(reason) => {
                assert!(!reason.to_string().is_empty());
                break;
            }
        }
    }
    assert_eq!(session.outstanding(), left.len());
    for token in session.close() {
        assert!(left.remove(&token), "request {token} is given back twice");
    }
    assert!(left.is_empty(), "requests {left:?} are lost");
}

/// A connection on which all has been asked.
fn session() -> Session<usize> {
    let mut session = Session::new(Signer {
        identity: IDENTITY,
        key: SigningKey::new(KEY),
        connection_id: 1,
        cluster_version: 0,
        max_value_size: None,
        first_sequence: 1,
    });
    for (token, request) in asked().into_iter().enumerate() {
        session.submit(request, Duration::MAX, token);
    }
    let refused = session.transmit(&mut Outgoing::default(), |_| true);
    assert!(refused.is_empty(), "what is asked must be small enough");
    session
}

/// The commands of a list as signed frames, with a value where the length is odd.
fn signed(mut rest: &[u8]) -> BytesMut {
    let (key, mut stream) = (SigningKey::new(KEY), BytesMut::new());
    while rest.len() >= 2 {
        let length = usize::from(rest.get_u16_le()).min(rest.len());
        let (command, behind) = rest.split_at(length);
        rest = behind;
        let value = command.get(..length % 2 * 16).unwrap_or_default();
        let mut auth = vec![1 << 3, 1];
        put_field(2, &key.sign(command), &mut auth);
        let mut message = vec![4 << 3, 1];
        put_field(5, &auth, &mut message);
        put_field(7, command, &mut message);
        // Two bytes of length are far below the limit of a message.
        let _ = frame::encode_frame(&message, value.len(), &mut stream);
        stream.extend_from_slice(value);
    }
    stream
}

/// Appends a field of bytes.
fn put_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.put_u8(number << 3 | 2);
    let mut length = bytes.len();
    while let (low, 1..) = (length.to_le_bytes()[0] & 0x7f, length >> 7) {
        out.put_u8(low | 0x80);
        length >>= 7;
    }
    out.put_u8(length.to_le_bytes()[0]);
    out.put_slice(bytes);
}

fn read(token: usize, outcome: Result<Reply, Error>) {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            if let Error::Refused {
                failed_operation: Some(_),
                ..
            } = error
            {
                assert_eq!(token, BATCH, "no batch, and yet an operation is to blame");
            }
            return;
        }
    };
    let asked = Bytes::from_static(b"asked");
    let value = reply.value.clone();
    let told = reply.body.key_value.clone().and_then(|entry| entry.key);
    let entry = Entry::read(reply, Some(&asked)).ok();
    assert_eq!(entry.as_ref().map(|entry| &entry.value), Some(&value));
    let key = entry.map(|entry| entry.metadata.key);
    assert_eq!(key, told.or(Some(asked)));
}

/// The first message of a connection: limits that are understood are told again as they are.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_hello(bytes: &[u8]) {
    match Hello::read(&Bytes::copy_from_slice(bytes)) {
        Ok(hello) => {
            let _old = hello.is_before_4();
            let again = Limits::from_message(&hello.limits.to_message());
            assert_eq!(again, hello.limits);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A captured PDU: its parts are all of it, and it is judged as whoever receives it would. A fuzzer
/// that sees what is compared finds signatures that are right.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_pdu(bytes: &[u8]) {
    let pdu = match Pdu::read(&Bytes::copy_from_slice(bytes)) {
        Ok(pdu) => pdu,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let header = pdu.announced.map_or(0, |_| FRAME_HEADER_SIZE);
    let parts = header + pdu.message.len() + pdu.value.len() + pdu.trailing;
    assert_eq!(parts, bytes.len());
    let is_right = pdu.judge(KEY) == Verdict::Right;
    let received = Received::decode(&pdu.message);
    if let Ok(received) = received {
        let is_signed = received.auth_type == Some(AuthType::Hmacauth.into());
        let verified = received.verify(&SigningKey::new(KEY)).is_ok();
        assert_eq!(is_right, is_signed && verified);
    }
}

/// The list of identities that a drive publishes: all of them are read, as they are, or none.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_acls(bytes: &[u8]) {
    let Some(listed) = read_acls(bytes) else {
        return;
    };
    let told: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    // The reader also takes an object's members without their names, in order.
    let told = told.as_ref();
    let told = told.and_then(|told| told.get("identities").or_else(|| told.get(0)));
    let told = told.and_then(serde_json::Value::as_array);
    let numbers: Option<Vec<Option<i64>>> = told.map(|told| {
        let number = |one: &serde_json::Value| one.get("identity").or_else(|| one.get(0))?.as_i64();
        told.iter().map(number).collect()
    });
    let read = listed.iter().map(|one| Some(one.identity)).collect();
    assert_eq!(numbers, Some(read));
}

/// Answers to requests beyond the protocol. If the first byte is odd, the rest is the content of
/// the log of capabilities: no request may be known that does not stand there, and limits let one
/// get on. If it is even, the rest is a command: parts of a digest follow each other, and values
/// are cut out of what came, without gaps.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_extensions(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    if first % 2 == 1 {
        let capabilities = Capabilities::read(rest);
        assert!(capabilities.max_keys_per_request > 0);
        let text = String::from_utf8_lossy(rest);
        for kind in MessageType::EXTENSIONS {
            let known = capabilities.may_know(*kind);
            assert!(!known || text.contains(&kind.0.to_string()), "{kind}");
        }
        return;
    }
    let source = Bytes::copy_from_slice(rest);
    let body = CommandView::parse(&source).and_then(|view| view.decode_body(&source));
    let Ok(Some(body)) = body else {
        return;
    };
    if let Ok(parts) = read_digest(body.digest.unwrap_or_default()) {
        assert!(!parts.is_empty());
        let ends: Vec<_> = parts.iter().map(|part| part.end.as_ref()).collect();
        let follow = |pair: &[Option<&Bytes>]| match pair {
            [Some(before), Some(end)] => before < end,
            [before, _] => before.is_some(),
            _ => true,
        };
        assert!(ends.windows(2).all(follow));
    }
    let keys = vec![Bytes::from_static(b"key"); body.found.len()];
    let came = Bytes::from_static(&[7; FOUND_BYTES]);
    if let Ok(looked) = read_found(body.found, (&keys, came)) {
        let values = looked.iter().flatten().flatten();
        let sum: usize = values.map(|entry| entry.value.len()).sum();
        assert!(looked.len() <= keys.len() && sum <= FOUND_BYTES);
    }
}

/// Bytes of values behind such a command.
const FOUND_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use kinetic_proto::schema::Command;
    use kinetic_proto::schema::command::digest::Part;
    use kinetic_proto::schema::command::{Batch, Digest, Found, GetLog, Header};
    use kinetic_proto::{MessageView, Seal, StatusCode, message};

    const MUTATIONS: u64 = 3000;

    /// The same seed gives the same bytes for ever.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
            self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
            usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
        }

        fn mutate(&mut self, bytes: &mut Vec<u8>) {
            for _ in 0..=self.roll(4) {
                let at = 1 + self.roll(bytes.len() - 1);
                match self.roll(4) {
                    0 => bytes.truncate(at + 1),
                    1 => bytes.insert(at, [0, 0x7f, 0x80, 0xff][self.roll(4)]),
                    _ if at < bytes.len() => bytes[at] ^= 1 << self.roll(8),
                    _ => bytes.push(b'F'),
                }
            }
        }
    }

    /// An answer to each request of [`asked`], in order.
    fn answers() -> Vec<Command> {
        let batch = Batch {
            failed_sequence: Some(3),
            ..Batch::default()
        };
        let sequences = [1_u64, 4, 5, 6, 7, 8, 9, 10, 11];
        let answer = |(request, sequence): (Request, u64)| Command {
            header: Some(Header {
                ack_sequence: Some(sequence),
                message_type: request.message_type.response().map(|kind| kind.0),
                ..Header::default()
            }),
            body: Some(Box::new(Body {
                key_value: request.key_value().cloned(),
                batch: Some(batch.clone()),
                ..Body::default()
            })),
            status: Some(StatusCode::SUCCESS.with_text("")),
        };
        asked().into_iter().zip(sequences).map(answer).collect()
    }

    fn listed(commands: &[Command]) -> Vec<u8> {
        let mut input = vec![1];
        for command in commands {
            let mut frame = BytesMut::new();
            message::encode_frame(Seal::Unsolicited, command, 0, &mut frame).unwrap();
            let view = MessageView::parse(&frame[FRAME_HEADER_SIZE..]).unwrap();
            let command = view.command_bytes();
            input.extend(u16::try_from(command.len()).unwrap().to_le_bytes());
            input.extend(command);
        }
        input
    }

    fn run(input: &[u8], target: fn(&[u8])) {
        target(input);
        for seed in 0..MUTATIONS {
            let mut bytes = input.to_vec();
            Dice(seed).mutate(&mut bytes);
            target(&bytes);
        }
    }

    #[test]
    fn the_corpus_reaches_what_it_is_meant_for() {
        let (mut session, mut decoder) = (session(), FrameDecoder::default());
        let mut stream = signed(&listed(&answers())[1..]);
        let mut answered = 0;
        while let Ok(Some(frame)) = decoder.decode(&mut stream) {
            let event = session.receive(frame);
            assert!(matches!(event, Event::Answer { outcome: Ok(_), .. }));
            answered += 1;
        }
        assert_eq!((answered, session.outstanding()), (asked().len(), 0));
    }

    #[test]
    fn no_list_of_signed_answers_loses_or_doubles_a_request() {
        run(&listed(&answers()), fuzz_answers);
    }

    #[test]
    fn no_bytes_of_a_stranger_are_believed() {
        let mut stream = BytesMut::from(&[0][..]);
        let stranger = SigningKey::new(b"asdfasdf");
        for (place, answer) in answers().iter().enumerate() {
            let seal = match place {
                UNSIGNED => Seal::PinResponse,
                _ => Seal::Signed {
                    identity: IDENTITY,
                    key: &stranger,
                },
            };
            message::encode_frame(seal, answer, 0, &mut stream).unwrap();
        }
        run(&stream, fuzz_answers);
        run(&stream[1..], fuzz_pdu);
    }

    #[test]
    fn a_pdu_whose_signature_is_right_is_judged_so() {
        let key = SigningKey::new(KEY);
        let seal = Seal::Signed {
            identity: IDENTITY,
            key: &key,
        };
        for answer in answers() {
            let mut frame = BytesMut::new();
            message::encode_frame(seal, &answer, 0, &mut frame).unwrap();
            run(&frame, fuzz_pdu);
        }
    }

    #[test]
    fn no_list_of_identities_is_read_in_part() {
        let list = br#"{"identities":[{"identity":-7,"hmacAlgorithm":"HmacSHA1","maxPriority":5,
            "scopes":[{"offset":3,"value":"dmFsdWU=","permissions":["READ"],
            "TlsRequired":true}]},{"identity":8,"hmacAlgorithm":"HmacSHA1","maxPriority":null,
            "scopes":[]}]}"#;
        assert_eq!(read_acls(list).map(|read| read.len()), Some(2));
        run(list, fuzz_acls);
        fuzz_acls(br#" [[]] "#);
        fuzz_acls(br#"[[[7,"HmacSHA1",null,[]]]]"#);
    }

    #[test]
    fn no_answer_of_an_extension_is_misread() {
        let list = br#"1{"extensions":[{"name":"COUNT","number":1002}],
            "limits":{"maxKeysPerRequest":7,"maxFoundSize":1048576}}"#;
        assert!(Capabilities::read(&list[1..]).may_know(MessageType::COUNT));
        run(list, fuzz_extensions);
        let part = |end: Option<&'static [u8]>| Part {
            end_key: end.map(Bytes::from_static),
            count: Some(1),
            ..Part::default()
        };
        let found = |code: StatusCode, length| Found {
            status: Some(code.to_message()),
            value_length: Some(length),
            ..Found::default()
        };
        let body = Body {
            digest: Some(Digest {
                part: vec![part(Some(b"a")), part(Some(b"b")), part(None)],
            }),
            found: vec![
                found(StatusCode::SUCCESS, 3),
                found(StatusCode::NOT_FOUND, 0),
                found(StatusCode::SUCCESS, 13),
                found(StatusCode::NOT_ATTEMPTED, 0),
            ],
            ..Body::default()
        };
        assert!(read_digest(body.digest.clone().unwrap_or_default()).is_ok());
        let mut input = vec![0];
        let command = Command {
            body: Some(Box::new(body)),
            ..Command::default()
        };
        // Behind the length of the list's one command.
        input.extend(&listed(&[command])[3..]);
        run(&input, fuzz_extensions);
    }

    #[test]
    fn no_hello_is_misread() {
        let log = GetLog {
            limits: Some(Limits::default().to_message()),
            ..GetLog::default()
        };
        let hello = Command {
            header: Some(Header::default()),
            body: Some(Box::new(Body {
                get_log: Some(Box::new(log)),
                ..Body::default()
            })),
            status: Some(StatusCode::SUCCESS.with_text("")),
        };
        let mut frame = BytesMut::new();
        message::encode_frame(Seal::Unsolicited, &hello, 0, &mut frame).unwrap();
        let message = &frame[FRAME_HEADER_SIZE..];
        assert!(Hello::read(&Bytes::copy_from_slice(message)).is_ok());
        run(message, fuzz_hello);
    }
}
