//! PEER2PEERPUSH: one drive stores its entries on another, past the client.
//!
//! Guarantees: every key that was named has an outcome, in the order in which they were named,
//! whatever of them was done; a push that a peer did next has its outcomes below the key that led
//! there. Not here: walking a range and pushing all of it (`replicate`).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use kinetic_proto::schema::command::p2p_operation::{self, Operation};
use kinetic_proto::schema::command::{Body, P2pOperation};
use kinetic_proto::{MessageType, StatusCode};

use super::answer::awaitable;
use crate::core::{Manner, Request};
use crate::error::{AnswerProblem, Error};
use crate::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT};
use crate::net::Connection;

/// A drive to push to, as the drive that pushes reaches it.
///
/// As text it is `HOST[:PORT]`, with `tls://` before it where the drives are to speak TLS; the
/// port is 8123, or 8443 for TLS, unless given.
///
/// ```
/// use kinetic_client::Peer;
///
/// let peer: Peer = "tls://drive-8".parse()?;
/// assert_eq!(peer, Peer::tls("drive-8", 8443));
/// assert_eq!("drive-8".parse::<Peer>()?.to_string(), "drive-8:8123");
/// assert_eq!("[::1]:9000".parse::<Peer>()?, Peer::plain("::1", 9000));
/// assert!("drive-8:port".parse::<Peer>().is_err());
/// # Ok::<(), kinetic_client::PeerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    host: String,
    port: u16,
    channel: PeerChannel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PeerChannel {
    Plain,
    Tls,
}

/// A text that names no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no peer: write HOST, HOST:PORT or tls://HOST:PORT")]
pub struct PeerError(String);

impl Peer {
    /// A drive that is reached without TLS.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        let (host, channel) = (host.into(), PeerChannel::Plain);
        Self {
            host,
            port,
            channel,
        }
    }

    /// A drive that is reached under TLS.
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        let (host, channel) = (host.into(), PeerChannel::Tls);
        Self {
            host,
            port,
            channel,
        }
    }

    fn to_wire(&self) -> p2p_operation::Peer {
        p2p_operation::Peer {
            hostname: Some(self.host.clone()),
            port: Some(u32::from(self.port)),
            tls: Some(self.channel == PeerChannel::Tls),
        }
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let (channel, address, default) = match text.strip_prefix("tls://") {
            Some(address) => (PeerChannel::Tls, address, DEFAULT_TLS_PORT),
            None => (PeerChannel::Plain, text, DEFAULT_PORT),
        };
        let wrong = || PeerError(text.to_owned());
        let (host, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or_else(wrong)?;
                let port = behind.strip_prefix(':');
                match (port, behind.is_empty()) {
                    (None, false) => return Err(wrong()),
                    (port, _) => (host, port),
                }
            }
            None => match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_why| wrong())?,
            None => default,
        };
        if host.is_empty() || port == 0 {
            return Err(wrong());
        }
        let host = host.to_owned();
        Ok(Self {
            host,
            port,
            channel,
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.channel == PeerChannel::Tls {
            out.write_str("tls://")?;
        }
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

/// One entry to push: version, tag and algorithm go with it.
///
/// Without [`Transfer::force`] the peer takes it as a PUT that expects the version that was given,
/// or, where none was, that the peer has no entry or one without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    key: Bytes,
    new_key: Option<Bytes>,
    version: Option<Bytes>,
    overwrite: Option<bool>,
    then: Option<(Peer, Vec<Transfer>)>,
}

impl Transfer {
    /// The entry with this key.
    pub fn of(key: impl Into<Bytes>) -> Self {
        Self {
            key: key.into(),
            new_key: None,
            version: None,
            overwrite: None,
            then: None,
        }
    }

    /// The key that it gets at the peer, instead of its own.
    pub fn to_key(mut self, key: impl Into<Bytes>) -> Self {
        self.new_key = Some(key.into());
        self
    }

    /// The version that the peer's entry must have now.
    pub fn expected_version(mut self, version: impl Into<Bytes>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Stores it whatever version the peer's entry has.
    pub fn force(mut self) -> Self {
        self.overwrite = Some(true);
        self
    }

    /// Once the peer has it, the peer pushes these of its own entries to the next one.
    pub fn then(mut self, peer: Peer, transfers: impl IntoIterator<Item = Self>) -> Self {
        self.then = Some((peer, transfers.into_iter().collect()));
        self
    }

    /// The key of the entry.
    pub fn key(&self) -> &Bytes {
        &self.key
    }

    fn to_wire(&self) -> Operation {
        Operation {
            key: Some(self.key.clone()),
            version: self.version.clone(),
            new_key: self.new_key.clone(),
            force: self.overwrite,
            status: None,
            p2pop: self.then.as_ref().map(|(peer, next)| to_wire(peer, next)),
        }
    }
}

fn to_wire(peer: &Peer, transfers: &[Transfer]) -> P2pOperation {
    P2pOperation {
        peer: Some(peer.to_wire()),
        operation: transfers.iter().map(Transfer::to_wire).collect(),
        all_child_operations_succeeded: None,
    }
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What came of each entry, in the order in which they were named.
    pub transferred: Vec<Transferred>,
    /// Why not all of them were tried, where that is so.
    pub cut_short: Option<CutShort>,
}

/// Why a drive did not try all of a push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}{}{message}", if .message.is_empty() { "" } else { ": " })]
pub struct CutShort {
    /// Its code, REMOTE_CONNECTION_ERROR where the peer could not be reached.
    pub status: StatusCode,
    /// What the drive said, often empty.
    pub message: String,
}

/// What came of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// Its key at the drive that pushed it.
    pub key: Bytes,
    /// SUCCESS where the peer has it on its disk.
    pub status: StatusCode,
    /// What the drive or its peer said, often empty.
    pub message: String,
    /// What came of the entries that the peer was to push next.
    pub then: Vec<Transferred>,
}

impl Pushed {
    /// Whether everything arrived, at the end of each pipeline, too.
    pub fn is_complete(&self) -> bool {
        self.transferred.iter().all(Transferred::is_complete)
    }
}

impl Transferred {
    /// Whether it arrived, and everything that was to be pushed after it.
    pub fn is_complete(&self) -> bool {
        self.status == StatusCode::SUCCESS && self.then.iter().all(Self::is_complete)
    }

    fn read(asked: &Transfer, answer: Operation) -> Result<Self, AnswerProblem> {
        let then = match (&asked.then, answer.p2pop) {
            (None, _) => Vec::new(),
            (Some((_, next)), Some(answer)) => read(next, answer)?,
            (Some(_), None) => return Err(AnswerProblem::Missing("p2pop")),
        };
        // A drive that does nothing with what it was to do next says nothing of it, either.
        let (status, message) = match answer.status {
            Some(status) => (
                StatusCode::of(&status),
                status.status_message.unwrap_or_default(),
            ),
            None => (
                StatusCode::NOT_ATTEMPTED,
                "the drive does not say what came of it".to_owned(),
            ),
        };
        Ok(Self {
            key: asked.key.clone(),
            status,
            message,
            then,
        })
    }
}

fn read(asked: &[Transfer], answer: P2pOperation) -> Result<Vec<Transferred>, AnswerProblem> {
    if answer.operation.len() != asked.len() {
        return Err(AnswerProblem::Missing("operation for each key"));
    }
    let pairs = asked.iter().zip(answer.operation);
    pairs
        .map(|(asked, answer)| Transferred::read(asked, answer))
        .collect()
}

/// A PEER2PEERPUSH, made by [`crate::Client::push`].
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct Push {
    connection: Connection,
    manner: Manner,
    peer: Peer,
    transfers: Vec<Transfer>,
}

impl Push {
    pub(crate) fn new(connection: Connection, peer: Peer, transfers: Vec<Transfer>) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            peer,
            transfers,
        }
    }

    async fn run(self) -> Result<Pushed, Error> {
        let body = Body {
            p2p_operation: Some(Box::new(to_wire(&self.peer, &self.transfers))),
            ..Body::default()
        };
        let kind = MessageType::PEER2PEERPUSH;
        let request = Request::with_body(kind, body);
        let reply = self.connection.call(request, self.manner).await?;
        let unusable = |problem| Error::Unusable {
            request: kind,
            problem,
        };
        let answer = reply.body.p2p_operation;
        let answer = answer.ok_or(unusable(AnswerProblem::Missing("p2pOperation")))?;
        Ok(Pushed {
            transferred: read(&self.transfers, *answer).map_err(unusable)?,
            cut_short: reply
                .partial
                .map(|(status, message)| CutShort { status, message }),
        })
    }
}

awaitable!(Push => Pushed);

#[cfg(test)]
mod tests {
    use kinetic_proto::schema::command::Status;

    use super::*;

    fn status(code: StatusCode) -> Option<Status> {
        Some(code.to_message())
    }

    #[test]
    fn outcomes_lie_where_the_keys_were_named() {
        let next = [Transfer::of("a")];
        let asked = [
            Transfer::of("a").then(Peer::plain("c", 1), next),
            Transfer::of("b").force(),
        ];
        let wire = to_wire(&Peer::tls("b", 2), &asked);
        assert_eq!(wire.peer.as_ref().unwrap().tls, Some(true));
        let mut answer = wire.clone();
        answer.operation[0].status = status(StatusCode::SUCCESS);
        let nested = answer.operation[0].p2pop.as_mut().unwrap();
        nested.operation[0].status = status(StatusCode::NOT_FOUND);
        let found = read(&asked, answer).unwrap();
        assert_eq!(found[0].status, StatusCode::SUCCESS);
        assert_eq!(found[0].then[0].status, StatusCode::NOT_FOUND);
        assert!(!found[0].is_complete());
        // A drive that says nothing has not said that it did it.
        assert_eq!(found[1].status, StatusCode::NOT_ATTEMPTED);
    }

    #[test]
    fn an_answer_with_fewer_outcomes_than_keys_is_none() {
        let asked = [Transfer::of("a"), Transfer::of("b")];
        let answer = to_wire(&Peer::plain("b", 2), &asked[..1]);
        assert!(read(&asked, answer).is_err());
    }

    #[test]
    fn a_peer_is_read_as_it_is_written() {
        for text in [
            "tls://drive-8:1",
            "drive-8:8123",
            "[::1]:8123",
            "tls://[fe80::1]:2",
        ] {
            assert_eq!(text.parse::<Peer>().unwrap().to_string(), text);
        }
        for wrong in [
            "", ":1", "a:", "a:b", "a:0", "a:65536", "[::1", "[::1]x", "::1", "tls://",
        ] {
            let error = wrong.parse::<Peer>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
