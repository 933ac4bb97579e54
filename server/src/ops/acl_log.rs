//! The device log `org.kinetic.acl`: the identities in force and what they may do, as JSON.
//!
//! Guarantees: no key is in it, since nothing here has a place for one; only who holds the grant
//! to change the list gets it. Not here: that it takes TLS (`get_log`), changing it (`security`).

use bytes::Bytes;
use kinetic_proto::limits::MAX_VALUE_SIZE;
use kinetic_proto::schema::command::security::acl;
use kinetic_proto::schema::command::security::acl::HmacAlgorithm;
use serde::Serialize;

use super::invalid::Invalid;
use crate::auth::{Grant, factory_record, grant};
use crate::device::Device;
use crate::device::opaque::Opaque;
use crate::device::settings::{IdentityRecord, ScopeRecord};

/// Its name.
pub const ACL_LOG: &str = "org.kinetic.acl";

#[derive(Serialize)]
struct List<'a> {
    identities: Vec<Identity<'a>>,
}

/// An identity without its key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    identity: i64,
    hmac_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_priority: Option<i32>,
    scopes: Vec<Scope<'a>>,
}

#[derive(Serialize)]
struct Scope<'a> {
    offset: u64,
    /// In base64.
    value: &'a Opaque,
    permissions: Vec<&'static str>,
    #[serde(rename = "TlsRequired")]
    tls_required: bool,
}

impl<'a> From<&'a IdentityRecord> for Identity<'a> {
    fn from(record: &'a IdentityRecord) -> Self {
        Self {
            identity: record.identity,
            hmac_algorithm: HmacAlgorithm::HmacSha1.as_str_name(),
            max_priority: record.max_priority,
            scopes: record.scopes.iter().map(Scope::from).collect(),
        }
    }
}

impl<'a> From<&'a ScopeRecord> for Scope<'a> {
    fn from(record: &'a ScopeRecord) -> Self {
        let known = record.permissions.iter();
        let known = known.filter_map(|number| acl::Permission::try_from(*number).ok());
        Self {
            offset: record.offset,
            value: &record.value,
            permissions: known.map(|one| one.as_str_name()).collect(),
            tls_required: record.tls_required,
        }
    }
}

/// The list that is in force, or that it is too long for an answer.
pub fn content(_grant: &Grant<grant::Security>, device: &Device) -> Result<Bytes, Invalid> {
    let settings = device.medium.settings();
    let factory;
    let records = match &settings.identities {
        Some(records) => &records[..],
        None => {
            factory = [factory_record(&device.policy.factory_key)];
            &factory
        }
    };
    let list = List {
        identities: records.iter().map(Identity::from).collect(),
    };
    #[expect(clippy::expect_used, reason = "numbers and texts are always JSON")]
    let json = serde_json::to_vec(&list).expect("JSON");
    let (size, limit) = (json.len(), device.limits.max_value_size);
    let limit = limit.unwrap_or(MAX_VALUE_SIZE);
    if size > limit as usize {
        let field = "log org.kinetic.acl";
        return Err(Invalid::TooLarge { field, size, limit });
    }
    Ok(json.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinetic_proto::Limits;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::{Access, Channel, Identity as Asker};
    use crate::device::Settings;
    use crate::ram_drive::device;

    fn told(device: &Device) -> Result<Bytes, Invalid> {
        let asker = Arc::new(Asker::factory(b"key"));
        let access = Access::new(asker, Channel::Tls);
        content(&access.to_drive().unwrap(), device)
    }

    fn set(device: &Device, list: Vec<IdentityRecord>) {
        let edit = |settings: &mut Settings| {
            settings.identities = Some(list);
            Ok::<(), ()>(())
        };
        device.medium.change(edit).unwrap();
    }

    #[test]
    fn a_drive_that_nobody_configured_tells_of_the_factory_identity() {
        let list: Value = serde_json::from_slice(&told(&device()).unwrap()).unwrap();
        let all = json!([
            "READ",
            "WRITE",
            "DELETE",
            "RANGE",
            "SETUP",
            "P2POP",
            "GETLOG",
            "SECURITY",
            "POWER_MANAGEMENT"
        ]);
        let scope = json!({"offset": 0, "value": "", "permissions": all, "TlsRequired": false});
        let factory = json!({"identity": 1, "hmacAlgorithm": "HmacSHA1", "scopes": [scope]});
        assert_eq!(list, json!({ "identities": [factory] }));
    }

    #[test]
    fn everything_of_an_identity_is_told_but_its_key() {
        let device = device();
        let record = IdentityRecord {
            identity: -7,
            key: Opaque(b"s3cret".to_vec()),
            scopes: vec![ScopeRecord {
                offset: u64::MAX,
                value: Opaque(b"\0\xff".to_vec()),
                permissions: vec![0, 9],
                tls_required: true,
            }],
            max_priority: Some(5),
        };
        set(&device, vec![record]);
        let text = told(&device).unwrap();
        let list: Value = serde_json::from_slice(&text).unwrap();
        let scope = json!({"offset": u64::MAX, "value": "AP8=",
            "permissions": ["READ", "POWER_MANAGEMENT"], "TlsRequired": true});
        let expected = json!({"identity": -7, "hmacAlgorithm": "HmacSHA1", "maxPriority": 5,
            "scopes": [scope]});
        assert_eq!(list, json!({ "identities": [expected] }));
        let text = String::from_utf8(text.to_vec()).unwrap();
        // Neither as it is nor in base64.
        assert!(
            !text.contains("s3cret") && !text.contains("czNjcmV0"),
            "{text}"
        );
    }

    #[test]
    fn a_list_that_is_too_long_for_an_answer_says_so() {
        let mut device = device();
        device.limits = Limits {
            max_value_size: Some(100),
            ..Limits::default()
        };
        let refused = told(&device).unwrap_err().to_string();
        assert!(
            refused.contains(ACL_LOG) && refused.contains("100"),
            "{refused}"
        );
    }
}
