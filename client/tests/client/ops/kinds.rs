//! Every call sends the request that it is named for, and no other.
//!
//! Not here: batches, whose requests follow each other (`batches`).

use std::pin::pin;

use kinetic_client::schema::command::Body;
use kinetic_client::{
    Config, LogType, MessageType, Peer, PinKind, PowerLevel, StatusCode, Transfer,
};

use crate::fake_drive::{FakeDrive, connected};

/// What the drive is asked when this is awaited; the answer is not waited for.
async fn sent_by<R: IntoFuture>(drive: &mut FakeDrive, request: R) -> MessageType {
    let request = pin!(request.into_future());
    let asked = tokio::select! {
        biased;
        asked = drive.next() => asked,
        _ = request => panic!("it ended without an answer"),
    };
    MessageType(asked.header().message_type.unwrap())
}

#[tokio::test]
async fn each_call_on_entries_and_ranges_sends_its_own_message_type() {
    let (client, mut drive) = connected(Config::default()).await;
    let drive = &mut drive;
    let expected = [
        (sent_by(drive, client.get("a")).await, MessageType::GET),
        (sent_by(drive, client.metadata("a")).await, MessageType::GET),
        (sent_by(drive, client.put("a", "1")).await, MessageType::PUT),
        (
            sent_by(drive, client.delete("a")).await,
            MessageType::DELETE,
        ),
        (sent_by(drive, client.next("a")).await, MessageType::GETNEXT),
        (
            sent_by(drive, client.previous("a")).await,
            MessageType::GETPREVIOUS,
        ),
        (
            sent_by(drive, client.version("a")).await,
            MessageType::GETVERSION,
        ),
        (
            sent_by(drive, client.all_keys().keys().next()).await,
            MessageType::GETKEYRANGE,
        ),
    ];
    for (number, (sent, expected)) in expected.into_iter().enumerate() {
        assert_eq!(sent, expected, "call {number}");
    }
}

#[tokio::test]
async fn each_call_on_the_drive_itself_sends_its_own_message_type() {
    let (client, mut drive) = connected(Config::default()).await;
    let drive = &mut drive;
    let push = client.push(Peer::plain("b", 8123), [Transfer::of("a")]);
    let scan = client.media_scan::<&str>(..);
    let expected = [
        (sent_by(drive, client.noop()).await, MessageType::NOOP),
        (
            sent_by(drive, client.flush()).await,
            MessageType::FLUSHALLDATA,
        ),
        (
            sent_by(drive, client.log(&[LogType::Limits])).await,
            MessageType::GETLOG,
        ),
        (sent_by(drive, scan).await, MessageType::MEDIASCAN),
        (
            sent_by(drive, client.media_optimize()).await,
            MessageType::MEDIAOPTIMIZE,
        ),
        (sent_by(drive, push).await, MessageType::PEER2PEERPUSH),
        (
            sent_by(drive, client.set_acls([])).await,
            MessageType::SECURITY,
        ),
        (
            sent_by(drive, client.clear_pin(PinKind::Erase)).await,
            MessageType::SECURITY,
        ),
        (sent_by(drive, client.unlock("1")).await, MessageType::PINOP),
        (
            sent_by(drive, client.set_cluster_version(7)).await,
            MessageType::SETUP,
        ),
        (
            sent_by(drive, client.download_firmware("f")).await,
            MessageType::SETUP,
        ),
        (
            sent_by(drive, client.set_power_level(PowerLevel::Hibernate)).await,
            MessageType::SET_POWER_LEVEL,
        ),
    ];
    for (number, (sent, expected)) in expected.into_iter().enumerate() {
        assert_eq!(sent, expected, "call {number}");
    }
}

#[tokio::test]
async fn each_call_beyond_the_protocol_sends_its_own_message_type() {
    let (client, mut drive) = connected(Config::default()).await;
    let drive = &mut drive;
    // The drive does not tell this identity what it knows, so that each is tried.
    let (counted, ()) = tokio::join!(client.count::<&str>(..).into_future(), async {
        let asked = drive.next().await;
        let denied = StatusCode::NOT_AUTHORIZED.to_message();
        drive.answer(&asked, denied, Body::default()).await;
        let asked = drive.next().await;
        assert_eq!(asked.header().message_type, Some(MessageType::COUNT.into()));
        let refused = StatusCode::INVALID_REQUEST.to_message();
        drive.answer(&asked, refused, Body::default()).await;
    });
    counted.unwrap_err();
    let part = client.get("a").part(1, Some(2));
    let mut entries = client.all_keys().entries();
    let expected = [
        (
            sent_by(drive, client.exists(["a"])).await,
            MessageType::EXISTS,
        ),
        (sent_by(drive, part).await, MessageType::GET_PART),
        (
            sent_by(drive, client.multi_get(["a"])).await,
            MessageType::MULTI_GET,
        ),
        (
            sent_by(drive, entries.next()).await,
            MessageType::RANGE_METADATA,
        ),
        (
            sent_by(drive, client.digest::<&str>(..)).await,
            MessageType::RANGE_DIGEST,
        ),
    ];
    for (number, (sent, expected)) in expected.into_iter().enumerate() {
        assert_eq!(sent, expected, "call {number}");
    }
}
