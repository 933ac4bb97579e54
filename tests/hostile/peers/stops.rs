//! A drive that is told to stop (SIGTERM) while peers are in the middle of something.
//!
//! What must come of it: status 0, a last word to every peer, and after the next start everything
//! that was acknowledged, and of a batch all or nothing.

use std::collections::BTreeSet;

use kinetic_proto::schema::command::{Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::{Answer, Door, RawConnection, request};
use kinetic_tests::tls::Version;

use crate::Target;

/// Everything that comes until the connection ends; the last of it says that the drive stops.
fn to_the_end(connection: &mut RawConnection) -> Vec<Reply> {
    let mut replies = Vec::new();
    while let Answer::Frame(frame) = connection.read().expect("frames or the end") {
        replies.push(Reply::of(&frame));
    }
    let last = replies.pop().expect("a last word");
    assert_eq!(last.code(), StatusCode::CONNECTION_TERMINATED, "{last:?}");
    assert!(last.received.is_unsolicited());
    replies
}

fn key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

fn put(talk: &mut Conversation, number: u64, batch: Option<u32>) -> Vec<u8> {
    let entry = KeyValue {
        synchronization: Some(Synchronization::Writethrough.into()),
        ..key_only(&key(number))
    };
    let mut command = talk.command(MessageType::PUT, about(entry));
    command.header.as_mut().expect("a header").batch_id = batch;
    request(&command, b"value")
}

fn of_batch(talk: &mut Conversation, kind: MessageType, id: u32) -> Vec<u8> {
    let mut command = talk.command(kind, Body::default());
    command.header.as_mut().expect("a header").batch_id = Some(id);
    request(&command, &[])
}

/// Which of so many keys are stored.
fn stored(target: &Target, count: u64) -> BTreeSet<u64> {
    let mut talk = target.talk();
    let is_stored = |number: &u64| talk.get(&key(*number)).code() == StatusCode::SUCCESS;
    (0..count).filter(is_stored).collect()
}

#[test]
fn in_the_middle_of_a_pipeline_what_was_acknowledged_is_kept() {
    const COUNT: u64 = 3000;
    let target = Target::new();
    let mut talk = target.talk();
    // Sequence n + 1 stores key n.
    let bytes: Vec<u8> = (0..COUNT)
        .flat_map(|number| put(&mut talk, number, None))
        .collect();
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    let mut acknowledged = BTreeSet::new();
    let target = target.restarted(|| {
        for reply in to_the_end(talk.raw()) {
            let sequence = reply.header().ack_sequence.expect("a sequence");
            if reply.code() == StatusCode::SUCCESS {
                acknowledged.insert(sequence - 1);
            }
        }
    });
    assert!(!acknowledged.is_empty());
    let stored = stored(&target, COUNT);
    assert!(
        stored.is_superset(&acknowledged),
        "an acknowledged write is lost"
    );
    target.still_serves();
}

#[test]
fn in_the_middle_of_an_open_batch_nothing_of_it_is_done() {
    let target = Target::new();
    let mut talk = target.talk();
    let mut bytes = of_batch(&mut talk, MessageType::START_BATCH, 1);
    for number in 0..100 {
        bytes.extend(put(&mut talk, number, Some(1)));
    }
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    // All of it has come by the time that this is answered.
    talk.noop().success();
    let target = target.restarted(|| {
        assert!(to_the_end(talk.raw()).is_empty(), "members have no answers");
    });
    assert!(stored(&target, 100).is_empty(), "half a batch");
    target.still_serves();
}

#[test]
fn in_the_middle_of_many_batches_each_is_done_whole_or_not_at_all() {
    const BATCHES: u64 = 60;
    const EACH: u64 = 20;
    let target = Target::new();
    let mut talk = target.talk();
    let mut bytes = Vec::new();
    for batch in 0..BATCHES {
        let id = u32::try_from(batch).expect("a small number");
        bytes.extend(of_batch(&mut talk, MessageType::START_BATCH, id));
        for number in 0..EACH {
            bytes.extend(put(&mut talk, batch * EACH + number, Some(id)));
        }
        bytes.extend(of_batch(&mut talk, MessageType::END_BATCH, id));
    }
    talk.raw().send(&bytes).expect("it is sent");
    talk.answer().success();
    // Batch n ends with sequence (n + 1) * (EACH + 2).
    let mut acknowledged = BTreeSet::new();
    let target = target.restarted(|| {
        for reply in to_the_end(talk.raw()) {
            let sequence = reply.header().ack_sequence.expect("a sequence");
            if reply.body().batch.is_some() && reply.code() == StatusCode::SUCCESS {
                acknowledged.insert(sequence / (EACH + 2) - 1);
            }
        }
    });
    let stored = stored(&target, BATCHES * EACH);
    for batch in 0..BATCHES {
        let members = batch * EACH..(batch + 1) * EACH;
        let kept = members.filter(|number| stored.contains(number)).count() as u64;
        assert!(kept == 0 || kept == EACH, "{kept} of batch {batch}");
        assert!(
            kept == EACH || !acknowledged.contains(&batch),
            "batch {batch} is lost"
        );
    }
    target.still_serves();
}

#[test]
fn idle_connections_get_a_last_word_and_hold_up_nothing() {
    let target = Target::new();
    let plain = Door::Plain(target.drive.plain());
    let tls = Door::Tls(target.drive.tls(), Version::Tls13);
    let mut idle: Vec<RawConnection> = [plain, tls]
        .into_iter()
        .flat_map(|door| std::iter::repeat_n(door, 50))
        .map(|door| RawConnection::connect_and_greet(door).expect("a hello").0)
        .collect();
    // One of them never shakes hands.
    let stalled = RawConnection::connect(target.drive.tls()).expect("a connection");
    let target = target.restarted(|| {
        for connection in &mut idle {
            assert!(to_the_end(connection).is_empty());
        }
    });
    drop(stalled);
    target.still_serves();
}
