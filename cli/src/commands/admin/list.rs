//! An access control list as people write it: TOML, or JSON of the same shape.
//!
//! Guarantees: an unknown field or permission is an error that names those that are known; a file
//! that says nothing grants nothing; no error repeats what stands where a key may stand; what a
//! drive tells is written as such a file, which lacks the keys and is read as soon as it has them.
//! Not here: sending and asking.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kinetic_client::ops::HmacAlgorithm;
use kinetic_client::{Acl, ListedAcl, Permission, Priority, Scope};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fleet::Record;
use crate::failure::Failure;
use crate::keys::{ByteText, Printed};
use crate::limits::MAX_ACL_FILE_BYTES;
use crate::secrets::{secret_file, without_value};

/// Everything that a scope can grant.
const PERMISSIONS: [Permission; 9] = [
    Permission::Read,
    Permission::Write,
    Permission::Delete,
    Permission::Range,
    Permission::Setup,
    Permission::P2pop,
    Permission::Getlog,
    Permission::Security,
    Permission::PowerManagement,
];

/// Stands where the drive told of an identity, whose key it does not tell.
const KEY_HINT: &str = "# key_file = \"...\"   # or key = \"...\": the drive does not tell it\n";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// What `acl get --output json` tells of the drive beside the list.
    #[serde(default, skip_serializing, rename = "drive")]
    _drive: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "ok")]
    _ok: Option<IgnoredAny>,
    identities: Vec<Identity>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    identity: i64,
    key: Option<String>,
    key_file: Option<PathBuf>,
    hmac_algorithm: Option<String>,
    max_priority: Option<i32>,
    #[serde(default)]
    scopes: Vec<ScopeText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeText {
    permissions: Vec<String>,
    #[serde(default)]
    value: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    tls_required: bool,
}

/// Reads the list of a file, or of standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Acl>, Failure> {
    let is_stdin = path == Path::new("-");
    let text = if is_stdin {
        bounded(io::stdin().lock()).map_err(|source| Failure::Stream {
            stream: "input",
            source,
        })
    } else {
        let read = File::open(path).and_then(bounded);
        read.map_err(|source| Failure::File {
            path: path.to_path_buf(),
            source,
        })
    }?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let list = parse(&text).map_err(|problem| wrong(path, &problem))?;
    let read = |identity: Identity| -> Result<Acl, Failure> {
        let number = identity.identity;
        let key = key(&identity, &folder)?;
        acl(identity, key.as_deref())
            .map_err(|problem| wrong(path, &format!("identity {number}: {problem}")))
    };
    list.identities.into_iter().map(read).collect()
}

/// What a drive told: a file for people, and its content for programs.
pub(super) fn record(told: Vec<ListedAcl>) -> Result<Record, Failure> {
    let identities: Vec<Identity> = told.into_iter().map(Identity::from).collect();
    let fields = vec![("identities", json!(identities))];
    let mut document = String::new();
    for identity in identities {
        let head = format!("identity = {}\n", identity.identity);
        let list = List {
            _drive: None,
            _ok: None,
            identities: vec![identity],
        };
        let text = toml::to_string(&list).map_err(|error| {
            let text = format!("the list cannot be shown so: {error}; try --output json");
            Failure::Usage(text)
        })?;
        document.push_str(&text.replacen(&head, &format!("{head}{KEY_HINT}"), 1));
        document.push('\n');
    }
    Ok(Record {
        fields,
        document: Some(document),
    })
}

impl From<ListedAcl> for Identity {
    fn from(told: ListedAcl) -> Self {
        Self {
            identity: told.identity,
            key: None,
            key_file: None,
            hmac_algorithm: Some(told.hmac_algorithm.as_str_name().to_owned()),
            max_priority: told.max_priority.map(i32::from),
            scopes: told.scopes.iter().map(ScopeText::from).collect(),
        }
    }
}

impl From<&Scope> for ScopeText {
    fn from(scope: &Scope) -> Self {
        let permissions = scope.permissions.iter();
        let value = match &scope.value[..] {
            [] => String::new(),
            value => Printed(value).to_string(),
        };
        Self {
            permissions: permissions.copied().map(name).collect(),
            value,
            offset: scope.offset,
            tls_required: scope.tls_required,
        }
    }
}

fn name(permission: Permission) -> String {
    permission.as_str_name().to_ascii_lowercase()
}

fn wrong(path: &Path, problem: &str) -> Failure {
    let name = match path.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => path.display().to_string(),
    };
    Failure::Usage(format!("{name}: {}", problem.trim_end()))
}

fn bounded(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let read = source
        .take(MAX_ACL_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_ACL_FILE_BYTES {
        let text = format!("it is longer than {MAX_ACL_FILE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(text)
}

fn parse(text: &str) -> Result<List, String> {
    let list: List = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| without_value(&error.to_string()))?
    } else {
        toml::from_str(text).map_err(|error| place(&error, text))?
    };
    if list.identities.is_empty() {
        return Err("it names no identity".to_owned());
    }
    Ok(list)
}

/// The TOML reader's own text repeats the line, in which there may be a key.
fn place(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", without_value(error.message()))
}

fn key(identity: &Identity, folder: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let file = identity.key_file.as_ref();
    file.map(|file| secret_file(&folder.join(file))).transpose()
}

fn acl(identity: Identity, key_of_file: Option<&[u8]>) -> Result<Acl, String> {
    let key = match (&identity.key, key_of_file) {
        (Some(text), None) => bytes(text)?,
        (None, Some(key)) => key.to_vec(),
        _ => return Err("it needs either key or key_file".to_owned()),
    };
    if key.is_empty() {
        return Err("its key is empty".to_owned());
    }
    let only = HmacAlgorithm::HmacSha1.as_str_name();
    if identity.hmac_algorithm.is_some_and(|name| name != only) {
        return Err(format!("the only hmac_algorithm is {only:?}"));
    }
    let scopes = identity.scopes.iter().map(scope);
    Ok(Acl {
        identity: identity.identity,
        key: key.into(),
        scopes: scopes.collect::<Result<_, _>>()?,
        max_priority: identity.max_priority.map(priority).transpose()?,
    })
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let read = ByteText::parse(text.into());
    // The error says what is wrong with the form, and does not repeat what may be a key.
    read.map(|bytes| bytes.0).map_err(|error| error.to_string())
}

fn scope(text: &ScopeText) -> Result<Scope, String> {
    let mut permissions = Vec::new();
    for name in &text.permissions {
        if name == "all" {
            permissions.extend(PERMISSIONS);
        } else {
            permissions.push(permission(name)?);
        }
    }
    if permissions.is_empty() {
        return Err("a scope without permissions grants nothing; leave it out".to_owned());
    }
    permissions.sort();
    permissions.dedup();
    Ok(Scope {
        offset: text.offset,
        value: bytes(&text.value)?.into(),
        permissions,
        tls_required: text.tls_required,
    })
}

fn permission(name: &str) -> Result<Permission, String> {
    let upper = name.to_ascii_uppercase();
    let mut known = PERMISSIONS.into_iter();
    known
        .find(|known| known.as_str_name() == upper)
        .ok_or_else(|| {
            let names = PERMISSIONS.map(self::name).join(", ");
            format!("{name:?} is no permission; they are {names} and all")
        })
}

fn priority(number: i32) -> Result<Priority, String> {
    Priority::try_from(number)
        .map_err(|_unknown| format!("max_priority is from 1 to 9, not {number}"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<Acl>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("seven.key"), "s3cret\n").unwrap();
        read(&path)
    }

    const TOML: &str = r#"
        [[identities]]
        identity = 7
        key_file = "seven.key"
        max_priority = 5
        [[identities.scopes]]
        permissions = ["read", "range", "read"]
        value = "photos/"
        offset = 3
        tls_required = true
    "#;

    #[test]
    fn toml_and_json_of_one_shape_say_the_same() {
        let json = r#"{"identities": [{"identity": 7, "key": "s3cret", "max_priority": 5,
            "scopes": [{"permissions": ["RANGE", "read"], "value": "photos/", "offset": 3,
                        "tls_required": true}]}]}"#;
        let acl = Acl {
            identity: 7,
            key: "s3cret".into(),
            scopes: vec![Scope {
                offset: 3,
                value: "photos/".into(),
                permissions: vec![Permission::Read, Permission::Range],
                tls_required: true,
            }],
            max_priority: Some(Priority::Normal),
        };
        assert_eq!(read_text(TOML).unwrap(), read_text(json).unwrap());
        assert_eq!(read_text(json).unwrap(), [acl]);
    }

    #[test]
    fn all_is_every_permission() {
        let json = r#"{"identities": [{"identity": 1, "key": "hex:00",
            "scopes": [{"permissions": ["all"]}]}]}"#;
        let read = read_text(json).unwrap();
        assert_eq!(read[0].scopes[0].permissions, PERMISSIONS);
        assert_eq!(read[0].key.as_ref(), [0]);
    }

    fn told() -> Vec<ListedAcl> {
        let scope = Scope {
            offset: 3,
            value: (&b"\0\xff"[..]).into(),
            permissions: PERMISSIONS.to_vec(),
            tls_required: true,
        };
        let first = ListedAcl {
            identity: -7,
            hmac_algorithm: HmacAlgorithm::HmacSha1,
            scopes: vec![scope.clone(), Scope::default()],
            max_priority: Some(Priority::Normal),
        };
        let photos = Scope {
            value: "hex:photos/ \"a\"".into(),
            permissions: vec![Permission::Read],
            ..Scope::default()
        };
        let second = ListedAcl {
            identity: 7,
            scopes: vec![photos],
            max_priority: None,
            ..first.clone()
        };
        let first = ListedAcl {
            scopes: vec![scope],
            ..first
        };
        vec![first, second]
    }

    #[test]
    fn what_a_drive_told_is_read_once_it_has_keys_and_not_before() {
        let Record { fields, document } = record(told()).unwrap();
        let document = document.unwrap();
        assert!(
            read_text(&document)
                .unwrap_err()
                .to_string()
                .contains("key")
        );
        let with_keys = document.replace("# key_file = \"...\"", "key = \"s3cret\"");
        let read = read_text(&with_keys).unwrap();
        let as_listed = |acl: &Acl| ListedAcl {
            identity: acl.identity,
            hmac_algorithm: HmacAlgorithm::HmacSha1,
            scopes: acl.scopes.clone(),
            max_priority: acl.max_priority,
        };
        assert_eq!(read.iter().map(as_listed).collect::<Vec<_>>(), told());

        let [("identities", identities)] = &fields[..] else {
            panic!("{fields:?}");
        };
        let line = |identities: &Value| {
            let line = json!({"drive": "d:1", "ok": true, "identities": identities});
            read_text(&line.to_string())
        };
        assert!(line(identities).unwrap_err().to_string().contains("key"));
        let mut identities = identities.clone();
        for identity in identities.as_array_mut().unwrap() {
            assert_eq!(identity["key"], Value::Null);
            identity["key"] = "s3cret".into();
        }
        assert_eq!(line(&identities).unwrap(), read);
    }

    #[test]
    fn a_mistake_is_named_and_no_key_repeated() {
        for (text, word) in [
            ("", "identities"),
            ("identities = []", "no identity"),
            ("[[identities]]\nidentity = 1\nkey = s3cret", "line 3"),
            (r#"{"identities": [{"identity": 1}]}"#, "key_file"),
            (r#"{"identities": [{"identity": 1, "key": ""}]}"#, "empty"),
            (
                r#"{"identities": [{"identity": 1, "key": "hex:s3cret"}]}"#,
                "hexadecimal",
            ),
            (
                r#"{"identities": [{"identity": 1, "key": "s3cret", "may": 1}]}"#,
                "may",
            ),
            (
                r#"{"identities": [{"identity": "s3cret", "key": "k"}]}"#,
                "i64",
            ),
            (r#"{"identities": "s3cret, expected nothing"}"#, "sequence"),
            (
                r#"{"identities": [{"identity": 1, "key": s3cret}]}"#,
                "line 1",
            ),
            ("[[identities]]\nidentity = \"s3cret\"", "i64"),
            (
                r#"{"identities": [{"identity": 1, "key": "s3cret", "hmac_algorithm": "MD5"}]}"#,
                "HmacSHA1",
            ),
            (
                r#"{"identities": [{"identity": 1, "key": "s3cret",
                    "scopes": [{"permissions": ["raed"]}]}]}"#,
                "power_management",
            ),
            (
                r#"{"identities": [{"identity": 1, "key": "s3cret",
                    "scopes": [{"permissions": []}]}]}"#,
                "grants nothing",
            ),
            (
                r#"{"identities": [{"identity": 1, "key": "s3cret", "max_priority": 10}]}"#,
                "1 to 9",
            ),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
