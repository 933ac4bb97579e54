//! Requests beyond the protocol: asked of drives that list them, and gone on with until all is
//! there.

use std::time::Duration;

use bytes::Bytes;
use kinetic_client::schema::command::digest::Part;
use kinetic_client::schema::command::{Body, Digest, Found, KeyList, KeyValue, Range, Status};
use kinetic_client::{AnswerProblem, Config, Error, MessageType, StatusCode};

use crate::fake_drive::{Asked, FakeDrive, connected};

const ALL: &[u8] = br#"{"extensions":[{"name":"COUNT","number":1002},
    {"name":"EXISTS","number":1004},{"name":"GET_PART","number":1006},
    {"name":"MULTI_GET","number":1008},{"name":"RANGE_METADATA","number":1010},
    {"name":"RANGE_DIGEST","number":1012}],"limits":{"maxKeysPerRequest":3}}"#;

fn success() -> Status {
    StatusCode::SUCCESS.to_message()
}

fn kind(asked: &Asked) -> MessageType {
    MessageType(asked.header().message_type.unwrap())
}

/// Takes the question what the drive knows, and answers it.
async fn tell(drive: &mut FakeDrive, content: &[u8]) {
    let asked = drive.next().await;
    assert_eq!(kind(&asked), MessageType::GETLOG);
    let body = asked.command.body.clone().unwrap();
    let name = body.get_log.unwrap().device.unwrap().name;
    assert_eq!(name.as_deref(), Some(&b"org.kinetic.capabilities"[..]));
    drive.answer_value(&asked, Body::default(), content).await;
}

async fn answer_range(drive: &mut FakeDrive, asked: &Asked, range: Range) {
    let body = Body {
        range: Some(range),
        ..Body::default()
    };
    drive.answer(asked, success(), body).await;
}

fn counted(count: u64, end: Option<&'static str>) -> Range {
    Range {
        count: Some(count),
        end_key: end.map(Bytes::from),
        ..Range::default()
    }
}

#[tokio::test]
async fn what_a_drive_knows_is_asked_once_and_before_the_first_such_request() {
    let (client, mut drive) = connected(Config::default()).await;
    let (counts, ()) = tokio::join!(
        async {
            let first = client.count::<&str>(..).await.unwrap();
            (first, client.count("a".."b").await.unwrap())
        },
        async {
            tell(&mut drive, ALL).await;
            for count in [7, 8] {
                let asked = drive.next().await;
                assert_eq!(kind(&asked), MessageType::COUNT);
                answer_range(&mut drive, &asked, counted(count, None)).await;
            }
        }
    );
    assert_eq!(counts, (7, 8));
}

#[tokio::test]
async fn a_drive_that_lists_nothing_is_not_sent_it_and_the_error_says_so() {
    let absent = StatusCode::NOT_FOUND.with_text("no such log");
    let (client, mut drive) = connected(Config::default()).await;
    let (refused, ()) = tokio::join!(client.count::<&str>(..).into_future(), async {
        let asked = drive.next().await;
        assert_eq!(kind(&asked), MessageType::GETLOG);
        drive.answer(&asked, absent, Body::default()).await;
    });
    let error = refused.unwrap_err();
    assert!(
        matches!(error, Error::NotKnown(MessageType::COUNT)),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.starts_with("this drive does not know COUNT"), "{text}");
    // Known from then on.
    let error = client.exists(["a"]).await.unwrap_err();
    assert!(
        matches!(error, Error::NotKnown(MessageType::EXISTS)),
        "{error}"
    );
}

#[tokio::test]
async fn a_drive_that_does_not_tell_this_identity_is_tried_and_another_failure_is_told() {
    let (client, mut drive) = connected(Config::default()).await;
    let (count, ()) = tokio::join!(client.count::<&str>(..).into_future(), async {
        let asked = drive.next().await;
        let denied = StatusCode::NOT_AUTHORIZED.to_message();
        drive.answer(&asked, denied, Body::default()).await;
        let asked = drive.next().await;
        assert_eq!(kind(&asked), MessageType::COUNT);
        answer_range(&mut drive, &asked, counted(1, None)).await;
    });
    assert_eq!(count.unwrap(), 1);
    let (client, mut drive) = connected(Config::default()).await;
    let (counts, ()) = tokio::join!(
        async {
            let locked = client.count::<&str>(..).await.unwrap_err();
            assert_eq!(locked.status(), Some(StatusCode::DEVICE_LOCKED));
            client.count::<&str>(..).await.unwrap()
        },
        async {
            let asked = drive.next().await;
            let locked = StatusCode::DEVICE_LOCKED.to_message();
            drive.answer(&asked, locked, Body::default()).await;
            tell(&mut drive, ALL).await;
            let asked = drive.next().await;
            answer_range(&mut drive, &asked, counted(2, None)).await;
        }
    );
    assert_eq!(counts, 2);
}

#[tokio::test]
async fn a_count_is_added_up_over_answers_and_stops_at_its_limit() {
    let (client, mut drive) = connected(Config::default()).await;
    let count = client
        .count("a".."m")
        .limit(10)
        .timeout(Duration::from_secs(8));
    let (count, ()) = tokio::join!(count.into_future(), async {
        tell(&mut drive, ALL).await;
        for (start, inclusive, left) in [("a", true, 10), ("f", false, 6)] {
            let asked = drive.next().await;
            assert_eq!(asked.header().time_quanta, Some(4000));
            let range = asked.range();
            assert_eq!(range.start_key.as_deref(), Some(start.as_bytes()));
            assert_eq!(range.start_key_inclusive, Some(inclusive));
            assert_eq!(range.end_key.as_deref(), Some(&b"m"[..]));
            assert_eq!(range.max_returned, Some(left));
            let end = if left == 10 { "f" } else { "k" };
            let count = if left == 10 { 4 } else { 6 };
            answer_range(&mut drive, &asked, counted(count, Some(end))).await;
        }
    });
    assert_eq!(count.unwrap(), 10);
}

#[tokio::test]
async fn a_drive_that_counts_and_does_not_get_on_is_an_error() {
    let (client, mut drive) = connected(Config::default()).await;
    let (count, ()) = tokio::join!(client.count("f"..).into_future(), async {
        tell(&mut drive, ALL).await;
        let asked = drive.next().await;
        answer_range(&mut drive, &asked, counted(1, Some("f"))).await;
        let asked = drive.next().await;
        answer_range(&mut drive, &asked, counted(1, Some("f"))).await;
    });
    let Err(Error::Unusable { problem, .. }) = count else {
        panic!("{count:?}");
    };
    assert_eq!(problem, AnswerProblem::OutOfOrder);
}

fn keys_of(asked: &Asked) -> Vec<Bytes> {
    let body = asked.command.body.clone().unwrap();
    body.key_list.unwrap().key
}

#[tokio::test]
async fn more_keys_than_a_request_takes_are_asked_for_in_several() {
    let (client, mut drive) = connected(Config::default()).await;
    let exists = client.exists(["a", "b", "c", "d"]);
    let (present, ()) = tokio::join!(exists.into_future(), async {
        tell(&mut drive, ALL).await;
        for (keys, present) in [(3, vec![true, false, true]), (1, vec![false])] {
            let asked = drive.next().await;
            assert_eq!(keys_of(&asked).len(), keys);
            let list = KeyList {
                present,
                ..KeyList::default()
            };
            let body = Body {
                key_list: Some(list),
                ..Body::default()
            };
            drive.answer(&asked, success(), body).await;
        }
    });
    assert_eq!(present.unwrap(), [true, false, true, false]);
}

fn found(code: StatusCode, value_length: Option<u64>) -> Found {
    let key_value = value_length.map(|_| KeyValue {
        db_version: Some(Bytes::from_static(b"v")),
        ..KeyValue::default()
    });
    Found {
        status: Some(code.to_message()),
        key_value,
        value_length,
    }
}

#[tokio::test]
async fn entries_that_a_drive_had_no_room_for_are_asked_for_again() {
    let (client, mut drive) = connected(Config::default()).await;
    let several = client.multi_get(["a", "b", "c"]);
    let (entries, ()) = tokio::join!(several.into_future(), async {
        tell(&mut drive, ALL).await;
        let asked = drive.next().await;
        assert_eq!(keys_of(&asked), ["a", "b", "c"]);
        let body = Body {
            found: vec![
                found(StatusCode::SUCCESS, Some(3)),
                found(StatusCode::NOT_FOUND, None),
                found(StatusCode::NOT_ATTEMPTED, None),
            ],
            ..Body::default()
        };
        drive.answer_value(&asked, body, b"one").await;
        let asked = drive.next().await;
        assert_eq!(keys_of(&asked), ["c"]);
        let body = Body {
            found: vec![found(StatusCode::NOT_AUTHORIZED, None)],
            ..Body::default()
        };
        drive.answer(&asked, success(), body).await;
    });
    let entries = entries.unwrap();
    assert_eq!(entries.len(), 3);
    let first = entries[0].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(
        (&first.value[..], &first.metadata.key[..]),
        (&b"one"[..], &b"a"[..])
    );
    assert!(matches!(entries[1], Ok(None)));
    let denied = entries[2].as_ref().unwrap_err();
    assert_eq!(denied.status(), Some(StatusCode::NOT_AUTHORIZED));
}

#[tokio::test]
async fn answers_to_several_keys_that_make_no_sense_are_errors() {
    let cases = [
        (
            vec![found(StatusCode::NOT_ATTEMPTED, None)],
            AnswerProblem::NothingDone,
        ),
        (Vec::new(), AnswerProblem::Missing("part for each key")),
        (
            vec![found(StatusCode::SUCCESS, Some(4))],
            AnswerProblem::Missing("whole value of each entry"),
        ),
    ];
    for (found, expected) in cases {
        let (client, mut drive) = connected(Config::default()).await;
        let (entries, ()) = tokio::join!(client.multi_get(["a"]).into_future(), async {
            tell(&mut drive, ALL).await;
            let asked = drive.next().await;
            let body = Body {
                found,
                ..Body::default()
            };
            drive.answer_value(&asked, body, b"one").await;
        });
        let Err(Error::Unusable { problem, .. }) = entries else {
            panic!("{entries:?}");
        };
        assert_eq!(problem, expected);
    }
}

#[tokio::test]
async fn a_part_of_a_value_comes_with_the_length_of_the_whole() {
    let (client, mut drive) = connected(Config::default()).await;
    let (part, ()) = tokio::join!(client.get("key").part(7, 3).into_future(), async {
        tell(&mut drive, ALL).await;
        let asked = drive.next().await;
        assert_eq!(kind(&asked), MessageType::GET_PART);
        let entry = asked.key_value();
        assert_eq!((entry.offset, entry.length), (Some(7), Some(3)));
        let key_value = KeyValue {
            value_length: Some(100),
            ..KeyValue::default()
        };
        let body = Body {
            key_value: Some(key_value),
            ..Body::default()
        };
        drive.answer_value(&asked, body, b"789").await;
    });
    let part = part.unwrap().unwrap();
    assert_eq!((&part.value[..], part.value_length), (&b"789"[..], 100));
}

#[tokio::test]
async fn entries_of_a_range_come_page_by_page_until_one_is_empty() {
    let (client, mut drive) = connected(Config::default()).await;
    let (entries, ()) = tokio::join!(client.range("a"..).entries().collect(), async {
        tell(&mut drive, ALL).await;
        for keys in [&["a", "b"][..], &["c"], &[]] {
            let asked = drive.next().await;
            assert_eq!(kind(&asked), MessageType::RANGE_METADATA);
            let found = keys.iter().map(|&key| Found {
                key_value: Some(KeyValue {
                    key: Some(Bytes::from(key)),
                    value_length: Some(9),
                    ..KeyValue::default()
                }),
                ..Found::default()
            });
            let body = Body {
                found: found.collect(),
                ..Body::default()
            };
            drive.answer(&asked, success(), body).await;
        }
    });
    let entries = entries.unwrap();
    let keys: Vec<&[u8]> = entries.iter().map(|one| &one.metadata.key[..]).collect();
    assert_eq!(keys, [b"a", b"b", b"c"]);
    assert!(entries.iter().all(|one| one.value_length == 9));
}

fn part(end: Option<&'static str>) -> Part {
    Part {
        end_key: end.map(Bytes::from),
        count: Some(1),
        bytes: Some(1),
        digest: Some(Bytes::from_static(b"sum")),
    }
}

#[tokio::test]
async fn a_digest_goes_on_behind_what_was_reached_and_its_parts_ascend() {
    let cases = [
        (vec![part(Some("b")), part(Some("d"))], Some("d"), true),
        (vec![part(Some("b")), part(None)], None, true),
        (vec![part(Some("b")), part(Some("b"))], Some("b"), false),
        (vec![part(None), part(Some("b"))], Some("b"), false),
        (vec![part(Some("b"))], None, false),
        (vec![part(Some("b"))], Some("c"), false),
        (Vec::new(), None, false),
    ];
    for (parts, reached, sound) in cases {
        let (client, mut drive) = connected(Config::default()).await;
        let splits = vec![Bytes::from("b"), Bytes::from("e")];
        let digest = client.digest("a"..).splits(splits);
        let (digested, ()) = tokio::join!(digest.clone().into_future(), async {
            tell(&mut drive, ALL).await;
            let asked = drive.next().await;
            assert_eq!(asked.range().split, ["b", "e"]);
            assert_eq!(asked.range().with_values, Some(false));
            let body = Body {
                digest: Some(Digest {
                    part: parts.clone(),
                }),
                range: reached.map(|end| Range {
                    end_key: Some(Bytes::from(end)),
                    ..Range::default()
                }),
                ..Body::default()
            };
            drive.answer(&asked, success(), body).await;
        });
        assert_eq!(digested.is_ok(), sound, "{parts:?} {reached:?}");
        let Ok(digested) = digested else { continue };
        assert_eq!(digested.parts.len(), parts.len());
        let Some(next) = digest.next(&digested) else {
            assert_eq!(reached, None);
            continue;
        };
        let (_dropped, ()) = tokio::join!(next.into_future(), async {
            let asked = drive.next().await;
            let range = asked.range();
            assert_eq!(range.start_key.as_deref(), reached.map(str::as_bytes));
            assert_eq!(range.start_key_inclusive, Some(false));
            assert_eq!(range.split, ["e"]);
            drive.succeed(&asked).await;
        });
    }
}
