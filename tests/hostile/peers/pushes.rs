//! Pushes to peers that are no good, and pushes in the middle of which something else happens.
//!
//! What must come of it: a status for each operation that is true, within bounds of time, and a
//! drive that goes on serving.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier, Mutex, mpsc};

use bytes::Bytes;
use kinetic_proto::schema::command::p2p_operation::{Operation, Peer};
use kinetic_proto::schema::command::{Body, P2pOperation, Synchronization};
use kinetic_proto::{MessageType, SigningKey, StatusCode};
use kinetic_tests::admin::{ERASE, LOCK, UNLOCK, set_lock_pin};
use kinetic_tests::conversation::{Conversation, Reply};

use super::fake::FakePeer;
use crate::{STOP_BOUND, Target, timed};

const PUSH: MessageType = MessageType::PEER2PEERPUSH;

fn to(address: SocketAddr, operation: Vec<Operation>) -> P2pOperation {
    P2pOperation {
        peer: Some(Peer {
            hostname: Some(address.ip().to_string()),
            port: Some(u32::from(address.port())),
            tls: Some(false),
        }),
        operation,
        all_child_operations_succeeded: None,
    }
}

fn forced(name: &str) -> Operation {
    Operation {
        key: Some(Bytes::copy_from_slice(name.as_bytes())),
        force: Some(true),
        ..Operation::default()
    }
}

fn body(push: P2pOperation) -> Body {
    Body {
        p2p_operation: Some(Box::new(push)),
        ..Body::default()
    }
}

fn codes(reply: &Reply) -> Vec<StatusCode> {
    let push = reply.body().p2p_operation.expect("what came of it");
    let statuses = push.operation.iter().filter_map(|one| one.status.as_ref());
    let codes: Vec<StatusCode> = statuses.map(StatusCode::of).collect();
    assert_eq!(codes.len(), push.operation.len(), "a status for each");
    codes
}

fn texts(reply: &Reply) -> String {
    let push = reply.body().p2p_operation.expect("what came of it");
    let statuses = push.operation.into_iter().filter_map(|one| one.status);
    let texts = statuses.filter_map(|status| status.status_message);
    texts.collect::<Vec<_>>().join("\n")
}

/// A drive with so many keys.
fn with_keys(count: usize) -> (Target, Vec<Operation>) {
    let target = Target::new();
    let mut talk = target.talk();
    let names: Vec<String> = (0..count).map(|number| format!("{number:04}")).collect();
    for name in &names {
        talk.put(name.as_bytes(), b"value").success();
    }
    (target, names.iter().map(|name| forced(name)).collect())
}

#[test]
fn a_peer_that_is_no_drive_is_told_apart() {
    let (target, keys) = with_keys(2);
    let web = FakePeer::that(|mut stream| {
        let page = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, page).ok();
    });
    let hung_up = FakePeer::that(drop);
    for (peer, why) in [(web, "Kinetic"), (hung_up, "hello")] {
        let mut talk = target.talk();
        let reply = talk.ask(PUSH, body(to(peer.address, keys.clone())), &[]);
        assert_eq!(reply.code(), StatusCode::REMOTE_CONNECTION_ERROR);
        assert!(reply.text().contains(why), "{}", reply.text());
        assert_eq!(codes(&reply), [StatusCode::NOT_ATTEMPTED; 2]);
    }
    target.still_serves();
}

#[test]
fn pushes_share_one_connection_to_their_peer_and_make_a_new_one_of_a_lost_one() {
    let (target, keys) = with_keys(6);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let peer = FakePeer::that_answers(move |asked| {
        noted.lock().expect("no panic").push(asked.from());
        match asked.key() {
            Some(b"0005") => asked.hang_up(),
            _ => asked.succeed(None),
        }
    });
    let connections = || {
        let mut seen = seen.lock().expect("no panic").clone();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    // From several clients, and again.
    let mut talks = [target.talk(), target.talk(), target.talk()];
    for _ in 0..3 {
        for talk in &mut talks {
            talk.send(PUSH, body(to(peer.address, keys[..5].to_vec())), &[]);
        }
        for talk in &mut talks {
            assert_eq!(codes(&talk.answer().success()), [StatusCode::SUCCESS; 5]);
        }
    }
    assert_eq!(connections(), 1);
    let [talk, ..] = &mut talks;
    let cut = talk.ask(PUSH, body(to(peer.address, keys[5..].to_vec())), &[]);
    assert_eq!(codes(&cut), [StatusCode::REMOTE_CONNECTION_ERROR]);
    for talk in &mut talks {
        let reply = talk.ask(PUSH, body(to(peer.address, keys[..5].to_vec())), &[]);
        assert_eq!(codes(&reply.success()), [StatusCode::SUCCESS; 5]);
    }
    assert_eq!(connections(), 2);
}

#[test]
fn what_is_pushed_is_to_be_on_the_disk_of_the_peer_before_it_answers() {
    let (target, keys) = with_keys(3);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let peer = FakePeer::that_answers(move |asked| {
        noted
            .lock()
            .expect("no panic")
            .push(asked.synchronization());
        asked.succeed(None);
    });
    let reply = target.talk().ask(PUSH, body(to(peer.address, keys)), &[]);
    assert_eq!(codes(&reply.success()), [StatusCode::SUCCESS; 3]);
    let seen = seen.lock().expect("no panic").clone();
    assert_eq!(seen, [Some(Synchronization::Writethrough.into()); 3]);
}

#[test]
fn a_drive_that_waits_for_a_peer_leaves_the_processor_alone() {
    let (target, keys) = with_keys(1);
    let silent = FakePeer::that_answers(|_| {});
    let _idle: Vec<_> = (0..100).map(|_| target.connect()).collect();
    let mut talk = target.talk();
    let before = target.processor_time();
    let mut command = talk.command(PUSH, body(to(silent.address, keys)));
    command.header.as_mut().expect("a header").timeout = Some(2000);
    let (reply, took) = timed(|| {
        talk.send_command(&command, &[]);
        talk.answer()
    });
    assert_eq!(reply.code(), StatusCode::EXPIRED);
    let busy = target.processor_time() - before;
    assert!(busy * 4 < took, "{busy:?} of {took:?}");
}

#[test]
fn a_peer_that_lies_is_not_believed() {
    let (target, keys) = with_keys(1);
    let forged = FakePeer::that_answers(|asked| {
        let sequence = asked.sequence();
        asked.answer((sequence, None), &SigningKey::new(b"another key"));
    });
    let unasked = FakePeer::that_answers(|asked| {
        let sequence = asked.sequence() + 7;
        asked.answer((sequence, None), &SigningKey::new(b"asdfasdf"));
    });
    for peer in [forged, unasked] {
        let mut talk = target.talk();
        let reply = talk.ask(PUSH, body(to(peer.address, keys.clone())), &[]);
        assert_eq!(codes(&reply), [StatusCode::REMOTE_CONNECTION_ERROR]);
        let texts = texts(&reply);
        assert!(texts.contains("not known"), "{texts}");
    }
    // It says that it pushed on, and of other operations than those it was asked for.
    let vague = FakePeer::that_answers(|asked| match asked.kind() {
        PUSH => asked.succeed(Some(Box::new(body(P2pOperation::default())))),
        _ => asked.succeed(None),
    });
    let next = to(vague.address, keys.clone());
    let mut first = forced("0000");
    first.p2pop = Some(next);
    let mut talk = target.talk();
    let reply = talk.ask(PUSH, body(to(vague.address, vec![first])), &[]);
    assert_eq!(codes(&reply), [StatusCode::SUCCESS]);
    let push = reply.body().p2p_operation.expect("what came of it");
    assert_eq!(push.all_child_operations_succeeded, Some(false));
    target.still_serves();
}

#[test]
fn a_peer_that_never_answers_costs_a_push_its_time_and_nobody_else_theirs() {
    let (target, keys) = with_keys(100);
    let silent = FakePeer::that_answers(|_asked| {});
    let mut talk = target.talk();
    let mut command = talk.command(PUSH, body(to(silent.address, keys)));
    command.header.as_mut().expect("a header").timeout = Some(500);
    talk.send_command(&command, &[]);
    target.still_serves();
    let reply = talk.answer();
    assert_eq!(reply.code(), StatusCode::EXPIRED);
    // What was sent may have been done, and what was not was not.
    let codes = codes(&reply);
    let (sent, rest) = codes.split_at(64);
    assert!(
        sent.iter()
            .all(|code| *code == StatusCode::REMOTE_CONNECTION_ERROR),
        "{sent:?}"
    );
    assert!(
        rest.iter().all(|code| *code == StatusCode::NOT_ATTEMPTED),
        "{rest:?}"
    );
}

#[test]
fn drives_that_push_to_each_other_in_a_ring_all_come_to_an_end() {
    let (a, keys) = with_keys(8);
    let (b, _) = with_keys(8);
    // Back and forth, twelve deep, hundreds at a time.
    let ring = |key: &Operation| {
        let mut push: Option<P2pOperation> = None;
        for depth in 0..12 {
            let peer = if depth % 2 == 0 { &a } else { &b };
            let operation = Operation {
                p2pop: push.take(),
                ..key.clone()
            };
            push = Some(to(peer.drive.plain(), vec![operation]));
        }
        push.expect("a push")
    };
    let mut talks: Vec<Conversation> = (0..4).map(|_| a.talk()).collect();
    for talk in &mut talks {
        for round in 0..100 {
            let key = keys.get(round % keys.len()).expect("a key");
            talk.send(PUSH, body(ring(key)), &[]);
        }
    }
    for talk in &mut talks {
        for _round in 0..100 {
            let reply = talk.answer();
            // Refused for want of room is an answer; waiting for ever would be none.
            let push = reply.body().p2p_operation;
            let done = push.is_some_and(|push| push.all_child_operations_succeeded.is_some());
            assert!(
                done || reply.code() == StatusCode::SERVICE_BUSY,
                "{reply:?}"
            );
        }
    }
    a.still_serves();
    b.still_serves();
}

/// A peer that takes puts and answers none until it is let go; how many it has taken is told.
fn held_peer() -> (FakePeer, mpsc::Receiver<()>, Arc<Barrier>) {
    let (taken, takes) = mpsc::sync_channel(1024);
    let gate = Arc::new(Barrier::new(2));
    let held = Arc::clone(&gate);
    let first = Arc::new(Mutex::new(true));
    let peer = FakePeer::that_answers(move |asked| {
        // Only the test's end may be gone.
        taken.send(()).ok();
        if std::mem::take(&mut *first.lock().expect("no panic before")) {
            held.wait();
        }
        asked.succeed(None);
    });
    (peer, takes, gate)
}

#[test]
fn an_erase_in_the_middle_of_a_push_ends_it_and_pushes_nothing_of_the_new_drive() {
    let (target, keys) = with_keys(200);
    let (peer, takes, gate) = held_peer();
    let mut talk = target.talk();
    talk.send(PUSH, body(to(peer.address, keys)), &[]);
    takes.recv().expect("a put on its way");
    target.talk_tls().pin_operation(ERASE, None).success();
    gate.wait();
    let reply = talk.answer();
    let codes = codes(&reply);
    let (success, locked) = (StatusCode::SUCCESS, StatusCode::DEVICE_LOCKED);
    assert!(
        codes.iter().all(|code| [success, locked].contains(code)),
        "{codes:?}"
    );
    assert_eq!(codes.first(), Some(&success));
    assert_eq!(codes.last(), Some(&locked));
    talk.noop().success();
}

#[test]
fn a_lock_in_the_middle_of_a_push_ends_it_and_the_drive_unlocks_again() {
    let (target, keys) = with_keys(200);
    set_lock_pin(&mut target.talk_tls(), b"pin");
    let (peer, takes, gate) = held_peer();
    let mut talk = target.talk();
    talk.send(PUSH, body(to(peer.address, keys)), &[]);
    takes.recv().expect("a put on its way");
    target
        .talk_tls()
        .pin_operation(LOCK, Some(b"pin"))
        .success();
    gate.wait();
    assert_eq!(
        codes(&talk.answer()).last(),
        Some(&StatusCode::DEVICE_LOCKED)
    );
    assert_eq!(talk.noop().code(), StatusCode::DEVICE_LOCKED);
    target
        .talk_tls()
        .pin_operation(UNLOCK, Some(b"pin"))
        .success();
    target.still_serves();
}

#[test]
fn a_stop_in_the_middle_of_a_push_is_answered_and_soon() {
    let (target, keys) = with_keys(200);
    // It never answers.
    let (peer, takes, _gate) = held_peer();
    let mut talk = target.talk();
    talk.send(PUSH, body(to(peer.address, keys)), &[]);
    takes.recv().expect("a put on its way");
    let target = target.restarted(move || {
        let (reply, took) = timed(|| talk.answer());
        assert!(took < STOP_BOUND, "{took:?}");
        assert_eq!(reply.code(), StatusCode::SERVICE_BUSY);
        let codes = codes(&reply);
        assert_eq!(codes.first(), Some(&StatusCode::REMOTE_CONNECTION_ERROR));
        assert_eq!(codes.last(), Some(&StatusCode::NOT_ATTEMPTED));
    });
    target.still_serves();
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_push_disturbs_nobody() {
    let (target, keys) = with_keys(200);
    let (peer, takes, gate) = held_peer();
    let mut talk = target.talk();
    talk.send(PUSH, body(to(peer.address, keys)), &[]);
    takes.recv().expect("a put on its way");
    drop(talk);
    target.still_serves();
    gate.wait();
    target.still_serves();
}
