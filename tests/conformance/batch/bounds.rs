//! Limits of batches: reported, enforced, configurable, given back.

use super::*;

#[test]
fn a_dead_connection_frees_its_batches() {
    let fresh = Fresh::drive_with("max-open-batches = 3");
    let mut talk = fresh.talk();
    for round in 0..10 {
        let mut dying = fresh.talk();
        start(&mut dying, 1).success();
        put(&mut dying, 1, b"never", b"value");
        dying
            .raw()
            .finish_sending()
            .expect("a half-closed connection");
        let gone = dying.raw().read().expect("the end");
        assert!(
            matches!(gone, kinetic_tests::raw::Answer::Closed),
            "{gone:?}"
        );
        // Closed is seen a moment before the drive has forgotten the connection.
        while start(&mut talk, round).code() != StatusCode::SUCCESS {}
        abort(&mut talk, round).success();
    }
    for id in 0..3 {
        start(&mut talk, id).success();
    }
    assert_eq!(talk.get(b"never").code(), StatusCode::NOT_FOUND);
}

#[test]
fn too_many_open_batches_are_refused_until_one_ends() {
    let fresh = Fresh::drive_with("max-open-batches = 2");
    let (mut talk, mut other) = (fresh.talk(), fresh.talk());
    start(&mut talk, 1).success();
    start(&mut other, 1).success();
    let reply = start(&mut talk, 2);
    refused(&mut talk, &reply, "2 open batches");
    end(&mut other, 1).success();
    start(&mut talk, 2).success();
}

#[test]
fn the_limits_of_batches_are_reported_and_one_more_ends_the_connection() {
    let settings = "max-batch-operations = 5\nmax-batch-deletes = 2\nmax-open-batches = 7";
    let fresh = Fresh::drive_with(settings);
    let log = fresh.talk().hello().command.body.clone().expect("a body");
    let limits = log.get_log.and_then(|log| log.limits).expect("limits");
    assert_eq!(limits.max_operation_count_per_batch, Some(5));
    assert_eq!(limits.max_deletes_per_batch, Some(2));
    assert_eq!(limits.max_batch_count_per_device, Some(7));

    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    for number in 0..5 {
        put(&mut talk, 1, &[number], b"value");
    }
    end(&mut talk, 1).success();
    start(&mut talk, 2).success();
    for number in 0..6 {
        put(&mut talk, 2, &[b'x', number], b"value");
    }
    let last = talk.farewell();
    assert_eq!(last.code(), StatusCode::INVALID_BATCH);
    assert!(last.text().contains("5 operations"), "{}", last.text());

    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    for number in 0..3 {
        delete(&mut talk, 1, &[number]);
    }
    let last = talk.farewell();
    assert!(last.text().contains("2 deletes"), "{}", last.text());
    let mut talk = fresh.talk();
    talk.get(&[0]).success();
    assert_eq!(talk.get(b"x\0").code(), StatusCode::NOT_FOUND);
}

#[test]
fn a_batch_as_large_as_is_reported_is_stored_and_a_byte_more_ends_the_connection() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let log = talk.hello().command.body.clone().expect("a body");
    let limits = log.get_log.and_then(|log| log.limits).expect("limits");
    let most = limits.max_batch_size.expect("a limit") as usize;
    let operations = limits.max_operation_count_per_batch.expect("a limit") as usize;
    // The most operations, and all the bytes that they may have: two per key.
    let (size, rest) = (most / operations, most % operations);
    for more in [0, 1] {
        start(&mut talk, 1).success();
        for number in 0..operations {
            let key = u16::try_from(number).expect("a small number").to_be_bytes();
            let extra = if number == 0 { rest + more } else { 0 };
            put(&mut talk, 1, &key, &vec![7; size - 2 + extra]);
        }
        if more == 0 {
            assert_eq!(
                told(&end(&mut talk, 1).success()).sequence.len(),
                operations
            );
            assert_eq!(talk.get(&[0, 9]).success().value.len(), size - 2);
        }
    }
    let last = talk.farewell();
    assert_eq!(last.code(), StatusCode::INVALID_BATCH);
    assert!(
        last.text().contains(&format!("{most} bytes")),
        "{}",
        last.text()
    );
}
