//! A run on its way to the disk.
//!
//! Guarantee: entries go in as long as there is room and no write is due, so that a step does at
//! most one write; a write that fails is kept and repeated. Counts by zone what the entries keep
//! alive.
//! Not here: where entries come from (`flush`, `merge`).

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::engine::counters::Counters;
use crate::engine::shared::Shared;
use crate::entry::Entry;
use crate::layout::geometry::ZoneId;
use crate::manifest::edit::Edit;
use crate::manifest::state::ManifestState;
use crate::run::{BuildError, PendingWrite, RunBuilder, RunId, RunMeta, ZoneRoom};
use crate::seal::Cipher;

/// A run that is being written.
#[derive(Debug)]
pub struct Output {
    builder: RunBuilder,
    write: Option<PendingWrite>,
    meta: Option<RunMeta>,
    finished: bool,
    stage: Stage,
    /// By life of a zone.
    live: BTreeMap<(ZoneId, u64), i64>,
    zones: Vec<ZoneId>,
}

/// What a step of a flush or a merge came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// More steps are needed.
    Working,
    /// It needs a run zone.
    NeedsRoom,
    /// Everything is written and synced: the manifest may say so.
    Ready,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Filling,
    Syncing,
    Ready,
}

/// What a run needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// An entry, or to be finished.
    Entry,
    /// Room in a run zone.
    Room,
    /// A write.
    Write,
}

impl Output {
    /// An empty run.
    #[must_use]
    pub fn new(id: RunId, level: u8, cipher: &Arc<Cipher>) -> Self {
        Self {
            builder: RunBuilder::new(id, level).with_cipher(Arc::clone(cipher)),
            write: None,
            meta: None,
            finished: false,
            stage: Stage::Filling,
            live: BTreeMap::new(),
            zones: Vec::new(),
        }
    }

    /// Does the disk call that is due, if one is: `None` means that it takes an entry now, or can
    /// be finished.
    pub fn advance(&mut self, shared: &Shared) -> io::Result<Option<Made>> {
        if self.stage == Stage::Syncing {
            shared.sync()?;
            self.stage = Stage::Ready;
        }
        if self.stage == Stage::Ready {
            return Ok(Some(Made::Ready));
        }
        match self.wants() {
            Wants::Write => self.write(shared)?,
            Wants::Room => return Ok(Some(Made::NeedsRoom)),
            Wants::Entry if self.finished => self.stage = Stage::Syncing,
            Wants::Entry => return Ok(None),
        }
        Ok(Some(Made::Working))
    }

    /// What it needs next.
    fn wants(&mut self) -> Wants {
        if self.write.is_none() {
            self.write = self.builder.take_write();
        }
        match &self.write {
            Some(_) => Wants::Write,
            None if self.builder.wants_room() => Wants::Room,
            None => Wants::Entry,
        }
    }

    /// Continues in this room.
    pub fn give_room(&mut self, room: ZoneRoom) {
        self.zones.push(room.stamp.zone);
        let _too_small = self.builder.give_room(room);
    }

    /// Appends an entry and counts what it keeps alive.
    pub fn add(
        &mut self,
        key: &[u8],
        entry: &Entry,
        state: &ManifestState,
    ) -> Result<(), BuildError> {
        self.count(entry, 1, state);
        self.builder.add(key, entry)
    }

    /// An entry of an input is gone with this run: counts what it does not keep alive any more.
    pub fn drop_entry(&mut self, entry: &Entry, state: &ManifestState) {
        self.count(entry, -1, state);
    }

    fn count(&mut self, entry: &Entry, sign: i64, state: &ManifestState) {
        if let Some(life) = state.life_of(entry) {
            let length = entry.live().map_or(0, |value| i64::from(value.length));
            *self.live.entry(life).or_default() += sign * length;
        }
    }

    /// Ends the run; writes may still be due.
    pub fn finish(&mut self) -> Result<(), BuildError> {
        if !self.finished {
            self.meta = self.builder.finish()?;
            self.finished = true;
        }
        Ok(())
    }

    /// Does the write that is due.
    fn write(&mut self, shared: &Shared) -> io::Result<()> {
        if let Some(write) = &self.write {
            let position = shared.geometry.position(write.location);
            shared
                .disk
                .write_at(position, &[IoSlice::new(&write.bytes)])?;
            Counters::add(&shared.counters.run_bytes, write.bytes.len() as u64);
        }
        self.write = None;
        Ok(())
    }

    /// What is known of the finished run; `None` when it has no entries.
    #[must_use]
    pub fn meta(&self) -> Option<&RunMeta> {
        self.meta.as_ref()
    }

    /// Room that is left behind the finished run.
    pub fn take_rest(&mut self) -> Option<ZoneRoom> {
        self.builder.take_rest()
    }

    /// Zones that it was given, for upkeep not to free them meanwhile.
    #[must_use]
    pub fn zones(&self) -> &[ZoneId] {
        &self.zones
    }

    /// The changes of live bytes that the run brings, to zones that still are in the life that the
    /// entries meant.
    #[must_use]
    pub fn live_edits(&self, state: &ManifestState) -> Vec<Edit> {
        let lives = |zone: &ZoneId, epoch: u64| {
            let info = state.zones.get(zone);
            info.is_some_and(|info| info.stamp.epoch == epoch)
        };
        let changed = self.live.iter().filter(|(_, change)| **change != 0);
        changed
            .filter(|((zone, epoch), _)| lives(zone, *epoch))
            .map(|((zone, _), change)| Edit::Live(*zone, *change))
            .collect()
    }
}
