//! A zone that is being emptied: which of its values live, and the next ones of them.
//!
//! Guarantee: what is collected was found by the index in this very place, and has verified. What
//! cannot be read is left where it is, and the zone counts as not sound.
//! Not here: when the collected values are written (`round`).

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use super::batch::Batch;
use super::walk::{Walk, Walked};
use crate::effort::Effort;
use crate::engine::counters::Counters;
use crate::engine::shared::Shared;
use crate::entry::{Entry, Key};
use crate::error::ReadError;
use crate::index::view::View;
use crate::layout::geometry::Location;
use crate::limits::{RECLAIM_LOOKUPS, RECLAIM_READ};
use crate::manifest::edit::ZoneInfo;
use crate::run::{Admission, BlockReader};

/// A zone that is being emptied.
#[derive(Debug)]
pub(super) struct Job {
    walk: Walk,
    /// Keys that may refer to values in it, and where those lie.
    candidates: VecDeque<(Key, Location)>,
    pub(super) batch: Batch,
    /// Bytes of values in it that runs refer to, hidden entries included, as far as was found.
    referenced: u64,
    walked: bool,
    sound: bool,
}

/// What a look at candidates came to.
pub(super) enum Looked {
    More,
    Full,
}

impl Job {
    pub(super) fn new(info: ZoneInfo, shared: &Shared) -> Self {
        Self {
            walk: Walk::new(info),
            candidates: VecDeque::new(),
            batch: Batch::new(&shared.cipher),
            referenced: 0,
            walked: false,
            sound: true,
        }
    }

    /// The zone.
    pub(super) fn info(&self) -> &ZoneInfo {
        self.walk.info()
    }

    /// Whether nothing that anybody refers to is left in it once the moves are in runs. Whatever
    /// runs refer to was found, to the byte: what could not be found cannot be given up.
    pub(super) fn is_emptied(&self, live: u64) -> bool {
        self.sound && self.referenced == live
    }

    /// Whether everything in it was looked at.
    pub(super) fn is_done(&self) -> bool {
        self.walked && self.candidates.is_empty()
    }

    /// Looks at some candidates; reads those that live into the batch, as far as its group fits
    /// `room`.
    pub(super) fn look(&mut self, shared: &Shared, room: u32) -> Looked {
        while self.candidates.len() < RECLAIM_LOOKUPS && !self.walked {
            self.find(shared);
        }
        let view = shared.view();
        let reader = shared.reader.with_admission(Admission::Pass);
        let until = self.batch.bytes() + RECLAIM_READ;
        for _ in 0..RECLAIM_LOOKUPS {
            let Some((key, location)) = self.candidates.pop_front() else {
                break;
            };
            let entry = view.lookup(&reader, &key, Effort::Disk);
            let entry = self.judge(&shared.counters.damaged_blocks, entry);
            let born = self.walk.info().born;
            let means_this = |entry: &Entry| {
                let there = entry.live().filter(|value| value.location == location);
                entry.seqno >= born && there.is_some()
            };
            let found = entry.filter(means_this);
            if let Some(entry) = &found
                && self.batch.length_with(&key, entry) > room
            {
                self.candidates.push_front((key, location));
                return Looked::Full;
            }
            let Some(entry) = found else {
                self.count_hidden(shared, (&view, &reader), (&key, &means_this));
                continue;
            };
            let value = entry.live().unwrap_or_default();
            self.referenced += u64::from(value.length);
            let value = shared.values.read(&value, Effort::Disk);
            let damaged = &shared.counters.damaged_values;
            if let Some(value) = self.judge(damaged, value.map(Some)) {
                self.batch.add(key, entry, value);
            }
            if self.batch.bytes() >= until {
                break;
            }
        }
        Looked::More
    }

    /// Counts what runs refer to in this place although something newer hides it.
    fn count_hidden(
        &mut self,
        shared: &Shared,
        (view, reader): (&View, &BlockReader),
        (key, means_this): (&Key, &impl Fn(&Entry) -> bool),
    ) {
        for run in view.runs.iter() {
            let entry = run.get(reader, key, Effort::Disk);
            let damaged = &shared.counters.damaged_blocks;
            let entry = self.judge(damaged, entry.map_err(ReadError::from));
            if let Some(entry) = entry.filter(means_this) {
                let length = entry.live().map_or(0, |value| value.length);
                self.referenced += u64::from(length);
                break;
            }
        }
    }

    /// The keys of the next group.
    fn find(&mut self, shared: &Shared) {
        match self.walk.next(shared) {
            Walked::Group(records) => {
                let values = records.into_iter().filter_map(|record| {
                    let value = record.entry.live()?;
                    Some((record.key, value.location))
                });
                let zone = self.walk.info().stamp.zone;
                self.candidates
                    .extend(values.filter(|(_, location)| location.zone == zone));
            }
            Walked::End => self.walked = true,
            Walked::Damaged => {
                Counters::add(&shared.counters.damaged_groups, 1);
                self.walked = true;
                self.sound = false;
            }
        }
    }

    /// What was read; what cannot be read stays where it is, and so does the zone.
    fn judge<T>(&mut self, damaged: &AtomicU64, read: Result<Option<T>, ReadError>) -> Option<T> {
        read.unwrap_or_else(|_| {
            Counters::add(damaged, 1);
            self.sound = false;
            None
        })
    }
}
