//! A drive in a thread that keeps what it is given, as far as the tests of the blocking client and
//! the examples ask for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;

use bytes::Bytes;
use kinetic_client::schema::command::{Batch, Body, GetLog, KeyValue, Range, Status};
use kinetic_client::{MessageType, StatusCode};
use tokio::net::{TcpListener, TcpStream};

use crate::fake_drive::{Asked, FakeDrive};

/// A key that it never answers a GET of.
pub(crate) const UNANSWERED: &str = "unanswered";

/// What is stored under a key.
#[derive(Debug, Clone, Default)]
struct Stored {
    version: Bytes,
    value: Bytes,
}

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<Bytes, Stored>,
    /// Members of the batch that is open.
    batch: Vec<Asked>,
}

/// Its address; it serves one connection, and then no more.
pub(crate) fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let serve = move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(serve(listener));
    };
    let thread = std::thread::Builder::new().name("drive".to_owned());
    thread.spawn(serve).unwrap();
    address
}

async fn serve(listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    let (stream, _peer) = listener.accept().await.unwrap();
    let mut drive = FakeDrive::new(stream);
    drive.greet().await;
    let mut kept = Kept::default();
    while let Some(asked) = drive.try_next().await {
        kept.answer(&mut drive, asked).await;
    }
}

fn success() -> Status {
    StatusCode::SUCCESS.to_message()
}

/// An entry as an answer has it, with its value behind it.
fn found(entry: Option<(&Bytes, &Stored)>) -> (Status, Body, Bytes) {
    match entry {
        None => (
            StatusCode::NOT_FOUND.to_message(),
            Body::default(),
            Bytes::new(),
        ),
        Some((key, stored)) => {
            let key_value = KeyValue {
                key: Some(key.clone()),
                db_version: Some(stored.version.clone()),
                ..KeyValue::default()
            };
            let body = Body {
                key_value: Some(key_value),
                ..Body::default()
            };
            (success(), body, stored.value.clone())
        }
    }
}

impl Kept {
    async fn answer(&mut self, drive: &mut FakeDrive<TcpStream>, asked: Asked) {
        let kind = MessageType(asked.header().message_type.unwrap());
        let is_member = asked.header().batch_id.is_some()
            && matches!(kind, MessageType::PUT | MessageType::DELETE);
        if is_member {
            self.batch.push(asked);
            return;
        }
        let key = match &asked.command.body {
            Some(body) => body
                .key_value
                .clone()
                .and_then(|entry| entry.key)
                .unwrap_or_default(),
            None => Bytes::new(),
        };
        if kind == MessageType::GET && key == UNANSWERED {
            return;
        }
        let behind = (Bound::Excluded(key.clone()), Bound::Unbounded);
        let (status, body, value) = match kind {
            MessageType::GET | MessageType::GETVERSION => found(self.entries.get_key_value(&key)),
            MessageType::GETNEXT => found(self.entries.range(behind).next()),
            MessageType::GETPREVIOUS => found(self.entries.range(..key).next_back()),
            MessageType::PUT | MessageType::DELETE => {
                (self.change(&asked), Body::default(), Bytes::new())
            }
            MessageType::GETKEYRANGE => (success(), self.range(&asked.range()), Bytes::new()),
            MessageType::END_BATCH => self.end(&asked),
            MessageType::GETLOG => {
                let body = Body {
                    get_log: Some(Box::new(GetLog {
                        messages: Some(Bytes::from_static(b"it goes well")),
                        ..GetLog::default()
                    })),
                    ..Body::default()
                };
                (success(), body, Bytes::new())
            }
            _ => (success(), Body::default(), Bytes::new()),
        };
        let without_value = asked.command.body.as_ref().is_some_and(|body| {
            let entry = body.key_value.as_ref();
            entry.is_some_and(|entry| entry.metadata_only == Some(true))
        });
        if status.code == success().code && !without_value {
            drive.answer_value(&asked, body, &value).await;
        } else {
            drive.answer(&asked, status, body).await;
        }
    }

    fn change(&mut self, asked: &Asked) -> Status {
        let entry = asked.key_value();
        let key = entry.key.unwrap();
        let current = self.entries.get(&key).map(|stored| stored.version.clone());
        let expected = entry.db_version.unwrap_or_default();
        let forced = entry.force == Some(true);
        if !forced && current.clone().unwrap_or_default() != expected {
            return StatusCode::VERSION_MISMATCH.to_message();
        }
        if asked.header().message_type == Some(MessageType::PUT.0) {
            let stored = Stored {
                version: entry.new_version.unwrap_or_default(),
                value: asked.value.clone(),
            };
            self.entries.insert(key, stored);
        } else if self.entries.remove(&key).is_none() && !forced {
            return StatusCode::NOT_FOUND.to_message();
        }
        success()
    }

    fn range(&self, asked: &Range) -> Body {
        let bound = |key: &Option<Bytes>, inclusive: Option<bool>| match key {
            None => Bound::Unbounded,
            Some(key) if inclusive == Some(true) => Bound::Included(key.clone()),
            Some(key) => Bound::Excluded(key.clone()),
        };
        let start = bound(&asked.start_key, asked.start_key_inclusive);
        let end = bound(&asked.end_key, asked.end_key_inclusive);
        let keys = self.entries.range((start, end)).map(|(key, _)| key.clone());
        // Short pages, so that there are several.
        let keys = keys
            .take(asked.max_returned.unwrap_or(3).min(3) as usize)
            .collect();
        let range = Range {
            keys,
            ..Range::default()
        };
        Body {
            range: Some(range),
            ..Body::default()
        }
    }

    fn end(&mut self, asked: &Asked) -> (Status, Body, Bytes) {
        let members = std::mem::take(&mut self.batch);
        let sequences: Vec<u64> = members.iter().map(Asked::sequence).collect();
        let failed = members
            .iter()
            .find(|member| self.change(member).code != success().code);
        let failed = failed.map(Asked::sequence);
        let status = match failed {
            None => success(),
            Some(_) => StatusCode::INVALID_BATCH.with_text("VERSION_MISMATCH: another one"),
        };
        assert!(asked.header().batch_id.is_some());
        let batch = Batch {
            count: u32::try_from(sequences.len()).ok(),
            sequence: sequences,
            failed_sequence: failed,
        };
        let body = Body {
            batch: Some(batch),
            ..Body::default()
        };
        (status, body, Bytes::new())
    }
}
