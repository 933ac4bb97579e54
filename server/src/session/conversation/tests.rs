//! Conversations by bytes: frames go in, steps and encoded answers come out.

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::command::{Body, KeyValue, Security, Synchronization};
use kinetic_proto::schema::{Command, Message};
use kinetic_proto::{FrameDecoder, Received, Seal, SigningKey, message};
use kinetic_store::Durability;
use prost::Message as _;

use super::*;
use crate::auth::FACTORY_KEY;
use crate::ram_drive::{body, command, device, entry, frame};
use crate::session::unsolicited::encode_hello;

struct Talk {
    drive: Drive,
    session: Session,
}

fn talk() -> Talk {
    let device = device();
    let identities = IdentityTable::new([Identity::factory(FACTORY_KEY)]);
    Talk {
        drive: Drive {
            device,
            identities,
            batches: Arc::default(),
        },
        session: Session::new(77, Channel::Plain),
    }
}

impl Talk {
    fn step(&mut self, mut bytes: BytesMut) -> Step {
        let frame = FrameDecoder::default().decode(&mut bytes).unwrap().unwrap();
        self.session.receive(&self.drive, &frame, 0)
    }

    fn say(&mut self, command: &Command) -> Step {
        self.step(frame(command, b""))
    }

    fn answer(&mut self, command: &Command) -> Received {
        let step = self.say(command);
        encoded(step)
    }

    fn farewell(&mut self, bytes: BytesMut) -> Farewell {
        match self.step(bytes) {
            Step::HangUp(farewell) => farewell,
            other => panic!("{other:?}"),
        }
    }
}

/// The answer as a client sees it.
fn encoded(step: Step) -> Received {
    let Step::Answer(route, answer) = step else {
        panic!("{step:?}")
    };
    let mut out = BytesMut::new();
    route.encode(answer, &mut out);
    received(out)
}

fn received(mut out: BytesMut) -> Received {
    let frame = FrameDecoder::default().decode(&mut out).unwrap().unwrap();
    Received::decode(&frame.message).unwrap()
}

fn text(received: &Received) -> &str {
    let status = received.command.status.as_ref().unwrap();
    status.status_message.as_deref().unwrap_or_default()
}

fn put(entry: KeyValue) -> Command {
    command(1, MessageType::PUT, body(entry))
}

fn signed_by(identity: i64, key: &[u8], command: &Command) -> BytesMut {
    let mut out = BytesMut::new();
    let key = SigningKey::new(key);
    let seal = Seal::Signed {
        identity,
        key: &key,
    };
    message::encode_frame(seal, command, 0, &mut out).unwrap();
    out
}

fn raw(message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    kinetic_proto::frame::encode_frame(&message.encode_to_vec(), 0, &mut out).unwrap();
    out
}

#[test]
fn the_hello_names_the_drive_its_limits_and_the_connection() {
    let talk = talk();
    let mut out = BytesMut::new();
    encode_hello(&talk.drive.device, 77, &mut out);
    let hello = received(out);
    assert!(hello.is_unsolicited() && hello.hmac.is_none());
    assert_eq!(hello.status_code(), StatusCode::SUCCESS);
    let header = hello.command.header.unwrap();
    assert_eq!(header.connection_id, Some(77));
    assert_eq!(header.cluster_version, Some(0));
    assert_eq!((header.message_type, header.ack_sequence), (None, None));
    let log = hello.command.body.unwrap().get_log.unwrap();
    assert_eq!(log.limits.unwrap().max_key_size, Some(4096));
    let configuration = log.configuration.unwrap();
    assert_eq!(configuration.port, Some(8123));
    assert_eq!(
        configuration.world_wide_name.unwrap().as_ref(),
        b"30313233-3435-3637-3839-616263646566"
    );
}

#[test]
fn an_answer_is_signed_and_names_request_and_connection() {
    let noop = command(0, MessageType::NOOP, None);
    let answer = talk().answer(&noop);
    assert_eq!(answer.status_code(), StatusCode::SUCCESS);
    assert_eq!(answer.ack_sequence(), Some(0));
    let header = answer.command.header.unwrap();
    assert_eq!(header.connection_id, Some(77));
    assert_eq!(header.cluster_version, None);
    assert_eq!(header.message_type, Some(29));
    assert_eq!(answer.identity, Some(1));
    assert!(answer.verify(&SigningKey::new(FACTORY_KEY)).is_ok());
}

#[test]
fn a_wrong_key_ends_the_connection_and_says_what_is_usually_wrong() {
    let noop = command(1, MessageType::NOOP, None);
    let farewell = talk().farewell(signed_by(1, b"wrong", &noop));
    assert_eq!(farewell, Farewell::WrongHmac(1));
    let mut out = BytesMut::new();
    farewell.encode(&mut out);
    let last = received(out);
    assert!(last.is_unsolicited() && last.command.header.is_none());
    assert_eq!(last.status_code(), StatusCode::HMAC_FAILURE);
    assert!(text(&last).contains("key") && text(&last).contains("length"));
}

#[test]
fn an_unknown_identity_and_a_missing_signature_end_the_connection() {
    let noop = command(1, MessageType::NOOP, None);
    let farewell = talk().farewell(signed_by(9, FACTORY_KEY, &noop));
    assert_eq!(farewell, Farewell::UnknownIdentity(9));
    let unsigned = Message {
        auth_type: Some(AuthType::Hmacauth.into()),
        command_bytes: Some(noop.encode_to_vec().into()),
        ..Message::default()
    };
    assert_eq!(talk().farewell(raw(&unsigned)), Farewell::NotSigned);
}

#[test]
fn the_key_of_one_identity_does_not_sign_for_another() {
    let mut talk = talk();
    let other = Identity {
        number: 2,
        ..Identity::factory(b"the other's")
    };
    talk.drive
        .identities
        .replace([Identity::factory(FACTORY_KEY), other]);
    let noop = command(1, MessageType::NOOP, None);
    assert!(matches!(talk.say(&noop), Step::Answer(..)));
    let forged = talk.farewell(signed_by(2, FACTORY_KEY, &noop));
    assert_eq!(forged, Farewell::WrongHmac(2));
    let own = talk.step(signed_by(
        2,
        b"the other's",
        &command(2, MessageType::NOOP, None),
    ));
    assert!(matches!(own, Step::Answer(..)), "{own:?}");
}

#[test]
fn a_status_from_a_client_and_what_is_no_protobuf_end_the_connection() {
    let status = Message {
        auth_type: Some(AuthType::Unsolicitedstatus.into()),
        ..Message::default()
    };
    assert_eq!(talk().farewell(raw(&status)), Farewell::AuthType(3));
    let mut scrap = BytesMut::from(&b"F\0\0\0\x02\0\0\0\0\xff\xff"[..]);
    assert_eq!(
        talk().farewell(scrap.split()),
        Farewell::Malformed("message")
    );
}

#[test]
fn an_empty_message_lacks_its_header() {
    assert_eq!(
        talk().farewell(raw(&Message::default())),
        Farewell::NoHeader
    );
    let answer = talk().answer(&Command::default());
    assert_eq!(answer.status_code(), StatusCode::HEADER_REQUIRED);
    assert_eq!(answer.ack_sequence(), Some(0));
}

#[test]
fn a_sequence_that_does_not_grow_is_refused_and_the_next_one_is_not() {
    let mut talk = talk();
    let mut say = |sequence| talk.answer(&command(sequence, MessageType::NOOP, None));
    assert_eq!(say(500).status_code(), StatusCode::SUCCESS);
    for old in [500, 3] {
        let refused = say(old);
        assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
        assert_eq!(refused.ack_sequence(), Some(old));
        assert!(text(&refused).contains("500"), "{}", text(&refused));
    }
    assert_eq!(say(502).status_code(), StatusCode::SUCCESS);
}

#[test]
fn another_cluster_version_is_told_the_drives_own() {
    let mut noop = command(1, MessageType::NOOP, None);
    if let Some(header) = &mut noop.header {
        header.cluster_version = Some(7);
    }
    let refused = talk().answer(&noop);
    assert_eq!(refused.status_code(), StatusCode::VERSION_FAILURE);
    assert_eq!(refused.command.header.unwrap().cluster_version, Some(0));
}

#[test]
fn oversize_fields_are_named_with_size_and_limit() {
    let bytes = |size| Some(Bytes::from(vec![b'x'; size]));
    let cases = [
        (
            "key",
            4097,
            "4096",
            KeyValue {
                key: bytes(4097),
                ..entry(b"")
            },
        ),
        (
            "newVersion",
            2049,
            "2048",
            KeyValue {
                new_version: bytes(2049),
                ..entry(b"k")
            },
        ),
        (
            "dbVersion",
            2050,
            "2048",
            KeyValue {
                db_version: bytes(2050),
                ..entry(b"k")
            },
        ),
        (
            "tag",
            4099,
            "4096",
            KeyValue {
                tag: bytes(4099),
                ..entry(b"k")
            },
        ),
    ];
    for (field, size, limit, entry) in cases {
        let refused = talk().answer(&put(entry));
        assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
        let text = text(&refused);
        assert!(text.contains(field) && text.contains(limit), "{text}");
        assert!(text.contains(&size.to_string()), "{text}");
        assert!(refused.command.body.unwrap().key_value.is_some());
    }
}

#[test]
fn an_oversize_value_is_refused_on_its_own_sequence() {
    let mut talk = talk();
    let step = talk.step(frame(&put(entry(b"k")), &vec![0; (1 << 20) + 1]));
    let refused = encoded(step);
    assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
    assert_eq!(refused.ack_sequence(), Some(1));
    assert!(text(&refused).contains("1048577") && text(&refused).contains("1048576"));
    let noop = command(2, MessageType::NOOP, None);
    assert_eq!(talk.answer(&noop).status_code(), StatusCode::SUCCESS);
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    let refused = |number| {
        let answer = talk().answer(&command(1, MessageType(number), None));
        assert_eq!(answer.status_code(), StatusCode::INVALID_REQUEST);
        text(&answer).to_owned()
    };
    assert!(refused(3).contains("PUT_RESPONSE is not a request"));
    assert!(refused(-1).contains("not a request"));
    assert!(refused(98).contains("98 is not known"));
    assert!(refused(MessageType::SECURITY.0).contains("TLS"));
}

#[test]
fn a_pin_operation_needs_tls_and_is_answered_unsigned() {
    let security = Security::default();
    let bodies = [
        (MessageType::PINOP, "TLS", None),
        (MessageType::NOOP, "HMACAUTH", None),
        (MessageType::SECURITY, "HMACAUTH", Some(security)),
    ];
    for (kind, expected, security) in bodies {
        let body = security.map(|security| Body {
            security: Some(Box::new(security)),
            ..Body::default()
        });
        let pin = message::Pin(Bytes::from_static(b"1234"));
        let mut out = BytesMut::new();
        let seal = Seal::PinRequest(&pin);
        message::encode_frame(seal, &command(4, kind, body), 0, &mut out).unwrap();
        let refused = encoded(talk().step(out));
        assert_eq!(refused.auth_type, Some(AuthType::Pinauth.into()));
        assert_eq!(
            (refused.hmac.as_ref(), refused.ack_sequence()),
            (None, Some(4))
        );
        assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
        assert!(text(&refused).contains(expected), "{}", text(&refused));
    }
}

#[test]
fn an_absent_synchronization_is_the_safe_one() {
    let durability = |synchronization| {
        let entry = KeyValue {
            synchronization,
            ..entry(b"k")
        };
        match talk().say(&put(entry)) {
            Step::Write(_, write) => write.durability,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(durability(None), Durability::WriteThrough);
    let back = Synchronization::Writeback.into();
    assert_eq!(durability(Some(back)), Durability::WriteBack);
    for bad in [-1, 0, 4] {
        let entry = KeyValue {
            synchronization: Some(bad),
            ..entry(b"k")
        };
        let refused = talk().answer(&put(entry));
        assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
        assert!(text(&refused).contains("WRITETHROUGH (1)"));
    }
}

#[test]
fn a_write_without_an_entry_or_for_a_batch_that_is_not_open_does_nothing() {
    let refused = talk().answer(&command(1, MessageType::PUT, None));
    assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
    let mut batched = put(entry(b"k"));
    if let Some(header) = &mut batched.header {
        header.batch_id = Some(0);
    }
    let farewell = talk().farewell(frame(&batched, b""));
    assert_eq!(farewell, Farewell::UnknownBatch(0));
}

#[test]
fn a_member_without_permission_fails_its_batch_and_is_not_answered() {
    let mut talk = talk();
    let writer = Identity {
        scopes: vec![crate::auth::Scope {
            value: Bytes::from_static(b"mine"),
            permissions: [crate::auth::Permission::Write].into_iter().collect(),
            ..Default::default()
        }],
        ..Identity::factory(FACTORY_KEY)
    };
    talk.drive.identities.replace([writer]);
    let of_batch = |mut command: Command| {
        if let Some(header) = &mut command.header {
            header.batch_id = Some(3);
        }
        command
    };
    let start = of_batch(command(1, MessageType::START_BATCH, None));
    assert_eq!(talk.answer(&start).status_code(), StatusCode::SUCCESS);
    for (sequence, key) in [(2, &b"mine"[..]), (3, b"yours"), (4, b"mine too")] {
        let put = of_batch(command(sequence, MessageType::PUT, body(entry(key))));
        assert!(matches!(talk.say(&put), Step::Kept(MessageType::PUT)));
    }
    let end = of_batch(command(5, MessageType::END_BATCH, None));
    let answer = talk.answer(&end);
    assert_eq!(answer.status_code(), StatusCode::INVALID_BATCH);
    assert!(text(&answer).starts_with("NOT_AUTHORIZED: permission denied"));
    let batch = answer.command.body.unwrap().batch.unwrap();
    assert_eq!(
        (batch.failed_sequence, batch.sequence),
        (Some(3), vec![2, 3, 4])
    );
}

#[test]
fn a_drive_that_is_locked_forgets_open_batches() {
    let mut talk = talk();
    let of_batch = |sequence, kind, body| {
        let mut command = command(sequence, kind, body);
        if let Some(header) = &mut command.header {
            header.batch_id = Some(3);
        }
        command
    };
    talk.answer(&of_batch(1, MessageType::START_BATCH, None));
    talk.say(&of_batch(2, MessageType::PUT, body(entry(b"k"))));
    assert_eq!(talk.drive.batches.open(), 1);
    assert!(talk.drive.device.medium.stop());
    let end = talk.answer(&of_batch(3, MessageType::END_BATCH, None));
    assert_eq!(end.status_code(), StatusCode::DEVICE_LOCKED);
    assert_eq!(
        (talk.drive.batches.open(), talk.drive.batches.bytes()),
        (0, 0)
    );
    let late = of_batch(4, MessageType::PUT, body(entry(b"k")));
    let farewell = talk.farewell(frame(&late, b""));
    assert_eq!(farewell, Farewell::UnknownBatch(3));
}

#[test]
fn a_batch_that_is_started_while_the_drive_is_locked_is_forgotten_whoever_comes_first() {
    let mut talk = talk();
    for sequence in 1..=40 {
        let mut start = command(sequence, MessageType::START_BATCH, None);
        if let Some(header) = &mut start.header {
            header.batch_id = Some(u32::try_from(sequence).unwrap());
        }
        let (drive, session) = (&talk.drive, &mut talk.session);
        let mut bytes = frame(&start, b"");
        let heard = FrameDecoder::default().decode(&mut bytes).unwrap().unwrap();
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                session.receive(drive, &heard, 0);
            });
            barrier.wait();
            drive.device.medium.lock(b"1").unwrap();
            drive.forget_ended_batches();
        });
        assert_eq!(drive.batches.open(), 0);
        drive.device.medium.unlock(b"1", &|_settings| {}).unwrap();
    }
}

#[test]
fn permissions_and_priority_are_those_of_the_identity() {
    let mut talk = talk();
    let reader = Identity {
        number: 2,
        scopes: vec![crate::auth::Scope {
            permissions: [crate::auth::Permission::Read].into_iter().collect(),
            ..Default::default()
        }],
        max_priority: Some(5),
        ..Identity::factory(b"reader")
    };
    talk.drive.identities.replace([reader]);
    let step = talk.step(signed_by(2, b"reader", &put(entry(b"k"))));
    let refused = encoded(step);
    assert_eq!(refused.status_code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(text(&refused), "permission denied");
    assert!(refused.verify(&SigningKey::new(b"reader")).is_ok());
    let mut urgent = command(2, MessageType::GET, body(entry(b"k")));
    if let Some(header) = &mut urgent.header {
        header.priority = Some(9);
    }
    let refused = encoded(talk.step(signed_by(2, b"reader", &urgent)));
    assert_eq!(refused.status_code(), StatusCode::NOT_AUTHORIZED);
    let gone = command(3, MessageType::NOOP, None);
    let farewell = talk.farewell(frame(&gone, b""));
    assert_eq!(farewell, Farewell::UnknownIdentity(1));
}
