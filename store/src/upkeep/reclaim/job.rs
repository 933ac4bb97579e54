//! A zone that is being emptied: which of its values live, and the next ones of them.
//!
//! Guarantee: what is collected was found by the index in this very place, and has verified. What
//! cannot be read is left where it is, and the zone counts as not sound.
//! Not here: when the collected values are written (`round`).

use std::collections::VecDeque;

use super::batch::Batch;
use super::walk::{Walk, Walked};
use crate::effort::Effort;
use crate::engine::shared::{Counters, Shared};
use crate::entry::{Entry, Key};
use crate::error::ReadError;
use crate::layout::geometry::Location;
use crate::limits::{RECLAIM_LOOKUPS, RECLAIM_READ};
use crate::manifest::edit::ZoneInfo;
use crate::run::Admission;

/// A zone that is being emptied.
#[derive(Debug)]
pub(super) struct Job {
    walk: Walk,
    /// Keys that may refer to values in it, and where those lie.
    candidates: VecDeque<(Key, Location)>,
    pub(super) batch: Batch,
    walked: bool,
    pub(super) sound: bool,
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
            walked: false,
            sound: true,
        }
    }

    /// The zone.
    pub(super) fn info(&self) -> &ZoneInfo {
        self.walk.info()
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
            let entry = self.judge(shared, entry);
            let lives_here =
                |entry: &Entry| entry.live().is_some_and(|value| value.location == location);
            if let Some(entry) = entry.filter(lives_here) {
                if self.batch.length_with(&key, &entry) > room {
                    self.candidates.push_front((key, location));
                    return Looked::Full;
                }
                let value = entry.live().unwrap_or_default();
                let value = shared.values.read(&value, Effort::Disk);
                if let Some(value) = self.judge(shared, value.map(Some)) {
                    self.batch.add(key, entry, value);
                }
            }
            if self.batch.bytes() >= until {
                break;
            }
        }
        Looked::More
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
                Counters::add(&shared.counters.damage_seen, 1);
                self.walked = true;
                self.sound = false;
            }
        }
    }

    /// What was read; what cannot be read stays where it is, and so does the zone.
    fn judge<T>(&mut self, shared: &Shared, read: Result<Option<T>, ReadError>) -> Option<T> {
        read.unwrap_or_else(|_| {
            Counters::add(&shared.counters.damage_seen, 1);
            self.sound = false;
            None
        })
    }
}
