//! The upkeep worker: decides what happens behind the writer's back, one disk call a step.
//!
//! Guarantee: one change of the manifest at a time, and what depends on it happens after it is
//! durable. Log zones for the writer come first, then flushes, then merges, then zones that
//! nothing needs any more. What the host does not take is tried again; meanwhile the writer is
//! told, so that it refuses instead of waiting.
//! Not here: the steps themselves (`ledger`, `flush`, `merge`).

use std::collections::BTreeSet;
use std::io;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::flush::{Flush, JobError};
use super::ledger::{Advance, FreshZone, Ledger, zone_header};
use super::merge::{self, Merge, Plan, Tombstones};
use super::output::{Made, Output};
use super::rewrap::{Desk, Rewrap};
use super::space::Space;
use super::trouble::{Trouble, is_host_full, no_zone};
use crate::engine::config::{Reserve, ready_zones};
use crate::engine::progress::LogZone;
use crate::engine::salt::SaltSource;
use crate::engine::shared::{Counters, Shared};
use crate::engine::writer::{Need, Step};
use crate::index::merged::MergedCursor;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Location, ZoneId};
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK32, RETRY_US, RUN_BLOCK_MAX};
use crate::manifest::edit::{Edit, ZoneInfo};
use crate::run::{Run, RunId, ZoneRoom};

/// The worker.
#[derive(Debug)]
pub struct Upkeep {
    ledger: Ledger,
    space: Space,
    reserve: Reserve,
    salts: SaltSource,
    rewrap: Rewrap,
    flush: Option<Flush>,
    merge: Option<Merge>,
    /// What follows once the change under way is durable.
    after: After,
    /// Zones that are allocated and still need their header.
    headers: Vec<ZoneInfo>,
    /// Room in run zones of this boot.
    spare: Vec<ZoneRoom>,
    damaged: BTreeSet<RunId>,
    /// Zones that did not take a write; not used again in this boot.
    quarantine: BTreeSet<ZoneId>,
    /// The manifest zone is full: the state is ahead of it until it has moved.
    must_move: bool,
    retry_at: u64,
    freeze_again_at: u64,
}

#[derive(Debug)]
enum After {
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
    /// A change of the manifest that is not durable yet.
    pub change: bool,
    /// That change moves the manifest to a fresh zone.
    pub move_of_manifest: bool,
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

    /// Does the next thing; `now` in microseconds of any steady clock.
    pub fn step(&mut self, shared: &Shared, now: u64) -> Step {
        if shared.is_read_only() {
            self.rewrap.give_up();
            return Step::Idle;
        }
        if now < self.retry_at {
            return Step::Blocked(Need::Time);
        }
        match self.advance(shared, now) {
            Ok(Step::Worked) => {
                shared.progress().stuck = None;
                Step::Worked
            }
            Ok(step) => step,
            Err(trouble) => self.cope(shared, now, &trouble),
        }
    }

    /// Does what was asked for at the desk, and the change under way before it.
    pub fn protect(&mut self, shared: &Shared) {
        while self.rewrap.desk().is_open() {
            if shared.is_read_only() {
                self.rewrap.give_up();
            } else if let Err(trouble) = self.advance(shared, 0) {
                self.cope(shared, 0, &trouble);
            }
        }
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
    pub fn state(&self) -> &crate::manifest::state::ManifestState {
        &self.ledger.state
    }

    /// What the worker is in the middle of.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            flush: self.flush.is_some(),
            merge: self.merge.is_some(),
            change: self.ledger.is_busy(),
            move_of_manifest: self.ledger.is_moving(),
        }
    }

    fn cope(&mut self, shared: &Shared, now: u64, trouble: &Trouble) -> Step {
        match trouble {
            Trouble::Job(JobError::Disk(error)) => {
                shared.progress().stuck = Some(error.kind());
                self.rewrap
                    .fail(&mut self.ledger, (shared.is_read_only(), error.kind()));
                if !is_host_full(error.kind()) {
                    self.give_up_zone();
                }
            }
            Trouble::Job(JobError::Input(_)) => {
                Counters::add(&shared.counters.damage_seen, 1);
                let failed = self.merge.take().and_then(|merge| merge.failed_input());
                self.damaged.extend(failed);
                return Step::Worked;
            }
            Trouble::Job(JobError::Build(_)) | Trouble::Manifest => {
                // Memory and manifest disagree: nothing that is written now could be trusted.
                shared.distrust();
                shared.progress().stuck = Some(io::ErrorKind::InvalidData);
            }
        }
        self.retry_at = now.saturating_add(RETRY_US);
        Step::Blocked(Need::Time)
    }

    /// Something of a zone failed for good: what was to be written goes to another one.
    fn give_up_zone(&mut self) {
        if self.ledger.is_busy() {
            return;
        }
        if let Some(info) = self.headers.pop() {
            self.quarantine.insert(info.stamp.zone);
        } else if let Some(flush) = self.flush.take() {
            self.quarantine.extend(flush.output.zones());
        } else if let Some(merge) = self.merge.take() {
            self.quarantine.extend(merge.output.zones());
        }
    }

    fn advance(&mut self, shared: &Shared, now: u64) -> Result<Step, Trouble> {
        if self.ledger.is_busy() {
            if let Advance::Durable(old) = self.ledger.step(shared)? {
                if let Some(old) = old {
                    self.space.condemn(old, Vec::new());
                }
                self.finish(shared);
            }
            return Ok(Step::Worked);
        }
        self.space.release();
        if self.must_move {
            return self.move_manifest(shared);
        }
        if self.rewrap.begin(&mut self.ledger, &mut self.salts) {
            self.after = After::Rewrapped;
            return Ok(Step::Worked);
        }
        if let Some(info) = self.headers.last().copied() {
            self.write_header(shared, info)?;
            return Ok(Step::Worked);
        }
        let seal = shared.progress().seal;
        if let Some(seal) = seal {
            let empty = seal.end == BLOCK32;
            let edits = self.seal_edits(seal.zone, seal.end);
            return self.change(&edits, After::Sealed(empty.then_some(seal.zone)), shared);
        }
        if let Some(zones) = self.log_zones_due(shared) {
            return self.allocate(ZoneKind::Log, zones, shared);
        }
        if self.flush.is_none()
            && let Some(frozen) = shared.view().frozen.as_ref()
        {
            let id = self.next_run();
            self.flush = Some(Flush::new(Arc::clone(frozen), id, shared));
        }
        if self.flush.is_some() {
            return self.step_flush(shared);
        }
        if self.merge.is_none() {
            self.start_merge(shared)?;
        }
        if self.merge.is_some() {
            return self.step_merge(shared);
        }
        self.tidy_up(shared, now)
    }

    /// Begins a change of the manifest; moves it to a fresh zone where its own is full.
    fn change(&mut self, edits: &[Edit], after: After, shared: &Shared) -> Result<Step, Trouble> {
        self.after = after;
        if self.ledger.begin(edits)? {
            return Ok(Step::Worked);
        }
        self.must_move = true;
        self.move_manifest(shared)
    }

    /// Moves the manifest to a fresh zone. Where none is free this is tried again: nothing else
    /// may be changed before.
    fn move_manifest(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let stamp = self.fresh(shared).ok_or_else(no_zone)?;
        self.ledger.move_to(FreshZone { stamp })?;
        self.must_move = false;
        Ok(Step::Worked)
    }

    /// A free zone in a new life.
    fn fresh(&mut self, shared: &Shared) -> Option<ZoneStamp> {
        let zone = self.space.take()?;
        let epoch = self.ledger.state.counters.next_epoch;
        self.ledger.state.counters.next_epoch += 1;
        let drive = self.ledger.superblock.drive;
        debug_assert!(zone.0 < shared.geometry.zones);
        Some(ZoneStamp {
            drive,
            zone,
            epoch,
            salt: self.salts.draw(),
        })
    }

    fn allocate(&mut self, kind: ZoneKind, count: usize, shared: &Shared) -> Result<Step, Trouble> {
        let mut infos = Vec::with_capacity(count);
        for _ in 0..count {
            let stamp = self.fresh(shared).ok_or_else(no_zone)?;
            let counters = &mut self.ledger.state.counters;
            let ordinal = if kind == ZoneKind::Log {
                counters.next_ordinal
            } else {
                0
            };
            counters.next_ordinal += u64::from(kind == ZoneKind::Log);
            shared.keys.enter(stamp, &self.salts.boot_salt());
            infos.push(ZoneInfo {
                kind,
                stamp,
                boot: shared.boot,
                boot_salt: self.salts.boot_salt(),
                ordinal,
                end: None,
                live: 0,
            });
        }
        let edits: Vec<Edit> = infos
            .iter()
            .map(|info| Edit::Zone(*info))
            .chain([Edit::Counters(self.ledger.state.counters)])
            .collect();
        infos.reverse();
        self.change(&edits, After::Allocated(infos), shared)
    }

    fn write_header(&mut self, shared: &Shared, info: ZoneInfo) -> Result<(), Trouble> {
        let header = zone_header(&info, shared.cipher.seal());
        let location = Location {
            zone: info.stamp.zone,
            offset: 0,
        };
        let block = header.encode();
        let position = shared.geometry.position(location);
        shared
            .disk
            .write_at(position, &[io::IoSlice::new(&block)])?;
        self.headers.pop();
        match info.kind {
            ZoneKind::Log => {
                let zone = LogZone {
                    stamp: info.stamp,
                    ordinal: info.ordinal,
                };
                let mut progress = shared.progress();
                progress.ready.push_back(zone);
                progress.exhausted = false;
            }
            ZoneKind::Run | ZoneKind::Cold | ZoneKind::Manifest => {
                let next = BLOCK32;
                let end = shared.geometry.zone_size;
                self.spare.push(ZoneRoom {
                    stamp: info.stamp,
                    next,
                    end,
                });
            }
        }
        Ok(())
    }

    /// How many log zones to allocate now. Sets the flags that tell the writer that the drive is
    /// full, for puts or for everything.
    fn log_zones_due(&mut self, shared: &Shared) -> Option<usize> {
        let free = self.space.free();
        shared
            .space
            .full
            .store(free <= self.reserve.put, Ordering::Relaxed);
        let mut progress = shared.progress();
        let ready = progress.ready.len();
        let wanted = ready_zones(&shared.geometry).saturating_sub(ready);
        let count = match wanted.min(free.saturating_sub(self.reserve.put)) {
            0 if ready == 0 && free > self.reserve.delete => 1,
            count => count,
        };
        let dry = count == 0 && ready == 0;
        if dry && !progress.exhausted {
            // A flush moves the replay point, and the log behind it may turn out to be dead.
            let view = shared.view();
            let more = view.frozen.is_some() || self.flush.is_some() || self.merge.is_some();
            progress.freeze_wanted |= !view.active.is_empty();
            progress.exhausted = !more && view.active.is_empty();
        } else if !dry {
            progress.exhausted = false;
        }
        (count > 0).then_some(count)
    }

    fn seal_edits(&self, zone: ZoneId, end: u32) -> Vec<Edit> {
        if end == BLOCK32 {
            return vec![Edit::Free(zone)];
        }
        let info = self.ledger.state.zones.get(&zone);
        info.map(|info| {
            Edit::Zone(ZoneInfo {
                end: Some(end),
                ..*info
            })
        })
        .into_iter()
        .collect()
    }

    fn next_run(&mut self) -> RunId {
        let id = RunId(self.ledger.state.counters.next_run);
        self.ledger.state.counters.next_run += 1;
        id
    }

    fn step_flush(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let Some(flush) = &mut self.flush else {
            return Ok(Step::Idle);
        };
        match flush.step(shared)? {
            Made::Working => Ok(Step::Worked),
            Made::NeedsRoom => match self.spare.pop() {
                Some(room) => {
                    flush.output.give_room(room);
                    Ok(Step::Worked)
                }
                None if self.space.free() > self.reserve.manifest => {
                    self.allocate(ZoneKind::Run, 1, shared)
                }
                None => Err(no_zone().into()),
            },
            Made::Ready => {
                let mut edits = flush.edits();
                edits.push(Edit::Counters(self.ledger.state.counters));
                self.change(&edits, After::Flushed, shared)
            }
        }
    }

    fn start_merge(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let runs = &self.ledger.state.runs;
        let is_damaged = |run| self.damaged.contains(&run);
        let wanted = shared.space.full.load(Ordering::Relaxed) || merge::is_dense(runs);
        let due = merge::plan(runs, is_damaged);
        let due = due.or_else(|| wanted.then(|| merge::plan_all(runs, is_damaged)).flatten());
        let Some(plan) = due.filter(|plan| self.fits(plan, shared)) else {
            return Ok(());
        };
        let whole = plan.places.end == runs.len();
        let tombstones = if whole {
            Tombstones::Drop
        } else {
            Tombstones::Keep
        };
        let view = shared.view();
        let inputs: Vec<Arc<Run>> = view.runs.get(plan.places).unwrap_or_default().to_vec();
        let output = Output::new(self.next_run(), plan.level, &shared.cipher);
        match Merge::new(inputs.clone(), output, tombstones, shared) {
            Ok(merge) => self.merge = Some(merge),
            Err(error) => {
                let bad = inputs.iter().filter(|run| {
                    MergedCursor::over_runs(slice::from_ref(*run), &shared.reader).is_err()
                });
                self.damaged.extend(bad.map(|run| run.meta().id));
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Whether the output of a merge has room without touching the reserve of flushes.
    fn fits(&self, plan: &Plan, shared: &Shared) -> bool {
        let zones = plan.zones(&self.ledger.state.runs, &shared.geometry);
        let spare = self.space.free().saturating_sub(self.reserve.flush);
        usize::try_from(zones).is_ok_and(|zones| zones <= spare)
    }

    fn step_merge(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let Some(merge) = &mut self.merge else {
            return Ok(Step::Idle);
        };
        match merge.step(shared)? {
            Made::Working => Ok(Step::Worked),
            Made::NeedsRoom => match self.spare.pop() {
                Some(room) => {
                    merge.output.give_room(room);
                    Ok(Step::Worked)
                }
                None if self.space.free() > self.reserve.flush => {
                    self.allocate(ZoneKind::Run, 1, shared)
                }
                None => {
                    self.merge = None;
                    Ok(Step::Worked)
                }
            },
            Made::Ready => {
                let mut edits = merge.edits(&self.ledger.state);
                edits.push(Edit::Counters(self.ledger.state.counters));
                self.change(&edits, After::Merged, shared)
            }
        }
    }

    /// Frees zones that nothing needs; on a full drive, looks for values that died unnoticed.
    fn tidy_up(&mut self, shared: &Shared, now: u64) -> Result<Step, Trouble> {
        let used = |zone: ZoneId| {
            let spare = self.spare.iter().any(|room| room.stamp.zone == zone);
            spare || self.quarantine.contains(&zone)
        };
        let state = &self.ledger.state;
        let idle_runs = state
            .zones
            .values()
            .filter(|info| info.kind == ZoneKind::Run);
        let idle_runs = idle_runs.map(|info| info.stamp.zone);
        let idle_runs = idle_runs.filter(|zone| !used(*zone) && !state.holds_run(*zone));
        let dead = state.dead_log_zones().into_iter();
        let dead = dead.filter(|zone| !self.quarantine.contains(zone));
        let zones: Vec<ZoneId> = idle_runs.chain(dead).collect();
        if !zones.is_empty() {
            let edits: Vec<Edit> = zones.iter().map(|zone| Edit::Free(*zone)).collect();
            return self.change(&edits, After::Freed(zones), shared);
        }
        let full = shared.space.full.load(Ordering::Relaxed);
        let view = shared.view();
        if full && now >= self.freeze_again_at && !view.active.is_empty() {
            self.freeze_again_at = now.saturating_add(RETRY_US);
            shared.progress().freeze_wanted = true;
            return Ok(Step::Worked);
        }
        Ok(Step::Idle)
    }

    /// The change is durable: what depends on it happens now.
    fn finish(&mut self, shared: &Shared) {
        match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => {}
            After::Rewrapped => self.rewrap.done(),
            After::Allocated(infos) => self.headers = infos,
            After::Sealed(empty) => {
                shared.progress().seal = None;
                empty
                    .into_iter()
                    .for_each(|zone| self.space.condemn(zone, Vec::new()));
            }
            After::Flushed => self.finish_flush(shared),
            After::Merged => self.finish_merge(shared),
            After::Freed(zones) => {
                let views = shared.old_views();
                for zone in zones {
                    self.space.condemn(zone, views.clone());
                }
            }
        }
        self.publish_figures(shared);
    }

    fn finish_flush(&mut self, shared: &Shared) {
        let Some(mut flush) = self.flush.take() else {
            return;
        };
        self.keep_rest(flush.output.take_rest());
        Counters::add(&shared.counters.flushes, 1);
        let run = flush
            .output
            .meta()
            .map(|meta| Arc::new(Run::new(meta.clone())));
        shared.replace_view(|view| view.flushed(run));
    }

    fn finish_merge(&mut self, shared: &Shared) {
        let Some(mut merge) = self.merge.take() else {
            return;
        };
        self.keep_rest(merge.output.take_rest());
        Counters::add(&shared.counters.merges, 1);
        let output = merge.output.meta().cloned();
        let output = output.map(|meta| Arc::new(Run::new(meta)));
        let inputs: BTreeSet<RunId> = merge.inputs.iter().map(|run| run.meta().id).collect();
        shared.replace_view(|view| view.merged(&inputs, output));
    }

    fn keep_rest(&mut self, rest: Option<ZoneRoom>) {
        let enough = u32::try_from(4 * RUN_BLOCK_MAX).unwrap_or(u32::MAX);
        self.spare
            .extend(rest.filter(|room| room.end.saturating_sub(room.next) >= enough));
    }

    fn publish_figures(&mut self, shared: &Shared) {
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
    }
}
