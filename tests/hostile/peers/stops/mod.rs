//! A drive that is told to stop (SIGTERM) while peers are in the middle of something.
//!
//! What must come of it: status 0 within the bound, a last word to every peer that takes one, and
//! after the next start everything that was acknowledged, and of a batch all or nothing.

mod changes;
mod traffic;
mod waits;

use std::collections::BTreeSet;

use kinetic_proto::schema::command::{Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::{Answer, RawConnection, request};

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
