//! COUNT, an extension: how many keys a range has, without telling them.
//!
//! Guarantees: only keys with RANGE are counted, and an identity that has it nowhere is refused;
//! nothing is kept of the keys, however many there are; where the time is up the answer says how
//! far it got, and the next request goes on there. What changes meanwhile may or may not count.

use std::ops::ControlFlow;

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, Range};
use kinetic_store::{Direction, Effort, KeyRange};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use super::range::bounds;
use super::status::{Unfinished, locked};
use super::walk::{Walked, walk};
use crate::auth::{Access, grant};
use crate::device::Device;

/// A COUNT.
#[derive(Debug, Clone)]
pub struct Count {
    /// What is still to be counted.
    rest: KeyRange,
    most: Option<u64>,
    tally: Tally,
}

/// What has been counted.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: u64,
    /// The last key that counted.
    last: Option<Bytes>,
}

impl Count {
    /// Reads the fields that a COUNT has. Its direction makes no difference to a number.
    pub fn parse(range: Option<Range>) -> Result<Self, Invalid> {
        let range = range.unwrap_or_default();
        let most = range.max_returned.filter(|&most| most > 0).map(u64::from);
        let rest = KeyRange {
            direction: Direction::Forward,
            ..bounds(range)?
        };
        Ok(Self {
            rest,
            most,
            tally: Tally::default(),
        })
    }

    /// The answer where the time is up, unless nothing has been counted that could be named.
    #[must_use]
    pub fn cut_short(&self) -> Option<Answer> {
        let last = self.tally.last.clone()?;
        Some(self.answer(Some(last)))
    }

    fn answer(&self, end_key: Option<Bytes>) -> Answer {
        let range = Range {
            count: Some(self.tally.count),
            end_key,
            ..Range::default()
        };
        Answer::success().with_body(AnswerBody::Extended(Box::new(Body {
            range: Some(range),
            ..Body::default()
        })))
    }
}

/// Counts until there are no more keys, or as many as were asked for, or its turn is over.
pub fn run(
    access: &Access,
    request: &mut Count,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    if let Err(denied) = access.to_drive::<grant::Range>() {
        return Ok(Answer::of(denied.into()));
    }
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    let Count { rest, most, tally } = request;
    let walked = walk(&store, rest, effort, |key, _| {
        if let Ok(grant) = access.to_key::<grant::Range>(key.clone()) {
            tally.count += 1;
            tally.last = Some(grant.into_key());
        }
        match *most {
            Some(most) if tally.count >= most => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })?;
    Ok(match walked {
        Walked::Through => request.answer(None),
        Walked::Stopped(()) => request.answer(request.tally.last.clone()),
        Walked::Failed(status) => Answer::of(status),
    })
}
