//! The fuzz functions of every decoder, on a corpus and on mutations of it from fixed seeds.
//!
//! The corpus is built here, so that it needs no files; frames captured from other programs join
//! it when `KINETIC_CAPTURES` names their folder.

use bytes::BytesMut;
use kinetic_proto::message::{Pin, encode_frame};
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::get_log::{Temperature, Utilization};
use kinetic_proto::schema::command::p2p_operation::{Operation, Peer};
use kinetic_proto::schema::command::security::{Acl, acl::Scope};
use kinetic_proto::schema::command::{
    Batch, Body, GetLog, Header, KeyValue, P2pOperation, Range, Security, Setup,
};
use kinetic_proto::{Limits, Seal, SigningKey, StatusCode, envelope, frame, message, reply};
use prost::Message as _;

const MUTATIONS_PER_SEED: u64 = 400;

/// A small generator of its own: the same seed must give the same bytes for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let interesting = [0, 1, 7, 0x0a, 0x0b, 0x0c, 0x7f, 0x80, 0xff, b'F'];
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len());
            match self.roll(7) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.roll(8),
                2 if !bytes.is_empty() => bytes[at] = interesting[self.roll(interesting.len())],
                3 => bytes.insert(at, interesting[self.roll(interesting.len())]),
                4 if !bytes.is_empty() => drop(bytes.remove(at)),
                5 => {
                    let from = self.roll(other.len());
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    let end = at + self.roll(bytes.len() - at + 1);
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
    }
}

fn push(p2pop: Option<P2pOperation>) -> P2pOperation {
    P2pOperation {
        peer: Some(Peer {
            hostname: Some("peer".into()),
            port: Some(8123),
            tls: Some(false),
        }),
        operation: vec![Operation {
            key: Some("k".into()),
            status: Some(StatusCode::NOT_FOUND.with_text("none")),
            p2pop,
            ..Operation::default()
        }],
        all_child_operations_succeeded: Some(false),
    }
}

fn log() -> GetLog {
    let utilization = Utilization {
        name: Some("HDA".into()),
        value: Some(f32::NAN),
    };
    GetLog {
        types: vec![0, 1, -1],
        utilizations: vec![utilization],
        temperatures: vec![Temperature {
            current: Some(1.5),
            ..Temperature::default()
        }],
        limits: Some(Limits::default().to_message()),
        ..GetLog::default()
    }
}

fn bodies() -> Vec<Body> {
    let scope = Scope {
        offset: Some(0),
        permission: vec![0, 9, 77],
        ..Scope::default()
    };
    let acl = Acl {
        identity: Some(-1),
        key: Some("k".into()),
        scope: vec![scope],
        ..Acl::default()
    };
    let key_value = KeyValue {
        new_version: Some("".into()),
        key: Some("key".into()),
        tag: Some(vec![0; 20].into()),
        algorithm: Some(100),
        force: Some(true),
        synchronization: Some(-1),
        ..KeyValue::default()
    };
    let range = Range {
        start_key: Some("a".into()),
        end_key: Some("".into()),
        max_returned: Some(u32::MAX),
        keys: vec!["x".into(), "".into()],
        ..Range::default()
    };
    let batch = Batch {
        count: Some(2),
        sequence: vec![0, u64::MAX],
        failed_sequence: Some(0),
    };
    let setup = Setup {
        firmware_download: Some(true),
        ..Setup::default()
    };
    vec![
        Body {
            key_value: Some(key_value),
            ..Body::default()
        },
        Body {
            range: Some(range),
            batch: Some(batch),
            setup: Some(setup),
            ..Body::default()
        },
        Body {
            get_log: Some(Box::new(log())),
            ..Body::default()
        },
        Body {
            p2p_operation: Some(Box::new(push(Some(push(None))))),
            ..Body::default()
        },
        Body {
            security: Some(Box::new(Security {
                acl: vec![acl],
                ..Security::default()
            })),
            ..Body::default()
        },
    ]
}

/// Whole frames, and the commands in them.
fn corpus() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let key = SigningKey::new(b"asdfasdf");
    let pin = Pin("1234".into());
    let mut frames = vec![Vec::new()];
    let mut commands = vec![Vec::new()];
    for body in bodies() {
        let header = Header {
            cluster_version: Some(-1),
            sequence: Some(u64::MAX),
            message_type: Some(-1),
            batch_id: Some(0),
            ..Header::default()
        };
        let status = Some(StatusCode::INVALID_REQUEST.with_text("why"));
        let command = Command {
            header: Some(header),
            body: Some(Box::new(body)),
            status,
        };
        commands.push(command.encode_to_vec());
        for seal in [
            Seal::Signed {
                identity: 1,
                key: &key,
            },
            Seal::PinRequest(&pin),
            Seal::Unsolicited,
        ] {
            let mut out = BytesMut::new();
            encode_frame(seal, &command, 3, &mut out).unwrap();
            out.extend_from_slice(b"val");
            frames.push(out.to_vec());
        }
    }
    for exchange in crate::captured::exchanges().unwrap_or_default() {
        frames.extend([exchange.request, exchange.response].into_iter().flatten());
    }
    (frames, commands)
}

fn run(corpus: &[Vec<u8>], target: fn(&[u8])) {
    for (index, seed) in corpus.iter().enumerate() {
        target(seed);
        for round in 0..MUTATIONS_PER_SEED {
            let mut dice = Dice(u64::try_from(index).unwrap() << 32 | round);
            let mut bytes = seed.clone();
            let other = &corpus[dice.roll(corpus.len())];
            dice.mutate(&mut bytes, other);
            target(&bytes);
        }
    }
}

fn messages() -> Vec<Vec<u8>> {
    corpus()
        .0
        .iter()
        .filter_map(|frame| frame.get(9..).map(<[u8]>::to_vec))
        .collect()
}

#[test]
fn frames_decode_alike_however_they_arrive() {
    run(&corpus().0, frame::fuzz_frame);
}

#[test]
fn message_views_are_equal_to_prost() {
    run(&messages(), envelope::fuzz_message_view);
}

#[test]
fn command_views_are_equal_to_prost() {
    run(&corpus().1, envelope::fuzz_command_view);
}

#[test]
fn what_was_received_can_be_sealed_again() {
    run(&messages(), message::fuzz_received);
}

#[test]
fn replies_are_written_as_prost_writes_them() {
    run(&corpus().1, reply::fuzz_reply);
}
