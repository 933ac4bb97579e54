//! MEDIAOPTIMIZE: the drive puts its index in order and gives back what space that frees.
//!
//! Guarantees: the store does it in the background; the answer comes when it is done, SUCCESS with
//! the request's own `endKey`, or when the time of the request is up, EXPIRED: then it goes on. Two
//! requests at once wait for the same work. It concerns the whole drive, whatever range is named.

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::Range;
use kinetic_store::{CommitFailure, Effort, Health};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use super::range::check_ends;
use super::status::{Unfinished, locked, of_commit};
use crate::auth::{Access, grant};
use crate::device::Device;

/// A MEDIAOPTIMIZE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaOptimize {
    end_key: Option<Bytes>,
    /// What the store was asked for, once it was.
    asked: Option<u64>,
}

impl MediaOptimize {
    /// Reads the one field that is looked at.
    pub fn parse(range: Option<Range>) -> Result<Self, Invalid> {
        let range = range.unwrap_or_default();
        check_ends(&range)?;
        // A copy: the key is a slice of the whole message.
        let end_key = range.end_key;
        Ok(Self {
            end_key: end_key.map(|key| Bytes::copy_from_slice(&key)),
            asked: None,
        })
    }

    /// The answer where the time is up.
    #[must_use]
    pub fn cut_short(&self) -> Answer {
        let text = "it is not done yet, and goes on";
        Answer::of(StatusCode::EXPIRED.with_text(text))
    }
}

/// Asks the store, then looks whether it is done.
pub fn run(
    access: &Access,
    request: &mut MediaOptimize,
    device: &Device,
    effort: Effort,
) -> Result<Answer, Unfinished> {
    if let Err(denied) = access.to_drive::<grant::Range>() {
        return Ok(Answer::of(denied.into()));
    }
    let Some(store) = device.store() else {
        return Ok(Answer::of(locked()));
    };
    if effort == Effort::Cached {
        return Err(Unfinished::NotCached);
    }
    if store.status().health == Health::ReadOnly {
        return Ok(Answer::of(of_commit(CommitFailure::ReadOnly)));
    }
    let asked = *request.asked.get_or_insert_with(|| store.optimize());
    if !store.is_optimized(asked) {
        return Err(Unfinished::Waiting);
    }
    let (keys, end_key) = (Vec::new(), request.end_key.clone());
    Ok(Answer::success().with_body(AnswerBody::Scanned { keys, end_key }))
}
