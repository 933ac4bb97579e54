//! A commit group that is being put together.
//!
//! Guarantee: a commit is added whole or not at all, by checks against the store and the group as
//! they were before it; a move is added only where its key still is as reclaim found it.
//! Not here: where the group goes (`log`).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::effort::Effort;
use crate::engine::commit::{Expected, Mutation, Prepared};
use crate::engine::config::Sabotage;
use crate::engine::counters::Counters;
use crate::engine::moves::Move;
use crate::engine::shared::Shared;
use crate::entry::{Attributes, Entry, Key, Seqno, State, ValueRef};
use crate::error::{CommitError, CommitFailure, ReadError};
use crate::index::view::View;
use crate::layout::codec::len32;
use crate::limits::{BLOCK32, LARGE_VALUE};
use crate::log::group::{self, ALIGNMENT};
use crate::log::record::{self, Placement};
use crate::seal::Cipher;

/// A group that is being put together.
pub(super) struct Group {
    pub(super) records: Vec<u8>,
    pub(super) values: Vec<Bytes>,
    pub(super) values_length: usize,
    pub(super) entries: Vec<(Key, Entry, Placement)>,
    pub(super) seqno: Seqno,
    /// What the group makes of the keys it touches: their version, or none when deleted.
    overlay: BTreeMap<Bytes, Option<Attributes>>,
    /// Its end, and its start where nothing else asks for more, is a multiple of this.
    pub(super) alignment: u32,
}

pub(super) type Outcome = Result<(), CommitError>;

/// A version check met a block that is not in memory, and the step may not wait for the disk.
pub(super) struct NeedsDisk;

/// Why nothing can be said of a move.
pub(super) enum Unmoved {
    /// What its key is now is not in memory, and the step may not wait for the disk.
    NeedsDisk,
    /// What its key is now cannot be read: the value must stay where it is.
    Unknown,
}

/// What version checks look into.
pub(super) struct Check<'a> {
    pub(super) shared: &'a Shared,
    pub(super) view: &'a View,
    pub(super) effort: Effort,
}

impl Group {
    pub(super) fn new(seqno: Seqno) -> Self {
        Self {
            records: Vec::new(),
            values: Vec::new(),
            values_length: 0,
            entries: Vec::new(),
            seqno,
            overlay: BTreeMap::new(),
            alignment: ALIGNMENT,
        }
    }

    /// Decides how the group goes to the disk. One of several large values is aligned to blocks,
    /// so that it is written past the page cache: syncs have nothing to drag along then. A single
    /// one goes through the cache, where it is a copy and its client is answered sooner.
    pub(super) fn choose_way(&mut self) {
        let count = self.values.len();
        let large = count > 1 && self.values_length / count >= LARGE_VALUE;
        self.alignment = if large { BLOCK32 } else { ALIGNMENT };
    }

    /// Zone offset of the first value of this group, which ends at `end`.
    pub(super) fn first_value(&self, end: u32) -> u32 {
        let head = group::WIDTH + self.records.len();
        let length = group::padded_length(head, self.values_length, self.alignment);
        end - length + len32(head)
    }

    /// Bytes of values that lie in it.
    pub(super) fn value_bytes(&self) -> u64 {
        let inside = self.entries.iter().filter_map(|(_, entry, placement)| {
            entry.live().filter(|_| *placement == Placement::Inside)
        });
        inside.map(|value| u64::from(value.length)).sum()
    }

    /// Adds a commit if all its checks pass, against the store as it was before the commit.
    pub(super) fn add(
        &mut self,
        prepared: &Prepared,
        check: &Check<'_>,
    ) -> Result<Outcome, NeedsDisk> {
        let mut needed = Vec::with_capacity(prepared.commit.mutations.len());
        for (index, mutation) in prepared.commit.mutations.iter().enumerate() {
            match self.verdict(mutation, check) {
                Ok(wanted) => needed.push(wanted),
                Err(Verdict::NeedsDisk) => return Err(NeedsDisk),
                Err(Verdict::Refused(failure)) => return Ok(Err(CommitError { index, failure })),
            }
        }
        let mutations = prepared.commit.mutations.iter();
        for ((mutation, checksum), wanted) in mutations.zip(&prepared.checksums).zip(needed) {
            // A batch may delete what it put itself, though nothing was stored before.
            if wanted || matches!(self.overlay.get(mutation.key()), Some(Some(_))) {
                self.append(mutation, *checksum, &check.shared.cipher);
            }
        }
        Ok(Ok(()))
    }

    /// Whether a mutation may be done, and if so, whether there is something to log.
    fn verdict(&self, mutation: &Mutation, check: &Check<'_>) -> Result<bool, Verdict> {
        let full = check.shared.space.full.load(Ordering::Relaxed);
        match mutation {
            Mutation::Put { .. } if full => Err(CommitFailure::NoSpace.into()),
            Mutation::Put {
                expected: Expected::Any,
                ..
            } => Ok(true),
            Mutation::Put {
                key,
                expected: Expected::Version(version),
                ..
            } => {
                let stored = self.stored(key, check)?;
                let same = stored.as_ref().map_or(&[][..], Attributes::version) == &version[..];
                if same {
                    Ok(true)
                } else {
                    Err(CommitFailure::VersionMismatch.into())
                }
            }
            // Whether there is something to delete cannot be told: a tombstone is right either way,
            // and makes the key readable again.
            Mutation::Delete {
                key,
                expected: Expected::Any,
            } => match self.stored(key, check) {
                Err(Verdict::Refused(CommitFailure::Unreadable(_))) => Ok(true),
                stored => Ok(stored?.is_some()),
            },
            Mutation::Delete { key, expected } => match (self.stored(key, check)?, expected) {
                (None, _) => Err(CommitFailure::NotFound.into()),
                (Some(stored), Expected::Version(version)) if stored.version() != &version[..] => {
                    Err(CommitFailure::VersionMismatch.into())
                }
                (Some(_), _) => Ok(true),
            },
        }
    }

    /// What is stored under `key`, commits of this group included.
    fn stored(&self, key: &Bytes, check: &Check<'_>) -> Result<Option<Attributes>, Verdict> {
        if let Some(stored) = self.overlay.get(key) {
            return Ok(stored.clone());
        }
        match check.entry(key) {
            Ok(Some(Entry {
                state: State::Live(attributes, _),
                ..
            })) => Ok(Some(attributes)),
            Ok(_) | Err(ReadError::NotFound) => Ok(None),
            Err(ReadError::NotCached) => Err(Verdict::NeedsDisk),
            Err(ReadError::Unreadable(damage)) => Err(CommitFailure::Unreadable(damage).into()),
        }
    }

    fn append(&mut self, mutation: &Mutation, checksum: u32, cipher: &Cipher) {
        self.seqno.0 += 1;
        let state = match mutation {
            Mutation::Put {
                value, attributes, ..
            } => {
                let length = len32(value.len());
                self.values_length += cipher.stored(value.len());
                if length > 0 {
                    self.values.push(value.clone());
                }
                self.overlay
                    .insert(mutation.key().clone(), Some(attributes.clone()));
                let value = ValueRef {
                    length,
                    checksum,
                    ..ValueRef::default()
                };
                State::Live(attributes.clone(), value)
            }
            Mutation::Delete { .. } => {
                self.overlay.insert(mutation.key().clone(), None);
                State::Deleted
            }
        };
        let entry = Entry {
            seqno: self.seqno,
            state,
        };
        self.log(Key::from_slice(mutation.key()), entry, Placement::Inside);
    }

    /// Adds a move, if its key still is as reclaim found it; else there is nothing to move.
    pub(super) fn add_move(&mut self, moved: &Move, check: &Check<'_>) -> Result<(), Unmoved> {
        let current = match check.entry(&moved.key) {
            Ok(entry) => entry,
            Err(ReadError::NotCached) => return Err(Unmoved::NeedsDisk),
            Err(ReadError::NotFound) => None,
            Err(ReadError::Unreadable(_)) => return Err(Unmoved::Unknown),
        };
        let same = current.as_ref() == Some(&moved.from);
        if !same && !check.shared.options.has(Sabotage::MoveAlways) {
            return Ok(());
        }
        let State::Live(attributes, value) = &moved.from.state else {
            return Ok(());
        };
        self.seqno.0 += 1;
        let value = ValueRef {
            location: moved.to,
            ..*value
        };
        let entry = Entry {
            seqno: self.seqno,
            state: State::Live(attributes.clone(), value),
        };
        self.log(moved.key.clone(), entry, Placement::Elsewhere);
        Ok(())
    }

    fn log(&mut self, key: Key, entry: Entry, placement: Placement) {
        record::encode(&mut self.records, &key, &entry, placement);
        self.entries.push((key, entry, placement));
    }
}

impl Check<'_> {
    /// What the store holds under `key`.
    fn entry(&self, key: &[u8]) -> Result<Option<Entry>, ReadError> {
        match self.view.lookup(&self.shared.reader, key, Effort::Cached) {
            Err(ReadError::NotCached) if self.effort == Effort::Disk => {
                Counters::add(&self.shared.counters.writer_reads, 1);
                self.view.lookup(&self.shared.reader, key, Effort::Disk)
            }
            other => other,
        }
    }
}

/// Why a mutation is not done now.
enum Verdict {
    NeedsDisk,
    Refused(CommitFailure),
}

impl From<CommitFailure> for Verdict {
    fn from(failure: CommitFailure) -> Self {
        Self::Refused(failure)
    }
}
