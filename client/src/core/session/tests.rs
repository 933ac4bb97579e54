//! Tests of the state machine by itself: no task, no clock.

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::command::Status;
use kinetic_proto::{FrameDecoder, Seal};

use super::*;

const KEY: &[u8] = b"asdfasdf";

fn session() -> Session<&'static str> {
    Session::new(Signer {
        identity: 1,
        key: SigningKey::new(KEY),
        connection_id: 42,
        cluster_version: 3,
        max_value_size: Some(100),
        first_sequence: 7,
    })
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn sent(session: &mut Session<&'static str>, out: &mut Outgoing) -> Vec<Received> {
    let refused = session.transmit(out, |_| true);
    assert!(refused.is_empty());
    let mut bytes = BytesMut::new();
    let mut slices = [std::io::IoSlice::new(&[]); 16];
    let filled = out.slices(&mut slices);
    for slice in &slices[..filled] {
        bytes.extend_from_slice(slice);
    }
    out.advance(bytes.len());
    let mut decoder = FrameDecoder::default();
    let frames = std::iter::from_fn(|| decoder.decode(&mut bytes).unwrap());
    frames
        .map(|frame| Received::decode(&frame.message).unwrap())
        .collect()
}

fn answer(sequence: u64, kind: MessageType, status: Status, key: &[u8]) -> Frame {
    let command = Command {
        header: Some(Header {
            ack_sequence: Some(sequence),
            message_type: Some(kind.into()),
            ..Header::default()
        }),
        body: None,
        status: Some(status),
    };
    let seal = Seal::Signed {
        identity: 1,
        key: &SigningKey::new(key),
    };
    let mut message = BytesMut::new();
    message::encode_message(seal, &command, &mut message).unwrap();
    Frame {
        message: message.freeze(),
        value: FrameValue::Whole(Bytes::new()),
    }
}

fn success(sequence: u64) -> Frame {
    let kind = MessageType::NOOP.response().unwrap();
    answer(sequence, kind, StatusCode::SUCCESS.to_message(), KEY)
}

fn noop() -> Request {
    Request::new(MessageType::NOOP)
}

#[test]
fn requests_carry_growing_sequences_and_what_the_hello_said() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(9), "first");
    session.submit(noop(), seconds(9), "second");
    let requests = sent(&mut session, &mut out);
    let headers: Vec<_> = requests
        .iter()
        .map(|request| {
            request.verify(&SigningKey::new(KEY)).unwrap();
            request.command.header.unwrap()
        })
        .collect();
    assert_eq!(headers[0].sequence, Some(7));
    assert_eq!(headers[1].sequence, Some(8));
    assert_eq!(headers[0].connection_id, Some(42));
    assert_eq!(headers[0].cluster_version, Some(3));
}

#[test]
fn answers_find_their_requests_in_any_order() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(9), "first");
    session.submit(noop(), seconds(9), "second");
    sent(&mut session, &mut out);
    for (sequence, expected) in [(8, "second"), (7, "first")] {
        let Event::Answer { token, outcome } = session.receive(success(sequence)) else {
            panic!("no answer");
        };
        assert_eq!(token, expected);
        outcome.unwrap();
    }
    assert_eq!(session.outstanding(), 0);
}

#[test]
fn a_refusal_keeps_status_and_text() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(9), "only");
    sent(&mut session, &mut out);
    let status = StatusCode::NOT_AUTHORIZED.with_text("permission denied");
    let frame = answer(7, MessageType(29), status, KEY);
    let Event::Answer { outcome, .. } = session.receive(frame) else {
        panic!("no answer");
    };
    let refused = outcome.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::NOT_AUTHORIZED));
    assert!(refused.to_string().ends_with(": permission denied"));
}

#[test]
fn a_badly_signed_answer_ends_the_connection_and_leaves_the_request_to_be_failed() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(9), "only");
    sent(&mut session, &mut out);
    let status = StatusCode::SUCCESS.to_message();
    let event = session.receive(answer(7, MessageType(29), status, b"wrong"));
    assert!(matches!(
        event,
        Event::Over(Disconnected::BadSignature { identity: 1 })
    ));
    assert_eq!(session.close(), ["only"]);
}

#[test]
fn an_answer_of_another_kind_fails_its_request_only() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(9), "only");
    sent(&mut session, &mut out);
    let status = StatusCode::SUCCESS.to_message();
    let event = session.receive(answer(7, MessageType(1), status, KEY));
    let Event::Answer { outcome, .. } = event else {
        panic!("no answer");
    };
    let problem = AnswerProblem::WrongType(MessageType(1));
    assert!(matches!(outcome, Err(Error::Unusable { problem: found, .. }) if found == problem));
}

#[test]
fn a_request_expires_at_its_deadline_and_its_late_answer_is_dropped() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(5), "patient");
    session.submit(noop(), seconds(1), "hasty");
    sent(&mut session, &mut out);
    assert_eq!(session.next_deadline(), Some(seconds(1)));
    assert!(session.expire(Duration::from_millis(999)).is_empty());
    assert_eq!(session.expire(seconds(1)), ["hasty"]);
    assert_eq!(session.next_deadline(), Some(seconds(5)));
    assert!(matches!(session.receive(success(8)), Event::Late));
    assert!(matches!(
        session.receive(success(7)),
        Event::Answer {
            token: "patient",
            ..
        }
    ));
}

#[test]
fn a_request_that_is_not_written_yet_expires_too_and_is_never_sent() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(1), "hasty");
    session.submit(noop(), seconds(5), "patient");
    assert_eq!(session.expire(seconds(2)), ["hasty"]);
    assert_eq!(sent(&mut session, &mut out).len(), 1);
}

#[test]
fn an_answer_to_a_request_that_was_never_sent_ends_the_connection() {
    let mut session = session();
    for sequence in [6, 7, u64::MAX] {
        let event = session.receive(success(sequence));
        assert!(
            matches!(event, Event::Over(Disconnected::UnknownSequence(got)) if got == sequence)
        );
    }
}

#[test]
fn a_value_over_the_limit_of_the_drive_is_not_sent_and_takes_no_sequence() {
    let (mut session, mut out) = (session(), Outgoing::default());
    let mut request = noop();
    request.value = Bytes::from(vec![0; 101]);
    session.submit(request, seconds(1), "large");
    let refused = session.transmit(&mut out, |_| true);
    assert!(matches!(
        refused.as_slice(),
        [(
            "large",
            Some(Error::TooLarge {
                size: 101,
                limit: 100,
                ..
            })
        )]
    ));
    assert!(out.is_empty());
    session.submit(noop(), seconds(1), "next");
    let requests = sent(&mut session, &mut out);
    assert_eq!(requests[0].command.header.unwrap().sequence, Some(7));
}

#[test]
fn what_nobody_wants_any_more_is_not_sent() {
    let (mut session, mut out) = (session(), Outgoing::default());
    session.submit(noop(), seconds(1), "cancelled");
    let refused = session.transmit(&mut out, |_| false);
    assert!(matches!(refused.as_slice(), [("cancelled", None)]));
    assert!(out.is_empty());
}

#[test]
fn an_unsolicited_status_ends_the_connection_with_its_text() {
    let mut message = BytesMut::new();
    let command = Command {
        status: Some(StatusCode::SHUTDOWN.with_text("until tomorrow")),
        ..Command::default()
    };
    message::encode_message(Seal::Unsolicited, &command, &mut message).unwrap();
    let event = session().receive(Frame {
        message: message.freeze(),
        value: FrameValue::Whole(Bytes::new()),
    });
    let Event::Over(reason) = event else {
        panic!("not over");
    };
    let expected = "the drive closed the connection with SHUTDOWN: until tomorrow";
    assert_eq!(reason.to_string(), expected);
}

#[test]
fn what_goes_ahead_is_sent_whole_or_not_at_all() {
    let (mut session, mut out) = (session(), Outgoing::default());
    let mut huge = noop();
    huge.value = Bytes::from(vec![0; (1 << 20) + 1]);
    let mut refused = Request::new(MessageType::END_BATCH);
    refused.special = Some(Box::new(Special::Behind(vec![noop(), huge, noop()])));
    session.submit(refused, seconds(9), "refused");
    let mut taken = Request::new(MessageType::END_BATCH);
    taken.special = Some(Box::new(Special::Behind(vec![noop(), noop()])));
    session.submit(taken, seconds(9), "taken");
    let unsent = session.transmit(&mut out, |_| true);
    assert!(matches!(
        &unsent[..],
        [("refused", Some(Error::TooLarge { part: "value", .. }))]
    ));
    let sequences: Vec<_> = sent(&mut session, &mut out)
        .iter()
        .map(|request| request.command.header.unwrap().sequence.unwrap())
        .collect();
    assert_eq!(sequences, [7, 8, 9]);
}
