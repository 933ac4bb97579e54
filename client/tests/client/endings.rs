//! The ways in which a connection ends, and what those who wait are told.

use kinetic_client::{Client, Config, Disconnected, Error, HelloError, StatusCode};
use kinetic_proto::{Seal, wire::WireError};
use tokio::task::JoinSet;

use crate::fake_drive::{FakeDrive, connected, hello};

async fn all_disconnected(mut tasks: JoinSet<Result<(), Error>>) -> Vec<Disconnected> {
    let mut reasons = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Err(Error::Disconnected(reason)) => reasons.push(reason),
            other => panic!("{other:?}"),
        }
    }
    reasons
}

fn three_noops(client: &Client) -> JoinSet<Result<(), Error>> {
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(client.noop().into_future());
    }
    tasks
}

#[tokio::test]
async fn an_unsolicited_status_fails_everything_pending_with_its_code_and_text() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    drive.next().await;
    drive
        .unsolicited(StatusCode::HMAC_FAILURE.with_text("wrong key?"))
        .await;
    for reason in all_disconnected(tasks).await {
        let expected = "the drive closed the connection with HMAC_FAILURE: wrong key?";
        assert_eq!(reason.to_string(), expected);
    }
    let later = client.noop().await.unwrap_err();
    assert_eq!(later.status(), Some(StatusCode::HMAC_FAILURE));
    assert!(client.disconnected().is_some());
}

#[tokio::test]
async fn a_disconnect_fails_everything_pending() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    drive.next().await;
    drop(drive);
    assert_eq!(all_disconnected(tasks).await.len(), 3);
}

#[tokio::test]
async fn a_frame_that_breaks_off_is_told_as_such() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    for _ in 0..3 {
        drive.next().await;
    }
    drive.send_raw(b"F\0\0").await;
    drop(drive);
    for reason in all_disconnected(tasks).await {
        assert!(matches!(reason, Disconnected::Frame(_)), "{reason:?}");
    }
}

#[tokio::test]
async fn bytes_of_another_protocol_end_the_connection() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    drive.next().await;
    drive.send_raw(b"HTTP/1.1 200 OK\r\n").await;
    for reason in all_disconnected(tasks).await {
        assert!(matches!(reason, Disconnected::Frame(_)), "{reason:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_no_protobuf_ends_the_connection() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    drive.next().await;
    drive.send_raw(b"F\0\0\0\x02\0\0\0\0\xff\xff").await;
    for reason in all_disconnected(tasks).await {
        let truncated = Disconnected::Malformed(WireError::Truncated);
        assert_eq!(reason.to_string(), truncated.to_string());
    }
}

#[tokio::test]
async fn an_answer_with_a_wrong_hmac_is_not_believed() {
    let (client, mut drive) = connected(Config::default()).await;
    let tasks = three_noops(&client);
    let asked = drive.next().await;
    drive.sign_with(b"not the key");
    drive.succeed(&asked).await;
    for reason in all_disconnected(tasks).await {
        assert!(matches!(reason, Disconnected::BadSignature { identity: 1 }));
    }
}

#[tokio::test]
async fn a_drive_that_hangs_up_while_it_is_sent_to_tells_its_reason() {
    let (client, mut drive) = connected(Config::default()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        tasks.spawn(client.put("key", vec![0; 1 << 20]).into_future());
    }
    // The first bytes have come, the pipe is full, and the rest will never be read.
    drive.next().await;
    drive
        .unsolicited(StatusCode::NO_SPACE.with_text("full"))
        .await;
    drop(drive);
    for reason in all_disconnected(tasks).await {
        assert!(
            matches!(&reason, Disconnected::ByDrive { status, .. }
            if *status == StatusCode::NO_SPACE),
            "{reason:?}"
        );
    }
}

#[tokio::test]
async fn who_waits_for_room_in_the_budget_learns_of_the_end() {
    let config = Config {
        in_flight_bytes: 1000,
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let mut tasks = JoinSet::new();
    for _ in 0..5 {
        tasks.spawn(client.put("key", vec![0; 900]).into_future());
    }
    drive.next().await;
    drop(drive);
    assert_eq!(all_disconnected(tasks).await.len(), 5);
}

#[tokio::test]
async fn the_connection_ends_with_its_last_handle() {
    let (client, mut drive) = connected(Config::default()).await;
    let second = client.clone();
    drop(client);
    let (outcome, ()) = tokio::join!(second.noop().into_future(), async {
        let asked = drive.next().await;
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
    drop(second);
    assert!(drive.try_next().await.is_none());
}

async fn greeted_with(greeting: impl AsyncFnOnce(&mut FakeDrive)) -> HelloError {
    let (near, far) = tokio::io::duplex(64 << 10);
    let mut drive = FakeDrive::new(far);
    greeting(&mut drive).await;
    drop(drive);
    Client::over(near, Config::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_hello_that_refuses_keeps_its_reason() {
    let status = StatusCode::SERVICE_BUSY.with_text("too many connections");
    let refused = greeted_with(async move |drive| drive.unsolicited(status).await).await;
    assert_eq!(
        refused.to_string(),
        "it refused with SERVICE_BUSY: too many connections"
    );
}

#[tokio::test]
async fn a_peer_that_is_no_drive_is_told_apart() {
    let answer = greeted_with(async |drive| drive.send_raw(b"SSH-2.0-x\r\n").await).await;
    assert!(matches!(answer, HelloError::Frame(_)), "{answer:?}");
    let silent = greeted_with(async |_| {}).await;
    assert!(matches!(silent, HelloError::EndOfStream), "{silent:?}");
    let signed = greeted_with(async |drive| {
        let key = kinetic_client::SigningKey::new(b"asdfasdf");
        let seal = Seal::Signed {
            identity: 1,
            key: &key,
        };
        drive.send(seal, &hello("4.0.1"), b"").await;
    });
    assert!(matches!(signed.await, HelloError::NotAHello));
}
