//! Where an answer goes, and how it becomes a frame.
//!
//! Guarantees: every answer to HMACAUTH is signed with the requester's key as it was when the
//! request came, and carries the connection's own id, the request's sequence (0 too) and a status;
//! the device's cluster version is in VERSION_FAILURE only. Answers to PINAUTH are not signed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Batch, Body, Header, Range, Status};
use kinetic_proto::{
    FrameError, HeaderView, KeyValueView, MessageType, Reply, Seal, StatusCode, StatusView, message,
};

use super::manner::Manner;
use crate::auth::Identity;
use crate::ops::{Answer, AnswerBody};

/// How an answer proves where it comes from.
#[derive(Debug, Clone)]
pub enum Signer {
    /// Signed with the key of whoever asked.
    Identity(Arc<Identity>),
    /// Not at all, as the request was authenticated by a PIN.
    Pin,
}

/// The way back to whoever asked.
#[derive(Debug, Clone)]
pub struct Route {
    /// How the answer is signed.
    pub signer: Signer,
    /// The connection's id.
    pub connection_id: i64,
    /// The request's sequence.
    pub sequence: u64,
    /// The request's type.
    pub request: MessageType,
    /// When it came, in microseconds of the caller's clock.
    pub arrived_us: u64,
    /// How it wants to be done.
    pub manner: Manner,
    /// The opening of the store that it was judged in; none while the drive is locked.
    pub epoch: Option<u64>,
    /// The device's cluster version, in an answer that is about it.
    pub cluster_version: Option<i64>,
}

impl Route {
    /// Appends the frame of an answer, but for its value, which must follow it.
    pub fn encode(&self, answer: Answer, out: &mut BytesMut) -> Bytes {
        let Answer {
            status,
            body,
            value,
        } = answer;
        match self.put(body, &status, value.len(), out) {
            Ok(()) => value,
            Err(error) => {
                let text = format!("the answer cannot be sent: {error}");
                let status = StatusCode::INTERNAL_ERROR.with_text(text);
                // A header and one sentence are far below the limit of a message.
                let told = message::encode_frame(self.seal(), &self.reply(None, &status), 0, out);
                if let Err(error) = told {
                    tracing::error!(%error, sequence = self.sequence, "a request has no answer");
                }
                Bytes::new()
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an answer in its parts")]
    fn put(
        &self,
        body: AnswerBody,
        status: &Status,
        value_length: usize,
        out: &mut BytesMut,
    ) -> Result<(), FrameError> {
        // Frequent answers are written straight from where their parts lie.
        let entry = match &body {
            AnswerBody::Empty => None,
            AnswerBody::NoEntry => Some(KeyValueView::default()),
            AnswerBody::Version(attributes) => Some(KeyValueView {
                db_version: Some(attributes.version()),
                ..KeyValueView::default()
            }),
            AnswerBody::Entry(key, attributes) => Some(KeyValueView {
                key: Some(key),
                db_version: Some(attributes.version()),
                tag: Some(attributes.tag()),
                algorithm: attributes.algorithm,
                ..KeyValueView::default()
            }),
            AnswerBody::Keys(_)
            | AnswerBody::Extended(_)
            | AnswerBody::Scanned { .. }
            | AnswerBody::Log(_)
            | AnswerBody::Pushed(_)
            | AnswerBody::Batch { .. } => {
                let command = self.command(body, status.clone());
                return message::encode_frame(self.seal(), &command, value_length, out);
            }
        };
        let reply = self.reply(entry, status);
        message::encode_frame(self.seal(), &reply, value_length, out)
    }

    fn reply<'a>(&self, key_value: Option<KeyValueView<'a>>, status: &'a Status) -> Reply<'a> {
        Reply {
            header: Some(HeaderView {
                cluster_version: self.cluster_version,
                connection_id: Some(self.connection_id),
                ack_sequence: Some(self.sequence),
                message_type: self.request.response().map(i32::from),
                ..HeaderView::default()
            }),
            key_value,
            status: Some(StatusView {
                code: status.code,
                message: status.status_message.as_deref(),
            }),
        }
    }

    fn command(&self, body: AnswerBody, status: Status) -> Command {
        let body = match body {
            AnswerBody::Keys(keys) => Body {
                range: Some(Range {
                    keys,
                    ..Range::default()
                }),
                ..Body::default()
            },
            AnswerBody::Scanned { keys, end_key } => Body {
                range: Some(Range {
                    keys,
                    end_key,
                    ..Range::default()
                }),
                ..Body::default()
            },
            AnswerBody::Extended(body) => *body,
            AnswerBody::Log(log) => Body {
                get_log: Some(log),
                ..Body::default()
            },
            AnswerBody::Pushed(push) => Body {
                p2p_operation: Some(push),
                ..Body::default()
            },
            AnswerBody::Batch { sequences, failed } => Body {
                batch: Some(Batch {
                    count: u32::try_from(sequences.len()).ok(),
                    sequence: sequences,
                    failed_sequence: failed,
                }),
                ..Body::default()
            },
            AnswerBody::Empty
            | AnswerBody::NoEntry
            | AnswerBody::Version(_)
            | AnswerBody::Entry(..) => Body::default(),
        };
        Command {
            header: Some(Header {
                cluster_version: self.cluster_version,
                connection_id: Some(self.connection_id),
                ack_sequence: Some(self.sequence),
                message_type: self.request.response().map(i32::from),
                ..Header::default()
            }),
            body: Some(Box::new(body)),
            status: Some(status),
        }
    }

    fn seal(&self) -> Seal<'_> {
        match &self.signer {
            Signer::Identity(identity) => Seal::Signed {
                identity: identity.number,
                key: &identity.key,
            },
            Signer::Pin => Seal::PinResponse,
        }
    }
}
