//! MEDIASCAN and MEDIAOPTIMIZE: what a drive does with its medium in the background.
//!
//! Guarantees: a scan that has not come to its end says where it goes on, and [`MediaScan::next`]
//! makes the request for that; a drive that does not get further is an error, not an endless loop.
//! Not here: why a key is bad, which the protocol does not say.

use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{self, Body};

use super::answer::awaitable;
use crate::core::{Manner, Request, Special};
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

/// Keys between two bounds.
pub(super) type Bounds = (Bound<Bytes>, Bound<Bytes>);

/// A MEDIASCAN, made by [`crate::Client::media_scan`] and [`crate::Range::media_scan`]: the drive
/// reads the values of a range and names the keys whose values are not sound.
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// let mut scan = Some(client.media_scan::<&[u8]>(..));
/// while let Some(part) = scan {
///     let scanned = part.clone().await?;
///     println!("{} bad keys", scanned.bad.len());
///     scan = part.next(&scanned);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct MediaScan {
    connection: Connection,
    manner: Manner,
    start: Bound<Bytes>,
    end: Bound<Bytes>,
    limit: Option<u32>,
    quantum: Option<Duration>,
}

/// What a scan has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Keys whose values cannot be read, or have another tag than they should.
    pub bad: Vec<Bytes>,
    /// The last key that was looked at, where the scan is not at its end.
    pub reached: Option<Bytes>,
    /// What the drive says of keys that it could not even list, where there may be such.
    pub unlisted: Option<String>,
}

impl MediaScan {
    pub(super) fn new(connection: Connection, (start, end): Bounds) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            start,
            end,
            limit: None,
            quantum: None,
        }
    }

    /// At most so many keys in the answer, and never more than the drive gives.
    pub fn limit(mut self, keys: u32) -> Self {
        self.limit = Some(keys);
        self
    }

    /// After this time the drive is to answer what it has; less than the time that this side waits
    /// for the answer.
    pub fn within(mut self, quantum: Duration) -> Self {
        self.quantum = Some(quantum);
        self
    }

    /// The request that goes on where this one's answer ends; `None` at the end.
    pub fn next(self, scanned: &Scanned) -> Option<Self> {
        let reached = scanned.reached.clone()?;
        Some(Self {
            start: Bound::Excluded(reached),
            ..self
        })
    }

    async fn run(self) -> Result<Scanned, Error> {
        let kind = MessageType::MEDIASCAN;
        let range = command::Range {
            max_returned: self.limit,
            ..range_of((&self.start, &self.end))
        };
        let reply = self
            .connection
            .call(request(kind, range, self.quantum), self.manner)
            .await?;
        let found = reply.body.range.unwrap_or_default();
        let asked = match &self.end {
            Bound::Included(end) | Bound::Excluded(end) => Some(end),
            Bound::Unbounded => None,
        };
        // The end of the request comes back when it was reached; without one nothing does.
        let reached = found.end_key.filter(|end| !end.is_empty());
        let reached = reached.filter(|end| asked.is_none_or(|asked| end < asked));
        if let Some(reached) = &reached {
            get_on(kind, &self.start, reached)?;
        }
        Ok(Scanned {
            bad: found.keys,
            reached,
            unlisted: reply.partial.map(|(_status, text)| text),
        })
    }
}

awaitable!(MediaScan => Scanned);

/// A MEDIAOPTIMIZE, made by [`crate::Client::media_optimize`]: the drive puts its index in order
/// and gives back what space it can. A drive that needs longer than it is given refuses with
/// EXPIRED and goes on with it.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct MediaOptimize {
    connection: Connection,
    manner: Manner,
    quantum: Option<Duration>,
}

impl MediaOptimize {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            quantum: None,
        }
    }

    /// After this time the drive is to answer, done or not.
    pub fn within(mut self, quantum: Duration) -> Self {
        self.quantum = Some(quantum);
        self
    }

    async fn run(self) -> Result<(), Error> {
        let range = range_of((&Bound::Unbounded, &Bound::Unbounded));
        let request = request(MessageType::MEDIAOPTIMIZE, range, self.quantum);
        self.connection.call(request, self.manner).await.map(drop)
    }
}

awaitable!(MediaOptimize => ());

/// Refuses an answer that got no further than its request began: to go on from there would never
/// end.
pub(super) fn get_on(
    request: MessageType,
    start: &Bound<Bytes>,
    reached: &Bytes,
) -> Result<(), Error> {
    let forward = match start {
        Bound::Included(start) => reached >= start,
        Bound::Excluded(start) => reached > start,
        Bound::Unbounded => true,
    };
    let problem = AnswerProblem::OutOfOrder;
    match forward {
        true => Ok(()),
        false => Err(Error::Unusable { request, problem }),
    }
}

pub(super) fn range_of((start, end): (&Bound<Bytes>, &Bound<Bytes>)) -> command::Range {
    let split = |bound: &Bound<Bytes>| match bound {
        Bound::Included(key) => (Some(key.clone()), Some(true)),
        Bound::Excluded(key) => (Some(key.clone()), Some(false)),
        Bound::Unbounded => (None, None),
    };
    let ((start_key, start_inclusive), (end_key, end_inclusive)) = (split(start), split(end));
    command::Range {
        // The empty key is the smallest one and belongs to an open start.
        start_key_inclusive: Some(start_inclusive.unwrap_or(true)),
        start_key: Some(start_key.unwrap_or_default()),
        end_key,
        end_key_inclusive: end_inclusive,
        ..command::Range::default()
    }
}

pub(super) fn request(
    kind: MessageType,
    range: command::Range,
    quantum: Option<Duration>,
) -> Request {
    let body = Body {
        range: Some(range),
        ..Body::default()
    };
    let mut request = Request::with_body(kind, body);
    request.special = quantum.map(|quantum| Box::new(Special::Within(quantum)));
    request
}
