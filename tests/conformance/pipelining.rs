//! Many requests in flight on one connection: every one answered, effects in their order.

use std::collections::BTreeSet;

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::raw::request;

use crate::Fresh;

/// Writes that a client of ten years keeps in flight.
const DEPTH: usize = 4000;

fn put_as(key: &[u8], synchronization: Synchronization) -> Body {
    about(KeyValue {
        force: Some(true),
        synchronization: Some(synchronization.into()),
        ..key_only(key)
    })
}

/// Takes this many answers and finds the one to a sequence.
fn answers(talk: &mut Conversation, count: usize) -> Vec<Reply> {
    (0..count).map(|_| talk.answer()).collect()
}

fn to(sequence: u64, replies: &[Reply]) -> Reply {
    let found = replies
        .iter()
        .find(|reply| reply.header().ack_sequence == Some(sequence));
    found.expect("an answer to each request").clone()
}

#[test]
fn thousands_of_requests_in_one_write_are_all_answered_by_their_sequence() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let mut bytes = Vec::new();
    let mut sequences = BTreeSet::new();
    for number in 0..DEPTH {
        let key = format!("key {}", number % 100);
        let body = put_as(key.as_bytes(), Synchronization::Writeback);
        let command = talk.command(MessageType::PUT, body);
        sequences.insert(command.header.expect("a header").sequence);
        bytes.extend(request(&command, key.as_bytes()));
    }
    talk.raw().send(&bytes).expect("a drive that keeps reading");
    for reply in answers(&mut talk, DEPTH) {
        let reply = reply.success();
        assert!(
            sequences.remove(&reply.header().ack_sequence),
            "answered twice"
        );
    }
    assert_eq!(sequences, BTreeSet::new());
}

#[test]
fn a_read_sees_every_write_that_was_sent_before_it_on_its_connection() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let both = [Synchronization::Writeback, Synchronization::Writethrough];
    for synchronization in both {
        let mut expected = Vec::new();
        for round in 0..50_u32 {
            let value = round.to_be_bytes();
            let body = put_as(b"key", synchronization);
            talk.send(MessageType::PUT, body, &value);
            let get = talk.send(MessageType::GET, about(key_only(b"key")), &[]);
            expected.push((get, Bytes::copy_from_slice(&value)));
        }
        let replies = answers(&mut talk, 100);
        for (sequence, value) in expected {
            assert_eq!(to(sequence, &replies).success().value, value);
        }
    }
}

#[test]
fn ranges_neighbours_and_deletes_follow_the_writes_before_them_too() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.send(
        MessageType::PUT,
        put_as(b"a", Synchronization::Writeback),
        b"1",
    );
    talk.send(
        MessageType::PUT,
        put_as(b"b", Synchronization::Writethrough),
        b"2",
    );
    let range = talk.send(MessageType::GETKEYRANGE, Body::default(), &[]);
    let next = talk.send(MessageType::GETNEXT, about(key_only(b"a")), &[]);
    let delete = talk.send(MessageType::DELETE, about(key_only(b"b")), &[]);
    let gone = talk.send(MessageType::GETVERSION, about(key_only(b"b")), &[]);
    let again = talk.send(MessageType::DELETE, about(key_only(b"b")), &[]);
    let replies = answers(&mut talk, 7);
    // Keys between two absent ends, the empty one left out.
    assert_eq!(to(range, &replies).success().keys(), ["a", "b"]);
    assert_eq!(&*to(next, &replies).success().value, b"2");
    assert_eq!(to(delete, &replies).code(), StatusCode::SUCCESS);
    assert_eq!(to(gone, &replies).code(), StatusCode::NOT_FOUND);
    assert_eq!(to(again, &replies).code(), StatusCode::NOT_FOUND);
}

#[test]
fn versions_chain_through_pipelined_writes() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let version = |number: u32| match number {
        0 => Bytes::new(),
        _ => Bytes::from(number.to_string()),
    };
    for number in 0..100 {
        let entry = KeyValue {
            db_version: Some(version(number)),
            new_version: Some(version(number + 1)),
            synchronization: Some(Synchronization::Writeback.into()),
            ..key_only(b"chain")
        };
        talk.send(MessageType::PUT, about(entry), b"value");
    }
    for reply in answers(&mut talk, 100) {
        reply.success();
    }
    let entry = talk.get(b"chain").success().entry();
    assert_eq!(entry.db_version, Some(version(100)));
}

#[test]
fn one_that_fails_does_not_hold_up_the_others() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let good = talk.send(
        MessageType::PUT,
        put_as(b"k", Synchronization::Writeback),
        b"1",
    );
    let wrong = KeyValue {
        db_version: Some(Bytes::from_static(b"wrong")),
        ..key_only(b"k")
    };
    let bad = talk.send(MessageType::PUT, about(wrong), b"2");
    let unknown = talk.send(MessageType(77), Body::default(), &[]);
    let after = talk.send(MessageType::GET, about(key_only(b"k")), &[]);
    let replies = answers(&mut talk, 4);
    assert_eq!(to(good, &replies).code(), StatusCode::SUCCESS);
    assert_eq!(to(bad, &replies).code(), StatusCode::VERSION_MISMATCH);
    assert_eq!(to(unknown, &replies).code(), StatusCode::INVALID_REQUEST);
    assert_eq!(&*to(after, &replies).success().value, b"1");
}

#[test]
fn a_flush_is_answered_after_the_writes_that_were_sent_before_it() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..200_u32 {
        let body = put_as(&number.to_be_bytes(), Synchronization::Writeback);
        talk.send(MessageType::PUT, body, b"value");
    }
    let flush = talk.send(MessageType::FLUSHALLDATA, Body::default(), &[]);
    let replies = answers(&mut talk, 201);
    let last = replies.last().expect("answers");
    assert_eq!(last.header().ack_sequence, Some(flush));
    last.clone().success();
}

#[test]
fn requests_that_come_with_the_end_of_the_connection_are_answered_before_it_closes() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.send(
        MessageType::PUT,
        put_as(b"k", Synchronization::Writethrough),
        b"1",
    );
    talk.send(MessageType::GET, about(key_only(b"k")), &[]);
    talk.raw()
        .finish_sending()
        .expect("a half-closed connection");
    for reply in answers(&mut talk, 2) {
        reply.success();
    }
    let end = talk.raw().read().expect("the end");
    assert!(matches!(end, kinetic_tests::raw::Answer::Closed), "{end:?}");
}
