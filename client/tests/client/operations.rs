//! What each builder puts on the wire, and what it makes of the answer.

use bytes::Bytes;
use kinetic_client::schema::command::{Body, GetLog, KeyValue, Synchronization, get_log};
use kinetic_client::{Algorithm, Config, Durability, LogType, StatusCode};
use kinetic_proto::MessageType;

use crate::fake_drive::connected;

#[tokio::test]
async fn the_hello_is_at_hand() {
    let (client, _drive) = connected(Config::default()).await;
    assert_eq!(client.connection_id(), 1234);
    assert_eq!(client.cluster_version(), 5);
    assert_eq!(client.limits().max_key_size, Some(4096));
    assert_eq!(client.configuration().vendor.as_deref(), Some("Fake"));
}

#[tokio::test]
async fn a_put_carries_all_that_was_said() {
    let (client, mut drive) = connected(Config::default()).await;
    let put = client
        .put("key", "value")
        .version("2")
        .expected_version("1")
        .tag("t");
    let put = put
        .algorithm(Algorithm(100))
        .durability(Durability::WriteBack);
    let (outcome, ()) = tokio::join!(put.into_future(), async {
        let asked = drive.next().await;
        assert_eq!(asked.header().cluster_version, Some(5));
        assert_eq!(asked.value, "value");
        let expected = KeyValue {
            key: Some("key".into()),
            new_version: Some("2".into()),
            db_version: Some("1".into()),
            tag: Some("t".into()),
            algorithm: Some(100),
            synchronization: Some(Synchronization::Writeback.into()),
            ..KeyValue::default()
        };
        assert_eq!(asked.key_value(), expected);
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_plain_put_and_delete_are_written_through() {
    let (client, mut drive) = connected(Config::default()).await;
    let through = Some(i32::from(Synchronization::Writethrough));
    let (put, delete, ()) = tokio::join!(
        client.put("key", "value").into_future(),
        client.delete("key").force().into_future(),
        async {
            for _ in 0..2 {
                let asked = drive.next().await;
                assert_eq!(asked.key_value().synchronization, through);
                drive.succeed(&asked).await;
            }
        }
    );
    put.unwrap();
    delete.unwrap();
}

#[tokio::test]
async fn a_get_returns_value_and_metadata() {
    let (client, mut drive) = connected(Config::default()).await;
    let (entry, ()) = tokio::join!(client.get("key").into_future(), async {
        let asked = drive.next().await;
        let body = Body {
            key_value: Some(KeyValue {
                key: Some("key".into()),
                db_version: Some("7".into()),
                tag: Some(Bytes::new()),
                algorithm: Some(1),
                ..KeyValue::default()
            }),
            ..Body::default()
        };
        drive.answer_value(&asked, body, b"the value").await;
    });
    let entry = entry.unwrap().unwrap();
    assert_eq!(entry.value, "the value");
    assert_eq!(entry.metadata.version, "7");
    assert_eq!(entry.metadata.tag, "");
    assert_eq!(entry.metadata.algorithm, Some(Algorithm::SHA1));
}

#[tokio::test]
async fn an_absent_key_is_none_for_every_read_and_an_error_for_a_delete() {
    let (client, mut drive) = connected(Config::default()).await;
    let reads = async {
        assert_eq!(client.get("key").await.unwrap(), None);
        assert_eq!(client.metadata("key").await.unwrap(), None);
        assert_eq!(client.version("key").await.unwrap(), None);
        assert_eq!(client.next("key").await.unwrap(), None);
        assert_eq!(client.previous("key").without_value().await.unwrap(), None);
        assert!(client.delete("key").await.unwrap_err().is_not_found());
    };
    let answers = async {
        for _ in 0..6 {
            let asked = drive.next().await;
            let status = StatusCode::NOT_FOUND.to_message();
            drive.answer(&asked, status, Body::default()).await;
        }
    };
    tokio::join!(reads, answers);
}

#[tokio::test]
async fn a_log_asks_for_its_types_and_a_name() {
    let (client, mut drive) = connected(Config::default()).await;
    let log = client.log(&[LogType::Capacities]).device("org.example");
    let (log, ()) = tokio::join!(log.into_future(), async {
        let asked = drive.next().await;
        let wanted = asked.command.body.clone().unwrap().get_log.unwrap();
        assert_eq!(
            wanted.types,
            [LogType::Capacities as i32, LogType::Device as i32]
        );
        assert_eq!(wanted.device.unwrap().name.unwrap(), "org.example");
        let body = Body {
            get_log: Some(Box::new(GetLog {
                capacity: Some(get_log::Capacity {
                    portion_full: Some(0.5),
                    ..Default::default()
                }),
                ..GetLog::default()
            })),
            ..Body::default()
        };
        drive.answer_value(&asked, body, b"named").await;
    });
    let log = log.unwrap();
    assert_eq!(log.parts.capacity.unwrap().portion_full, Some(0.5));
    assert_eq!(log.value, "named");
}

#[tokio::test]
async fn a_configured_cluster_version_goes_before_that_of_the_hello() {
    let config = Config {
        cluster_version: Some(77),
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let (noop, flush, ()) = tokio::join!(
        client.noop().into_future(),
        client.flush().into_future(),
        async {
            for expected in [MessageType::NOOP, MessageType::FLUSHALLDATA] {
                let asked = drive.next().await;
                assert_eq!(asked.header().cluster_version, Some(77));
                assert_eq!(asked.header().message_type, Some(expected.into()));
                drive.succeed(&asked).await;
            }
        }
    );
    noop.unwrap();
    flush.unwrap();
}

#[tokio::test]
async fn a_drive_is_reached_over_tcp() {
    use kinetic_client::{Client, ConnectError};
    use kinetic_proto::{Seal, message};
    use tokio::io::AsyncWriteExt as _;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, _stream) = tokio::join!(Client::connect(address, Config::default()), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut out = bytes::BytesMut::new();
        let hello = crate::fake_drive::hello("4.0.1");
        message::encode_frame(Seal::Unsolicited, &hello, 0, &mut out).unwrap();
        stream.write_all(&out).await.unwrap();
        stream
    });
    assert_eq!(client.unwrap().connection_id(), 1234);
    drop(listener);
    let refused = Client::connect(address, Config::default())
        .await
        .unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable { .. }));
    assert!(
        refused.to_string().contains(&address.to_string()),
        "{refused}"
    );
}
