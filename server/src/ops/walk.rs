//! Going through the entries of a range in turns, for operations that say what they do with each.
//!
//! Guarantees: entries come in order, each once; no more than a page of them is in memory, and
//! others have their turn after a bounded number of pages, or of deletions that were stepped over.
//! Not here: values, and who may see a key.

use std::ops::ControlFlow;

use bytes::Bytes;
use kinetic_proto::schema::command::Status;
use kinetic_store::{Effort, KeyRange, Metadata, Store};

use super::range::is_empty;
use super::status::{Unfinished, of_read};
use crate::limits::{RANGE_PAGE, RANGE_PAGES_TURN};

/// What a turn came to, where it is not to go on later.
#[derive(Debug)]
pub enum Walked<T> {
    /// The end of the range.
    Through,
    /// An entry at which the walk was to stop.
    Stopped(T),
    /// A part of the index that cannot be read.
    Failed(Status),
}

/// Calls `each` with the entries of what is left of a range until it breaks. What it has seen is
/// not part of the rest any more, the entry at which it breaks included.
pub fn walk<T>(
    store: &Store,
    rest: &mut KeyRange,
    effort: Effort,
    mut each: impl FnMut(&Bytes, &Metadata) -> ControlFlow<T>,
) -> Result<Walked<T>, Unfinished> {
    // What is done with entries takes too long for a connection's own task, be they in memory.
    if effort == Effort::Cached && !is_empty(rest) {
        return Err(Unfinished::OutOfTurn);
    }
    for _ in 0..RANGE_PAGES_TURN {
        if is_empty(rest) {
            return Ok(Walked::Through);
        }
        let page = match store.entries(rest, RANGE_PAGE, effort) {
            Ok(page) => page,
            Err(error) => return Ok(Walked::Failed(of_read(error)?)),
        };
        for (key, metadata) in &page.entries {
            if let ControlFlow::Break(why) = each(key, metadata) {
                rest.go_behind(key.clone());
                return Ok(Walked::Stopped(why));
            }
        }
        let Some(beyond) = page.beyond else {
            return Ok(Walked::Through);
        };
        rest.go_behind(beyond);
        if page.entries.len() < RANGE_PAGE {
            // The turn was spent on what has been deleted.
            return Err(Unfinished::OutOfTurn);
        }
    }
    Err(Unfinished::OutOfTurn)
}
