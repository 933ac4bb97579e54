//! docs/PROTOCOL.md says what the code does: vectors, numbers, fields, limits.

use std::fmt::Write as _;

use bytes::BytesMut;
use kinetic_proto::{FrameDecoder, MessageType, Received, SigningKey, StatusCode, limits};

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");
    std::fs::read_to_string(path).expect("docs/PROTOCOL.md lies beside the crate")
}

/// The text under a heading of any depth, up to the next one.
fn section(heading: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    for line in document().lines() {
        if let Some(title) = line.strip_prefix('#') {
            inside = title.trim_start_matches('#').trim() == heading;
        } else if inside {
            writeln!(found, "{line}").unwrap();
        }
    }
    assert!(
        !found.is_empty(),
        "docs/PROTOCOL.md has no section {heading:?}"
    );
    found
}

/// The cells of the table rows under a heading, without their back-ticks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let inner = line.trim_matches('|').split('|');
        inner
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect::<Vec<_>>()
    };
    let text = section(heading);
    let table = text.lines().filter(|line| line.starts_with('|'));
    table.skip(2).map(cells).collect()
}

#[test]
fn published_signatures_hold() {
    let vectors = rows("Signature vectors");
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let command_bytes = hex::decode(&vector[1]).unwrap();
        let signature = SigningKey::new(vector[0].as_bytes()).sign(&command_bytes);
        assert_eq!(hex::encode(signature), vector[2], "{vector:?}");
    }
}

#[test]
fn published_frames_are_read_and_verify() {
    let text = section("Whole frames");
    let frames: Vec<&str> = text.lines().filter(|line| line.starts_with("46")).collect();
    assert_eq!(frames.len(), 2);
    for (frame, expected) in frames.iter().zip([MessageType::NOOP, MessageType::PUT]) {
        let mut buffer = BytesMut::from(&hex::decode(frame).unwrap()[..]);
        let frame = FrameDecoder::default()
            .decode(&mut buffer)
            .unwrap()
            .unwrap();
        assert!(buffer.is_empty());
        let received = Received::decode(&frame.message).unwrap();
        assert_eq!(received.verify(&SigningKey::new(b"asdfasdf")), Ok(()));
        let message_type = received.command.header.unwrap().message_type;
        assert_eq!(message_type, Some(expected.0));
    }
}

#[test]
fn every_message_type_is_listed_with_its_numbers() {
    assert_lists("Message types", MessageType::REQUESTS);
    assert_lists("Extensions", MessageType::EXTENSIONS);
}

/// The table under a heading has these requests in the first place of its rows, and no others.
fn assert_lists(heading: &str, requests: &[MessageType]) {
    let listed: Vec<Vec<String>> = rows(heading);
    let expected: Vec<[String; 3]> = requests
        .iter()
        .map(|request| {
            let response = request.response().unwrap();
            [
                request.to_string(),
                request.0.to_string(),
                response.0.to_string(),
            ]
        })
        .collect();
    let listed: Vec<&[String]> = listed.iter().map(|row| &row[..3]).collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_status_code_is_listed_with_its_number() {
    let listed: Vec<(String, String)> = rows("Status codes")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let expected: Vec<(String, String)> = StatusCode::ALL
        .iter()
        .map(|code| (code.0.to_string(), code.to_string()))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_field_of_the_schema_is_listed_with_its_number() {
    let root = env!("CARGO_MANIFEST_DIR");
    let descriptors = protox::compile(["kinetic.proto"], [root]).unwrap();
    let mut waiting: Vec<_> = descriptors.file[0].message_type.iter().collect();
    let mut missing = Vec::new();
    while let Some(message) = waiting.pop() {
        waiting.extend(&message.nested_type);
        if message.name() == "Local" || message.field.is_empty() {
            continue;
        }
        let listed = rows(message.name());
        for field in &message.field {
            let number = field.number().to_string();
            if !listed
                .iter()
                .any(|row| row[0] == field.name() && row[1] == number)
            {
                missing.push(format!("{}.{} = {number}", message.name(), field.name()));
            }
        }
        if listed.len() != message.field.len() {
            missing.push(format!("{}: a row too many", message.name()));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_limit_is_listed_as_it_is() {
    let listed = rows("Bounds");
    for (name, value) in [
        ("Message", limits::MAX_MESSAGE_SIZE),
        ("Value", limits::MAX_VALUE_SIZE),
        (
            "Value that is thrown away",
            limits::MAX_DISCARDED_VALUE_SIZE,
        ),
        ("Key", limits::MAX_KEY_SIZE),
        ("Version", limits::MAX_VERSION_SIZE),
        ("Tag", limits::MAX_TAG_SIZE),
        ("PIN", limits::MAX_PIN_SIZE),
        ("End of a range", limits::MAX_RANGE_END_SIZE),
        ("Keys in an answer to a range", limits::MAX_KEY_RANGE_COUNT),
        ("Operations in a batch", limits::MAX_OPERATIONS_PER_BATCH),
        ("Bytes in a batch", limits::MAX_BATCH_SIZE),
        ("Open batches of a drive", limits::MAX_BATCHES_PER_DEVICE),
        ("Connections", limits::MAX_CONNECTIONS),
        ("Identities", limits::MAX_IDENTITY_COUNT),
        ("Nested pushes", limits::MAX_PUSH_DEPTH),
        (
            "Keys in an EXISTS or MULTI_GET",
            limits::MAX_KEYS_PER_REQUEST,
        ),
        ("Values in an answer to MULTI_GET", limits::MAX_FOUND_SIZE),
        (
            "Parts in an answer to RANGE_DIGEST",
            limits::MAX_DIGEST_PARTS,
        ),
    ] {
        let row = listed.iter().find(|row| row[0] == name);
        assert_eq!(
            row.map(|row| row[1].as_str()),
            Some(value.to_string().as_str()),
            "{name}"
        );
    }
}
