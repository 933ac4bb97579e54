//! Reclaim, one disk call after the other: choose a zone, copy what lives in it, log the moves.
//!
//! Guarantee: a round ends with a flush and a merge of all runs, after which nothing refers to the
//! zones that it emptied. A value that cannot be read stays where it is, and its zone is kept. A
//! round begins only where there is something to gain, and each ends.
//! Not here: who gets free zones (`worker`), and whether moves are still true (`engine::writer`).

use std::mem;

use super::batch::{Batch, ColdGroup};
use super::choice::Choice;
use super::cold::ColdZones;
use super::job::{Job, Looked};
use super::outlook::Outlook;
use super::walk::{Walk, Walked};
use crate::engine::moves::Moved;
use crate::engine::shared::{Counters, Shared};
use crate::layout::geometry::ZoneId;
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK32, RECLAIM_LOOKUPS, RECLAIM_PATIENCE_US, RECLAIM_WRITE};
use crate::manifest::edit::ZoneInfo;
use crate::manifest::state::ManifestState;
use crate::run::ZoneRoom;
use crate::upkeep::flush::JobError;

/// Reclaim.
#[derive(Debug)]
pub struct Reclaim {
    choice: Choice,
    cold: ColdZones,
    round: Option<Round>,
    /// The zone that comes next, as of the last change of the manifest.
    candidate: Option<ZoneInfo>,
    /// What was known when a flush and a merge of everything gave nothing.
    squeezed: Option<Known>,
}

/// What decides whether a flush and a merge of everything can give something.
type Known = (u64, usize);

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// Something; there is more.
    Worked,
    /// It needs a cold zone, or to be told that it gets none.
    NeedsRoom,
    /// It waits for the writer.
    Waits,
    /// There is nothing to do.
    Nothing,
}

#[derive(Debug)]
struct Round {
    stage: Stage,
    job: Option<Job>,
    /// Zones that were emptied.
    emptied: usize,
    /// Cold zones that it was given.
    cold_zones: usize,
    /// The last group with moves of it.
    last_group: u64,
    waits_since: Option<u64>,
}

#[derive(Debug)]
enum Stage {
    Choose,
    /// Bytes of values so far.
    Measure(Walk, u64),
    Copy,
    Write(ColdGroup),
    Sync(ColdGroup),
    Commit,
    Flush,
    /// How often it was asked for.
    Merge(u8),
    Merging,
}

impl Reclaim {
    /// Reclaim in a boot that begins behind this group.
    #[must_use]
    pub fn new(last_group: u64) -> Self {
        Self {
            choice: Choice::default(),
            cold: ColdZones::new(last_group),
            round: None,
            candidate: None,
            squeezed: None,
        }
    }

    /// Whether a round is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.round.is_some()
    }

    /// Whether it has handed in moves and was not told yet what became of them.
    #[must_use]
    pub fn has_moves(&self) -> bool {
        let stage = self.round.as_ref().map(|round| &round.stage);
        matches!(stage, Some(Stage::Commit))
    }

    /// Whether all runs are to be merged, since that frees what was emptied.
    #[must_use]
    pub fn wants_merge(&self) -> bool {
        let stage = self.round.as_ref().map(|round| &round.stage);
        matches!(stage, Some(Stage::Merge(_)))
    }

    /// All runs are being merged.
    pub fn merge_begun(&mut self) {
        if let Some(round) = &mut self.round
            && matches!(round.stage, Stage::Merge(_))
        {
            round.stage = Stage::Merging;
        }
    }

    /// Whether a zone must be left alone, although nothing may live in it.
    #[must_use]
    pub fn pins(&self, zone: ZoneId) -> bool {
        let job = self.round.as_ref().and_then(|round| round.job.as_ref());
        self.cold.is_open(zone) || job.is_some_and(|job| job.info().stamp.zone == zone)
    }

    /// Whether a zone of values takes no more writes and only runs refer to it.
    #[must_use]
    pub fn is_settled(&self, info: &ZoneInfo, state: &ManifestState) -> bool {
        match info.kind {
            ZoneKind::Log => state.is_before_replay(info),
            ZoneKind::Cold => self.cold.is_settled(info.stamp.zone, state.replay.group),
            ZoneKind::Run | ZoneKind::Manifest => false,
        }
    }

    /// Whether a cold zone takes no more values.
    #[must_use]
    pub fn is_closed(&self, zone: ZoneId) -> bool {
        !self.cold.is_open(zone)
    }

    /// Continues in a fresh cold zone.
    pub fn give_room(&mut self, room: ZoneRoom) {
        self.cold.give_room(room);
        if let Some(round) = &mut self.round {
            round.cold_zones += 1;
        }
    }

    /// Whether it may have a zone: it leaves one to the log, and once it has something to show, no
    /// commit waits while it goes on.
    #[must_use]
    pub fn may_have_zone(&self, outlook: &Outlook<'_>) -> bool {
        let Outlook { reserve, free, .. } = *outlook;
        let idle = self
            .round
            .as_ref()
            .is_none_or(|round| round.last_group == 0);
        let few = self.round.as_ref().is_none_or(|round| round.cold_zones < 2);
        free > reserve.put + 1 || free > reserve.reclaim && (idle || outlook.is_pressed() && few)
    }

    /// It gets no cold zone: what was copied so far has to do.
    pub fn refuse_room(&mut self, outlook: &Outlook<'_>) {
        let Some(round) = &mut self.round else {
            return;
        };
        if let Some(job) = round.job.take()
            && round.last_group == 0
        {
            self.choice.pass_over(job.info(), outlook.free);
        }
        round.stage = Stage::Flush;
        self.review(outlook);
    }

    /// The disk did not take a write: the zone is used no more.
    pub fn give_up(&mut self) -> Option<ZoneId> {
        let round = self.round.as_mut()?;
        let Stage::Write(_) = round.stage else {
            return None;
        };
        round.job = None;
        round.stage = Stage::Flush;
        self.cold.close()
    }

    /// Whether it can make room for commits that wait.
    #[must_use]
    pub fn has_hope(&self, shared: &Shared, outlook: &Outlook<'_>) -> bool {
        self.is_busy() || self.may_copy(outlook) || self.may_squeeze(shared, outlook)
    }

    /// Whether there is a zone to empty, and room for what lives in it.
    fn may_copy(&self, outlook: &Outlook<'_>) -> bool {
        let has_room = self.cold.has_room() || outlook.free > outlook.reserve.reclaim;
        self.candidate.is_some() && has_room
    }

    /// Chooses the zone that comes next, after something has changed.
    pub fn review(&mut self, outlook: &Outlook<'_>) {
        self.candidate = None;
        if outlook.free < outlook.reserve.low {
            let terms = outlook.terms();
            let zones = outlook.state.zones.values();
            let zones = zones.filter(|info| self.is_settled(info, outlook.state));
            self.candidate = self.choice.best(zones, &terms);
        }
    }

    /// Whether commits wait, and a flush or a merge of everything may show what is dead.
    fn may_squeeze(&self, shared: &Shared, outlook: &Outlook<'_>) -> bool {
        outlook.is_pressed()
            && outlook.is_squeezable(shared)
            && self.squeezed != Some(known(outlook))
    }

    /// Goes on by at most one write or sync; reads come on top.
    pub fn step(&mut self, shared: &Shared, outlook: &Outlook<'_>) -> Result<Did, JobError> {
        let Some(mut round) = self.round.take() else {
            return Ok(self.begin(shared, outlook));
        };
        let stage = mem::replace(&mut round.stage, Stage::Choose);
        let did = self.advance(&mut round, stage, (shared, outlook));
        match did {
            Ok(Did::Nothing) => {
                self.review(outlook);
                Ok(Did::Worked)
            }
            did => {
                self.round = Some(round);
                did
            }
        }
    }

    fn begin(&mut self, shared: &Shared, outlook: &Outlook<'_>) -> Did {
        let stage = if outlook.free >= outlook.reserve.low {
            return Did::Nothing;
        } else if self.may_copy(outlook) {
            Stage::Choose
        } else if self.may_squeeze(shared, outlook) {
            self.squeezed = Some(known(outlook));
            Stage::Flush
        } else {
            return Did::Nothing;
        };
        let last_group = match stage {
            Stage::Flush => shared.progress().written_group,
            _ => 0,
        };
        self.round = Some(Round {
            stage,
            job: None,
            emptied: 0,
            cold_zones: 0,
            last_group,
            waits_since: None,
        });
        Did::Worked
    }

    fn advance(
        &mut self,
        round: &mut Round,
        stage: Stage,
        (shared, outlook): (&Shared, &Outlook<'_>),
    ) -> Result<Did, JobError> {
        let before = mem::discriminant(&stage);
        let (next, did) = match stage {
            Stage::Choose => (self.choose(round, (shared, outlook)), Did::Worked),
            Stage::Measure(walk, values) => {
                (self.measure(walk, values, (shared, outlook)), Did::Worked)
            }
            Stage::Copy => self.copy(round, (shared, outlook)),
            Stage::Write(group) => match group.write(shared) {
                Ok(()) => (Stage::Sync(group), Did::Worked),
                Err(error) => {
                    round.stage = Stage::Write(group);
                    return Err(error.into());
                }
            },
            Stage::Sync(group) => {
                shared.sync()?;
                shared.moves.hand_in(group.into_moves());
                (Stage::Commit, Did::Worked)
            }
            Stage::Commit => self.committed(round, (shared, outlook)),
            Stage::Flush => flushed(round, (shared, outlook)),
            Stage::Merge(asked @ ..2) => (Stage::Merge(asked + 1), Did::Worked),
            // Either it is done, or there was nothing that could be merged.
            Stage::Merge(_) | Stage::Merging => return Ok(Did::Nothing),
        };
        if mem::discriminant(&next) != before {
            round.waits_since = None;
        }
        round.stage = next;
        Ok(did)
    }

    fn choose(&mut self, round: &mut Round, (shared, outlook): (&Shared, &Outlook<'_>)) -> Stage {
        self.review(outlook);
        // Twice what is wanted: a merge of everything should give more than a little.
        let wanted = 2 * (outlook.reserve.low - outlook.reserve.put);
        let enough = round.emptied >= wanted;
        match self.candidate.filter(|_| !enough) {
            Some(info) if !self.choice.is_measured(&info) => Stage::Measure(Walk::new(info), 0),
            Some(info) => {
                round.job = Some(Job::new(info, shared));
                Stage::Copy
            }
            None => Stage::Flush,
        }
    }

    /// Counts what was written to a zone.
    fn measure(
        &mut self,
        mut walk: Walk,
        mut values: u64,
        (shared, outlook): (&Shared, &Outlook<'_>),
    ) -> Stage {
        for _ in 0..RECLAIM_LOOKUPS {
            match walk.next(shared) {
                Walked::Group(records) => {
                    let live = records.iter().filter_map(|record| record.entry.live());
                    values += live.map(|value| u64::from(value.length)).sum::<u64>();
                    continue;
                }
                Walked::End => self.choice.measure(walk.info(), walk.used(), values),
                Walked::Damaged => {
                    Counters::add(&shared.counters.damage_seen, 1);
                    self.choice.pass_over(walk.info(), usize::MAX);
                }
            }
            self.review(outlook);
            return Stage::Choose;
        }
        Stage::Measure(walk, values)
    }

    fn copy(
        &mut self,
        round: &mut Round,
        (shared, outlook): (&Shared, &Outlook<'_>),
    ) -> (Stage, Did) {
        let Some(job) = &mut round.job else {
            return (Stage::Choose, Did::Worked);
        };
        let left = self.cold.room().map_or(0, |room| left_in(room));
        let max = u32::try_from(shared.geometry.max_group()).unwrap_or(u32::MAX);
        let full = match job.look(shared, left.min(max)) {
            Looked::Full => true,
            Looked::More => job.batch.bytes() >= RECLAIM_WRITE,
        };
        let done = job.is_done();
        if !(full || done) {
            return (Stage::Copy, Did::Worked);
        }
        if !job.batch.is_empty()
            && let Some(room) = self.cold.room()
        {
            let group = mem::replace(&mut job.batch, Batch::new(&shared.cipher)).seal(room, shared);
            return (Stage::Write(group), Did::Worked);
        }
        if !done {
            // Not even one value fits what is left.
            self.cold.close();
            return (Stage::Copy, Did::NeedsRoom);
        }
        // There is nothing more to be had of it until runs are merged.
        self.choice.pass_over(job.info(), usize::MAX);
        round.emptied += usize::from(job.sound);
        round.job = None;
        self.review(outlook);
        (Stage::Choose, Did::Worked)
    }

    /// What became of the moves.
    fn committed(
        &mut self,
        round: &mut Round,
        (shared, outlook): (&Shared, &Outlook<'_>),
    ) -> (Stage, Did) {
        match shared.moves.outcome() {
            Some(Moved::Logged(group)) => {
                round.last_group = group;
                self.cold.logged(group);
                (Stage::Copy, Did::Worked)
            }
            Some(Moved::Outdated) => (Stage::Copy, Did::Worked),
            Some(Moved::Refused) => (self.stopped(round, outlook), Did::Worked),
            None if round.is_patient(outlook.now) || !shared.moves.withdraw() => {
                (Stage::Commit, Did::Waits)
            }
            None => (self.stopped(round, outlook), Did::Worked),
        }
    }

    /// The log takes no moves now: what was moved before has to do.
    fn stopped(&mut self, round: &mut Round, outlook: &Outlook<'_>) -> Stage {
        if let Some(job) = round.job.take() {
            self.choice.pass_over(job.info(), outlook.free);
        }
        Stage::Flush
    }
}

impl Round {
    /// Whether it goes on waiting.
    fn is_patient(&mut self, now: u64) -> bool {
        let since = *self.waits_since.get_or_insert(now);
        now.saturating_sub(since) < RECLAIM_PATIENCE_US
    }
}

/// Whether runs hold everything that the round has moved.
fn flushed(round: &mut Round, (shared, outlook): (&Shared, &Outlook<'_>)) -> (Stage, Did) {
    if round.last_group == 0 && round.emptied == 0 {
        // Nothing was moved, nothing is dead.
        return (Stage::Merging, Did::Worked);
    }
    if outlook.state.replay.group > round.last_group || shared.view().active.is_empty() {
        return (Stage::Merge(0), Did::Worked);
    }
    let first = round.waits_since.is_none();
    if round.is_patient(outlook.now) {
        shared.progress().freeze_wanted = true;
        let did = if first { Did::Worked } else { Did::Waits };
        return (Stage::Flush, did);
    }
    (Stage::Merging, Did::Worked)
}

fn known(outlook: &Outlook<'_>) -> Known {
    (outlook.state.replay.group, outlook.state.runs.len())
}

/// Bytes that a group may take in a room.
fn left_in(room: &ZoneRoom) -> u32 {
    room.end.saturating_sub(room.next.next_multiple_of(BLOCK32))
}
