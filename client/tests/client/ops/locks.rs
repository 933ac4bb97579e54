//! PINOP and SETUP: what is sent, and which answers are believed.

use kinetic_client::schema::command::Body;
use kinetic_client::schema::command::pin_operation::PinOpType;
use kinetic_client::schema::command::setup::SetupOpType;
use kinetic_client::{Client, Config, Error, MessageType, PinKind, StatusCode};
use tokio::net::TcpListener;

use crate::fake_drive::{FakeDrive, connected};

#[tokio::test]
async fn each_pin_operation_is_sent_with_its_pin_and_without_a_signature() {
    let (client, mut drive) = connected(Config::default()).await;
    let operations = [
        (client.unlock("1234"), PinOpType::UnlockPinop, "1234"),
        (client.lock("1234"), PinOpType::LockPinop, "1234"),
        (client.erase(""), PinOpType::ErasePinop, ""),
        (client.secure_erase("98"), PinOpType::SecureErasePinop, "98"),
    ];
    for (operation, kind, pin) in operations {
        let (outcome, ()) = tokio::join!(operation.into_future(), async {
            let asked = drive.next().await;
            let header = asked.header();
            assert_eq!(header.message_type, Some(MessageType::PINOP.into()));
            assert_eq!(asked.pin.as_deref(), Some(pin.as_bytes()));
            let body = asked.command.body.as_ref().unwrap();
            assert_eq!(body.pin_op.unwrap().pin_op_type, Some(kind.into()));
            drive.succeed(&asked).await;
        });
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_pin_is_a_refusal_and_the_connection_stays() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(client.unlock("0").into_future(), async {
        let asked = drive.next().await;
        let status = StatusCode::NOT_AUTHORIZED.with_text("wrong PIN");
        drive.answer(&asked, status, Body::default()).await;
    });
    assert_eq!(
        outcome.unwrap_err().status(),
        Some(StatusCode::NOT_AUTHORIZED)
    );
    let (outcome, ()) = tokio::join!(client.noop().into_future(), async {
        let asked = drive.next().await;
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn an_unsigned_answer_to_a_signed_request_is_not_believed() {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(client.noop().into_future(), async {
        let mut asked = drive.next().await;
        // Answered as if it had been sent with a PIN.
        asked.pin = Some("".into());
        drive.succeed(&asked).await;
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Disconnected(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_to_a_pin_operation_harms_nobody() {
    let (client, mut drive) = connected(Config::default()).await;
    let hasty = client.lock("1").timeout(std::time::Duration::from_secs(1));
    let (outcome, asked) = tokio::join!(hasty.into_future(), drive.next());
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
    drive.succeed(&asked).await;
    let (outcome, ()) = tokio::join!(client.noop().into_future(), async {
        let asked = drive.next().await;
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_pin_over_the_limit_is_not_sent() {
    let (client, _drive) = connected(Config::default()).await;
    let limit = client.limits().max_pin_size.unwrap() as usize;
    let long = vec![b'1'; limit + 1];
    for outcome in [
        client.lock(long.clone()).await,
        client.set_pin(PinKind::Lock, long.clone()).await,
        client.clear_pin(PinKind::Erase).current(long).await,
    ] {
        assert!(matches!(outcome, Err(Error::TooLarge { part: "PIN", .. })));
    }
}

#[tokio::test]
async fn secrets_are_not_sent_over_a_plain_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, mut drive) = tokio::join!(Client::connect(address, Config::default()), async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut drive = FakeDrive::new(stream);
        drive.greet().await;
        drive
    });
    let client = client.unwrap();
    for outcome in [
        client.lock("1234").await,
        client.erase("1234").await,
        client.set_pin(PinKind::Lock, "1234").await,
        client.set_acls([]).await,
        client.acls().await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::NeedsTls(_)), "{error}");
        assert!(error.to_string().contains("port for TLS"), "{error}");
    }
    drop(client);
    assert!(drive.try_next().await.is_none(), "something was sent");
}

#[tokio::test]
async fn a_new_cluster_version_is_carried_by_what_follows() {
    let (client, mut drive) = connected(Config::default()).await;
    let requests = async {
        client.set_cluster_version(77).await.unwrap();
        client.noop().await.unwrap();
        client.set_cluster_version(-1).await.unwrap_err();
        client.noop().await.unwrap();
    };
    let answers = async {
        let asked = drive.next().await;
        assert_eq!(asked.header().cluster_version, Some(5));
        let setup = asked.command.body.as_ref().unwrap().setup.unwrap();
        assert_eq!(setup.new_cluster_version, Some(77));
        let purpose = SetupOpType::ClusterVersionSetupop;
        assert_eq!(setup.setup_op_type, Some(purpose.into()));
        assert_eq!(setup.firmware_download, None);
        drive.succeed(&asked).await;
        let asked = drive.next().await;
        assert_eq!(asked.header().cluster_version, Some(77));
        drive.succeed(&asked).await;
        let asked = drive.next().await;
        let refused = StatusCode::NOT_AUTHORIZED.to_message();
        drive.answer(&asked, refused, Body::default()).await;
        let asked = drive.next().await;
        assert_eq!(asked.header().cluster_version, Some(77));
        drive.succeed(&asked).await;
    };
    tokio::join!(requests, answers);
}

#[tokio::test]
async fn firmware_travels_as_the_value() {
    let (client, mut drive) = connected(Config::default()).await;
    let image = client.download_firmware(vec![9; 2000]);
    let (outcome, ()) = tokio::join!(image.into_future(), async {
        let asked = drive.next().await;
        assert_eq!(asked.header().message_type, Some(MessageType::SETUP.into()));
        let setup = asked.command.body.as_ref().unwrap().setup.unwrap();
        let purpose = SetupOpType::FirmwareSetupop;
        assert_eq!(setup.setup_op_type, Some(purpose.into()));
        assert_eq!(setup.new_cluster_version, None);
        assert_eq!(asked.value, vec![9; 2000]);
        drive.succeed(&asked).await;
    });
    outcome.unwrap();
}
