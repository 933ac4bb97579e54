//! What reads show, against the model.
//!
//! Guarantee: a read that is right shows exactly what is visible in the model, byte for byte; one
//! that says "unreadable" is right only on a disk that is damaged.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use kinetic_store::{Direction, Effort, KeyRange, Metadata, ReadError};

use super::state::Machine;
use crate::history::content::{Item, key};
use crate::history::model::{Content, Found};
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};

impl Machine {
    /// Everything that the drive shows.
    pub(super) fn scan(&mut self) -> Result<BTreeMap<Bytes, Found>, Broken> {
        self.expect_sound_reads();
        let mut found = BTreeMap::new();
        for number in 0..self.plan.keys {
            let key = key(number);
            if let Some(there) = self.point_read(&key)? {
                found.insert(key, there);
            }
        }
        let keys: Vec<&Bytes> = found.keys().collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let range = KeyRange {
                start: Bound::Unbounded,
                end: Bound::Unbounded,
                direction,
            };
            let Some(mut listed) = self.range(&range, usize::MAX)? else {
                continue;
            };
            if direction == Direction::Backward {
                listed.reverse();
            }
            if !listed.iter().eq(keys.iter().copied()) && !self.is_damaged() {
                let (listed, read) = (listed.len(), keys.len());
                return Broken::found(
                    Promise::Reads,
                    format!("{direction:?}: {listed} keys listed, {read} read"),
                );
            }
        }
        Ok(found)
    }

    fn point_read(&mut self, key: &Bytes) -> Result<Option<Found>, Broken> {
        let store = self.store()?;
        match store.get(key, Effort::Disk) {
            Ok(object) => match Item::read(key, &object) {
                Some(item) => Ok(Some(Found::Readable(item))),
                None => Broken::found(Promise::Contents, format!("key {}", name(key))),
            },
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => {
                self.expect_unreadable(error)?;
                let there = match store.metadata(key, Effort::Disk) {
                    Ok(metadata) => match named(&metadata) {
                        Some(item) => Found::Readable(item),
                        None => return Broken::found(Promise::Contents, name(key)),
                    },
                    Err(_) => Found::Unreadable,
                };
                Ok(Some(there))
            }
        }
    }

    fn expect_unreadable(&mut self, error: ReadError) -> Result<(), Broken> {
        self.mark(Mark::Unreadable);
        if self.may_be_unreadable() && matches!(error, ReadError::Unreadable(_)) {
            return Ok(());
        }
        Broken::found(Promise::Reads, format!("{error}"))
    }

    fn range(&mut self, range: &KeyRange, limit: usize) -> Result<Option<Vec<Bytes>>, Broken> {
        match self.store()?.range(range, limit, Effort::Disk) {
            Ok(keys) => Ok(Some(keys)),
            Err(error) => self.expect_unreadable(error).map(|()| None),
        }
    }

    /// Reads something at random and compares it.
    pub(in crate::history) fn look(&mut self) -> Result<(), Broken> {
        self.report.actions += 1;
        self.report.operations += 1;
        self.expect_sound_reads();
        let (low, high) = (self.any_key(), self.any_key());
        let (low, high) = (low.clone().min(high.clone()), low.max(high));
        match self.rng.below(6) {
            0 => self.look_at_range(low, high),
            1 => self.look_at_neighbours(&low),
            2 => self.look_without_waiting(&low),
            _ => {
                let expected = self.model.visible().get(&low).copied();
                match self.point_read(&low)? {
                    Some(Found::Unreadable) => Ok(()),
                    found if found == expected.map(Found::Readable) => Ok(()),
                    found => Broken::found(
                        Promise::Reads,
                        format!("{} is {found:?}, should be {expected:?}", name(&low)),
                    ),
                }
            }
        }
    }

    fn look_without_waiting(&mut self, key: &Bytes) -> Result<(), Broken> {
        let expected = self.model.visible().get(key).copied();
        match (self.store()?.get(key, Effort::Cached), expected) {
            (Ok(object), Some(item)) if Item::read(key, &object) == Some(item) => Ok(()),
            (Err(ReadError::NotFound), None) | (Err(ReadError::NotCached), _) => Ok(()),
            (Err(error @ ReadError::Unreadable(_)), _) => self.expect_unreadable(error),
            (other, _) => Broken::found(
                Promise::Reads,
                format!(
                    "{} without waiting is {:?}, should be {expected:?}",
                    name(key),
                    other.map(|object| object.metadata)
                ),
            ),
        }
    }

    fn look_at_neighbours(&mut self, key: &Bytes) -> Result<(), Broken> {
        let store = self.store()?;
        let above = (Bound::Excluded(key.clone()), Bound::Unbounded);
        let visible = self.model.visible();
        let next = visible.range(above).next().map(entry);
        let previous = visible.range(..key.clone()).next_back().map(entry);
        let reads = [
            (store.next(key, Effort::Disk), next),
            (store.previous(key, Effort::Disk), previous),
        ];
        for (read, expected) in reads {
            let found = match read {
                Ok((key, metadata)) => Some((key, named(&metadata))),
                Err(ReadError::NotFound) => None,
                Err(error) => {
                    self.expect_unreadable(error)?;
                    continue;
                }
            };
            if found != expected {
                return Broken::found(
                    Promise::Reads,
                    format!("beside {}: {found:?}, should be {expected:?}", name(key)),
                );
            }
        }
        Ok(())
    }

    fn look_at_range(&mut self, low: Bytes, high: Bytes) -> Result<(), Broken> {
        let limit = usize::try_from(1 + self.rng.below(30)).unwrap_or(1);
        let start = if self.rng.chance(1, 2) || low == high {
            Bound::Included(low)
        } else {
            Bound::Excluded(low)
        };
        let end = Bound::Included(high);
        let direction = if self.rng.chance(1, 2) {
            Direction::Forward
        } else {
            Direction::Backward
        };
        let range = KeyRange {
            start,
            end,
            direction,
        };
        let expected = expected_keys(self.model.visible(), &range, limit);
        match self.range(&range, limit)? {
            Some(keys) if keys != expected => Broken::found(
                Promise::Reads,
                format!("{range:?} up to {limit}: {keys:?}, should be {expected:?}"),
            ),
            _ => Ok(()),
        }
    }

    /// Compares the accounting of live bytes with a scan, where no change is under way.
    pub(in crate::history) fn check_accounting(&mut self) -> Result<(), Broken> {
        let store = self.store()?;
        if self.is_damaged() || store.under_way().change {
            return Ok(());
        }
        match store.live_bytes_by_scan() {
            Ok(live) if live.accounted == live.scanned => Ok(()),
            Ok(live) => Broken::found(
                Promise::Accounting,
                format!("{:?}, by scan {:?}", live.accounted, live.scanned),
            ),
            Err(error) => Broken::found(Promise::Reads, format!("{error}")),
        }
    }
}

fn expected_keys(visible: &Content, range: &KeyRange, limit: usize) -> Vec<Bytes> {
    let inside = visible
        .range((range.start.clone(), range.end.clone()))
        .map(|(key, _)| key.clone());
    match range.direction {
        Direction::Forward => inside.take(limit).collect(),
        Direction::Backward => inside.rev().take(limit).collect(),
    }
}

fn entry((key, item): (&Bytes, &Item)) -> (Bytes, Option<Item>) {
    (key.clone(), Some(*item))
}

/// The item that metadata names, if they are metadata of a history.
fn named(metadata: &Metadata) -> Option<Item> {
    let item = Item::named(metadata.attributes.version(), metadata.value_length)?;
    (item.attributes() == metadata.attributes).then_some(item)
}

fn name(key: &Bytes) -> String {
    String::from_utf8_lossy(key.get(..7).unwrap_or(key)).into_owned()
}
