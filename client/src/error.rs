//! What can go wrong, and how a person is told.
//!
//! Guarantees: what the drive said, code and text, is kept; [`Error`] and [`Disconnected`] can be
//! cloned, since one end of a connection fails many requests. Not here: what to do about it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kinetic_proto::wire::WireError;
use kinetic_proto::{FrameError, MessageType, StatusCode};

use crate::trust::Fingerprint;

/// Why a request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The drive answered with another status than SUCCESS. The connection is usable.
    #[error("the drive refused with {status}{}", after_colon(.message))]
    Refused {
        /// Its code.
        status: StatusCode,
        /// What it said, often empty.
        message: String,
        /// Its cluster version, which VERSION_FAILURE carries.
        cluster_version: Option<i64>,
        /// At the end of a batch: which of the requests that were sent with it failed, from 0.
        failed_operation: Option<usize>,
    },
    /// No answer in time. The connection is usable; whether a change took effect is not known.
    #[error("the drive did not answer within {after:?}")]
    Timeout {
        /// The time that was given.
        after: Duration,
    },
    /// The connection ended. Whether a change took effect is not known.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    /// The request or its answer holds a secret, and the connection is not under TLS; nothing was
    /// sent.
    #[error(
        "{0} is sent under TLS only, since it carries what nobody on the way should read; \
         connect to the drive's port for TLS"
    )]
    NeedsTls(MessageType),
    /// A request beyond the protocol that the drive does not list; nothing was sent.
    #[error(
        "this drive does not know {0}, which is an extension of the protocol: drives that know it \
         list it in their log org.kinetic.capabilities"
    )]
    NotKnown(MessageType),
    /// Over a limit that the drive reported or the protocol has; nothing was sent.
    #[error("a {part} of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Which part of the request.
        part: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// An answer that is properly signed and makes no sense. The connection is usable.
    #[error("the drive's answer to {request} cannot be used: {problem}")]
    Unusable {
        /// What was asked.
        request: MessageType,
        /// What is wrong with the answer.
        problem: AnswerProblem,
    },
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProblem {
    /// It is the answer to another kind of request.
    #[error("it is a {0}")]
    WrongType(MessageType),
    /// It has no status.
    #[error("it has no status")]
    NoStatus,
    /// Its value is over the limit and was thrown away.
    #[error("its value of {0} bytes is over the limit of the protocol")]
    ValueTooLong(usize),
    /// A part that the answer must have is absent.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// Of what was asked for, nothing was even tried.
    #[error("nothing was done")]
    NothingDone,
    /// What should be a list of identities cannot be read as one.
    #[error("it is no list of identities that this client can read")]
    NoAcl,
    /// A range went on where it had been, which would never end.
    #[error("its keys do not follow those of the answer before")]
    OutOfOrder,
}

/// Why a connection ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Disconnected {
    /// The drive said why, in an unsolicited status.
    #[error("the drive closed the connection with {status}{}", after_colon(.message))]
    ByDrive {
        /// Its code.
        status: StatusCode,
        /// What it said, often empty.
        message: String,
    },
    /// The stream ended between two answers.
    #[error("the drive closed the connection without giving a reason")]
    EndOfStream,
    /// The host's error.
    #[error("the connection failed: {0}")]
    Io(Arc<io::Error>),
    /// What arrived is no frame.
    #[error("the drive sent something that is not the Kinetic protocol: {0}")]
    Frame(FrameError),
    /// What arrived is no message.
    #[error("the drive sent a message that cannot be read: {0}")]
    Malformed(WireError),
    /// An answer is not signed with our key.
    #[error(
        "an answer of the drive is not signed with the key of identity {identity}: \
         check identity and key"
    )]
    BadSignature {
        /// The identity whose key was tried.
        identity: i64,
    },
    /// An answer is signed for somebody else.
    #[error("an answer of the drive is for identity {got}, not for {expected}")]
    WrongIdentity {
        /// Ours.
        expected: i64,
        /// The answer's.
        got: i64,
    },
    /// An answer to a request that was never sent.
    #[error("the drive answered request {0}, which was never sent")]
    UnknownSequence(u64),
    /// All handles of the client are gone.
    #[error("the connection was closed by this side")]
    Closed,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// Where to.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The time for connecting ran out.
    #[error("no connection to {address} within {after:?}")]
    Timeout {
        /// Where to.
        address: String,
        /// The time that was given.
        after: Duration,
    },
    /// The peer took the connection and did not greet in time.
    #[error(
        "{address} took the connection and said nothing within {after:?}; this may be its port \
         for TLS"
    )]
    Silent {
        /// Where to.
        address: String,
        /// The time that was given.
        after: Duration,
    },
    /// The peer is connected, but not under TLS as it should be.
    #[error("no TLS with {address}: {source}")]
    Tls {
        /// Where to.
        address: String,
        /// What is wrong.
        source: TlsError,
    },
    /// The peer is connected and did not greet as a drive does.
    #[error("no drive is to be had at {address}: {source}")]
    Hello {
        /// Where to.
        address: String,
        /// What is wrong.
        source: HelloError,
    },
}

/// What is wrong with the drive's certificate, or with the handshake.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is another one than those that are trusted.
    #[error(
        "its certificate has the fingerprint {found}, expected was {}; somebody may be in \
         between, or the drive has a new certificate",
        either(.expected)
    )]
    WrongFingerprint {
        /// The certificate's.
        found: Fingerprint,
        /// The trusted ones.
        expected: Vec<Fingerprint>,
    },
    /// No authority vouches for the certificate, or not for this name.
    #[error("its certificate, with the fingerprint {found}, is not trusted: {reason}")]
    Untrusted {
        /// The certificate's.
        found: Fingerprint,
        /// What the authorities miss.
        reason: String,
    },
    /// What came is no TLS.
    #[error("it does not speak TLS; this may be its port for plain connections")]
    NotTls,
    /// The stream ended during the handshake.
    #[error(
        "it hung up during the handshake; it may have as many connections as it keeps, or this \
         is its port for plain connections"
    )]
    HungUp,
    /// The handshake took too long.
    #[error("it did not finish the handshake within {after:?}")]
    Timeout {
        /// The time that was given.
        after: Duration,
    },
    /// A name that no certificate can have.
    #[error("{0:?} is neither a host name nor an address, so no certificate can be issued for it")]
    Name(String),
    /// The handshake was done without a certificate.
    #[error("it showed no certificate")]
    NoCertificate,
    /// The handshake failed otherwise.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The connection failed.
    #[error("the connection failed during the handshake: {0}")]
    Io(#[source] io::Error),
}

/// What is wrong with a drive's hello.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// The drive greeted with a refusal.
    #[error("it refused with {status}{}", after_colon(.message))]
    Refused {
        /// Its code.
        status: StatusCode,
        /// What it said, often empty.
        message: String,
    },
    /// The first message is something else than an unsolicited status.
    #[error("its first message is no hello")]
    NotAHello,
    /// The stream ended before the hello.
    #[error("it closed the connection before its hello; this may be the port for TLS")]
    EndOfStream,
    /// The connection failed before the hello.
    #[error("the connection failed before its hello: {0}")]
    Io(#[source] io::Error),
    /// What arrived is no frame.
    #[error("it does not speak the Kinetic protocol: {0}")]
    Frame(#[from] FrameError),
    /// What arrived is no message.
    #[error("its hello cannot be read: {0}")]
    Malformed(#[from] WireError),
}

impl Error {
    /// The drive's status code, where it gave one: in an answer or at the end of the connection.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. }
            | Self::Disconnected(Disconnected::ByDrive { status, .. }) => Some(*status),
            _ => None,
        }
    }

    /// Whether this is NOT_FOUND.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether this is VERSION_MISMATCH.
    pub fn is_version_mismatch(&self) -> bool {
        self.status() == Some(StatusCode::VERSION_MISMATCH)
    }
}

impl From<io::Error> for Disconnected {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // TLS tells an end without its farewell apart, which most drives leave out.
            io::ErrorKind::UnexpectedEof => Self::EndOfStream,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl From<io::Error> for HelloError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::EndOfStream,
            _ => Self::Io(error),
        }
    }
}

fn either(fingerprints: &[Fingerprint]) -> String {
    let texts: Vec<String> = fingerprints.iter().map(Fingerprint::to_string).collect();
    match texts.is_empty() {
        true => "none at all".to_owned(),
        false => texts.join(" or "),
    }
}

fn after_colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_a_sentence_with_code_and_text() {
        let refused = Error::Refused {
            status: StatusCode::NO_SPACE,
            message: "the drive is full".to_owned(),
            cluster_version: None,
            failed_operation: None,
        };
        assert_eq!(
            refused.to_string(),
            "the drive refused with NO_SPACE: the drive is full"
        );
    }

    #[test]
    fn a_refusal_without_text_ends_after_its_code() {
        let closed = Disconnected::ByDrive {
            status: StatusCode::HMAC_FAILURE,
            message: String::new(),
        };
        assert_eq!(
            closed.to_string(),
            "the drive closed the connection with HMAC_FAILURE"
        );
    }
}
