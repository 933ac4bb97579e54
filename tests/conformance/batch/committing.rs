//! What END does: all of a batch, or nothing and the reason.

use super::*;

#[test]
fn a_batch_is_done_at_its_end_and_its_members_are_not_answered() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    talk.put(b"old", b"value").success();
    start(&mut talk, 7).success();
    let mut sequences = Vec::new();
    for number in 0..10_u8 {
        sequences.push(put(&mut talk, 7, &[b'k', number], &[number; 100]));
    }
    sequences.push(delete(&mut talk, 7, b"old"));
    // Nothing is visible before the end, to nobody.
    for talk in [&mut talk, &mut other] {
        assert_eq!(talk.get(b"k\x05").code(), StatusCode::NOT_FOUND);
        talk.get(b"old").success();
    }
    // The next answer is the one to END: checked by its sequence.
    let batch = told(&end(&mut talk, 7).success());
    assert_eq!(batch.sequence, sequences);
    assert_eq!((batch.count, batch.failed_sequence), (Some(11), None));
    for talk in [&mut talk, &mut other] {
        assert_eq!(talk.get(b"k\x05").success().value, vec![5; 100]);
        assert_eq!(talk.get(b"old").code(), StatusCode::NOT_FOUND);
    }
}

#[test]
fn the_answer_to_an_end_holds_the_sequences_packed() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    let first = put(&mut talk, 1, b"a", b"");
    let second = put(&mut talk, 1, b"b", b"");
    let command = of_batch(&mut talk, 1, MessageType::END_BATCH, Body::default());
    talk.raw()
        .send(&request(&command, &[]))
        .expect("it is sent");
    let answer = talk.raw().read_frame().expect("an answer");
    // Field 2, two bytes of numbers below 128.
    let (first, second) = (u8::try_from(first), u8::try_from(second));
    let packed = [0x12, 2, first.expect("small"), second.expect("small")];
    let found = answer.message.windows(4).any(|bytes| bytes == packed);
    assert!(found, "{:?}", answer.message);
}

#[test]
fn a_batch_in_one_write_is_answered_twice_and_no_more() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let mut bytes = Vec::new();
    let mut say = |command: &Command, value: &[u8]| {
        bytes.extend(request(command, value));
        sequence_of(command)
    };
    let first = say(
        &of_batch(&mut talk, 0, MessageType::START_BATCH, Body::default()),
        &[],
    );
    for number in 0..200_u32 {
        let entry = about(key_only(&number.to_be_bytes()));
        say(&of_batch(&mut talk, 0, MessageType::PUT, entry), b"value");
    }
    let last = say(
        &of_batch(&mut talk, 0, MessageType::END_BATCH, Body::default()),
        &[],
    );
    let read = say(
        &talk.command(MessageType::GET, about(key_only(&7_u32.to_be_bytes()))),
        &[],
    );
    talk.raw().send(&bytes).expect("it is sent");
    let answers: Vec<Reply> = (0..3).map(|_| talk.answer().success()).collect();
    let mut answered: Vec<_> = answers
        .iter()
        .map(|one| one.header().ack_sequence)
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, [Some(first), Some(last), Some(read)]);
    talk.noop().success();
}

#[test]
fn a_failed_batch_changes_nothing_and_names_operation_and_cause() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"kept", b"old").success();
    let stale = KeyValue {
        db_version: version(b"wrong"),
        ..key_only(b"kept")
    };
    let missing = key_only(b"missing");
    let cases = [
        (MessageType::PUT, stale.clone(), "VERSION_MISMATCH"),
        (MessageType::DELETE, stale, "VERSION_MISMATCH"),
        (MessageType::DELETE, missing, "NOT_FOUND"),
    ];
    for (kind, entry, cause) in cases {
        start(&mut talk, 3).success();
        let before = put(&mut talk, 3, b"before", b"1");
        let bad = member(&mut talk, 3, kind, (entry, &[]));
        let after = put(&mut talk, 3, b"after", b"1");
        failed(&end(&mut talk, 3), cause, bad, &[before, bad, after]);
        assert_eq!(talk.get(b"before").code(), StatusCode::NOT_FOUND);
        assert_eq!(talk.get(b"after").code(), StatusCode::NOT_FOUND);
        assert_eq!(&*talk.get(b"kept").success().value, b"old");
    }
}

#[test]
fn what_a_member_would_be_refused_for_on_its_own_fails_the_batch_at_its_end() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let long = key_only(&[b'k'; 4097]);
    let odd = KeyValue {
        synchronization: Some(-1),
        ..key_only(b"k")
    };
    for (entry, value) in [(long, 0), (odd, 0), (key_only(b"k"), (1 << 20) + 1)] {
        start(&mut talk, 9).success();
        let good = put(&mut talk, 9, b"good", b"1");
        let bad = member(&mut talk, 9, MessageType::PUT, (entry, &vec![7; value]));
        failed(&end(&mut talk, 9), "INVALID_REQUEST", bad, &[good, bad]);
    }
    let elsewhere = |header: &mut kinetic_proto::schema::command::Header| {
        header.cluster_version = Some(5);
    };
    start(&mut talk, 9).success();
    let mut command = of_batch(&mut talk, 9, MessageType::PUT, about(key_only(b"k")));
    elsewhere(command.header.as_mut().expect("a header"));
    talk.send_command(&command, b"1");
    let bad = sequence_of(&command);
    failed(&end(&mut talk, 9), "VERSION_FAILURE", bad, &[bad]);
    // An old sequence has no answer either.
    start(&mut talk, 9).success();
    talk.send_command(&command, b"1");
    failed(&end(&mut talk, 9), "INVALID_REQUEST", bad, &[bad]);
    assert_eq!(talk.get(b"k").code(), StatusCode::NOT_FOUND);
    assert_eq!(talk.get(b"good").code(), StatusCode::NOT_FOUND);
}

#[test]
fn operations_of_a_batch_see_the_store_as_before_it() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let versioned = |old, new| KeyValue {
        db_version: version(old),
        new_version: version(new),
        ..key_only(b"k")
    };
    // Both expect that nothing is there; the last one wins.
    start(&mut talk, 1).success();
    member(
        &mut talk,
        1,
        MessageType::PUT,
        (versioned(b"", b"1"), b"one"),
    );
    member(
        &mut talk,
        1,
        MessageType::PUT,
        (versioned(b"", b"2"), b"two"),
    );
    end(&mut talk, 1).success();
    assert_eq!(&*talk.get(b"k").success().value, b"two");
    // The second expects what the first would write.
    start(&mut talk, 1).success();
    let first = member(
        &mut talk,
        1,
        MessageType::PUT,
        (versioned(b"2", b"3"), b"three"),
    );
    let second = member(
        &mut talk,
        1,
        MessageType::PUT,
        (versioned(b"3", b"4"), b"four"),
    );
    failed(
        &end(&mut talk, 1),
        "VERSION_MISMATCH",
        second,
        &[first, second],
    );
    assert_eq!(&*talk.get(b"k").success().value, b"two");
    // A delete of what the batch itself puts finds nothing.
    start(&mut talk, 1).success();
    let first = put(&mut talk, 1, b"new", b"value");
    let second = delete(&mut talk, 1, b"new");
    failed(&end(&mut talk, 1), "NOT_FOUND", second, &[first, second]);
}

#[test]
fn synchronization_in_a_batch_means_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    let kinds = [
        None,
        Some(Synchronization::Writeback),
        Some(Synchronization::Flush),
    ];
    for (number, synchronization) in (0..).zip(kinds) {
        let entry = KeyValue {
            synchronization: synchronization.map(i32::from),
            ..key_only(&[number])
        };
        member(&mut talk, 1, MessageType::PUT, (entry, b"value"));
    }
    end(&mut talk, 1).success();
    assert_eq!(&*talk.get(&[2]).success().value, b"value");
}

#[test]
fn the_count_that_a_client_gives_at_the_end_is_not_compared() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    put(&mut talk, 1, b"k", b"value");
    let batch = Batch {
        count: Some(99),
        ..Batch::default()
    };
    let body = Body {
        batch: Some(batch),
        ..Body::default()
    };
    let command = of_batch(&mut talk, 1, MessageType::END_BATCH, body);
    assert_eq!(
        told(&talk.ask_command(&command, &[]).success()).count,
        Some(1)
    );
}

#[test]
fn batches_of_one_connection_and_of_others_do_not_wait_for_each_other() {
    let fresh = Fresh::drive();
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    start(&mut talk, 1).success();
    start(&mut talk, 2).success();
    start(&mut other, 1).success();
    put(&mut talk, 1, b"a", b"1");
    put(&mut talk, 2, b"b", b"2");
    put(&mut other, 1, b"c", b"3");
    other.put(b"ordinary", b"value").success();
    end(&mut talk, 2).success();
    end(&mut other, 1).success();
    assert_eq!(talk.get(b"a").code(), StatusCode::NOT_FOUND);
    end(&mut talk, 1).success();
    for key in [b"a", b"b", b"c"] {
        talk.get(key).success();
    }
}

#[test]
fn members_and_ends_are_counted_as_requests() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    put(&mut talk, 1, b"a", b"12345");
    put(&mut talk, 1, b"b", b"12345");
    end(&mut talk, 1).success();
    let log = kinetic_proto::schema::command::GetLog {
        types: vec![4],
        ..Default::default()
    };
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    let log = talk.ask(MessageType::GETLOG, body, &[]).success().body();
    let statistics = log.get_log.expect("a log").statistics;
    let count = |kind: MessageType| {
        let one = statistics
            .iter()
            .find(|one| one.message_type == Some(kind.0));
        one.map(|one| (one.count, one.bytes)).expect("an entry")
    };
    assert_eq!(count(MessageType::PUT), (Some(2), Some(10)));
    assert_eq!(count(MessageType::END_BATCH), (Some(1), Some(0)));
    assert_eq!(count(MessageType::START_BATCH), (Some(1), Some(0)));
}
