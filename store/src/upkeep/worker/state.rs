//! What the worker holds, and what it tells.
//!
//! Guarantee: what is told of space is what the last durable change of the manifest left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::config::Reserve;
use crate::engine::salt::SaltSource;
use crate::engine::shared::Shared;
use crate::layout::geometry::ZoneId;
use crate::manifest::edit::ZoneInfo;
use crate::manifest::state::ManifestState;
use crate::run::{RunId, ZoneRoom};
use crate::upkeep::flush::Flush;
use crate::upkeep::ledger::Ledger;
use crate::upkeep::merge::Merge;
use crate::upkeep::reclaim::outlook::Outlook;
use crate::upkeep::reclaim::round::Reclaim;
use crate::upkeep::rewrap::{Desk, Rewrap};
use crate::upkeep::space::Space;

/// The worker.
#[derive(Debug)]
pub struct Upkeep {
    pub(super) ledger: Ledger,
    pub(super) space: Space,
    pub(super) reserve: Reserve,
    pub(super) salts: SaltSource,
    pub(super) rewrap: Rewrap,
    pub(super) flush: Option<Flush>,
    pub(super) merge: Option<Merge>,
    /// The last merge that ran out of room.
    pub(super) cramped: Option<Cramped>,
    pub(super) reclaim: Reclaim,
    /// Putting the index in order, where somebody asks for it.
    pub(super) optimizing: Optimizing,
    /// Commits at the last step of reclaim: whether anybody else is at work.
    pub(super) commits_seen: u64,
    /// Bytes that reclaim had copied by then.
    pub(super) copied_seen: u64,
    /// Commits that waited for room may go on, and nobody has woken the writer yet.
    pub(super) let_go: bool,
    /// What follows once the change under way is durable.
    pub(super) after: After,
    /// Zones that are allocated and still need their header.
    pub(super) headers: Vec<ZoneInfo>,
    /// Room in run zones of this boot.
    pub(super) spare: Vec<ZoneRoom>,
    pub(super) damaged: BTreeSet<RunId>,
    /// Zones that did not take a write; not used again in this boot.
    pub(super) quarantine: BTreeSet<ZoneId>,
    /// The manifest zone is full: the state is ahead of it until it has moved.
    pub(super) must_move: bool,
    pub(super) retry_at: u64,
    pub(super) freeze_again_at: u64,
}

/// A merge for which there was not room enough: it is not begun again before there is more.
#[derive(Debug)]
pub(super) struct Cramped {
    /// What was to be merged.
    pub(super) inputs: Vec<RunId>,
    /// Zones that were free for it, those that are kept back included.
    pub(super) free: usize,
}

/// What has been done of putting the index in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Optimizing {
    /// Nobody asks.
    #[default]
    Nothing,
    /// This group and all before it are to be in runs first.
    Flush(Cause, u64),
    /// So many merges were begun.
    Merge(Cause, u32),
    /// The last one was begun.
    Merged(Cause),
    /// Zones are emptied; so many values had been moved before.
    Reclaim(u64),
    /// So often there was a dead zone left.
    Freeing(u32),
}

/// Why the index is put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A client asks for that and for reclaim.
    Request,
    /// Reclaim has moved what it could for that client.
    Moves,
    /// Scans had to step over too much.
    Scans,
}

#[derive(Debug)]
pub(super) enum After {
    Nothing,
    Allocated(Vec<ZoneInfo>),
    /// The zone where a write failed is sealed, or free where it held nothing yet.
    Sealed(Option<ZoneId>),
    Flushed,
    Merged,
    Freed(Vec<ZoneId>),
    Rewrapped,
}

/// What upkeep is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// A flush of a memtable.
    pub flush: bool,
    /// A merge of runs.
    pub merge: bool,
    /// A round of reclaim.
    pub reclaim: bool,
    /// Its moves wait for the writer, or for being found in the log.
    pub moves: bool,
    /// A change of the manifest that is not durable yet.
    pub change: bool,
    /// That change moves the manifest to a fresh zone.
    pub move_of_manifest: bool,
    /// That change frees zones.
    pub freeing: bool,
}

impl Upkeep {
    /// The worker of a boot.
    #[must_use]
    pub fn new(
        (ledger, space): (Ledger, Space),
        salts: SaltSource,
        rewrap: Rewrap,
        shared: &Shared,
    ) -> Self {
        let reserve = Reserve::of(&shared.geometry, &shared.options, 0);
        let mut worker = Self {
            ledger,
            space,
            reserve,
            salts,
            rewrap,
            flush: None,
            merge: None,
            cramped: None,
            reclaim: Reclaim::new(shared.progress().written_group),
            optimizing: Optimizing::default(),
            commits_seen: 0,
            copied_seen: 0,
            let_go: false,
            after: After::Nothing,
            headers: Vec::new(),
            spare: Vec::new(),
            damaged: BTreeSet::new(),
            quarantine: BTreeSet::new(),
            must_move: false,
            retry_at: 0,
            freeze_again_at: 0,
        };
        worker.publish_figures(shared);
        worker
    }

    /// Where to ask for another protection of the data key.
    #[must_use]
    pub fn desk(&self) -> Arc<Desk> {
        self.rewrap.desk()
    }

    /// Random number of the drive.
    #[must_use]
    pub fn drive(&self) -> u64 {
        self.ledger.superblock.drive
    }

    /// What the manifest says, with the change under way.
    #[must_use]
    pub fn state(&self) -> &ManifestState {
        &self.ledger.state
    }

    /// As if a merge of all runs had just run out of room.
    #[cfg(test)]
    pub fn cramp(&mut self) {
        self.cramped = Some(Cramped {
            inputs: self.ledger.state.runs.iter().map(|run| run.id).collect(),
            free: self.space.free(),
        });
    }

    /// Leaves a run out of merges, as if a block of it could not be read.
    #[cfg(test)]
    pub fn distrust(&mut self, run: RunId) {
        self.damaged.insert(run);
    }

    /// What the worker is in the middle of.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            flush: self.flush.is_some(),
            merge: self.merge.is_some(),
            reclaim: self.reclaim.is_busy(),
            moves: self.reclaim.has_moves(),
            change: self.ledger.is_busy(),
            move_of_manifest: self.ledger.is_moving(),
            freeing: matches!(self.after, After::Freed(_)),
        }
    }

    pub(super) fn publish_figures(&mut self, shared: &Shared) {
        let state = &self.ledger.state;
        let live = state.zones.values().map(|info| info.live).sum();
        let runs = state.runs.iter().map(|run| run.bytes).sum();
        shared
            .space
            .free_zones
            .store(self.space.available() as u64, Ordering::Relaxed);
        shared.space.live_bytes.store(live, Ordering::Relaxed);
        shared.space.run_bytes.store(runs, Ordering::Relaxed);
        self.reserve = Reserve::of(&shared.geometry, &shared.options, runs);
        let room = (self.reserve, self.space.free());
        let outlook = Outlook::new(&self.ledger.state, room, shared, 0);
        self.reclaim.review(&outlook);
    }
}
