//! RANGE_DIGEST: sums over the entries of a range, part by part, which are equal on two drives
//! where the entries are.
//!
//! Guarantees: parts follow each other and leave nothing out; an answer that does not reach the end
//! says where it goes on, and [`Digest::next`] makes the request for that; a drive that does not
//! get further is an error. Not here: comparing drives (`compare`).

use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command;

use super::answer::awaitable;
use super::extension::{quantum, require};
use super::media::{Bounds, get_on, range_of, request};
use crate::core::Manner;
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

/// A RANGE_DIGEST, made by [`crate::Client::digest`] and [`crate::Range::digest`]: an extension,
/// which only some drives know.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct Digest {
    connection: Connection,
    manner: Manner,
    bounds: Bounds,
    entries: Option<u32>,
    splits: Vec<Bytes>,
    content: DigestContent,
    quantum: Option<Duration>,
}

/// What goes into the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestContent {
    /// Keys, versions, tags, algorithms and the lengths of values: nothing but the drive's index is
    /// read.
    Metadata,
    /// The values, too, all of which are read.
    Values,
}

/// Parts of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// In order.
    pub parts: Vec<DigestPart>,
    /// The last key that is in a part, where the answer does not reach the end of the range.
    pub reached: Option<Bytes>,
}

/// What is known of the entries behind the part before, up to and with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPart {
    /// The last key that may be in it; `None` is the end of the range.
    pub end: Option<Bytes>,
    /// How many entries.
    pub count: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// The sum, of 32 bytes; docs/PROTOCOL.md says over what.
    pub digest: Bytes,
}

impl Digest {
    pub(super) fn new(connection: Connection, bounds: Bounds) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            bounds,
            entries: None,
            splits: Vec::new(),
            content: DigestContent::Metadata,
            quantum: None,
        }
    }

    /// So many entries in each part, instead of all in one.
    pub fn entries(mut self, entries: u32) -> Self {
        self.entries = Some(entries.max(1));
        self
    }

    /// Parts that end with these keys, which ascend, and one for what is behind them. A drive takes
    /// 199.
    pub fn splits(mut self, splits: Vec<Bytes>) -> Self {
        self.splits = splits;
        self
    }

    /// What goes into the sums, instead of metadata alone.
    pub fn content(mut self, content: DigestContent) -> Self {
        self.content = content;
        self
    }

    /// After this time the drive is to answer what it has; less than the time that this side waits
    /// for the answer.
    pub fn within(mut self, quantum: Duration) -> Self {
        self.quantum = Some(quantum);
        self
    }

    /// The request that goes on where this one's answer ends; `None` at the end.
    pub fn next(mut self, digested: &Digested) -> Option<Self> {
        let reached = digested.reached.clone()?;
        self.splits.retain(|split| *split > reached);
        self.bounds.0 = Bound::Excluded(reached);
        Some(self)
    }

    /// As whoever made it was to be done.
    pub(super) fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    async fn run(self) -> Result<Digested, Error> {
        let kind = MessageType::RANGE_DIGEST;
        require(&self.connection, kind, self.manner).await?;
        let usual = quantum(&self.connection, self.manner.timeout);
        let quantum = self.quantum.unwrap_or(usual);
        let range = command::Range {
            max_returned: self.entries,
            with_values: Some(self.content == DigestContent::Values),
            split: self.splits,
            ..range_of((&self.bounds.0, &self.bounds.1))
        };
        let request = request(kind, range, Some(quantum));
        let reply = self.connection.call(request, self.manner).await?;
        let range = reply.body.range;
        let digested = Digested {
            parts: parts_of(reply.body.digest.unwrap_or_default())?,
            reached: range.and_then(|range| range.end_key),
        };
        if let Some(reached) = &digested.reached {
            get_on(kind, &self.bounds.0, reached)?;
        }
        let last = digested.parts.last().and_then(|part| part.end.as_ref());
        if digested.reached.as_ref() == last {
            Ok(digested)
        } else {
            Err(unusable(AnswerProblem::OutOfOrder))
        }
    }
}

/// The parts of an answer: at least one, ascending, only the last one open.
pub(crate) fn parts_of(digest: command::Digest) -> Result<Vec<DigestPart>, Error> {
    let mut parts: Vec<DigestPart> = Vec::new();
    for part in digest.part {
        let end = part.end_key.map(|end| Bytes::copy_from_slice(&end));
        let follows = match (parts.last().map(|part| &part.end), &end) {
            (Some(None), _) => false,
            (Some(Some(before)), Some(end)) => before < end,
            (Some(Some(_)), None) | (None, _) => true,
        };
        if !follows {
            return Err(unusable(AnswerProblem::OutOfOrder));
        }
        parts.push(DigestPart {
            end,
            count: part.count.unwrap_or(0),
            bytes: part.bytes.unwrap_or(0),
            digest: Bytes::copy_from_slice(&part.digest.unwrap_or_default()),
        });
    }
    if parts.is_empty() {
        return Err(unusable(AnswerProblem::Missing("digest.part")));
    }
    Ok(parts)
}

fn unusable(problem: AnswerProblem) -> Error {
    Error::Unusable {
        request: MessageType::RANGE_DIGEST,
        problem,
    }
}

awaitable!(Digest => Digested);
