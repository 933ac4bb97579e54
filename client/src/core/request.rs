//! A request before it has a sequence, and the successful answer to one.
//!
//! Not here: signatures and sequences (`session`).

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{Body, KeyValue};

/// What is asked of a drive.
#[derive(Debug, Clone)]
pub struct Request {
    /// The kind of request.
    pub message_type: MessageType,
    /// Its body.
    pub body: Option<Box<Body>>,
    /// The value that travels behind it, sent without copying where it is long.
    pub value: Bytes,
}

/// A drive's answer with status SUCCESS.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What was asked.
    pub request: MessageType,
    /// The body, empty where the drive sent none.
    pub body: Box<Body>,
    /// The value that came behind it, a slice of the read buffer.
    pub value: Bytes,
}

impl Request {
    /// A request without body and value.
    pub fn new(message_type: MessageType) -> Self {
        Self {
            message_type,
            body: None,
            value: Bytes::new(),
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
}
