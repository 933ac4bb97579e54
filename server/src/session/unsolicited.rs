//! What a drive says without being asked: the hello, and why it hangs up.
//!
//! Guarantees: the connection's id is in the hello only, and so is the cluster version; whatever
//! else is unsolicited is the last thing on its connection.

use bytes::BytesMut;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, GetLog, Header, Status};
use kinetic_proto::{FrameError, Seal, StatusCode, message};

use super::batches::OverLimit;
use crate::device::Device;

/// Appends the first frame of a connection: names, limits, cluster version, and its id.
pub fn encode_hello(device: &Device, connection_id: i64, out: &mut BytesMut) {
    let log = GetLog {
        configuration: Some(device.configuration()),
        limits: Some(device.limits.to_message()),
        ..GetLog::default()
    };
    let command = Command {
        header: Some(Header {
            cluster_version: Some(device.cluster_version()),
            connection_id: Some(connection_id),
            ..Header::default()
        }),
        body: Some(Box::new(Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        })),
        status: Some(StatusCode::SUCCESS.to_message()),
    };
    encode(&command, out);
}

/// Why the drive ends a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Farewell {
    /// The signature is not the identity's.
    #[error(
        "the HMAC of identity {0} does not match: either the key is wrong, or the HMAC lacks the \
         length of the command bytes (four bytes, big-endian) before the bytes themselves"
    )]
    WrongHmac(i64),
    /// Nobody has this identity.
    #[error("identity {0} is not known to this drive")]
    UnknownIdentity(i64),
    /// HMACAUTH without a signature.
    #[error("the message is not signed: hmacAuth with identity and hmac is missing")]
    NotSigned,
    /// Neither HMACAUTH nor PINAUTH.
    #[error(
        "authType {0} is not for requests: use HMACAUTH (1), or PINAUTH (2) for a PIN operation"
    )]
    AuthType(i32),
    /// The message is no protobuf.
    #[error("the {0} of this frame cannot be decoded")]
    Malformed(&'static str),
    /// A command without header that nobody signed either.
    #[error("the command has no header")]
    NoHeader,
    /// The frame cannot be skipped.
    #[error("{0}")]
    Frame(FrameError),
    /// A write for a batch that is not open; it would never be answered.
    #[error("batch {0} is not open on this connection")]
    UnknownBatch(u32),
    /// A write that is too much for its batch; it would never be answered either.
    #[error("{0}")]
    BatchOverLimit(#[from] OverLimit),
    /// Too many connections.
    #[error("the drive has {0} connections already, as many as it keeps; close one or wait")]
    TooManyConnections(u32),
    /// The drive was told to shut down, by SET_POWER_LEVEL.
    #[error("the drive was told to shut down")]
    Shutdown,
    /// The drive stops.
    #[error("the drive is stopping")]
    Stopping,
}

impl Farewell {
    fn code(&self) -> StatusCode {
        match self {
            Self::WrongHmac(_) | Self::UnknownIdentity(_) | Self::NotSigned => {
                StatusCode::HMAC_FAILURE
            }
            Self::NoHeader => StatusCode::HEADER_REQUIRED,
            Self::AuthType(_) | Self::Malformed(_) | Self::Frame(_) => StatusCode::INVALID_REQUEST,
            Self::UnknownBatch(_) | Self::BatchOverLimit(_) => StatusCode::INVALID_BATCH,
            Self::TooManyConnections(_) => StatusCode::SERVICE_BUSY,
            Self::Shutdown => StatusCode::SHUTDOWN,
            Self::Stopping => StatusCode::CONNECTION_TERMINATED,
        }
    }

    /// Whether it is about who has signed.
    #[must_use]
    pub fn is_of_the_signature(&self) -> bool {
        self.code() == StatusCode::HMAC_FAILURE
    }

    /// The status that it is told by.
    #[must_use]
    pub fn status(&self) -> Status {
        self.code().with_text(self.to_string())
    }

    /// Appends the last frame of a connection.
    pub fn encode(&self, out: &mut BytesMut) {
        let command = Command {
            status: Some(self.status()),
            ..Command::default()
        };
        encode(&command, out);
    }
}

fn encode(command: &Command, out: &mut BytesMut) {
    // Names, limits and one sentence are far below the limit of a message.
    let _ = message::encode_frame(Seal::Unsolicited, command, 0, out);
}
