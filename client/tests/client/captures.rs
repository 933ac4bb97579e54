//! Answers that a drive of protocol 3.0.7 gave to six other clients: each is understood.
//!
//! They lie outside the repository, in the directory that KINETIC_CAPTURES names; without it
//! the test says that it is skipped.

use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use kinetic_client::core::{Event, Hello, Outgoing, Request, Session, Signer};
use kinetic_client::{SigningKey, StatusCode};
use kinetic_proto::{Frame, FrameDecoder, MessageType, Received};

fn frame_of(text: &str) -> Frame {
    let mut bytes = BytesMut::from(hex::decode(text).unwrap().as_slice());
    let mut decoder = FrameDecoder::default();
    decoder.decode(&mut bytes).unwrap().unwrap()
}

/// What a session of ours, in the place of the captured client, makes of the answer.
fn outcome(request: &Received, response: Frame) -> Event<()> {
    let header = request.command.header.unwrap();
    let mut session = Session::new(Signer {
        identity: request.identity.unwrap(),
        key: SigningKey::new(b"asdfasdf"),
        connection_id: header.connection_id.unwrap_or_default(),
        cluster_version: header.cluster_version.unwrap_or_default(),
        max_value_size: None,
        first_sequence: header.sequence.unwrap_or_default(),
    });
    let mut ours = Request::new(MessageType(header.message_type.unwrap()));
    ours.body = request.command.body.clone();
    session.submit(ours, Duration::MAX, ());
    assert!(
        session
            .transmit(&mut Outgoing::default(), |()| true)
            .is_empty()
    );
    session.receive(response)
}

fn check(line: &serde_json::Value) {
    let response = frame_of(line["response"].as_str().unwrap());
    let status = i32::try_from(line["status"].as_i64().unwrap()).unwrap();
    let Some(request) = line["request"].as_str() else {
        let hello = Hello::read(&response.message).unwrap();
        assert!(hello.connection_id > 0);
        assert_eq!(hello.limits.max_key_size, Some(4096));
        assert_eq!(hello.limits.max_tag_size, None);
        assert!(hello.is_before_4());
        return;
    };
    let request = Received::decode(&frame_of(request).message).unwrap();
    let received = Received::decode(&response.message).unwrap();
    let value_length = response.value.length();
    match outcome(&request, response) {
        Event::Answer { outcome, .. } => match outcome {
            Ok(reply) => {
                assert_eq!(status, StatusCode::SUCCESS.0, "{line}");
                assert_eq!(reply.value.len(), value_length);
                assert_eq!(reply.body, received.command.body.unwrap_or_default());
            }
            Err(error) => assert_eq!(error.status(), Some(StatusCode(status)), "{line}"),
        },
        other => panic!("{other:?}: {line}"),
    }
}

#[test]
fn every_captured_response_is_understood() {
    let Some(directory) = std::env::var_os("KINETIC_CAPTURES") else {
        println!("skipped: KINETIC_CAPTURES names no directory of captured frames");
        return;
    };
    let mut checked = 0;
    for file in std::fs::read_dir(Path::new(&directory)).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
        {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if line["response"].is_string() {
                check(&line);
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "{checked} captured responses only");
}
