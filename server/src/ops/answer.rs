//! What an operation answers, before it is sealed and framed.

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::{Body, GetLog, P2pOperation, Status};
use kinetic_store::Attributes;

/// Status, body and value of a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How it went.
    pub status: Status,
    /// What the message carries.
    pub body: AnswerBody,
    /// What follows the message.
    pub value: Bytes,
}

/// Body of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerBody {
    /// None.
    Empty,
    /// An entry without fields, in answers that have nothing to tell about one.
    NoEntry,
    /// An entry's version and nothing else.
    Version(Attributes),
    /// An entry.
    Entry(Bytes, Attributes),
    /// Keys of a range.
    Keys(Vec<Bytes>),
    /// What a scan found, and how far it got.
    Scanned {
        /// Keys whose values are not sound.
        keys: Vec<Bytes>,
        /// Where a next one goes on.
        end_key: Option<Bytes>,
    },
    /// What an operation beyond the protocol answers.
    Extended(Box<Body>),
    /// Logs.
    Log(Box<GetLog>),
    /// What came of each operation of a push.
    Pushed(Box<P2pOperation>),
    /// A batch that was ended: the sequences of its operations, and of the one that failed.
    Batch {
        /// In the order in which they came.
        sequences: Vec<u64>,
        /// Present if nothing was done.
        failed: Option<u64>,
    },
}

impl Answer {
    /// Success with nothing to tell.
    #[must_use]
    pub fn success() -> Self {
        Self::of(StatusCode::SUCCESS.to_message())
    }

    /// A status and nothing else.
    #[must_use]
    pub fn of(status: Status) -> Self {
        Self {
            status,
            body: AnswerBody::Empty,
            value: Bytes::new(),
        }
    }

    /// The same with an empty entry, as every answer about an entry has one at least.
    #[must_use]
    pub fn with_entry(self) -> Self {
        self.with_body(AnswerBody::NoEntry)
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(self, body: AnswerBody) -> Self {
        Self { body, ..self }
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> StatusCode {
        StatusCode::of(&self.status)
    }
}
