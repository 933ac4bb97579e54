//! COUNT: how many keys a range has.
//!
//! Guarantees: a range of any size is counted, in as many requests as the drive needs; a drive that
//! does not get further is an error, not an endless loop. Keys that come or go meanwhile may or may
//! not count.

use std::ops::Bound;

use bytes::Bytes;
use kinetic_proto::MessageType;

use super::answer::awaitable;
use super::extension::{quantum, require};
use super::media::{Bounds, get_on, range_of, request};
use crate::core::Manner;
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

/// A COUNT, made by [`crate::Client::count`] and [`crate::Range::count`]: an extension, which only
/// some drives know.
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// let photos = client.prefix("photos/").count().await?;
/// let any = client.prefix("photos/").count().limit(1).await? > 0;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct Count {
    connection: Connection,
    /// The time for each request.
    manner: Manner,
    bounds: Bounds,
    limit: Option<u64>,
}

impl Count {
    pub(super) fn new(connection: Connection, bounds: Bounds) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            bounds,
            limit: None,
        }
    }

    /// Counts no further than to this number.
    pub fn limit(mut self, keys: u64) -> Self {
        self.limit = Some(keys);
        self
    }

    /// As whoever made it was to be done.
    pub(super) fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    async fn run(mut self) -> Result<u64, Error> {
        let kind = MessageType::COUNT;
        require(&self.connection, kind, self.manner).await?;
        let quantum = quantum(&self.connection, self.manner.timeout);
        let limit = self.limit.unwrap_or(u64::MAX);
        let mut sum = 0_u64;
        while sum < limit {
            let mut range = range_of((&self.bounds.0, &self.bounds.1));
            let left = limit - sum;
            range.max_returned = self
                .limit
                .and(Some(u32::try_from(left).unwrap_or(u32::MAX)));
            let request = request(kind, range, Some(quantum));
            let reply = self.connection.call(request, self.manner).await?;
            let found = reply.body.range.unwrap_or_default();
            let count = found.count.ok_or(Error::Unusable {
                request: kind,
                problem: AnswerProblem::Missing("range.count"),
            })?;
            sum = sum.saturating_add(count);
            let Some(reached) = found.end_key else { break };
            get_on(kind, &self.bounds.0, &reached)?;
            self.bounds.0 = Bound::Excluded(Bytes::copy_from_slice(&reached));
        }
        Ok(sum.min(limit))
    }
}

awaitable!(Count => u64);
