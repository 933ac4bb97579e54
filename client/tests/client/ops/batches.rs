//! Batches: the frames in their order, the bounds, and who is to blame for a failure.

use std::time::Duration;

use kinetic_client::schema::command::{Batch, Body, get_log};
use kinetic_client::{BatchError, Client, Config, Error, MessageType, StatusCode};
use kinetic_proto::Seal;

use crate::fake_drive::{Asked, FakeDrive, connected, hello};

fn kind(asked: &Asked) -> MessageType {
    MessageType(asked.header().message_type.unwrap())
}

/// The drive's side of one batch up to its end, which is not answered.
async fn until_end(drive: &mut FakeDrive, operations: usize) -> (Vec<Asked>, Asked) {
    let mut seen = Vec::new();
    for _ in 0..operations {
        seen.push(drive.next().await);
    }
    (seen, drive.next().await)
}

async fn open(drive: &mut FakeDrive) -> Asked {
    let start = drive.next().await;
    assert_eq!(kind(&start), MessageType::START_BATCH);
    drive.succeed(&start).await;
    start
}

fn three(client: &Client) -> kinetic_client::ops::Batch {
    let mut batch = client.batch();
    batch.add(client.put("a", "1").version("7").expected_version("6"));
    batch.add(client.put("b", vec![2; 5000]).force());
    batch.add(client.delete("c").force());
    batch
}

#[tokio::test]
async fn a_batch_is_its_operations_between_start_and_end() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(three(&client).commit(), async {
        let start = open(&mut drive).await;
        let id = start.header().batch_id;
        assert!(id.is_some());
        let (operations, end) = until_end(&mut drive, 3).await;
        let kinds: Vec<MessageType> = operations.iter().map(kind).collect();
        let (put, delete) = (MessageType::PUT, MessageType::DELETE);
        assert_eq!(kinds, [put, put, delete]);
        let entry = operations[0].key_value();
        assert_eq!(entry.new_version.as_deref(), Some(&b"7"[..]));
        assert_eq!(entry.db_version.as_deref(), Some(&b"6"[..]));
        assert_eq!(operations[1].value, vec![2; 5000]);
        assert_eq!(operations[2].key_value().force, Some(true));
        for asked in operations.iter().chain([&end]) {
            assert_eq!(asked.header().batch_id, id);
        }
        assert_eq!(kind(&end), MessageType::END_BATCH);
        let batch = end.command.body.clone().unwrap().batch.unwrap();
        assert_eq!(batch.count, Some(3));
        drive.succeed(&end).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_batch_at_once_waits_for_nothing_but_its_end() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(three(&client).at_once().commit(), async {
        let start = drive.next().await;
        assert_eq!(kind(&start), MessageType::START_BATCH);
        let (operations, end) = until_end(&mut drive, 3).await;
        let batch = end.command.body.clone().unwrap().batch.unwrap();
        assert_eq!(batch.count, Some(3));
        // The answer to START comes, too, and nobody minds.
        drive.succeed(&start).await;
        fail(&mut drive, &end, operations[2].sequence(), "NOT_FOUND").await;
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, BatchError::Operation { index: 2, .. }),
        "{error}"
    );
}

async fn fail(drive: &mut FakeDrive, end: &Asked, failed: u64, text: &str) {
    let body = Body {
        batch: Some(Batch {
            sequence: vec![failed - 1, failed],
            failed_sequence: Some(failed),
            ..Batch::default()
        }),
        ..Body::default()
    };
    let status = StatusCode::INVALID_BATCH.with_text(text);
    drive.answer(end, status, body).await;
}

#[tokio::test]
async fn a_failure_names_the_operation_and_its_cause() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(three(&client).commit(), async {
        open(&mut drive).await;
        let (operations, end) = until_end(&mut drive, 3).await;
        let text = "VERSION_MISMATCH: the stored version is another";
        fail(&mut drive, &end, operations[1].sequence(), text).await;
    });
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("operation 2 of the batch, PUT"), "{text}");
    assert!(text.contains("nothing of the batch was done"), "{text}");
    match error {
        BatchError::Operation {
            index, key, status, ..
        } => {
            assert_eq!((index, key.as_ref()), (1, &b"b"[..]));
            assert_eq!(status, StatusCode::VERSION_MISMATCH);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_start_sends_no_operation_and_leaves_the_connection() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(three(&client).commit(), async {
        let start = drive.next().await;
        let status = StatusCode::INVALID_BATCH.with_text("too many batches are open");
        drive.answer(&start, status, Body::default()).await;
    });
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("too many batches"), "{error}");
    let (outcome, ()) = tokio::join!(client.noop().into_future(), async {
        let asked = drive.next().await;
        assert_eq!(kind(&asked), MessageType::NOOP);
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_batch_goes_on_when_nobody_waits_for_it_any_more() {
    let (client, mut drive) = connected(Config::default()).await;
    {
        let mut commit = Box::pin(three(&client).commit());
        tokio::select! {
            _ = &mut commit => panic!("it is not answered yet"),
            start = drive.next() => drive.succeed(&start).await,
        }
    }
    let (_, end) = until_end(&mut drive, 3).await;
    assert_eq!(kind(&end), MessageType::END_BATCH);
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_start_is_not_answered_is_aborted() {
    let (client, mut drive) = connected(Config::default()).await;
    let batch = three(&client).timeout(Duration::from_secs(1));
    let (outcome, start) = tokio::join!(batch.commit(), drive.next());
    let timed_out = matches!(outcome, Err(BatchError::Request(Error::Timeout { .. })));
    assert!(timed_out);
    let abort = drive.next().await;
    assert_eq!(kind(&abort), MessageType::ABORT_BATCH);
    assert_eq!(abort.header().batch_id, start.header().batch_id);
}

#[tokio::test]
async fn an_empty_batch_is_done_at_once() {
    let (client, mut drive) = connected(Config::default()).await;
    assert!(client.batch().is_empty());
    client.batch().commit().await.unwrap();
    drop(client);
    assert!(drive.try_next().await.is_none());
}

/// A drive with small limits, of which it is told nothing in these tests.
async fn bounded(limits: get_log::Limits) -> (Client, FakeDrive) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let mut drive = FakeDrive::new(far);
    let mut greeting = hello("4.0.1");
    let log = greeting.body.as_mut().unwrap().get_log.as_mut().unwrap();
    log.limits = Some(limits);
    drive.send(Seal::Unsolicited, &greeting, b"").await;
    (Client::over(near, Config::default()).await.unwrap(), drive)
}

#[tokio::test]
async fn the_limits_of_the_hello_hold_before_anything_is_sent() {
    let limits = get_log::Limits {
        max_key_size: Some(4),
        max_value_size: Some(10),
        max_version_size: Some(4),
        max_tag_size: Some(4),
        max_operation_count_per_batch: Some(3),
        max_deletes_per_batch: Some(1),
        max_batch_size: Some(20),
        ..get_log::Limits::default()
    };
    let (client, mut drive) = bounded(limits).await;
    let mut count = client.batch();
    let mut deletes = client.batch();
    let mut bytes = client.batch();
    for number in 0..4 {
        count.add(client.put(vec![number], ""));
    }
    for number in 0..2 {
        deletes.add(client.delete(vec![number]));
        bytes.add(client.put(vec![number; 4], vec![0; 7]));
    }
    for (batch, text) in [
        (count, "4 operations is over the drive's limit of 3"),
        (deletes, "2 deletes is over the drive's limit of 1"),
        (bytes, "22 bytes is over the drive's limit of 20"),
    ] {
        let error = batch.commit().await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    for put in [
        client.put("12345", ""),
        client.put("1", vec![0; 11]),
        client.put("1", "").version("12345"),
        client.put("1", "").expected_version("12345"),
        client.put("1", "").tag("12345"),
    ] {
        let mut batch = client.batch();
        batch.add(client.delete("ok"));
        batch.add(put);
        let error = batch.commit().await.unwrap_err();
        let expected = matches!(error, BatchError::OperationTooLarge { index: 1, .. });
        assert!(expected, "{error}");
    }
    drop(client);
    assert!(drive.try_next().await.is_none(), "something was sent");
}

#[tokio::test]
async fn batches_and_single_requests_share_a_connection() {
    let (client, mut drive) = connected(Config::default()).await;
    let (first, second, noop, ()) = tokio::join!(
        three(&client).commit(),
        three(&client).commit(),
        client.noop().into_future(),
        async {
            let mut ends = 0;
            let mut last = 0;
            while ends < 2 {
                let asked = drive.next().await;
                assert!(asked.sequence() > last);
                last = asked.sequence();
                match kind(&asked) {
                    MessageType::PUT | MessageType::DELETE => {}
                    MessageType::END_BATCH => {
                        ends += 1;
                        drive.succeed(&asked).await;
                    }
                    _ => drive.succeed(&asked).await,
                }
            }
        }
    );
    first.unwrap();
    second.unwrap();
    noop.unwrap();
}
