//! Batches without a connection: limits, what they hold, and that it is given back.

use std::sync::Arc;

use bytes::Bytes;
use kinetic_proto::{Limits, StatusCode};
use kinetic_store::{Attributes, CommitError, CommitFailure, Durability, Expected, Mutation};

use super::*;
use crate::limits::{BATCH_OPERATION_COST_BYTES, BATCHES_BYTES};
use crate::ops::batch::RefusedBatch;
use crate::ops::{Answer, AnswerBody, Write};

fn put(key: &str, size: usize) -> Mutation {
    Mutation::Put {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::from(vec![7; size]),
        attributes: Attributes::default(),
        expected: Expected::Any,
    }
}

fn delete(key: &str) -> Mutation {
    Mutation::Delete {
        key: Bytes::copy_from_slice(key.as_bytes()),
        expected: Expected::Any,
    }
}

fn member(sequence: u64, mutation: Mutation) -> Member {
    Member {
        sequence,
        mutation: Ok(mutation),
    }
}

fn limits() -> Limits {
    Limits {
        max_operation_count_per_batch: Some(4),
        max_deletes_per_batch: Some(2),
        max_batch_size: Some(1000),
        max_batch_count_per_device: Some(2),
        ..Limits::default()
    }
}

fn opened(id: u32) -> (Batches, Arc<Account>) {
    let (mut batches, account) = (Batches::default(), Arc::default());
    batches.start(id, &limits(), &account).unwrap();
    (batches, account)
}

fn answer(end: End) -> Answer {
    match end {
        End::Answer(answer) => answer,
        End::Commit(write, _) => panic!("{write:?}"),
    }
}

fn commit(end: End) -> (Write, Ended) {
    match end {
        End::Commit(write, ended) => (write, ended),
        End::Answer(answer) => panic!("{answer:?}"),
    }
}

#[test]
fn a_batch_over_operations_deletes_or_bytes_is_told_by_which_limit() {
    let limits = limits();
    let over = |members: Vec<Mutation>| {
        let (mut batches, _) = opened(5);
        let mut found = None;
        for (sequence, mutation) in (1..).zip(members) {
            assert_eq!(found, None, "only the last one is too much");
            found = batches.add(5, member(sequence, mutation), &limits).err();
        }
        found.map(|over| over.to_string()).unwrap_or_default()
    };
    let one = || put("k", 10);
    assert_eq!(over(vec![one(), one(), one(), one()]), "");
    let text = over(vec![one(), one(), one(), one(), one()]);
    assert!(
        text.contains("batch 5") && text.contains("4 operations"),
        "{text}"
    );
    let text = over(vec![delete("a"), delete("b"), delete("c")]);
    assert!(text.contains("2 deletes"), "{text}");
    assert_eq!(over(vec![put("k", 999)]), "");
    let text = over(vec![put("k", 500), put("k", 499)]);
    assert!(text.contains("1000 bytes"), "{text}");
}

#[test]
fn open_batches_are_counted_over_all_connections_and_given_back_by_every_end() {
    let (mut first, account) = opened(1);
    let mut second = Batches::default();
    let mut start = |id| second.start(id, &limits(), &account);
    assert_eq!(start(1), Ok(()));
    assert_eq!(start(1), Err(RefusedBatch::AlreadyOpen(1)));
    assert_eq!(start(2), Err(RefusedBatch::TooMany(2)));
    first.abort(1).unwrap();
    assert_eq!(start(2), Ok(()));
    assert_eq!(account.open(), 2);
    answer(second.end(2).unwrap());
    assert_eq!(account.open(), 1);
    drop(second);
    assert_eq!(account.open(), 0);
}

#[test]
fn what_is_not_open_can_be_neither_ended_nor_aborted() {
    let mut batches = Batches::default();
    assert_eq!(batches.end(0).unwrap_err(), RefusedBatch::NotOpen(0));
    assert_eq!(batches.abort(7), Err(RefusedBatch::NotOpen(7)));
}

#[test]
fn bytes_are_held_until_the_end_is_answered() {
    let (mut batches, account) = opened(0);
    batches
        .add(0, member(1, put("key", 100)), &limits())
        .unwrap();
    let held = 3 + 100 + BATCH_OPERATION_COST_BYTES;
    assert_eq!(account.bytes(), held);
    let (write, ended) = commit(batches.end(0).unwrap());
    assert_eq!((write.mutations.len(), account.bytes()), (1, held));
    assert_eq!(write.durability, Durability::WriteThrough);
    assert_eq!(ended.answer(Ok(())).code(), StatusCode::SUCCESS);
    assert_eq!(account.bytes(), 0);
}

#[test]
fn a_connection_that_ends_gives_back_what_its_batches_held() {
    let (mut batches, account) = opened(0);
    batches
        .add(0, member(1, put("key", 100)), &limits())
        .unwrap();
    batches.start(1, &limits(), &account).unwrap();
    drop(batches);
    assert_eq!((account.open(), account.bytes()), (0, 0));
}

#[test]
fn a_store_that_was_closed_since_takes_the_open_batches_with_it() {
    let (mut batches, account) = (Batches::default(), Arc::default());
    for epoch in [Some(1), None, Some(2)] {
        batches.belong_to(epoch);
        assert!(batches.is_empty());
        batches.start(0, &limits(), &account).unwrap();
        let put = member(1, put("key", 100));
        batches.add(0, put, &limits()).unwrap();
        batches.belong_to(epoch);
        assert!(batches.is_open(0));
    }
    batches.belong_to(Some(3));
    assert_eq!((account.open(), account.bytes()), (0, 0));
}

#[test]
fn batches_of_a_store_that_was_closed_are_emptied_although_nobody_speaks() {
    let account = Arc::default();
    let [mut old, mut new] = [Some(1), Some(2)].map(|epoch| {
        let mut batches = Batches::default();
        batches.belong_to(epoch);
        batches.start(7, &limits(), &account).unwrap();
        batches
            .add(7, member(1, put("key", 100)), &limits())
            .unwrap();
        batches
    });
    account.keep_only(Some(2));
    let held = 3 + 100 + BATCH_OPERATION_COST_BYTES;
    assert_eq!((account.open(), account.bytes()), (1, held));
    assert!(!old.is_open(7) && new.is_open(7));
    // Whoever speaks then is told that it is not open, and what comes for it is not kept.
    old.add(7, member(2, put("key", 100)), &limits()).unwrap();
    assert_eq!(account.bytes(), held);
    assert_eq!(old.end(7).unwrap_err(), RefusedBatch::NotOpen(7));
    commit(new.end(7).unwrap());
    assert_eq!((account.open(), account.bytes()), (0, 0));
}

#[test]
fn a_place_that_was_emptied_and_taken_again_is_given_back_once() {
    let (mut batches, account) = opened(1);
    account.keep_only(Some(1));
    assert_eq!(account.open(), 0);
    batches.start(1, &limits(), &account).unwrap();
    assert_eq!((account.open(), batches.is_open(1)), (1, true));
    batches.belong_to(Some(1));
    assert_eq!(account.open(), 0);
}

#[test]
fn what_is_being_committed_keeps_its_bytes_when_batches_are_forgotten() {
    let (mut batches, account) = opened(0);
    batches
        .add(0, member(1, put("key", 100)), &limits())
        .unwrap();
    let (_write, ended) = commit(batches.end(0).unwrap());
    let held = account.bytes();
    account.keep_only(Some(1));
    assert_eq!((account.open(), account.bytes()), (0, held));
    drop(ended);
    assert_eq!(account.bytes(), 0);
}

#[test]
fn the_first_failure_decides_and_what_the_batch_held_is_given_back() {
    let (mut batches, account) = opened(0);
    let cause = |text: &str| Err(StatusCode::NOT_AUTHORIZED.with_text(text));
    let failing = |sequence, text| Member {
        sequence,
        mutation: cause(text),
    };
    batches.add(0, member(3, put("a", 10)), &limits()).unwrap();
    batches.add(0, failing(4, "first"), &limits()).unwrap();
    assert_eq!(account.bytes(), 0);
    batches.add(0, failing(6, "second"), &limits()).unwrap();
    batches.add(0, member(8, put("b", 10)), &limits()).unwrap();
    assert_eq!(account.bytes(), 0);
    let answer = answer(batches.end(0).unwrap());
    assert_eq!(answer.code(), StatusCode::INVALID_BATCH);
    let text = answer.status.status_message.unwrap_or_default();
    assert!(text.starts_with("NOT_AUTHORIZED: first"), "{text}");
    let body = AnswerBody::Batch {
        sequences: vec![3, 4, 6, 8],
        failed: Some(4),
    };
    assert_eq!(answer.body, body);
}

#[test]
fn a_failed_commit_names_the_operation_by_its_sequence() {
    let (mut batches, _) = opened(0);
    for sequence in [10, 20, 30] {
        batches
            .add(0, member(sequence, put("a", 10)), &limits())
            .unwrap();
    }
    let (_, ended) = commit(batches.end(0).unwrap());
    let failure = CommitFailure::NotFound;
    let answer = ended.answer(Err(CommitError { index: 1, failure }));
    let body = AnswerBody::Batch {
        sequences: vec![10, 20, 30],
        failed: Some(20),
    };
    assert_eq!(answer.body, body);
    let text = answer.status.status_message.unwrap_or_default();
    assert!(text.starts_with("NOT_FOUND: "), "{text}");
}

#[test]
fn a_drive_whose_batches_hold_too_much_fails_the_next_operation_and_nothing_else() {
    let limits = Limits {
        max_batch_size: Some(u32::MAX),
        max_operation_count_per_batch: None,
        ..limits()
    };
    let (mut batches, account) = opened(0);
    batches.start(1, &limits, &account).unwrap();
    let size = 1 << 20;
    let fitting = BATCHES_BYTES / (size as u64 + 1 + BATCH_OPERATION_COST_BYTES);
    for sequence in 0..fitting {
        batches
            .add(0, member(sequence, put("k", size)), &limits)
            .unwrap();
    }
    batches
        .add(1, member(200, put("k", size)), &limits)
        .unwrap();
    assert!(account.bytes() <= BATCHES_BYTES);
    let answer = answer(batches.end(1).unwrap());
    let text = answer.status.status_message.unwrap_or_default();
    assert!(text.starts_with("SERVICE_BUSY: "), "{text}");
    commit(batches.end(0).unwrap());
    assert_eq!(account.bytes(), 0);
}

#[test]
fn what_is_kept_shares_no_memory_with_the_buffer_it_came_in() {
    let buffer = Bytes::from(vec![7; 900]);
    let mutation = Mutation::Put {
        key: Bytes::from_static(b"k"),
        value: buffer.slice(..800),
        attributes: Attributes::default(),
        expected: Expected::Any,
    };
    let (mut batches, _) = opened(0);
    batches.add(0, member(1, mutation), &limits()).unwrap();
    let (write, _ended) = commit(batches.end(0).unwrap());
    let Some(Mutation::Put { value, .. }) = write.mutations.first() else {
        panic!("{write:?}");
    };
    assert_eq!(value.len(), 800);
    assert!(!buffer.as_ptr_range().contains(&value.as_ptr()));
}
