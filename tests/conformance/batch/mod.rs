//! Batches: all or nothing, one answer for all of their operations, bounded, gone with their
//! connection. Here are the steps that the tests are made of.

mod bounds;
mod committing;
mod lives;

use bytes::Bytes;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Batch, Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::batch::{abort, ask, end, member, of_batch, put, sequence_of, start};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::{FACTORY_IDENTITY, frame, request, signed};
use prost::Message as _;

use crate::Fresh;

fn delete(talk: &mut Conversation, id: u32, key: &[u8]) -> u64 {
    member(talk, id, MessageType::DELETE, (key_only(key), &[]))
}

fn version(text: &'static [u8]) -> Option<Bytes> {
    Some(Bytes::from_static(text))
}

fn told(reply: &Reply) -> Batch {
    reply.body().batch.expect("body.batch")
}

/// Nothing of the batch was done: the cause, and which operation it was.
fn failed(reply: &Reply, cause: &str, sequence: u64, all: &[u64]) {
    assert_eq!(reply.code(), StatusCode::INVALID_BATCH, "{}", reply.text());
    assert!(
        reply.text().starts_with(&format!("{cause}: ")),
        "{}",
        reply.text()
    );
    let batch = told(reply);
    assert_eq!(batch.failed_sequence, Some(sequence));
    assert_eq!(batch.sequence, all);
}

/// An ordinary answer that refuses, on a connection that goes on.
fn refused(talk: &mut Conversation, reply: &Reply, words: &str) {
    assert_eq!(reply.code(), StatusCode::INVALID_BATCH);
    assert!(reply.text().contains(words), "{}", reply.text());
    assert_eq!(reply.body().batch, None);
    talk.noop().success();
}

/// An ended batch is not open any more.
fn refused_after(talk: &mut Conversation, id: u32) {
    let reply = end(talk, id);
    refused(talk, &reply, &format!("batch {id} is not open"));
}
