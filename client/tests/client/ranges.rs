//! Ranges over many pages, against a drive that holds keys and answers as the protocol says.

use std::collections::BTreeSet;
use std::ops::Bound;

use bytes::Bytes;
use kinetic_client::schema::command::{Body, Range};
use kinetic_client::{AnswerProblem, Client, Config, Error, StatusCode};
use kinetic_proto::Seal;

use crate::fake_drive::{FakeDrive, connected, hello};

const SUCCESS: StatusCode = StatusCode::SUCCESS;

fn selected(keys: &BTreeSet<Bytes>, range: &Range) -> Vec<Bytes> {
    let start = range.start_key.clone().unwrap_or_default();
    let start = match range.start_key_inclusive {
        Some(true) => Bound::Included(start),
        _ => Bound::Excluded(start),
    };
    let end = match (range.end_key.clone(), range.end_key_inclusive) {
        (None, _) => Bound::Unbounded,
        (Some(key), Some(true)) => Bound::Included(key),
        (Some(key), _) => Bound::Excluded(key),
    };
    let mut found: Vec<Bytes> = keys
        .iter()
        .filter(|key| std::ops::RangeBounds::contains(&(start.as_ref(), end.as_ref()), key))
        .cloned()
        .collect();
    if range.reverse == Some(true) {
        found.reverse();
    }
    let count = range.max_returned.unwrap_or_default();
    assert!((1..=200).contains(&count), "{count} keys asked for");
    found.truncate(count as usize);
    found
}

/// Answers ranges until the client is gone; returns how many pages it sent.
async fn serve(mut drive: FakeDrive, keys: BTreeSet<Bytes>) -> usize {
    let mut pages = 0;
    while let Some(asked) = drive.try_next().await {
        let found = selected(&keys, &asked.range());
        let body = Body {
            range: Some(Range {
                keys: found,
                ..Range::default()
            }),
            ..Body::default()
        };
        drive.answer(&asked, SUCCESS.to_message(), body).await;
        pages += 1;
    }
    pages
}

fn keys(count: usize) -> BTreeSet<Bytes> {
    (0..count)
        .map(|number| Bytes::from(format!("key/{number:05}")))
        .collect()
}

async fn holding(count: usize) -> (Client, tokio::task::JoinHandle<usize>) {
    let (client, drive) = connected(Config::default()).await;
    (client, tokio::spawn(serve(drive, keys(count))))
}

#[tokio::test]
async fn a_listing_of_more_than_a_page_is_whole_in_both_directions() {
    let (client, _serving) = holding(1234).await;
    let expected: Vec<Bytes> = keys(1234).into_iter().collect();
    assert_eq!(client.all_keys().keys().collect().await.unwrap(), expected);
    let mut backwards = client.all_keys().reverse().keys().collect().await.unwrap();
    backwards.reverse();
    assert_eq!(backwards, expected);
}

#[tokio::test]
async fn bounds_and_limit_hold_over_pages() {
    let (client, _serving) = holding(1000).await;
    let found = client
        .range("key/00100".."key/00700")
        .keys()
        .collect()
        .await
        .unwrap();
    assert_eq!(found.len(), 600);
    let found = client
        .range("key/00100"..="key/00700")
        .limit(333)
        .keys()
        .collect()
        .await
        .unwrap();
    assert_eq!(found.len(), 333);
    assert_eq!(found.last().unwrap(), "key/00432");
    let last = client
        .range("key/00100"..)
        .reverse()
        .limit(1)
        .keys()
        .collect()
        .await
        .unwrap();
    assert_eq!(last, ["key/00999"]);
}

#[tokio::test]
async fn a_limit_within_a_page_takes_one_request_and_no_limit_at_all_none() {
    let (client, serving) = holding(1000).await;
    assert_eq!(
        client
            .all_keys()
            .limit(50)
            .keys()
            .collect()
            .await
            .unwrap()
            .len(),
        50
    );
    assert!(
        client
            .all_keys()
            .limit(0)
            .keys()
            .collect()
            .await
            .unwrap()
            .is_empty()
    );
    drop(client);
    assert_eq!(serving.await.unwrap(), 1);
}

#[tokio::test]
async fn a_prefix_finds_its_keys_and_no_others() {
    let (client, _serving) = holding(1000).await;
    assert_eq!(
        client
            .prefix("key/009")
            .keys()
            .collect()
            .await
            .unwrap()
            .len(),
        100
    );
    assert!(
        client
            .prefix("kez")
            .keys()
            .collect()
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        client
            .prefix("")
            .page(7)
            .keys()
            .collect()
            .await
            .unwrap()
            .len(),
        1000
    );
}

#[tokio::test]
async fn a_prefix_can_be_narrowed_and_never_widened() {
    let (client, _serving) = holding(1000).await;
    let found = client
        .prefix("key/001")
        .from(b"key/00150")
        .until(b"key/00160");
    assert_eq!(found.keys().collect().await.unwrap().len(), 10);
    let found = client.prefix("key/001").from(b"a").until(b"z");
    assert_eq!(found.keys().collect().await.unwrap().len(), 100);
}

#[tokio::test]
async fn an_open_end_is_absent_on_the_wire_but_for_old_drives() {
    for (version, end) in [("4.0.1", None), ("3.0.7", Some(vec![0xff; 4096]))] {
        let (near, far) = tokio::io::duplex(64 << 10);
        let mut drive = FakeDrive::new(far);
        drive.send(Seal::Unsolicited, &hello(version), b"").await;
        let client = Client::over(near, Config::default()).await.unwrap();
        let (_keys, ()) = tokio::join!(client.all_keys().keys().collect(), async {
            let asked = drive.next().await;
            let range = asked.range();
            assert_eq!(range.end_key.map(|key| key.to_vec()), end);
            assert_eq!(range.start_key.unwrap(), "");
            assert_eq!(range.start_key_inclusive, Some(true));
            drive.succeed(&asked).await;
        });
    }
}

#[tokio::test]
async fn a_drive_that_repeats_a_page_is_an_error_and_not_a_loop() {
    let (client, mut drive) = connected(Config::default()).await;
    let serving = tokio::spawn(async move {
        while let Some(asked) = drive.try_next().await {
            let body = Body {
                range: Some(Range {
                    keys: vec!["a".into(), "b".into()],
                    ..Range::default()
                }),
                ..Body::default()
            };
            drive.answer(&asked, SUCCESS.to_message(), body).await;
        }
    });
    let mut keys = client.all_keys().keys();
    assert_eq!(keys.next().await.unwrap().unwrap(), "a");
    assert_eq!(keys.next().await.unwrap().unwrap(), "b");
    let problem = keys.next().await.unwrap().unwrap_err();
    assert!(matches!(
        problem,
        Error::Unusable {
            problem: AnswerProblem::OutOfOrder,
            ..
        }
    ));
    assert!(keys.next().await.is_none());
    drop((keys, client));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_refusal_ends_the_stream() {
    let (client, mut drive) = connected(Config::default()).await;
    let mut keys = client.all_keys().keys();
    let (first, ()) = tokio::join!(keys.next(), async {
        let asked = drive.next().await;
        let status = StatusCode::NOT_AUTHORIZED.with_text("permission denied");
        drive.answer(&asked, status, Body::default()).await;
    });
    assert_eq!(
        first.unwrap().unwrap_err().status(),
        Some(StatusCode::NOT_AUTHORIZED)
    );
    assert!(keys.next().await.is_none());
}
