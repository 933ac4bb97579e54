//! PEER2PEERPUSH: what arrives at the peer, a status for each operation at its place, pipelines.
//!
//! Peers are other drives, reached by the door that this binary tests. What peers do that are no
//! good is in `hostile`.

use std::net::SocketAddr;

use bytes::Bytes;
use kinetic_proto::schema::command::p2p_operation::{Operation, Peer};
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::{Body, GetLog, KeyValue, P2pOperation, Setup};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};

use crate::security::{acl, ask as secure, list, owner};
use crate::{CHANNEL, Channel, Fresh};

const PUSH: MessageType = MessageType::PEER2PEERPUSH;

/// The address of a drive, by this binary's door.
fn peer(fresh: &Fresh) -> Peer {
    at(fresh.door().address())
}

fn at(address: SocketAddr) -> Peer {
    Peer {
        hostname: Some(address.ip().to_string()),
        port: Some(u32::from(address.port())),
        tls: Some(matches!(CHANNEL, Channel::Tls)),
    }
}

/// An address where nobody listens: of a port that was given out and is closed again.
fn nobody() -> Peer {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    at(listener.local_addr().expect("its address"))
}

pub(crate) fn to(peer: Peer, operation: Vec<Operation>) -> P2pOperation {
    P2pOperation {
        peer: Some(peer),
        operation,
        all_child_operations_succeeded: None,
    }
}

fn key(key: &str) -> Operation {
    Operation {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..Operation::default()
    }
}

pub(crate) fn forced(name: &str) -> Operation {
    Operation {
        force: Some(true),
        ..key(name)
    }
}

fn then(operation: Operation, next: P2pOperation) -> Operation {
    Operation {
        p2pop: Some(next),
        ..operation
    }
}

fn body(push: P2pOperation) -> Body {
    Body {
        p2p_operation: Some(Box::new(push)),
        ..Body::default()
    }
}

pub(crate) fn push(talk: &mut Conversation, push: P2pOperation) -> Reply {
    talk.ask(PUSH, body(push), &[])
}

pub(crate) fn outcome(reply: &Reply) -> P2pOperation {
    *reply.body().p2p_operation.expect("what came of it")
}

pub(crate) fn codes(push: &P2pOperation) -> Vec<StatusCode> {
    let statuses = push.operation.iter().map(|one| one.status.as_ref());
    statuses
        .map(|status| StatusCode::of(status.expect("a status")))
        .collect()
}

fn next(push: &P2pOperation, index: usize) -> &P2pOperation {
    let operation = push.operation.get(index).expect("an operation");
    operation.p2pop.as_ref().expect("what was next")
}

pub(crate) fn text(push: &P2pOperation, index: usize) -> &str {
    let operation = push.operation.get(index).expect("an operation");
    let status = operation.status.as_ref().expect("a status");
    status.status_message.as_deref().unwrap_or_default()
}

pub(crate) fn put_whole(talk: &mut Conversation, key: &str, value: &[u8]) {
    let entry = KeyValue {
        new_version: Some(Bytes::from_static(b"v1")),
        tag: Some(Bytes::from_static(b"\x01tag")),
        algorithm: Some(100),
        force: Some(true),
        ..key_only(key.as_bytes())
    };
    talk.ask_entry(MessageType::PUT, entry, value).success();
}

#[test]
fn an_entry_arrives_whole_with_version_tag_and_algorithm() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"value of a");
    put_whole(&mut talk, "b", b"");
    let renamed = Operation {
        new_key: Some(Bytes::from_static(b"other")),
        ..key("a")
    };
    let told = push(
        &mut talk,
        to(peer(&there), vec![key("a"), renamed, key("b")]),
    )
    .success();
    let told = outcome(&told);
    assert_eq!(codes(&told), [StatusCode::SUCCESS; 3]);
    assert_eq!(told.all_child_operations_succeeded, Some(true));
    let mut far = there.talk();
    for (name, value) in [
        ("a", &b"value of a"[..]),
        ("other", b"value of a"),
        ("b", b""),
    ] {
        let found = far.get(name.as_bytes()).success();
        assert_eq!(&*found.value, value);
        let entry = found.entry();
        assert_eq!(entry.db_version.as_deref(), Some(&b"v1"[..]));
        assert_eq!(entry.tag.as_deref(), Some(&b"\x01tag"[..]));
        assert_eq!(entry.algorithm, Some(100));
    }
}

#[test]
fn what_fails_has_its_own_status_and_the_rest_is_done() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"a");
    put_whole(&mut talk, "c", b"c");
    let told = push(
        &mut talk,
        to(peer(&there), vec![key("a"), key("missing"), key("c")]),
    );
    let told = outcome(&told.success());
    let (success, missing) = (StatusCode::SUCCESS, StatusCode::NOT_FOUND);
    assert_eq!(codes(&told), [success, missing, success]);
    assert_eq!(told.all_child_operations_succeeded, Some(false));
    // What was asked for comes back at its place.
    assert_eq!(told.operation[1].key.as_deref(), Some(&b"missing"[..]));
    assert_eq!(there.talk().get(b"c").success().value, b"c"[..]);
}

#[test]
fn versions_are_compared_at_the_peer_as_for_any_client() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"new");
    put_whole(&mut there.talk(), "a", b"old");
    let expecting = |version: &'static [u8]| Operation {
        version: Some(Bytes::from_static(version)),
        ..key("a")
    };
    // The peer has version v1: an unversioned put and one that expects another are refused.
    for refused in [key("a"), expecting(b""), expecting(b"v0")] {
        let told = push(&mut talk, to(peer(&there), vec![refused])).success();
        assert_eq!(codes(&outcome(&told)), [StatusCode::VERSION_MISMATCH]);
        assert_eq!(there.talk().get(b"a").success().value, b"old"[..]);
    }
    for accepted in [expecting(b"v1"), forced("a")] {
        put_whole(&mut there.talk(), "a", b"old");
        let told = push(&mut talk, to(peer(&there), vec![accepted])).success();
        assert_eq!(codes(&outcome(&told)), [StatusCode::SUCCESS]);
        assert_eq!(there.talk().get(b"a").success().value, b"new"[..]);
    }
}

#[test]
fn a_peer_that_cannot_be_reached_is_named_and_nothing_was_attempted() {
    let here = Fresh::drive();
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"a");
    let nested = then(key("a"), to(nobody(), vec![key("a")]));
    let reply = push(&mut talk, to(nobody(), vec![key("missing"), nested]));
    assert_eq!(reply.code(), StatusCode::REMOTE_CONNECTION_ERROR);
    assert!(reply.text().contains("127.0.0.1"), "{}", reply.text());
    let told = outcome(&reply);
    assert_eq!(codes(&told), [StatusCode::NOT_ATTEMPTED; 2]);
    assert_eq!(codes(next(&told, 1)), [StatusCode::NOT_ATTEMPTED]);
    assert_eq!(told.all_child_operations_succeeded, Some(false));
    // No peer at all is no other thing.
    for peer in [
        None,
        Some(Peer::default()),
        Some(Peer {
            port: Some(65_536),
            ..nobody()
        }),
    ] {
        let push_to = P2pOperation {
            peer,
            ..to(nobody(), vec![key("a")])
        };
        let reply = push(&mut talk, push_to);
        assert_eq!(reply.code(), StatusCode::REMOTE_CONNECTION_ERROR);
        assert_eq!(codes(&outcome(&reply)), [StatusCode::NOT_ATTEMPTED]);
    }
}

#[test]
fn a_pipeline_runs_to_its_end_and_its_statuses_come_back_at_their_place() {
    let (a, b, c) = (Fresh::drive(), Fresh::drive(), Fresh::drive());
    let mut talk = a.talk();
    for name in ["one", "two"] {
        put_whole(&mut talk, name, name.as_bytes());
    }
    put_whole(&mut c.talk(), "two", b"older");
    let on = |name: &str| then(key(name), to(peer(&c), vec![key(name), key("missing")]));
    let told = push(
        &mut talk,
        to(peer(&b), vec![on("one"), on("two"), on("none")]),
    );
    let told = outcome(&told.success());
    let (success, missing) = (StatusCode::SUCCESS, StatusCode::NOT_FOUND);
    let (mismatch, not_attempted) = (StatusCode::VERSION_MISMATCH, StatusCode::NOT_ATTEMPTED);
    assert_eq!(codes(&told), [success, success, missing]);
    assert_eq!(codes(next(&told, 0)), [success, missing]);
    assert_eq!(codes(next(&told, 1)), [mismatch, missing]);
    assert_eq!(codes(next(&told, 2)), [not_attempted; 2]);
    assert_eq!(next(&told, 0).all_child_operations_succeeded, Some(false));
    assert_eq!(told.all_child_operations_succeeded, Some(false));
    assert_eq!(c.talk().get(b"one").success().value, b"one"[..]);
    assert_eq!(c.talk().get(b"two").success().value, b"older"[..]);
    // A pipeline whose end is gone: the first peer has it, and the reason is at the second's place.
    let told = push(
        &mut talk,
        to(
            peer(&b),
            vec![then(forced("one"), to(nobody(), vec![key("one")]))],
        ),
    );
    let told = outcome(&told.success());
    assert_eq!(codes(&told), [success]);
    assert_eq!(codes(next(&told, 0)), [not_attempted]);
    let why = text(next(&told, 0), 0);
    assert!(why.contains("REMOTE_CONNECTION_ERROR"), "{why}");
}

#[test]
fn a_drive_pushes_to_itself_and_as_deep_as_it_says_and_no_deeper() {
    let here = Fresh::drive();
    let mut talk = here.talk();
    put_whole(&mut talk, "0", b"value");
    let nested = |depth: usize| {
        let mut inner: Option<P2pOperation> = None;
        for number in (0..depth).rev() {
            let renamed = Operation {
                new_key: Some(Bytes::from(format!("{}", number + 1))),
                p2pop: inner.take(),
                ..forced(&number.to_string())
            };
            inner = Some(to(peer(&here), vec![renamed]));
        }
        inner.expect("a push")
    };
    let told = outcome(&push(&mut talk, nested(32)).success());
    assert_eq!(told.all_child_operations_succeeded, Some(true));
    assert_eq!(talk.get(b"32").success().value, b"value"[..]);
    let refused = push(&mut talk, nested(33));
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    assert!(refused.text().contains("32"), "{}", refused.text());
    assert_eq!(talk.get(b"33").code(), StatusCode::NOT_FOUND);
}

#[test]
fn a_push_of_nothing_succeeds_and_one_without_a_body_is_refused() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    let told = outcome(&push(&mut talk, to(peer(&there), Vec::new())).success());
    assert_eq!(told.all_child_operations_succeeded, Some(true));
    let refused = talk.ask(PUSH, Body::default(), &[]);
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    let long = Operation {
        new_key: Some(Bytes::from(vec![b'k'; 4097])),
        ..key("a")
    };
    let refused = push(&mut talk, to(peer(&there), vec![long]));
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    assert!(refused.text().contains("4096"), "{}", refused.text());
}

const READ: i32 = 0;
const P2POP: i32 = 5;

/// A drive on which identity 7 may push, and read what begins with `mine`.
fn with_seven() -> Fresh {
    let fresh = Fresh::drive();
    let seven = acl(7, b"seven", &[P2POP]);
    let mut readable = acl(7, b"seven", &[READ]).scope;
    for scope in &mut readable {
        scope.value = Some(Bytes::from_static(b"mine"));
    }
    let seven = Acl {
        scope: [seven.scope, readable].concat(),
        ..seven
    };
    let eight = acl(8, b"eight", &[READ]);
    secure(&mut fresh.talk_tls(), list(&[owner(), seven, eight], None)).success();
    fresh
}

#[test]
fn every_entry_needs_read_and_every_push_p2pop() {
    let (here, there) = (with_seven(), with_seven());
    let mut owner = here.talk();
    put_whole(&mut owner, "mine/1", b"1");
    put_whole(&mut owner, "yours/1", b"1");
    let mut seven = here.talk().speaking_as(7, b"seven");
    let told = push(
        &mut seven,
        to(peer(&there), vec![key("yours/1"), key("mine/1")]),
    );
    let told = outcome(&told.success());
    // It comes to the peer as itself, and may not write there.
    assert_eq!(codes(&told), [StatusCode::NOT_AUTHORIZED; 2]);
    assert_eq!(text(&told, 0), "permission denied");
    let mut eight = here.talk().speaking_as(8, b"eight");
    let refused = push(&mut eight, to(peer(&there), vec![key("mine/1")]));
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(refused.text(), "permission denied");
}

#[test]
fn a_drive_comes_to_its_peers_under_the_identity_that_it_was_given() {
    let there = with_seven();
    let settings = "peer-identity = 1\npeer-key = 'asdfasdf'\n";
    let here = Fresh::drive_with(settings);
    let seven = acl(7, b"unknown there", &[READ, P2POP]);
    secure(&mut here.talk_tls(), list(&[owner(), seven], None)).success();
    put_whole(&mut here.talk(), "mine/1", b"1");
    let mut seven = here.talk().speaking_as(7, b"unknown there");
    let told = push(&mut seven, to(peer(&there), vec![key("mine/1")])).success();
    assert_eq!(codes(&outcome(&told)), [StatusCode::SUCCESS]);
    // Where it was given none, the peer does not know who comes, and the answer says what to do.
    let plain = Fresh::drive();
    secure(
        &mut plain.talk_tls(),
        list(&[owner(), acl(9, b"nine", &[READ, P2POP])], None),
    )
    .success();
    put_whole(&mut plain.talk(), "a", b"1");
    let mut nine = plain.talk().speaking_as(9, b"nine");
    let reply = push(&mut nine, to(peer(&there), vec![key("a")]));
    let told = outcome(&reply);
    assert_eq!(codes(&told), [StatusCode::REMOTE_CONNECTION_ERROR]);
    assert!(
        text(&told, 0).contains("--peer-identity"),
        "{}",
        text(&told, 0)
    );
}

#[test]
fn only_peers_that_were_named_are_pushed_to() {
    let there = Fresh::drive();
    let here = Fresh::drive_with("peer = ['drive-b', '10.0.0.0/8']\n");
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"1");
    let refused = push(&mut talk, to(peer(&there), vec![key("a")]));
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert!(refused.text().contains("--peer"), "{}", refused.text());
    assert_eq!(codes(&outcome(&refused)), [StatusCode::NOT_ATTEMPTED]);
    let here = Fresh::drive_with("peer = ['127.0.0.0/8']\n");
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"1");
    push(&mut talk, to(peer(&there), vec![key("a")])).success();
}

#[test]
fn the_cluster_version_is_the_peer_s_own_also_when_it_changes() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"1");
    let mut current = 0;
    for version in [5, 6] {
        let setup = Setup {
            new_cluster_version: Some(version),
            ..Setup::default()
        };
        let body = Body {
            setup: Some(setup),
            ..Body::default()
        };
        let mut far = there.talk().at_cluster_version(current);
        far.ask(MessageType::SETUP, body, &[]).success();
        current = version;
        // The second time the connection to the peer is from before the change.
        let told = push(&mut talk, to(peer(&there), vec![forced("a"), forced("a")]));
        assert_eq!(codes(&outcome(&told.success())), [StatusCode::SUCCESS; 2]);
    }
}

#[test]
fn a_push_sees_what_its_connection_wrote_before_and_keeps_the_order_of_its_operations() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    for name in &names {
        let entry = KeyValue {
            synchronization: Some(2),
            force: Some(true),
            ..key_only(name.as_bytes())
        };
        talk.send(MessageType::PUT, about(entry), name.as_bytes());
    }
    let last_wins = |name: &String| Operation {
        new_key: Some(Bytes::from_static(b"last")),
        ..forced(name)
    };
    let all = names.iter().map(last_wins).collect();
    talk.send(PUSH, body(to(peer(&there), all)), &[]);
    for _put in &names {
        talk.answer().success();
    }
    let told = outcome(&talk.answer().success());
    assert_eq!(told.all_child_operations_succeeded, Some(true));
    assert_eq!(there.talk().get(b"last").success().value, b"299"[..]);
}

#[test]
fn statistics_count_what_was_moved() {
    let (here, there) = (Fresh::drive(), Fresh::drive());
    let mut talk = here.talk();
    put_whole(&mut talk, "a", &[7; 1000]);
    put_whole(&mut talk, "b", &[7; 234]);
    push(
        &mut talk,
        to(peer(&there), vec![key("a"), key("b"), key("none")]),
    )
    .success();
    let log = GetLog {
        types: vec![4],
        ..Default::default()
    };
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    let reply = talk.ask(MessageType::GETLOG, body, &[]).success();
    let statistics = reply.body().get_log.expect("a log").statistics;
    let pushes = statistics
        .iter()
        .find(|one| one.message_type == Some(PUSH.0));
    let pushes = pushes.expect("a line about pushes");
    assert_eq!((pushes.count, pushes.bytes), (Some(1), Some(1234)));
}

#[test]
fn what_takes_longer_than_its_time_says_so() {
    let here = Fresh::drive();
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"1");
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("its address");
    let mut command = talk.command(PUSH, body(to(at(address), vec![key("a")])));
    command.header.as_mut().expect("a header").timeout = Some(200);
    let reply = talk.ask_command(&command, &[]);
    assert_eq!(reply.code(), StatusCode::EXPIRED);
    assert_eq!(codes(&outcome(&reply)), [StatusCode::NOT_ATTEMPTED]);
}
