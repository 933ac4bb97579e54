//! Fuzzing: whatever a peer sends, a session neither panics nor holds more than its bounds.
//!
//! The bytes of an input are one connection. If the first one is even, the rest is what comes over
//! the wire. If it is odd, the rest is a list of commands, each behind its length in two bytes,
//! little-endian, and they are signed here: no fuzzer finds an HMAC.
//! Not here: doing the work (the store has its own), and corpora (tests).

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use kinetic_proto::schema::command::P2pOperation;
use kinetic_proto::{FrameDecoder, Limits, SigningKey, StatusCode, schema};
use kinetic_store::disk::MemoryDisk;
use kinetic_store::{CommitError, CommitFailure, Effort, FormatOptions, Options};
use prost::Message as _;

use super::conversation::{Drive, Session, Step};
use crate::auth::identity::FACTORY_IDENTITY;
use crate::auth::{Channel, FACTORY_KEY, Identity, IdentityTable};
use crate::config::Config;
use crate::device::{Device, Medium, Ports};
use crate::limits::{BATCH_OPERATION_COST_BYTES, BATCHES_BYTES};
use crate::ops::Answer;
use crate::ops::push::{self, Granted};

/// One drive for all inputs of a process; inputs take turns, so that what one holds can be told.
static DRIVE: LazyLock<Option<Mutex<Drive>>> = LazyLock::new(|| drive().map(Mutex::new));

/// Small limits, so that small inputs reach them.
fn drive() -> Option<Drive> {
    let disk = MemoryDisk::new(256 << 20);
    let options = FormatOptions {
        uuid: [1; 16],
        entropy: [2; 32],
        zone_size: None,
    };
    kinetic_store::format(&disk, &options).ok()?;
    let medium = Medium::open(Arc::new(disk), Options::default()).ok()?;
    let limits = Limits {
        max_operation_count_per_batch: Some(8),
        max_deletes_per_batch: Some(3),
        max_batch_size: Some(1 << 10),
        max_batch_count_per_device: Some(3),
        ..Limits::default()
    };
    Some(Drive {
        device: Device::new(medium, Ports::default(), limits, Config::default().policy()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
        batches: Arc::default(),
    })
}

/// One connection, over both kinds of channel.
///
/// # Panics
/// When the drive holds more for it than it may, or anything after it.
pub fn fuzz_session(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let stream = match first % 2 {
        0 => BytesMut::from(rest),
        _ => signed(rest),
    };
    let Some(drive) = &*DRIVE else {
        return;
    };
    let drive = drive.lock().unwrap_or_else(PoisonError::into_inner);
    for channel in [Channel::Plain, Channel::Tls] {
        converse(&drive, stream.clone(), channel);
        let left = (drive.batches.open(), drive.batches.bytes());
        assert_eq!(left, (0, 0), "batches outlive their connection");
    }
}

/// The commands of a list as signed frames, with a value where the length is odd.
fn signed(mut rest: &[u8]) -> BytesMut {
    let (key, mut stream) = (SigningKey::new(FACTORY_KEY), BytesMut::new());
    while rest.len() >= 2 {
        let length = usize::from(rest.get_u16_le()).min(rest.len());
        let (command, behind) = rest.split_at(length);
        rest = behind;
        let message = schema::Message {
            auth_type: Some(schema::message::AuthType::Hmacauth.into()),
            hmac_auth: Some(schema::message::HmaCauth {
                identity: Some(FACTORY_IDENTITY),
                hmac: Some(Bytes::copy_from_slice(&key.sign(command))),
            }),
            command_bytes: Some(Bytes::copy_from_slice(command)),
            ..Default::default()
        };
        let value = command.get(..length % 2 * 16).unwrap_or_default();
        let message = message.encode_to_vec();
        // Two bytes of length are far below the limit of a message.
        let _ = kinetic_proto::frame::encode_frame(&message, value.len(), &mut stream);
        stream.extend_from_slice(value);
    }
    stream
}

/// A push of which nothing was done.
fn pushed(push: Granted) -> Answer {
    let mut outcome = P2pOperation {
        operation: push.entries.into_iter().map(|entry| entry.asked).collect(),
        ..P2pOperation::default()
    };
    push::settle(
        &mut outcome,
        &StatusCode::NOT_ATTEMPTED.with_text("no peer"),
    );
    push::answer(outcome, None)
}

fn converse(drive: &Drive, mut stream: BytesMut, channel: Channel) {
    let (mut session, mut decoder) = (Session::new(1, channel), FrameDecoder::default());
    let (mut heard, mut out) = (0, BytesMut::new());
    while let Ok(Some(frame)) = decoder.decode(&mut stream) {
        heard += frame.message.len() as u64 + frame.value.length() as u64;
        heard += BATCH_OPERATION_COST_BYTES;
        let (route, answer) = match session.receive(drive, &frame, 0) {
            Step::Answer(route, answer) => (route, answer),
            // A change would lock or erase the drive under all inputs that follow.
            Step::Write(route, _) | Step::Change(route, _) => (route, Answer::success()),
            Step::EndBatch(route, write, ended) => {
                let index = write.mutations.len() / 2;
                let failure = CommitFailure::VersionMismatch;
                (route, ended.answer(Err(CommitError { index, failure })))
            }
            Step::Read(route, mut read) => match read.run(&drive.device, Effort::Cached) {
                Ok(answer) => (route, answer),
                Err(_unfinished) => continue,
            },
            Step::Push(route, push, _) => (route, pushed(push)),
            Step::Kept(_) => continue,
            Step::HangUp(farewell) => {
                farewell.encode(&mut out);
                break;
            }
        };
        out.clear();
        let value = route.encode(answer, &mut out);
        assert!(
            out.len() + value.len() <= MOST_ANSWER_BYTES,
            "an answer too large"
        );
        let held = drive.batches.bytes();
        assert!(
            held <= heard.min(BATCHES_BYTES),
            "{held} bytes held of {heard}"
        );
        assert!(drive.batches.open() <= 3, "more batches than the limit");
    }
}

/// A frame with a largest message and a largest value.
const MOST_ANSWER_BYTES: usize = kinetic_proto::limits::FRAME_HEADER_SIZE
    + (kinetic_proto::limits::MAX_MESSAGE_SIZE as usize) * 2;

#[cfg(test)]
mod tests {
    use kinetic_proto::MessageType;
    use kinetic_proto::schema::Command;
    use kinetic_proto::schema::command::{Body, GetLog, KeyList, KeyValue, Range};

    use super::*;
    use crate::ram_drive::{body, command, entry, frame};

    const MUTATIONS: u64 = 3000;

    /// The same seed gives the same bytes for ever.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
            self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
            usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
        }
    }

    fn of_batch(id: u32, mut command: Command) -> Command {
        if let Some(header) = &mut command.header {
            header.batch_id = Some(id);
        }
        command
    }

    /// One conversation with everything in it that a session does by itself.
    fn commands() -> Vec<Command> {
        let start = |sequence, id| of_batch(id, command(sequence, MessageType::START_BATCH, None));
        let end = |sequence, id| of_batch(id, command(sequence, MessageType::END_BATCH, None));
        let put = |sequence, key: &[u8]| command(sequence, MessageType::PUT, body(entry(key)));
        let delete = |sequence| command(sequence, MessageType::DELETE, body(entry(b"k")));
        let forced = KeyValue {
            force: Some(true),
            tag: Some(Bytes::from_static(b"tag")),
            ..entry(b"forced")
        };
        let range = Body {
            range: Some(Range::default()),
            ..Body::default()
        };
        let log = GetLog {
            types: vec![0, 1, 2, 3, 4, 5, 6, 7],
            ..GetLog::default()
        };
        let log = Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        };
        let part = KeyValue {
            offset: Some(1),
            length: Some(u64::MAX),
            ..entry(b"ordinary")
        };
        vec![
            command(1, MessageType::NOOP, None),
            start(2, 0),
            of_batch(0, put(3, b"member")),
            of_batch(0, delete(4)),
            put(5, b"ordinary"),
            start(6, 7),
            of_batch(7, command(7, MessageType::PUT, body(forced))),
            end(8, 0),
            of_batch(7, command(9, MessageType::ABORT_BATCH, None)),
            command(10, MessageType::GETKEYRANGE, Some(range)),
            command(11, MessageType::GETLOG, Some(log)),
            command(12, MessageType::GET, body(entry(b"ordinary"))),
            command(13, MessageType::GETNEXT, body(entry(b""))),
            command(14, MessageType::COUNT, Some(parted(None, Some(1)))),
            command(15, MessageType::EXISTS, Some(several())),
            command(16, MessageType::GET_PART, body(part)),
            command(17, MessageType::MULTI_GET, Some(several())),
            command(18, MessageType::RANGE_METADATA, Some(parted(None, None))),
            command(
                19,
                MessageType::RANGE_DIGEST,
                Some(parted(Some(b"m"), None)),
            ),
            start(20, 1),
            of_batch(1, put(21, &[b'k'; 5000])),
            of_batch(1, delete(22)),
            of_batch(1, delete(23)),
            end(24, 1),
            start(25, 2),
            of_batch(2, delete(26)),
            of_batch(2, delete(27)),
            of_batch(2, delete(28)),
            of_batch(2, delete(29)),
            end(30, 2),
        ]
    }

    fn parted(split: Option<&'static [u8]>, max_returned: Option<u32>) -> Body {
        let range = Range {
            split: split.into_iter().map(Bytes::from_static).collect(),
            max_returned,
            ..Range::default()
        };
        Body {
            range: Some(range),
            ..Body::default()
        }
    }

    fn several() -> Body {
        let list = KeyList {
            key: vec![Bytes::from_static(b"ordinary"), Bytes::new()],
            ..KeyList::default()
        };
        Body {
            key_list: Some(list),
            ..Body::default()
        }
    }

    fn listed(commands: &[Vec<u8>]) -> Vec<u8> {
        let mut input = vec![1];
        for command in commands {
            let length = u16::try_from(command.len()).unwrap();
            input.extend(length.to_le_bytes());
            input.extend(command);
        }
        input
    }

    #[test]
    fn no_list_of_signed_commands_makes_a_session_panic_or_grow() {
        let sound: Vec<Vec<u8>> = commands().iter().map(Command::encode_to_vec).collect();
        fuzz_session(&listed(&sound));
        for seed in 0..MUTATIONS {
            let mut dice = Dice(seed);
            let mut some = sound.clone();
            for _ in 0..=dice.roll(6) {
                let at = dice.roll(some.len());
                match dice.roll(4) {
                    0 => some.swap(at, dice.roll(sound.len()).min(at)),
                    1 => some.insert(at, sound.get(dice.roll(sound.len())).cloned().unwrap()),
                    2 => drop(some.remove(at)),
                    _ => {
                        let command = some.get_mut(at).unwrap();
                        let byte = dice.roll(command.len());
                        if let Some(byte) = command.get_mut(byte) {
                            *byte ^= 1 << dice.roll(8);
                        }
                    }
                }
                if some.is_empty() {
                    break;
                }
            }
            fuzz_session(&listed(&some));
        }
    }

    #[test]
    fn no_bytes_on_the_wire_make_a_session_panic_or_grow() {
        let mut stream = vec![0];
        for command in commands() {
            stream.extend(frame(&command, b"value"));
        }
        fuzz_session(&stream);
        for seed in 0..MUTATIONS {
            let (mut dice, mut bytes) = (Dice(seed), stream.clone());
            for _ in 0..=dice.roll(4) {
                let at = 1 + dice.roll(bytes.len() - 1);
                match dice.roll(3) {
                    0 => bytes.truncate(at + 1),
                    1 => bytes.insert(at, [0, 0x7f, 0x80, 0xff][dice.roll(4) % 4]),
                    _ => bytes[at] ^= 1 << dice.roll(8),
                }
            }
            fuzz_session(&bytes);
        }
    }

    #[test]
    fn the_corpus_reaches_what_it_is_meant_for() {
        let drive = DRIVE.as_ref().unwrap();
        let drive = drive.lock().unwrap_or_else(PoisonError::into_inner);
        let sound: Vec<Vec<u8>> = commands().iter().map(Command::encode_to_vec).collect();
        let mut stream = signed(&listed(&sound)[1..]);
        let (mut session, mut decoder) = (Session::new(1, Channel::Plain), FrameDecoder::default());
        let (mut kept, mut ended, mut over) = (0, 0, 0);
        while let Ok(Some(frame)) = decoder.decode(&mut stream) {
            match session.receive(&drive, &frame, 0) {
                Step::Kept(_) => kept += 1,
                Step::EndBatch(..) => ended += 1,
                Step::HangUp(_) => {
                    over += 1;
                    break;
                }
                Step::Answer(..)
                | Step::Write(..)
                | Step::Read(..)
                | Step::Push(..)
                | Step::Change(..) => {}
            }
        }
        // The fourth delete of the last batch is one too many.
        assert_eq!((kept, ended, over), (9, 1, 1));
    }
}
