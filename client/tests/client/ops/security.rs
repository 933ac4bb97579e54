//! SECURITY: lists and PINs as they are sent, and what is never printed.

use kinetic_client::schema::command::Security;
use kinetic_client::schema::command::security::{Acl as Sent, SecurityOpType, acl};
use kinetic_client::{
    Acl, Client, Config, Error, MessageType, Permission, PinKind, Priority, Scope,
};

use crate::fake_drive::{FakeDrive, connected};

fn gallery() -> Acl {
    let photos = Scope {
        offset: 3,
        value: "photos/".into(),
        permissions: vec![Permission::Read, Permission::Range],
        tls_required: true,
    };
    let everything = Scope {
        permissions: vec![Permission::Getlog],
        ..Scope::default()
    };
    Acl {
        identity: -7,
        key: "v3ry-secret".into(),
        scopes: vec![photos, everything],
        max_priority: Some(Priority::High),
    }
}

fn gallery_as_sent() -> Sent {
    Sent {
        identity: Some(-7),
        key: Some("v3ry-secret".into()),
        hmac_algorithm: Some(acl::HmacAlgorithm::HmacSha1.into()),
        scope: vec![
            acl::Scope {
                offset: Some(3),
                value: Some("photos/".into()),
                permission: vec![Permission::Read.into(), Permission::Range.into()],
                tls_required: Some(true),
            },
            acl::Scope {
                permission: vec![Permission::Getlog.into()],
                ..acl::Scope::default()
            },
        ],
        max_priority: Some(Priority::High.into()),
    }
}

/// What the drive gets of a request, which it grants.
async fn sent(
    (client, drive): &mut (Client, FakeDrive),
    ask: impl AsyncFnOnce(&Client) -> Result<(), Error>,
) -> Security {
    let (outcome, security) = tokio::join!(ask(client), async {
        let asked = drive.next().await;
        let expected = Some(MessageType::SECURITY.into());
        assert_eq!(asked.header().message_type, expected);
        drive.succeed(&asked).await;
        *asked.command.body.unwrap().security.unwrap()
    });
    outcome.unwrap();
    security
}

#[tokio::test]
async fn a_list_is_sent_whole_to_replace_and_without_purpose_to_merge() {
    let mut pair = connected(Config::default()).await;
    let replaced = sent(&mut pair, async |client| client.set_acls([gallery()]).await);
    let expected = Security {
        acl: vec![gallery_as_sent()],
        security_op_type: Some(SecurityOpType::AclSecurityop.into()),
        ..Security::default()
    };
    assert_eq!(replaced.await, expected);
    let merged = sent(&mut pair, async |client| {
        client.set_acls([gallery()]).merge().await
    });
    let expected = Security {
        security_op_type: None,
        ..expected
    };
    assert_eq!(merged.await, expected);
}

#[tokio::test]
async fn a_pin_is_set_and_cleared_in_its_own_fields() {
    let mut pair = connected(Config::default()).await;
    let set = sent(&mut pair, async |client| {
        client.set_pin(PinKind::Lock, "new").current("old").await
    });
    let expected = Security {
        old_lock_pin: Some("old".into()),
        new_lock_pin: Some("new".into()),
        security_op_type: Some(SecurityOpType::LockPinSecurityop.into()),
        ..Security::default()
    };
    assert_eq!(set.await, expected);
    let cleared = sent(&mut pair, async |client| {
        client.clear_pin(PinKind::Erase).current("old").await
    });
    let expected = Security {
        old_erase_pin: Some("old".into()),
        new_erase_pin: Some("".into()),
        security_op_type: Some(SecurityOpType::ErasePinSecurityop.into()),
        ..Security::default()
    };
    assert_eq!(cleared.await, expected);
    let first = sent(&mut pair, async |client| {
        client.set_pin(PinKind::Erase, "new").await
    });
    assert_eq!(first.await.old_erase_pin, None);
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_key_or_a_pin() {
    let (client, _drive) = connected(Config::default()).await;
    for printed in [
        format!("{:?}", gallery()),
        format!("{:?}", client.set_acls([gallery()])),
        format!(
            "{:?}",
            client.set_pin(PinKind::Lock, "v3ry").current("v3ry")
        ),
        format!("{:?}", client.lock("v3ry")),
        format!("{client:?}"),
    ] {
        assert!(!printed.contains("v3ry"), "{printed}");
    }
}
