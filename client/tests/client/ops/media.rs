//! MEDIASCAN as a drive sees it, and what is made of its answers.

use std::time::Duration;

use bytes::Bytes;
use kinetic_client::schema::command::{Body, Range, Status};
use kinetic_client::{AnswerProblem, Config, Error, MessageType, Scanned, StatusCode};

use crate::fake_drive::{Asked, FakeDrive, connected};

async fn answer(drive: &mut FakeDrive, asked: &Asked, (status, end): (Status, Option<&str>)) {
    let range = Range {
        keys: vec![Bytes::from_static(b"bad")],
        end_key: end.map(|end| Bytes::copy_from_slice(end.as_bytes())),
        ..Range::default()
    };
    let body = Body {
        range: Some(range),
        ..Body::default()
    };
    drive.answer(asked, status, body).await;
}

fn success() -> Status {
    StatusCode::SUCCESS.to_message()
}

#[tokio::test]
async fn a_scan_goes_on_where_the_drive_stopped_until_its_own_end_comes_back() {
    let (client, mut drive) = connected(Config::default()).await;
    let scan = client
        .media_scan("a".."m")
        .limit(3)
        .within(Duration::from_millis(70));
    let (parts, ()) = tokio::join!(
        async {
            let (mut parts, mut next) = (Vec::new(), Some(scan));
            while let Some(part) = next {
                let scanned = part.clone().await.unwrap();
                next = part.next(&scanned);
                parts.push(scanned);
            }
            parts
        },
        async {
            for (start, inclusive, end) in [("a", true, "f"), ("f", false, "m")] {
                let asked = drive.next().await;
                let kind = MessageType::MEDIASCAN;
                assert_eq!(asked.header().message_type, Some(kind.into()));
                assert_eq!(asked.header().time_quanta, Some(70));
                let range = asked.range();
                assert_eq!(range.start_key.as_deref(), Some(start.as_bytes()));
                assert_eq!(range.start_key_inclusive, Some(inclusive));
                assert_eq!(range.end_key.as_deref(), Some(&b"m"[..]));
                assert_eq!(range.end_key_inclusive, Some(false));
                assert_eq!(range.max_returned, Some(3));
                answer(&mut drive, &asked, (success(), Some(end))).await;
            }
        }
    );
    let reached: Vec<Option<&[u8]>> = parts.iter().map(|part| part.reached.as_deref()).collect();
    assert_eq!(reached, [Some(&b"f"[..]), None]);
    assert_eq!(parts[1].bad, [Bytes::from_static(b"bad")]);
}

#[tokio::test]
async fn a_drive_that_cannot_list_a_part_has_answered_all_the_same() {
    let (client, mut drive) = connected(Config::default()).await;
    let (scanned, ()) = tokio::join!(client.media_scan::<&str>(..).into_future(), async {
        let asked = drive.next().await;
        assert_eq!(
            (asked.range().end_key, asked.header().time_quanta),
            (None, None)
        );
        let status = StatusCode::PERM_DATA_ERROR.with_text("lost");
        answer(&mut drive, &asked, (status, None)).await;
    });
    let expected = Scanned {
        bad: vec![Bytes::from_static(b"bad")],
        reached: None,
        unlisted: Some("lost".to_owned()),
    };
    assert_eq!(scanned.unwrap(), expected);
}

#[tokio::test]
async fn a_drive_that_does_not_get_on_is_an_error_and_not_an_endless_loop() {
    let (client, mut drive) = connected(Config::default()).await;
    let (scanned, ()) = tokio::join!(client.media_scan("f"..).into_future(), async {
        let asked = drive.next().await;
        answer(&mut drive, &asked, (success(), Some("e"))).await;
    });
    let Err(Error::Unusable { problem, .. }) = scanned else {
        panic!("{scanned:?}")
    };
    assert_eq!(problem, AnswerProblem::OutOfOrder);
}
