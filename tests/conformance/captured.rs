//! Requests captured from six clients, sent as they are; answered as the protocol notes decide.
//!
//! `KINETIC_CAPTURES` names the folder of the captures. They are signed, so each goes over a
//! connection of its own with the sequence it had.

use std::path::{Path, PathBuf};

use kinetic_proto::schema::command::KeyValue;
use kinetic_proto::{CommandView, MessageType, MessageView, Received, SigningKey, StatusCode};
use kinetic_tests::conversation::Reply;
use kinetic_tests::raw::{Answer, FACTORY_IDENTITY, FACTORY_KEY, RawConnection};

use crate::Fresh;

/// First byte, and two lengths of four bytes.
const HEADER_SIZE: usize = 9;

/// A request as a client sent it.
struct Captured {
    place: String,
    bytes: Vec<u8>,
}

impl Captured {
    fn value(&self) -> &[u8] {
        let length = self.bytes.get(5..9).expect("a header");
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        let start = self.bytes.len() - length as usize;
        self.bytes.get(start..).expect("a value")
    }

    fn message(&self) -> &[u8] {
        let end = self.bytes.len() - self.value().len();
        self.bytes.get(HEADER_SIZE..end).expect("a message")
    }
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn captured() -> Option<Vec<Captured>> {
    let Some(folder) = std::env::var_os("KINETIC_CAPTURES").map(PathBuf::from) else {
        let why = "KINETIC_CAPTURES is not set: it names the folder of captured frames";
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!in_ci, "cannot be skipped in CI: {why}");
        println!("skipped: {why}");
        return None;
    };
    let files = std::fs::read_dir(&folder).expect("a folder of captures");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "jsonl"));
    files.sort();
    Some(files.iter().flat_map(|file| requests(file)).collect())
}

fn requests(file: &Path) -> Vec<Captured> {
    let text = std::fs::read_to_string(file).expect("captures are text");
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let parse = |(index, line): (usize, &str)| {
        let object: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        let hex = object.get("request")?.as_str()?;
        let place = format!("{name}:{}", index + 1);
        let bytes = bytes_of(hex);
        (!bytes.is_empty()).then_some(Captured { place, bytes })
    };
    text.lines().enumerate().filter_map(parse).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
    let bytes = digits.chunks(2).map(byte);
    bytes
        .map(|byte| u8::try_from(byte).expect("two digits"))
        .collect()
}

/// What a new drive must answer, by the decisions.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Status(StatusCode),
    Farewell(StatusCode),
}

fn expected(request: &Captured) -> (MessageType, Expected) {
    let message = MessageView::parse(request.message()).expect("a message");
    let command = CommandView::parse(message.command_bytes()).expect("a command");
    let header = command.header.expect("a header");
    let kind = header.message_type();
    let hmac = message.hmac_auth.expect("a signature");
    let key = SigningKey::new(FACTORY_KEY);
    let sound = key.verify(message.command_bytes(), hmac.hmac.unwrap_or_default());
    if hmac.identity != Some(FACTORY_IDENTITY) || sound.is_err() {
        return (kind, Expected::Farewell(StatusCode::HMAC_FAILURE));
    }
    if header.cluster_version.unwrap_or(0) != 0 {
        return (kind, Expected::Status(StatusCode::VERSION_FAILURE));
    }
    let writes = matches!(kind, MessageType::PUT | MessageType::DELETE);
    if header.batch_id.is_some() && writes {
        return (kind, Expected::Farewell(StatusCode::INVALID_BATCH));
    }
    let entry = command.key_value().expect("an entry").unwrap_or_default();
    let too_long = entry.key.is_some_and(|key| key.len() > 4096)
        || entry
            .new_version
            .is_some_and(|version| version.len() > 2048);
    // The drive is empty: unforced writes fit only where no version is expected.
    let forced = entry.force == Some(true);
    let unversioned = entry.db_version.unwrap_or_default().is_empty();
    let code = match kind {
        _ if too_long => StatusCode::INVALID_REQUEST,
        MessageType::PUT if forced || unversioned => StatusCode::SUCCESS,
        MessageType::PUT => StatusCode::VERSION_MISMATCH,
        MessageType::DELETE if forced => StatusCode::SUCCESS,
        MessageType::DELETE
        | MessageType::GET
        | MessageType::GETVERSION
        | MessageType::GETNEXT
        | MessageType::GETPREVIOUS => StatusCode::NOT_FOUND,
        MessageType::NOOP | MessageType::FLUSHALLDATA | MessageType::GETKEYRANGE => {
            StatusCode::SUCCESS
        }
        MessageType::MEDIASCAN | MessageType::MEDIAOPTIMIZE => StatusCode::SUCCESS,
        // One client asks for a device log that this drive does not have.
        MessageType::GETLOG if names_device_log(message.command_bytes()) => StatusCode::NOT_FOUND,
        MessageType::GETLOG => StatusCode::SUCCESS,
        // The drive of this test is not to push to whomever captures name.
        MessageType::PEER2PEERPUSH => StatusCode::NOT_AUTHORIZED,
        // Each comes alone, so no batch is open.
        MessageType::START_BATCH => StatusCode::SUCCESS,
        MessageType::END_BATCH | MessageType::ABORT_BATCH => StatusCode::INVALID_BATCH,
        MessageType::SETUP | MessageType::SET_POWER_LEVEL => StatusCode::SUCCESS,
        MessageType::SECURITY if matches!(crate::CHANNEL, crate::Channel::Tls) => {
            StatusCode::SUCCESS
        }
        _ => StatusCode::INVALID_REQUEST,
    };
    (kind, Expected::Status(code))
}

fn names_device_log(command: &[u8]) -> bool {
    use kinetic_proto::schema;
    use prost::Message as _;
    let command = schema::Command::decode(command).expect("a command");
    let log = command.body.and_then(|body| body.get_log);
    log.is_some_and(|log| log.device.is_some())
}

/// Whether a request changes the drive itself, so that the next one needs another.
fn changes_the_drive(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::SETUP | MessageType::SECURITY | MessageType::SET_POWER_LEVEL
    )
}

/// Sends a request and checks what comes back against what must; its type.
fn check(fresh: &Fresh, request: &Captured) -> MessageType {
    let place = &request.place;
    let (kind, expected) = expected(request);
    let begun = RawConnection::connect_and_greet(fresh.door());
    let (mut connection, hello) = begun.expect("a hello");
    connection.send(&request.bytes).expect("it is sent");
    let reply = Reply::of(&connection.read_frame().expect("an answer"));
    let found = match reply.received.is_unsolicited() {
        true => Expected::Farewell(reply.code()),
        false => Expected::Status(reply.code()),
    };
    assert_eq!(found, expected, "{place}: {kind}: {}", reply.text());
    match found {
        Expected::Farewell(_) => {
            let end = connection.read().expect("the end");
            assert!(matches!(end, Answer::Closed), "{place}: {end:?}");
        }
        Expected::Status(_) => check_answer(&reply, &hello.received(), request),
    }
    kind
}

fn check_answer(reply: &Reply, hello: &Received, request: &Captured) {
    let place = &request.place;
    let key = SigningKey::new(FACTORY_KEY);
    reply.received.verify(&key).expect("the answer's signature");
    let message = MessageView::parse(request.message()).expect("a message");
    let command = CommandView::parse(message.command_bytes()).expect("a command");
    let asked = command.header.expect("a header");
    let header = reply.header();
    let id = hello.command.header.and_then(|header| header.connection_id);
    assert_eq!(header.connection_id, id, "{place}");
    let sequence = asked.sequence.unwrap_or(0);
    assert_eq!(header.ack_sequence, Some(sequence), "{place}");
    let response = asked.message_type().response().map(i32::from);
    assert_eq!(header.message_type, response, "{place}");
}

/// Pushes go nowhere.
const NO_PEERS: &str = "peer = ['none']\n";

#[test]
fn every_captured_request_is_answered_by_an_empty_drive_as_decided() {
    let Some(requests) = captured() else { return };
    assert!(requests.len() >= 80, "only {} captures", requests.len());
    let mut fresh = Fresh::drive_with(NO_PEERS);
    for request in &requests {
        if changes_the_drive(check(&fresh, request)) {
            fresh = Fresh::drive_with(NO_PEERS);
            continue;
        }
        // The drive is empty again for the next one.
        let mut talk = fresh.talk();
        for key in talk.ask_range_of_all() {
            let entry = KeyValue {
                key: Some(key),
                force: Some(true),
                ..KeyValue::default()
            };
            talk.ask_entry(MessageType::DELETE, entry, &[]).success();
        }
    }
}

#[test]
fn what_a_captured_put_stores_comes_back_with_all_its_fields() {
    let Some(requests) = captured() else { return };
    let fresh = Fresh::drive();
    let mut seen = 0;
    for request in &requests {
        let (kind, outcome) = expected(request);
        if kind != MessageType::PUT || outcome != Expected::Status(StatusCode::SUCCESS) {
            continue;
        }
        let message = MessageView::parse(request.message()).expect("a message");
        let command = CommandView::parse(message.command_bytes()).expect("a command");
        let entry = command.key_value().expect("an entry").unwrap_or_default();
        let key = entry.key.unwrap_or_default();
        let mut talk = fresh.talk();
        let gone = KeyValue {
            force: Some(true),
            ..kinetic_tests::conversation::key_only(key)
        };
        talk.ask_entry(MessageType::DELETE, gone, &[]).success();
        check(&fresh, request);
        let reply = talk.get(key).success();
        let stored = reply.entry();
        assert_eq!(reply.value, request.value(), "{}", request.place);
        let version = entry.new_version.unwrap_or_default();
        assert_eq!(stored.db_version.as_deref(), Some(version));
        assert_eq!(stored.tag.as_deref(), Some(entry.tag.unwrap_or_default()));
        assert_eq!(stored.algorithm, entry.algorithm);
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} captured puts");
}
