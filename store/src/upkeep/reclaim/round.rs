//! Reclaim, one disk call after the other: choose a zone, copy what lives in it, log the moves.
//!
//! Guarantee: zones that a round has emptied are given up after a flush of everything that was seen
//! when they were: then what runs still refer to in them is hidden by what other runs hold. A value
//! that cannot be read stays where it is, and its zone is kept. A round begins only where there is
//! something to gain, and each ends.
//! Not here: who gets free zones (`worker`), and whether moves are still true (`engine::writer`).

use std::collections::VecDeque;
use std::mem;

use super::batch::{Batch, ColdGroup};
use super::choice::Contents;
use super::cold::ColdZones;
use super::job::{Job, Looked};
use super::outlook::Outlook;
use super::selection::{Selection, candidates, is_settled};
use super::walk::{Walk, Walked};
use crate::engine::counters::Counters;
use crate::engine::moves::{Move, Moved};
use crate::engine::progress::Filled;
use crate::engine::shared::Shared;
use crate::layout::geometry::ZoneId;
use crate::limits::{
    BLOCK32, RECLAIM_LOOKUPS, RECLAIM_MOVES, RECLAIM_MOVES_BYTES, RECLAIM_PATIENCE_US,
    RECLAIM_SYNC, RECLAIM_WRITE,
};
use crate::manifest::edit::ZoneInfo;
use crate::manifest::state::ManifestState;
use crate::run::ZoneRoom;
use crate::upkeep::flush::JobError;

/// Reclaim.
#[derive(Debug)]
pub struct Reclaim {
    selection: Selection,
    cold: ColdZones,
    round: Option<Round>,
    /// Zones that the round has emptied.
    emptied: Vec<ZoneInfo>,
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
    /// Zones are emptied and may be freed: [`Reclaim::take_emptied`].
    Emptied,
    /// There is nothing to do.
    Nothing,
}

#[derive(Debug)]
struct Round {
    stage: Stage,
    job: Option<Job>,
    /// Moves to copies that are written, the first of them not handed in yet.
    moves: VecDeque<Move>,
    /// Bytes of copies that are not synced.
    unsynced: usize,
    /// Cold zones that it was given.
    cold_zones: usize,
    /// The last group with moves of it, or with anything that was seen by the time when a zone was
    /// empty.
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
    Sync,
    HandIn,
    Commit,
    Flush(Then),
    /// How often it was asked for.
    Merge(u8),
    Merging,
}

/// What a flush is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// What was emptied can be freed.
    Free,
    /// A merge of everything shows what is dead.
    Merge,
}

impl Reclaim {
    /// Reclaim in a boot that begins behind this group.
    #[must_use]
    pub fn new(last_group: u64) -> Self {
        Self {
            selection: Selection::default(),
            cold: ColdZones::new(last_group),
            round: None,
            emptied: Vec::new(),
            squeezed: None,
        }
    }

    /// Whether a round is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.round.is_some()
    }

    /// Empties zones from now on although nobody needs room, until none is left that is worth it.
    pub fn ask(&mut self, outlook: &Outlook<'_>) {
        self.selection.ask(outlook);
        self.review(outlook);
    }

    /// Whether it does so.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.selection.is_asked()
    }

    /// Does so no more.
    pub fn dismiss(&mut self) {
        self.selection.dismiss();
    }

    /// Whether it has handed in moves and was not told yet what became of them.
    #[must_use]
    pub fn has_moves(&self) -> bool {
        let stage = self.round.as_ref().map(|round| &round.stage);
        matches!(stage, Some(Stage::Commit))
    }

    /// Whether a zone is being emptied: what runs refer to in it must not change meanwhile.
    #[must_use]
    pub fn is_emptying(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.job.is_some())
    }

    /// The zones that were emptied and are still in the life in which they were; it is over now.
    pub fn take_emptied(&mut self, state: &ManifestState) -> Vec<ZoneId> {
        self.round = None;
        let mut emptied = mem::take(&mut self.emptied);
        emptied.retain(|info| {
            let now = state.zones.get(&info.stamp.zone);
            now.is_some_and(|now| now.stamp == info.stamp)
        });
        emptied.iter().map(|info| info.stamp.zone).collect()
    }

    /// Whether all runs are to be merged, since that shows what is dead.
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
        is_settled(&self.cold, info, state)
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
            self.selection.choice.pass_over(job.info(), outlook.free);
        }
        round.stage = Stage::Flush(Then::Free);
        self.review(outlook);
    }

    /// The disk did not take a write: the zone is used no more.
    pub fn give_up(&mut self) -> Option<ZoneId> {
        let round = self.round.as_mut()?;
        let Stage::Write(_) = round.stage else {
            return None;
        };
        round.drop_job();
        round.stage = Stage::Flush(Then::Free);
        self.close_cold()
    }

    /// The cold zone that was being filled takes no more.
    fn close_cold(&mut self) -> Option<ZoneId> {
        let (stamp, contents) = self.cold.close()?;
        self.selection.choice.measure(&stamp, contents);
        Some(stamp.zone)
    }

    /// Zones that the log has filled.
    pub fn note(&mut self, filled: &[Filled]) {
        for zone in filled {
            let contents = Contents {
                used: zone.used,
                overhead: zone.heads,
                values: zone.values,
            };
            self.selection.choice.measure(&zone.stamp, contents);
        }
    }

    /// Whether it can make room for commits that wait.
    #[must_use]
    pub fn has_hope(&self, shared: &Shared, outlook: &Outlook<'_>) -> bool {
        self.is_busy() || self.may_copy(outlook) || self.may_squeeze(shared, outlook)
    }

    /// Whether there is a zone to empty, and room for what lives in it.
    fn may_copy(&self, outlook: &Outlook<'_>) -> bool {
        let has_room = self.cold.has_room() || outlook.free > outlook.reserve.reclaim;
        self.selection.candidate.is_some() && has_room
    }

    /// Chooses the zone that comes next, after something has changed.
    pub fn review(&mut self, outlook: &Outlook<'_>) {
        let (cold, emptied) = (&self.cold, &self.emptied);
        let zones = candidates((cold, emptied), outlook.state);
        self.selection.review(zones, outlook);
    }

    /// Whether a flush or a merge of everything may show what is dead: where commits wait, anything
    /// that may help; else only what pays.
    fn may_squeeze(&self, shared: &Shared, outlook: &Outlook<'_>) -> bool {
        let promising = if outlook.is_pressed() {
            outlook.is_squeezable(shared)
        } else {
            outlook.hides_much()
        };
        promising && self.squeezed != Some(known(outlook))
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
                for info in mem::take(&mut self.emptied) {
                    self.selection.choice.reconsider(&info);
                }
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
        if self.is_asked() && self.has_met_demand(outlook) {
            self.dismiss();
            self.review(outlook);
        }
        let stage = if !outlook.is_short() && !self.is_asked() {
            return Did::Nothing;
        } else if self.may_copy(outlook) {
            Stage::Choose
        } else if outlook.is_short() && self.may_squeeze(shared, outlook) {
            self.squeezed = Some(known(outlook));
            Stage::Flush(Then::Merge)
        } else {
            // Whoever has asked has got what there was.
            self.dismiss();
            return Did::Nothing;
        };
        let last_group = match stage {
            Stage::Flush(_) => shared.progress().written_group,
            _ => 0,
        };
        self.round = Some(Round {
            stage,
            job: None,
            moves: VecDeque::new(),
            unsynced: 0,
            cold_zones: 0,
            last_group,
            waits_since: None,
        });
        Did::Worked
    }

    fn has_met_demand(&self, outlook: &Outlook<'_>) -> bool {
        let zones = candidates((&self.cold, &self.emptied), outlook.state);
        self.selection.has_met_demand(zones, outlook)
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
                Ok(()) => {
                    round.unsynced += group.length();
                    self.cold.add(group.values());
                    round.moves.extend(group.into_moves());
                    (Stage::Copy, Did::Worked)
                }
                Err(error) => {
                    round.stage = Stage::Write(group);
                    return Err(error.into());
                }
            },
            Stage::Sync => {
                shared.sync()?;
                round.unsynced = 0;
                (Stage::HandIn, Did::Worked)
            }
            Stage::HandIn => (round.hand_in(shared), Did::Worked),
            Stage::Commit => self.committed(round, (shared, outlook)),
            Stage::Flush(Then::Free) if self.emptied.is_empty() => {
                // Nothing can be given up: what was moved is flushed some time.
                return Ok(Did::Nothing);
            }
            Stage::Flush(then) => flushed(round, then, (shared, outlook)),
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
        // Twice what is wanted, since copies take about as much as they leave.
        let wanted = 2 * (outlook.reserve.low - outlook.reserve.put);
        let enough = self.emptied.len() >= wanted;
        match self.selection.candidate.filter(|_| !enough) {
            Some(info) if !self.selection.choice.is_measured(&info) => {
                Stage::Measure(Walk::new(info), 0)
            }
            Some(info) => {
                self.selection.take(&info);
                round.job = Some(Job::new(info, shared));
                Stage::Copy
            }
            None => Stage::Flush(Then::Free),
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
                Walked::End => {
                    let contents = walk.contents(values);
                    self.selection.choice.measure(&walk.info().stamp, contents);
                }
                Walked::Damaged => {
                    Counters::add(&shared.counters.damaged_groups, 1);
                    self.selection.choice.pass_over(walk.info(), usize::MAX);
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
        if round.unsynced >= RECLAIM_SYNC {
            return (Stage::Sync, Did::Worked);
        }
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
            // Not even one value fits what is left. What was copied there is moved first: a zone
            // that nothing refers to yet must stay the open one.
            if round.unsynced > 0 {
                return (Stage::Sync, Did::Worked);
            }
            self.close_cold();
            return (Stage::Copy, Did::NeedsRoom);
        }
        if round.unsynced > 0 {
            // Everything was looked at, and not everything is moved yet.
            return (Stage::Sync, Did::Worked);
        }
        let info = *job.info();
        let live = outlook.state.zones.get(&info.stamp.zone);
        // Either it is given up, or there is nothing more to be had of it for now.
        self.selection.choice.pass_over(&info, usize::MAX);
        if live.is_some_and(|now| now.stamp == info.stamp && job.is_emptied(now.live)) {
            // What hides the references that are left was seen, so it was written by now.
            round.last_group = shared.progress().written_group;
            self.emptied.push(info);
        }
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
                (Stage::HandIn, Did::Worked)
            }
            Some(Moved::Outdated) => (Stage::HandIn, Did::Worked),
            Some(Moved::Refused) => (self.stopped(round, outlook), Did::Worked),
            None if round.is_patient(outlook.now) || !shared.moves.withdraw() => {
                (Stage::Commit, Did::Waits)
            }
            None => (self.stopped(round, outlook), Did::Worked),
        }
    }

    /// The log takes no moves now: what was moved before has to do.
    fn stopped(&mut self, round: &mut Round, outlook: &Outlook<'_>) -> Stage {
        if let Some(job) = round.drop_job() {
            self.selection.choice.pass_over(job.info(), outlook.free);
        }
        Stage::Flush(Then::Free)
    }
}

impl Round {
    /// Stops to empty a zone; copies that no move has named yet are in vain.
    fn drop_job(&mut self) -> Option<Job> {
        self.moves.clear();
        self.unsynced = 0;
        self.job.take()
    }

    /// Gives the writer the next moves to synced copies; few at a time, since commits wait behind
    /// them.
    fn hand_in(&mut self, shared: &Shared) -> Stage {
        let (mut count, mut bytes) = (0, 0);
        for moved in self.moves.iter().take(RECLAIM_MOVES) {
            bytes += moved.record_length();
            if count > 0 && bytes > RECLAIM_MOVES_BYTES {
                break;
            }
            count += 1;
        }
        if count == 0 {
            return Stage::Copy;
        }
        shared.moves.hand_in(self.moves.drain(..count).collect());
        Stage::Commit
    }

    /// Whether it goes on waiting.
    fn is_patient(&mut self, now: u64) -> bool {
        let since = *self.waits_since.get_or_insert(now);
        now.saturating_sub(since) < RECLAIM_PATIENCE_US
    }
}

/// Whether runs hold everything that the round has moved or seen.
fn flushed(
    round: &mut Round,
    then: Then,
    (shared, outlook): (&Shared, &Outlook<'_>),
) -> (Stage, Did) {
    let view = shared.view();
    let in_memory = view.frozen.is_some() || !view.active.is_empty();
    if outlook.state.replay.group > round.last_group || !in_memory {
        return match then {
            Then::Free => (Stage::Flush(then), Did::Emptied),
            Then::Merge => (Stage::Merge(0), Did::Worked),
        };
    }
    let first = round.waits_since.is_none();
    if round.is_patient(outlook.now) {
        shared.progress().freeze_wanted = true;
        let did = if first { Did::Worked } else { Did::Waits };
        return (Stage::Flush(then), did);
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
