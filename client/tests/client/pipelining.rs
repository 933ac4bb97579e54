//! Many requests in flight on one connection.

use std::sync::Arc;

use bytes::Bytes;
use kinetic_client::Config;
use kinetic_client::schema::command::{Body, KeyValue};
use tokio::task::JoinSet;

use crate::fake_drive::connected;

#[tokio::test]
async fn answers_in_reverse_order_reach_those_who_asked() {
    let (client, mut drive) = connected(Config::default()).await;
    let mut tasks = JoinSet::new();
    for number in 0..500u32 {
        let client = client.clone();
        tasks.spawn(async move {
            let key = number.to_string();
            let entry = client.get(key.clone()).await.unwrap().unwrap();
            assert_eq!(entry.value, key);
        });
    }
    let mut asked = Vec::new();
    for _ in 0..500 {
        asked.push(drive.next().await);
    }
    for asked in asked.iter().rev() {
        let key = asked.key_value().key.unwrap();
        let body = Body {
            key_value: Some(KeyValue {
                key: Some(key.clone()),
                ..KeyValue::default()
            }),
            ..Body::default()
        };
        drive.answer_value(asked, body, &key).await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn sequences_grow_in_the_order_of_the_wire() {
    let (client, mut drive) = connected(Config::default()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let noop = client.noop();
        tasks.spawn(noop.into_future());
    }
    let mut last = 0;
    for _ in 0..100 {
        let asked = drive.next().await;
        assert!(asked.sequence() > last);
        last = asked.sequence();
        drive.succeed(&asked).await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

#[tokio::test]
async fn megabytes_flow_both_ways_at_once_through_a_small_pipe() {
    let (client, mut drive) = connected(Config::default()).await;
    let value = Bytes::from(vec![7; 1 << 20]);
    let mut tasks = JoinSet::new();
    for number in 0..20u32 {
        let (client, value) = (client.clone(), value.clone());
        tasks.spawn(async move {
            let key = number.to_string();
            client.put(key.clone(), value.clone()).await.unwrap();
            assert_eq!(client.get(key).await.unwrap().unwrap().value, value);
        });
    }
    let serving = tokio::spawn(async move {
        let mut stored = std::collections::BTreeMap::new();
        for _ in 0..40 {
            let asked = drive.next().await;
            let key = asked.key_value().key.unwrap();
            if asked.value.is_empty() {
                let body = Body {
                    key_value: Some(asked.key_value()),
                    ..Body::default()
                };
                let value: &Bytes = &stored[&key];
                drive.answer_value(&asked, body, value).await;
            } else {
                stored.insert(key, asked.value.clone());
                drive.succeed(&asked).await;
            }
        }
        drive
    });
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn callers_wait_for_room_in_the_budget_and_get_it_with_an_answer() {
    let config = Config {
        in_flight_bytes: 10_000,
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let value = Bytes::from(vec![1; 6000]);
    let first = tokio::spawn(client.put("first", value.clone()).into_future());
    let asked = drive.next().await;
    let second = tokio::spawn(client.put("second", value.clone()).into_future());
    // The paused clock moves on only when every task waits: the second put is not sent.
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), drive.next()).await;
    assert!(early.is_err());
    drive.succeed(&asked).await;
    first.await.unwrap().unwrap();
    let asked = drive.next().await;
    assert_eq!(asked.key_value().key.unwrap(), "second");
    drive.succeed(&asked).await;
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_over_the_whole_budget_goes_alone() {
    let config = Config {
        in_flight_bytes: 1000,
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let client = Arc::new(client);
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(client.put("large", vec![0; 5000]).into_future());
    }
    for _ in 0..3 {
        let asked = drive.next().await;
        assert_eq!(asked.value.len(), 5000);
        drive.succeed(&asked).await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_future_is_dropped_early_is_not_sent() {
    let (client, mut drive) = connected(Config::default()).await;
    let mut dropped = client.put("dropped", "").into_future();
    // Polled once, so that it is queued, and dropped before the connection's task runs.
    let polled =
        std::future::poll_fn(|cx| std::task::Poll::Ready(dropped.as_mut().poll(cx).is_pending()));
    assert!(polled.await);
    drop(dropped);
    let (kept, ()) = tokio::join!(client.put("kept", "").into_future(), async {
        let asked = drive.next().await;
        assert_eq!(asked.key_value().key.unwrap(), "kept");
        drive.succeed(&asked).await;
    });
    kept.unwrap();
}
