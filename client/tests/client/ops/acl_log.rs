//! The published list of identities: how it is asked for, and what is believed of an answer.

use kinetic_client::ops::{ACL_LOG, HmacAlgorithm};
use kinetic_client::schema::command::Body;
use kinetic_client::{
    AnswerProblem, Config, Error, ListedAcl, LogType, MessageType, Permission, Priority, Scope,
};

use crate::fake_drive::connected;

/// What the client makes of this content.
async fn read(content: &str) -> Result<Vec<ListedAcl>, Error> {
    let (client, mut drive) = connected(Config::default()).await;
    let (outcome, ()) = tokio::join!(client.acls().into_future(), async {
        let asked = drive.next().await;
        let kind = Some(MessageType::GETLOG.into());
        assert_eq!(asked.header().message_type, kind);
        let log = asked.command.body.clone().unwrap().get_log.unwrap();
        assert_eq!(log.types, [i32::from(LogType::Device)]);
        assert_eq!(log.device.unwrap().name.unwrap(), ACL_LOG);
        let content = content.as_bytes();
        drive.answer_value(&asked, Body::default(), content).await;
    });
    outcome
}

#[tokio::test]
async fn a_list_is_read_with_all_that_it_says() {
    let content = r#"{"identities": [
        {"identity": -7, "hmacAlgorithm": "HmacSHA1", "maxPriority": 7, "scopes": [
            {"offset": 3, "value": "AP8=", "permissions": ["READ", "POWER_MANAGEMENT"],
             "TlsRequired": true}]},
        {"identity": 1, "hmacAlgorithm": "HmacSHA1", "scopes": []}], "later": 1}"#;
    let first = ListedAcl {
        identity: -7,
        hmac_algorithm: HmacAlgorithm::HmacSha1,
        scopes: vec![Scope {
            offset: 3,
            value: (&[0, 0xff][..]).into(),
            permissions: vec![Permission::Read, Permission::PowerManagement],
            tls_required: true,
        }],
        max_priority: Some(Priority::High),
    };
    let second = ListedAcl {
        identity: 1,
        scopes: Vec::new(),
        max_priority: None,
        ..first.clone()
    };
    assert_eq!(read(content).await.unwrap(), [first, second]);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_in_full_is_none() {
    let whole = r#"{"identities": [{"identity": 1, "hmacAlgorithm": "HmacSHA1",
        "maxPriority": 5, "scopes": [
            {"offset": 0, "value": "", "permissions": ["READ"], "TlsRequired": false}]}]}"#;
    assert!(read(whole).await.is_ok());
    for (right, wrong) in [
        ("HmacSHA1", "INVALID_HMAC_ALGORITHM"),
        ("HmacSHA1", "HmacSHA9"),
        ("READ", "INVALID_PERMISSION"),
        ("READ", "FLY"),
        (": 5", ": 50"),
        (r#""value": """#, r#""value": "*""#),
        (r#""TlsRequired": false"#, r#""other": false"#),
        ("identities", "people"),
    ] {
        let error = read(&whole.replace(right, wrong)).await.unwrap_err();
        let problem = match &error {
            Error::Unusable { problem, .. } => Some(problem),
            _ => None,
        };
        assert_eq!(problem, Some(&AnswerProblem::NoAcl), "{wrong}: {error}");
    }
}
