//! What must be found on an image, as a text beside it.
//!
//! What it is: JSON, one entry a line. Bytes are a string where they are printable, and a list of
//! strings, of `{"hex": ..}` and of `{"byte": .., "times": ..}` where they are not or are many
//! alike.
//! Guarantee: the same content gives the same text, and the text gives the same content.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::image::hex;

/// What must be stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Version of the entry.
    pub(crate) version: Vec<u8>,
    /// Tag of the value.
    pub(crate) tag: Vec<u8>,
    /// Algorithm of the tag, if one was given.
    pub(crate) algorithm: Option<i32>,
    /// Bytes of the value.
    pub(crate) length: u64,
    /// SHA-256 of the value.
    pub(crate) sum: String,
}

/// What must be found on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// What the image is for.
    pub(crate) what: String,
    /// SHA-256 of the image.
    pub(crate) image: String,
    /// The lock PIN, where there is one.
    pub(crate) pin: Option<String>,
    /// The server's settings.
    pub(crate) settings: Vec<u8>,
    /// What is seen without opening it, by name.
    pub(crate) facts: BTreeMap<String, Value>,
    /// Every key that is stored.
    pub(crate) entries: BTreeMap<Vec<u8>, Stored>,
    /// Keys that are not: they were deleted.
    pub(crate) gone: BTreeSet<Vec<u8>>,
}

impl Expected {
    /// The text.
    pub(crate) fn text(&self) -> String {
        let entries = self.entries.iter().map(|(key, stored)| {
            json!({
                "key": written(key), "version": written(&stored.version),
                "tag": written(&stored.tag), "algorithm": stored.algorithm,
                "length": stored.length, "sha256": stored.sum,
            })
        });
        let gone = self.gone.iter().map(|key| written(key));
        let head = [
            ("what", json!(self.what)),
            ("image", json!(self.image)),
            ("pin", json!(self.pin)),
            ("settings", written(&self.settings)),
            ("facts", json!(self.facts)),
        ];
        let head = head.map(|(name, value)| format!("  {}: {value},\n", json!(name)));
        format!(
            "{{\n{}  \"entries\": {},\n  \"gone\": {}\n}}\n",
            head.concat(),
            lines(entries),
            lines(gone)
        )
    }

    /// Of a text.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let list = |name: &str| {
            root.get(name)
                .and_then(Value::as_array)
                .ok_or(missing(name))
        };
        let facts = root.get("facts").and_then(Value::as_object);
        let facts = facts.ok_or(missing("facts"))?;
        let mut entries = BTreeMap::new();
        for entry in list("entries")? {
            let (key, stored) = stored(entry)?;
            entries.insert(key, stored);
        }
        let gone: Result<BTreeSet<_>, _> = list("gone")?.iter().map(read).collect();
        Ok(Self {
            what: string(&root, "what")?,
            image: string(&root, "image")?,
            pin: root.get("pin").and_then(Value::as_str).map(str::to_owned),
            settings: bytes(&root, "settings")?,
            facts: facts.clone().into_iter().collect(),
            entries,
            gone: gone?,
        })
    }
}

/// A list, one element a line.
fn lines(values: impl Iterator<Item = Value>) -> String {
    let lines: Vec<String> = values.map(|value| format!("\n    {value}")).collect();
    format!("[{}\n  ]", lines.join(","))
}

fn missing(name: &str) -> String {
    format!("{name:?} is missing, or is something else")
}

fn string(value: &Value, name: &str) -> Result<String, String> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or(missing(name))
}

fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, String> {
    read(value.get(name).ok_or(missing(name))?)
}

fn stored(entry: &Value) -> Result<(Vec<u8>, Stored), String> {
    let algorithm = match entry.get("algorithm") {
        Some(Value::Null) => None,
        other => {
            let number = other.and_then(Value::as_i64);
            let number = number.and_then(|number| i32::try_from(number).ok());
            Some(number.ok_or(missing("algorithm"))?)
        }
    };
    let stored = Stored {
        version: bytes(entry, "version")?,
        tag: bytes(entry, "tag")?,
        algorithm,
        length: entry
            .get("length")
            .and_then(Value::as_u64)
            .ok_or(missing("length"))?,
        sum: string(entry, "sha256")?,
    };
    Ok((bytes(entry, "key")?, stored))
}

/// So many equal bytes are counted and not written out.
const MANY: usize = 24;

/// Bytes as they are written.
fn written(bytes: &[u8]) -> Value {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    for alike in bytes.chunk_by(|one, other| one == other) {
        match alike {
            [byte, ..] if alike.len() >= MANY => {
                parts.extend(part(&mut literal));
                parts.push(json!({"byte": byte, "times": alike.len()}));
            }
            few => literal.extend_from_slice(few),
        }
    }
    parts.extend(part(&mut literal));
    match parts.as_slice() {
        [] => json!(""),
        [Value::String(_)] => parts.remove(0),
        _ => Value::Array(parts),
    }
}

fn part(literal: &mut Vec<u8>) -> Option<Value> {
    let bytes = std::mem::take(literal);
    let is_text = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => None,
        Ok(text) if is_text => Some(json!(text)),
        Ok(text) => Some(json!({ "hex": hex(text.as_bytes()) })),
        Err(error) => Some(json!({ "hex": hex(error.as_bytes()) })),
    }
}

/// Bytes of what is written.
fn read(value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Array(parts) => {
            let parts: Result<Vec<_>, _> = parts.iter().map(read).collect();
            Ok(parts?.concat())
        }
        Value::Object(part) => match (part.get("hex"), part.get("byte"), part.get("times")) {
            (Some(Value::String(digits)), ..) => from_hex(digits),
            (None, Some(byte), Some(times)) => {
                let byte = byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
                let times = times.as_u64().and_then(|times| usize::try_from(times).ok());
                let pair = byte.zip(times).ok_or(missing("byte"))?;
                Ok(vec![pair.0; pair.1])
            }
            _ => Err(missing("hex")),
        },
        other => Err(format!("{other} stands for no bytes")),
    }
}

/// Bytes of digits.
pub(crate) fn from_hex(digits: &str) -> Result<Vec<u8>, String> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2);
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
    bytes.ok_or(format!("{digits:?} are no digits of bytes"))
}

#[test]
fn what_is_written_of_bytes_reads_back() {
    for bytes in [
        &b""[..],
        b"text",
        b"\x00\xff",
        &[0; 100],
        &[&[b'a'; 23][..], b"b", &[b'x'; 24], b"\n\"{}", &[0xff; 5000]].concat(),
    ] {
        assert_eq!(
            read(&written(bytes)).as_deref(),
            Ok(bytes),
            "{}",
            written(bytes)
        );
    }
}
