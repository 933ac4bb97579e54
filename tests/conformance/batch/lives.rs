//! What opens, ends and must not touch a batch, and what becomes of its connection.

use super::*;

#[test]
fn an_empty_batch_is_a_success() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 4).success();
    assert!(told(&end(&mut talk, 4).success()).sequence.is_empty());
    refused_after(&mut talk, 4);
}

#[test]
fn an_aborted_batch_leaves_nothing_and_its_id_can_be_used_again() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 4).success();
    put(&mut talk, 4, b"aborted", b"value");
    abort(&mut talk, 4).success();
    refused_after(&mut talk, 4);
    start(&mut talk, 4).success();
    put(&mut talk, 4, b"second", b"value");
    end(&mut talk, 4).success();
    assert_eq!(talk.get(b"aborted").code(), StatusCode::NOT_FOUND);
    talk.get(b"second").success();
}

#[test]
fn a_start_of_an_open_batch_and_an_end_of_none_are_refused_and_the_connection_stays() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 4).success();
    put(&mut talk, 4, b"k", b"value");
    let reply = start(&mut talk, 4);
    refused(&mut talk, &reply, "batch 4 is open");
    for reply in [end(&mut talk, 5), abort(&mut talk, 5)] {
        refused(&mut talk, &reply, "batch 5 is not open");
    }
    // The open one was not touched by any of it.
    assert_eq!(told(&end(&mut talk, 4).success()).sequence.len(), 1);
    talk.get(b"k").success();
}

#[test]
fn the_ids_0_absent_and_the_greatest_are_batches_too() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 0).success();
    start(&mut talk, u32::MAX).success();
    put(&mut talk, 0, b"zero", b"value");
    put(&mut talk, u32::MAX, b"greatest", b"value");
    // A START and an END without an id are about batch 0; a PUT without one is an ordinary PUT.
    let reply = talk.ask(MessageType::START_BATCH, Body::default(), &[]);
    refused(&mut talk, &reply, "batch 0 is open");
    talk.put(b"ordinary", b"value").success();
    talk.ask(MessageType::END_BATCH, Body::default(), &[])
        .success();
    talk.get(b"zero").success();
    assert_eq!(talk.get(b"greatest").code(), StatusCode::NOT_FOUND);
    end(&mut talk, u32::MAX).success();
    talk.get(b"greatest").success();
}

#[test]
fn a_write_for_a_batch_that_is_not_open_ends_the_connection_and_stores_nothing() {
    let fresh = Fresh::drive();
    for kind in [MessageType::PUT, MessageType::DELETE] {
        let mut talk = fresh.talk();
        start(&mut talk, 1).success();
        put(&mut talk, 1, b"k", b"value");
        member(&mut talk, 2, kind, (key_only(b"k"), &[]));
        let last = talk.farewell();
        assert_eq!(last.code(), StatusCode::INVALID_BATCH);
        assert!(
            last.text().contains("batch 2 is not open"),
            "{}",
            last.text()
        );
    }
    assert_eq!(fresh.talk().get(b"k").code(), StatusCode::NOT_FOUND);
}

#[test]
fn nothing_but_put_and_delete_can_be_part_of_a_batch() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    put(&mut talk, 1, b"k", b"value");
    for kind in [
        MessageType::GET,
        MessageType::NOOP,
        MessageType::FLUSHALLDATA,
    ] {
        let reply = ask(&mut talk, 1, kind);
        refused(&mut talk, &reply, "only PUT and DELETE");
    }
    end(&mut talk, 1).success();
    talk.get(b"k").success();
}

#[test]
fn an_ill_signed_member_ends_the_connection_and_the_batch() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    put(&mut talk, 1, b"good", b"value");
    let forged = of_batch(&mut talk, 1, MessageType::PUT, about(key_only(b"forged")));
    let message = signed(forged.encode_to_vec(), FACTORY_IDENTITY, b"not the key");
    let ended = of_batch(&mut talk, 1, MessageType::END_BATCH, Body::default());
    let bytes = [frame(&message, b"value"), request(&ended, &[])];
    talk.raw().send(&bytes.concat()).expect("it is sent");
    assert_eq!(talk.farewell().code(), StatusCode::HMAC_FAILURE);
    let mut other = fresh.talk();
    for key in [&b"good"[..], b"forged"] {
        assert_eq!(other.get(key).code(), StatusCode::NOT_FOUND);
    }
}

#[test]
fn an_end_with_another_cluster_version_leaves_the_batch_open() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    start(&mut talk, 1).success();
    put(&mut talk, 1, b"k", b"value");
    let mut command = of_batch(&mut talk, 1, MessageType::END_BATCH, Body::default());
    command.header.as_mut().expect("a header").cluster_version = Some(9);
    let reply = talk.ask_command(&command, &[]);
    assert_eq!(reply.code(), StatusCode::VERSION_FAILURE);
    end(&mut talk, 1).success();
    talk.get(b"k").success();
}
