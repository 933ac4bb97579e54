//! Scrub's way through one run: a block, then the values that it refers to, then the next block.
//!
//! Guarantee: everything of the run below [`RunWalk::place`] was looked at.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::entry::ValueRef;
use crate::run::{BlockReader, Finding, Gap, Run, RunCheck, RunId};

/// What came of one block.
pub(super) enum Block {
    /// So many bytes, as they should be.
    Sound(u32),
    /// Damaged.
    Bad(crate::run::cache::Unreadable, Gap),
    /// There is none left.
    End,
}

/// A way through one run.
#[derive(Debug)]
pub(super) struct RunWalk {
    run: RunId,
    check: RunCheck,
    /// Values of the block that was read last, as they lie on the disk.
    values: VecDeque<(Vec<u8>, ValueRef)>,
    /// From where on not everything was looked at; nothing once all was.
    place: Option<Vec<u8>>,
}

impl RunWalk {
    /// From this key on.
    pub(super) fn new(run: &Arc<Run>, from: &[u8]) -> Self {
        Self {
            run: run.meta().id,
            check: RunCheck::from_key(Arc::clone(run), from),
            values: VecDeque::new(),
            place: Some(from.to_vec()),
        }
    }

    /// Which run.
    pub(super) fn run(&self) -> RunId {
        self.run
    }

    /// From which key on something was not looked at; `None` at the end.
    pub(super) fn place(&self) -> Option<&[u8]> {
        self.place.as_deref()
    }

    /// The next value to read.
    pub(super) fn next_value(&mut self) -> Option<(Vec<u8>, ValueRef)> {
        let next = self.values.pop_front();
        if self.values.is_empty() {
            self.settle();
        }
        next
    }

    /// Reads the next block.
    pub(super) fn next_block(&mut self, reader: &BlockReader) -> Block {
        let found = self.check.step(reader);
        let mut values = self.check.take_values();
        values.sort_by_key(|(_, value)| (value.location.zone, value.location.offset));
        self.values = values.into();
        let block = match found {
            Finding::Sound(bytes) => Block::Sound(bytes),
            Finding::Bad(bad) => Block::Bad(bad, self.check.gap().clone()),
            Finding::CountsDiffer | Finding::Done => {
                self.place = None;
                return Block::End;
            }
        };
        if self.values.is_empty() {
            self.settle();
        }
        block
    }

    /// All that was read was looked at: it stands where the next block begins.
    fn settle(&mut self) {
        self.place = Some(match self.check.next_start() {
            Some(start) => start.to_vec(),
            // One step more, to come to the end.
            None => self.place.take().unwrap_or_default(),
        });
    }
}
