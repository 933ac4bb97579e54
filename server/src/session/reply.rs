//! Where an answer goes, and how it becomes a frame.
//!
//! Guarantees: every answer to HMACAUTH is signed with the requester's key as it was when the
//! request came, and carries the connection's own id, the request's sequence (0 too) and a status;
//! the device's cluster version is in VERSION_FAILURE only. Answers to PINAUTH are not signed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::Header;
use kinetic_proto::{MessageType, Seal, StatusCode, message};

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
        let command = Command {
            header: Some(self.header()),
            body: body.into_message(),
            status: Some(status),
        };
        match message::encode_frame(self.seal(), &command, value.len(), out) {
            Ok(()) => value,
            Err(error) => {
                let text = format!("the answer cannot be sent: {error}");
                self.encode_short(&text, out);
                Bytes::new()
            }
        }
    }

    /// Says instead of an answer why there is none.
    fn encode_short(&self, text: &str, out: &mut BytesMut) {
        let command = Command {
            header: Some(self.header()),
            body: AnswerBody::Empty.into_message(),
            status: Some(StatusCode::INTERNAL_ERROR.with_text(text)),
        };
        // A header and one sentence are far below the limit of a message.
        let _ = message::encode_frame(self.seal(), &command, 0, out);
    }

    fn header(&self) -> Header {
        Header {
            cluster_version: self.cluster_version,
            connection_id: Some(self.connection_id),
            ack_sequence: Some(self.sequence),
            message_type: self.request.response().map(i32::from),
            ..Header::default()
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
