//! PEER2PEERPUSH as a drive sees it, what is made of its answers, and how a range is replicated.

use bytes::Bytes;
use kinetic_client::schema::command::{Body, P2pOperation, Range};
use kinetic_client::{Config, Copied, MessageType, Peer, StatusCode, Transfer, Way};

use crate::fake_drive::{Asked, FakeDrive, connected};

fn peer(name: &str) -> Peer {
    Peer::plain(name, 8123)
}

fn asked_push(asked: &Asked) -> P2pOperation {
    let body = asked.command.body.clone().unwrap();
    *body.p2p_operation.unwrap()
}

/// Gives every operation a status, nested ones, too.
fn settle(push: &mut P2pOperation, status: StatusCode) {
    for operation in &mut push.operation {
        operation.status = Some(status.to_message());
        if let Some(next) = &mut operation.p2pop {
            settle(next, status);
        }
    }
}

fn told(push: P2pOperation) -> Body {
    Body {
        p2p_operation: Some(Box::new(push)),
        ..Body::default()
    }
}

#[tokio::test]
async fn a_push_names_peer_keys_and_what_is_to_follow() {
    let (client, mut drive) = connected(Config::default()).await;
    let next = Transfer::of("b").force();
    let first = Transfer::of("a").to_key("b").expected_version("7");
    let push = client.push(Peer::tls("two", 8443), [first.then(peer("three"), [next])]);
    let (outcome, ()) = tokio::join!(push.into_future(), async {
        let asked = drive.next().await;
        let kind = MessageType::PEER2PEERPUSH;
        assert_eq!(asked.header().message_type, Some(kind.into()));
        let mut push = asked_push(&asked);
        let to = push.peer.clone().unwrap();
        assert_eq!(
            (to.hostname.as_deref(), to.port, to.tls),
            (Some("two"), Some(8443), Some(true))
        );
        let operation = push.operation.first().unwrap();
        assert_eq!(operation.key.as_deref(), Some(&b"a"[..]));
        assert_eq!(operation.new_key.as_deref(), Some(&b"b"[..]));
        assert_eq!(operation.version.as_deref(), Some(&b"7"[..]));
        assert_eq!(operation.force, None);
        let next = operation.p2pop.clone().unwrap();
        assert_eq!(next.operation.first().unwrap().force, Some(true));
        settle(&mut push, StatusCode::SUCCESS);
        drive
            .answer(&asked, StatusCode::SUCCESS.to_message(), told(push))
            .await;
    });
    let pushed = outcome.unwrap();
    assert!(
        pushed.is_complete() && pushed.cut_short.is_none(),
        "{pushed:?}"
    );
}

#[tokio::test]
async fn a_drive_that_says_nested_errors_still_tells_what_came_of_each() {
    for code in [
        StatusCode::NESTED_OPERATION_ERRORS,
        StatusCode::REMOTE_CONNECTION_ERROR,
    ] {
        let (client, mut drive) = connected(Config::default()).await;
        let push = client.push(peer("two"), [Transfer::of("a"), Transfer::of("b")]);
        let (outcome, ()) = tokio::join!(push.into_future(), async {
            let asked = drive.next().await;
            let mut push = asked_push(&asked);
            settle(&mut push, StatusCode::SUCCESS);
            push.operation.last_mut().unwrap().status = Some(StatusCode::NOT_FOUND.to_message());
            drive
                .answer(&asked, code.with_text("why"), told(push))
                .await;
        });
        let pushed = outcome.unwrap();
        assert_eq!(pushed.cut_short.as_ref().unwrap().status, code);
        let codes: Vec<StatusCode> = pushed.transferred.iter().map(|one| one.status).collect();
        assert_eq!(codes, [StatusCode::SUCCESS, StatusCode::NOT_FOUND]);
    }
}

#[tokio::test]
async fn a_refusal_that_tells_nothing_of_the_operations_is_an_error() {
    let (client, mut drive) = connected(Config::default()).await;
    let push = client.push(peer("two"), [Transfer::of("a")]);
    let (outcome, ()) = tokio::join!(push.into_future(), async {
        let asked = drive.next().await;
        let refused = StatusCode::NOT_AUTHORIZED.with_text("permission denied");
        drive.answer(&asked, refused, Body::default()).await;
    });
    assert_eq!(
        outcome.unwrap_err().status(),
        Some(StatusCode::NOT_AUTHORIZED)
    );
}

/// Answers listings of `keys`, in pages, and pushes; of each push, the keys and the peer.
async fn serve(
    drive: &mut FakeDrive,
    keys: &[&'static str],
    pushes: usize,
) -> Vec<(String, String)> {
    let (mut left, mut seen) = (keys.iter(), Vec::new());
    let mut ended = false;
    while seen.len() < pushes || !ended {
        let asked = drive.next().await;
        let success = StatusCode::SUCCESS.to_message();
        if asked.header().message_type == Some(MessageType::GETKEYRANGE.into()) {
            let page: Vec<Bytes> = left
                .by_ref()
                .take(2)
                .map(|key| Bytes::from_static(key.as_bytes()))
                .collect();
            ended |= page.is_empty();
            let range = Range {
                keys: page,
                ..Range::default()
            };
            let body = Body {
                range: Some(range),
                ..Body::default()
            };
            drive.answer(&asked, success, body).await;
        } else {
            let mut push = asked_push(&asked);
            settle(&mut push, StatusCode::SUCCESS);
            let names = push.operation.iter().filter_map(|one| one.key.clone());
            let names: Vec<String> = names
                .map(|key| String::from_utf8_lossy(&key).into_owned())
                .collect();
            let host = push.peer.clone().unwrap().hostname.unwrap();
            seen.push((host, names.join(" ")));
            drive.answer(&asked, success, told(push)).await;
        }
    }
    seen
}

async fn outcomes(mut run: kinetic_client::Replication) -> Vec<Copied> {
    let mut all = Vec::new();
    while let Some(copied) = run.next().await {
        all.push(copied.unwrap());
    }
    all
}

#[tokio::test]
async fn a_range_is_pushed_in_parts_and_every_key_is_told_in_order() {
    let keys = ["a", "b", "c", "d", "e"];
    for (way, pushes) in [(Way::Pipeline, 2), (Way::SideBySide, 4)] {
        let (client, mut drive) = connected(Config::default()).await;
        let run = client
            .all_keys()
            .page(2)
            .replicate([peer("two"), peer("three")]);
        let run = run.way(way).keys_per_push(3).pushes_under_way(2).start();
        let (copied, seen) = tokio::join!(outcomes(run), serve(&mut drive, &keys, pushes));
        let told: Vec<&[u8]> = copied.iter().map(|one| &*one.key).collect();
        assert_eq!(told, keys.map(str::as_bytes));
        assert!(
            copied
                .iter()
                .all(|one| one.is_complete() && one.at.len() == 2),
            "{copied:?}"
        );
        let to_two: Vec<&str> = seen
            .iter()
            .filter(|(host, _)| host == "two")
            .map(|(_, keys)| keys.as_str())
            .collect();
        assert_eq!(to_two, ["a b c", "d e"]);
    }
}

#[tokio::test]
async fn a_drive_that_goes_away_ends_the_run_behind_what_was_told() {
    let (client, mut drive) = connected(Config::default()).await;
    let run = client
        .all_keys()
        .page(2)
        .replicate([peer("two")])
        .keys_per_push(2);
    let mut run = run.pushes_under_way(1).start();
    let serve = async {
        serve(&mut drive, &["a", "b"], 1).await;
        drop(drive);
    };
    let told = async {
        let mut told = Vec::new();
        while let Some(Ok(copied)) = run.next().await {
            told.push(copied.key);
        }
        told
    };
    let (told, ()) = tokio::join!(told, serve);
    assert_eq!(told, [&b"a"[..], b"b"]);
}
