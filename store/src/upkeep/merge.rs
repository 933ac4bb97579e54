//! Merge: several neighbouring runs become one.
//!
//! Guarantee: the output holds the newest entry of every key of its inputs; a tombstone is
//! dropped only when the oldest run of all is among them, since nothing older can come back then.
//! Outputs, inputs and live bytes change with one frame of the manifest.
//! Not here: what a run that cannot be read costs (its fence range stays unreadable: `worker`
//! keeps such a run out of merges).

use std::fmt;
use std::sync::Arc;

use super::flush::JobError;
use super::output::{Made, Output};
use crate::effort::Effort;
use crate::engine::shared::Shared;
use crate::entry::State;
use crate::index::merged::MergedCursor;
use crate::layout::geometry::Geometry;
use crate::limits::{MERGE_FANOUT, TOMBSTONE_SHARE};
use crate::manifest::edit::Edit;
use crate::manifest::state::ManifestState;
use crate::run::{Admission, BlockReader, Run, RunId, RunMeta};

/// A merge under way.
pub struct Merge {
    /// The runs that are merged, newest first.
    pub inputs: Vec<Arc<Run>>,
    /// The run that is made of them.
    pub output: Output,
    cursor: MergedCursor,
    reader: BlockReader,
    tombstones: Tombstones,
}

impl fmt::Debug for Merge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = self.inputs.len();
        formatter
            .debug_struct("Merge")
            .field("inputs", &inputs)
            .finish_non_exhaustive()
    }
}

/// What becomes of tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// An older run may hold their keys.
    Keep,
    /// Nothing older is left.
    Drop,
}

/// Which runs to merge next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Places among the live runs, newest first, without gaps.
    pub places: std::ops::Range<usize>,
    /// Level of the output.
    pub level: u8,
}

impl Plan {
    /// The runs that are merged.
    #[must_use]
    pub fn inputs<'a>(&self, runs: &'a [RunMeta]) -> &'a [RunMeta] {
        runs.get(self.places.clone()).unwrap_or_default()
    }

    /// Zones that the output may take.
    #[must_use]
    pub fn zones(&self, runs: &[RunMeta], geometry: &Geometry) -> usize {
        geometry.run_zones(self.inputs(runs).iter().map(|run| run.bytes).sum())
    }
}

/// Neighbouring runs of one level that are enough for a merge, none of which is damaged.
#[must_use]
pub fn plan(runs: &[RunMeta], is_damaged: impl Fn(RunId) -> bool) -> Option<Plan> {
    let mut start = 0;
    while let Some(first) = runs.get(start) {
        let alike = |run: &&RunMeta| run.level == first.level && !is_damaged(run.id);
        let count = runs.iter().skip(start).take_while(alike).count();
        if count >= MERGE_FANOUT {
            let level = first.level.saturating_add(1);
            return Some(Plan {
                places: start..start + count,
                level,
            });
        }
        start += count.max(1);
    }
    None
}

/// All runs, where merging them gives space back: a full drive looks for dead values. Where some
/// are damaged, the newest ones between two of those that can be merged.
#[must_use]
pub fn plan_all(runs: &[RunMeta], is_damaged: impl Fn(RunId) -> bool) -> Option<Plan> {
    let mut start = 0;
    while start < runs.len() {
        let behind = runs.get(start..).unwrap_or_default();
        let sound = behind.iter().take_while(|run| !is_damaged(run.id));
        let level = sound.clone().map(|run| run.level).max();
        let places = start..start + sound.clone().count();
        // Tombstones go only where nothing older is left.
        let droppable = places.end == runs.len() && sound.clone().any(|run| run.tombstones > 0);
        if let Some(level) = level.filter(|_| places.len() > 1 || droppable) {
            return Some(Plan { places, level });
        }
        start = places.end + 1;
    }
    None
}

/// Whether so many entries are tombstones that merging everything pays: what they delete takes
/// space, and scans have to step over them.
#[must_use]
pub fn is_dense(runs: &[RunMeta]) -> bool {
    let tombstones: u64 = runs.iter().map(|run| run.tombstones).sum();
    let entries: u64 = runs.iter().map(|run| run.entries).sum();
    tombstones > 0 && tombstones.saturating_mul(TOMBSTONE_SHARE) >= entries
}

impl Merge {
    /// Starts to merge `inputs`, newest first.
    pub fn new(
        inputs: Vec<Arc<Run>>,
        output: Output,
        tombstones: Tombstones,
        shared: &Shared,
    ) -> Result<Self, JobError> {
        // A merge reads everything once: it must not push out what reads need.
        let reader = shared.reader.with_admission(Admission::Pass);
        let cursor = MergedCursor::over_runs(&inputs, &reader)?;
        Ok(Self {
            inputs,
            output,
            cursor,
            reader,
            tombstones,
        })
    }

    /// Goes on by at most one write or sync; reads of the inputs come on top.
    pub fn step(&mut self, shared: &Shared, state: &ManifestState) -> Result<Made, JobError> {
        loop {
            if let Some(made) = self.output.advance(shared)? {
                return Ok(made);
            }
            match self.cursor.next(&self.reader, Effort::Disk)? {
                Some(merged) => {
                    // The inputs' references go, the output's come: only what differs counts.
                    merged
                        .hidden
                        .iter()
                        .for_each(|entry| self.output.drop_entry(entry, state));
                    let dead = merged.entry.state == State::Deleted;
                    if dead && self.tombstones == Tombstones::Drop {
                        continue;
                    }
                    self.output.drop_entry(&merged.entry, state);
                    self.output.add(&merged.key, &merged.entry, state)?;
                }
                None => self.output.finish()?,
            }
        }
    }

    /// Whether tombstones of its inputs are gone with them.
    #[must_use]
    pub fn drops_tombstones(&self) -> bool {
        self.tombstones == Tombstones::Drop
    }

    /// The input that could not be read.
    #[must_use]
    pub fn failed_input(&self) -> Option<RunId> {
        let place = self.cursor.failed_source()?;
        self.inputs.get(place).map(|run| run.meta().id)
    }

    /// What the manifest is told.
    #[must_use]
    pub fn edits(&self, state: &ManifestState) -> Vec<Edit> {
        let newest = self.inputs.first().map(|run| run.meta().id);
        let place = state
            .runs
            .iter()
            .position(|run| Some(run.id) == newest)
            .unwrap_or_default();
        let place = u32::try_from(place).unwrap_or_default();
        let removed = self.inputs.iter().map(|run| Edit::RemoveRun(run.meta().id));
        let added = self
            .output
            .meta()
            .map(|meta| Edit::AddRun(place, meta.clone()));
        removed
            .chain(added)
            .chain(self.output.live_edits(state))
            .collect()
    }
}
