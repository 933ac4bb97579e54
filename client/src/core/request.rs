//! A request before it has a sequence, and the successful answer to one.
//!
//! Guarantees: printing a request shows neither its body nor its PIN, which may be secrets. Not
//! here: signatures and sequences (`session`).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::{Body, KeyValue, Priority};
use kinetic_proto::{MessageType, StatusCode};

/// What is asked of a drive.
#[derive(Clone)]
pub struct Request {
    /// The kind of request.
    pub message_type: MessageType,
    /// The batch that it opens, belongs to or ends.
    pub batch: Option<u32>,
    /// Its body.
    pub body: Option<Box<Body>>,
    /// The value that travels behind it, sent without copying where it is long.
    pub value: Bytes,
    /// How the drive is to do it; a connection sets it.
    pub hints: Hints,
    /// What few requests have.
    pub special: Option<Box<Special>>,
}

/// How a request is to be done, where that is not as the connection has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// The time from the call to the answer.
    pub timeout: Option<Duration>,
    /// How urgent it is to the drive beside other requests.
    pub priority: Option<Priority>,
    /// How hard the drive is to try.
    pub patience: Patience,
}

/// How hard a drive tries to read what its disk fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Patience {
    /// As hard as it can.
    #[default]
    Tries,
    /// It gives up at the first error.
    GivesUp,
}

/// What the drive is told of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// Milliseconds after which it need not begin any more.
    pub timeout_ms: Option<u64>,
    /// How urgent it is; else NORMAL, or what the identity may ask for.
    pub priority: Option<Priority>,
    /// How hard it is to try.
    pub patience: Patience,
}

/// What few requests have.
#[derive(Debug, Clone)]
pub enum Special {
    /// Sent with a PIN instead of a signature; the answer is not signed either.
    WithPin(Pin),
    /// Sent right behind these, which a drive does not answer: all of them are sent or none.
    Behind(Vec<Request>),
    /// To be answered in this time, finished or not.
    Within(Duration),
}

/// A drive's answer with status SUCCESS, or with as much as it could tell.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What was asked.
    pub request: MessageType,
    /// The body, empty where the drive sent none.
    pub body: Box<Body>,
    /// The value that came behind it, a slice of the read buffer.
    pub value: Bytes,
    /// Another status than SUCCESS, and its text, where the answer tells something all the same: a
    /// scan that could not read all of the index, a push of which not all was tried.
    pub partial: Option<(StatusCode, String)>,
}

impl Request {
    /// A request without body and value.
    pub fn new(message_type: MessageType) -> Self {
        Self {
            message_type,
            batch: None,
            body: None,
            value: Bytes::new(),
            hints: Hints::default(),
            special: None,
        }
    }

    /// A request with a body, without a value.
    pub fn with_body(message_type: MessageType, body: Body) -> Self {
        Self {
            body: Some(Box::new(body)),
            ..Self::new(message_type)
        }
    }

    /// A request about one key.
    pub fn of_key(message_type: MessageType, key_value: KeyValue) -> Self {
        let body = Body {
            key_value: Some(key_value),
            ..Body::default()
        };
        Self::with_body(message_type, body)
    }

    /// What it is about, where that is a key.
    pub fn key_value(&self) -> Option<&KeyValue> {
        self.body.as_ref()?.key_value.as_ref()
    }

    /// Bytes of the value and of all that belongs to the key, or to the keys.
    pub fn bytes(&self) -> usize {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let entry = self.key_value().map_or(0, |entry| {
            let versions = length(&entry.db_version) + length(&entry.new_version);
            length(&entry.key) + versions + length(&entry.tag)
        });
        let list = self.body.as_ref().and_then(|body| body.key_list.as_ref());
        let keys = list.map_or(0, |list| list.key.iter().map(Bytes::len).sum());
        self.value.len() + entry + keys
    }

    /// Whether the drive may be told by when to have begun it. A batch that it has given up would
    /// stay open, and a scan that has a time answers only when that is over.
    pub fn may_be_given_up(&self) -> bool {
        let scans = [MessageType::MEDIASCAN, MessageType::MEDIAOPTIMIZE];
        self.batch.is_none() && !scans.contains(&self.message_type)
    }

    /// The requests that go right before it.
    pub fn ahead(&self) -> &[Self] {
        match self.special.as_deref() {
            Some(Special::Behind(ahead)) => ahead,
            _ => &[],
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Request")
            .field("message_type", &self.message_type)
            .field("batch", &self.batch)
            .field("value_bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}
