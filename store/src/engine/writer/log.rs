//! The writer: takes commits from the queue, writes them to the log as one group, publishes them.
//!
//! Guarantee: commits take effect in the order in which the queue gives them out; a commit's
//! version checks see every commit before it; a group is published in the memtable after its write,
//! all at once, and a commit that asks for durability is answered by the syncer only. A group that
//! the disk did not take fails all its commits, and nothing is appended behind it before the
//! manifest has sealed the zone at its last good group.
//! Moves are done before commits.
//! Not here: syncs (`syncer`), allocation of zones (`upkeep`).

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::group::{Check, Group, NeedsDisk, Outcome, Unmoved};
use super::step::{Need, Step};
use crate::effort::Effort;
use crate::engine::commit::{Commit, Durability, Waiter};
use crate::engine::config::Sabotage;
use crate::engine::counters::Counters;
use crate::engine::moves::{Move, Moved};
use crate::engine::progress::{Filled, LogZone, Progress, SealRequest};
use crate::engine::queue::Queued;
use crate::engine::shared::Shared;
use crate::entry::{Seqno, State};
use crate::error::{CommitError, CommitFailure};
use crate::index::memtable::Memtable;
use crate::index::view::{Frozen, View};
use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::len32;
use crate::layout::geometry::Location;
use crate::layout::superblock::Seal;
use crate::limits::{BLOCK, BLOCK_LEN, BLOCK32, GROUP_TARGET, SEAL_BUFFER};
use crate::log::group::{self, GroupHeader};
use crate::log::record::Placement;
use crate::manifest::edit::ReplayPoint;
use crate::seal::{Cipher, Spot};

static ZEROS: [u8; BLOCK_LEN] = [0; BLOCK_LEN];

/// The end of the log, where the next group goes.
#[derive(Debug)]
pub struct Writer {
    zone: Option<LogZone>,
    offset: u32,
    /// Bytes of heads and of values in the zone so far.
    zone_contents: (u64, u64),
    next_group: u64,
    last_seqno: Seqno,
    syncs_seen: u64,
    log_since_freeze: u64,
    /// Sealed values of the group that is written; kept, so that memory is not asked for again.
    sealed: Vec<u8>,
}

impl Writer {
    /// A writer whose next group and mutation follow these; it starts in a zone of its own. The
    /// replayed bytes of log count for the next flush, so that replay stays bounded over boots.
    #[must_use]
    pub fn new(last_group: u64, last_seqno: Seqno, replayed: u64) -> Self {
        Self {
            zone: None,
            offset: 0,
            next_group: last_group + 1,
            last_seqno,
            syncs_seen: 0,
            log_since_freeze: replayed,
            zone_contents: (0, 0),
            sealed: Vec::new(),
        }
    }

    /// A deliberate bug: goes on in a zone of another boot, from there on.
    #[must_use]
    pub fn continuing(mut self, old: Option<(LogZone, u32)>) -> Self {
        if let Some((zone, offset)) = old {
            self.zone = Some(zone);
            self.offset = offset;
        }
        self
    }

    /// Writes one group of waiting commits.
    pub fn step(&mut self, shared: &Shared, effort: Effort) -> Step {
        if let Some(failure) = shared.refusal() {
            return refuse_all(shared, failure);
        }
        self.freeze_if_due(shared);
        if let Some(moves) = shared.moves.take() {
            return self.commit_moves(shared, moves, effort);
        }
        let Some((records, values)) = shared.queue.first() else {
            return Step::Idle;
        };
        if records > 0 && shared.space.pressed.load(Ordering::Relaxed) {
            // Reclaim makes room at the moment, and needs what is left of the log for that.
            return match shared.stuck() {
                Some(kind) => refuse_first(shared, CommitFailure::WriteFailed(kind)),
                None => Step::Blocked(Need::Zone),
            };
        }
        if let Some(need) = self.held_back(shared) {
            return match (need, shared.stuck()) {
                // The flush that would make room cannot be written: say so instead of waiting.
                (Need::Flush, Some(kind)) => refuse_first(shared, CommitFailure::WriteFailed(kind)),
                _ => Step::Blocked(need),
            };
        }
        let room = match self.room(shared, records + values) {
            Ok(room) => room,
            Err(Lack::Later(need)) => return Step::Blocked(need),
            Err(Lack::Never(failure)) => return refuse_first(shared, failure),
        };
        let head = group::WIDTH + shared.cipher.overhead();
        let (mut commits, mut bytes) = (0_usize, head as u64);
        let taken = shared.queue.take_while(|prepared| {
            bytes += prepared.bytes();
            commits += 1;
            bytes <= room && (commits == 1 || bytes <= GROUP_TARGET)
        });
        self.commit(shared, taken, effort)
    }

    /// Why no group may be written now.
    fn held_back(&mut self, shared: &Shared) -> Option<Need> {
        let view = shared.view();
        let full = view.active.bytes() >= shared.options.memtable_bytes
            || self.log_since_freeze >= shared.options.log_bytes;
        if full && view.frozen.is_some() {
            return Some(Need::Flush);
        }
        (shared.progress().unsynced() >= shared.options.unsynced_bytes).then_some(Need::Sync)
    }

    /// Bytes that a group may take where the next one goes; takes the next zone where the first
    /// commit, of `first` bytes, does not fit any more.
    fn room(&mut self, shared: &Shared, first: usize) -> Result<u64, Lack> {
        if first == 0 {
            // Nothing but a flush: it takes no room.
            return Ok((group::WIDTH + shared.cipher.overhead()) as u64);
        }
        let zone_size = shared.geometry.zone_size;
        let left = |offset: u32| {
            let start = offset.next_multiple_of(BLOCK32);
            u64::from(zone_size.saturating_sub(start)) & !(BLOCK - 1)
        };
        let needed = (group::WIDTH + shared.cipher.overhead() + first) as u64;
        if self.zone.is_some() && left(self.offset) >= needed {
            return Ok(left(self.offset).min(shared.geometry.max_group()));
        }
        let mut progress = shared.progress();
        if progress.seal.is_none()
            && let Some(zone) = progress.ready.pop_front()
        {
            if let Some(LogZone { stamp, .. }) = self.zone.replace(zone) {
                progress.filled.push(Filled {
                    stamp,
                    used: u64::from(self.offset.saturating_sub(BLOCK32)),
                    heads: self.zone_contents.0,
                    values: self.zone_contents.1,
                });
            }
            self.offset = BLOCK32;
            self.zone_contents = (0, 0);
            return Ok(shared.geometry.max_group());
        }
        let failure = match progress.stuck {
            Some(kind) => CommitFailure::WriteFailed(kind),
            None if progress.exhausted => CommitFailure::NoSpace,
            None => return Err(Lack::Later(Need::Zone)),
        };
        Err(Lack::Never(failure))
    }

    /// Writes a group of moves: of those whose keys still are as reclaim found them.
    fn commit_moves(&mut self, shared: &Shared, moves: Vec<Move>, effort: Effort) -> Step {
        let lengths = moves.iter().map(Move::record_length);
        let room = match self.held_back(shared) {
            Some(need) => Err(Lack::Later(need)),
            None => self.room(shared, lengths.sum()),
        };
        match room {
            Ok(_) => {}
            Err(Lack::Later(need)) => {
                shared.moves.put_back(moves);
                return Step::Blocked(need);
            }
            Err(Lack::Never(_)) => {
                shared.moves.answer(Moved::Refused);
                return Step::Worked;
            }
        }
        let mut group = Group::new(self.last_seqno);
        let view = shared.view();
        let check = Check {
            shared,
            view: &view,
            effort,
        };
        let mut added = moves.iter().map(|moved| group.add_move(moved, &check));
        match added.find_map(Result::err) {
            None => {}
            Some(Unmoved::NeedsDisk) => {
                shared.moves.put_back(moves);
                return Step::Blocked(Need::Disk);
            }
            Some(Unmoved::Unknown) => {
                shared.moves.answer(Moved::Refused);
                return Step::Worked;
            }
        }
        let number = self.next_group;
        let answer = if group.entries.is_empty() {
            Moved::Outdated
        } else if self.write(shared, &mut group).is_ok() {
            Counters::add(&shared.counters.moves, group.entries.len() as u64);
            self.publish(group, &view, &shared.cipher);
            Moved::Logged(number)
        } else {
            Moved::Refused
        };
        shared.moves.answer(answer);
        self.freeze_if_due(shared);
        Step::Worked
    }

    fn commit(&mut self, shared: &Shared, mut taken: Vec<Queued>, effort: Effort) -> Step {
        if shared.options.has(Sabotage::SplitBatch) {
            self.write_half(shared, &mut taken, effort);
        }
        let mut group = Group::new(self.last_seqno);
        let view = shared.view();
        let mut outcomes = Vec::with_capacity(taken.len());
        let mut waiting = taken.into_iter();
        let mut used = Vec::new();
        while let Some(queued) = waiting.next() {
            match group.add(
                &queued.prepared,
                &Check {
                    shared,
                    view: &view,
                    effort,
                },
            ) {
                Ok(outcome) => outcomes.push(outcome),
                Err(NeedsDisk) => {
                    shared
                        .queue
                        .put_back([queued].into_iter().chain(waiting).collect());
                    if used.is_empty() {
                        return Step::Blocked(Need::Disk);
                    }
                    break;
                }
            }
            used.push(queued);
        }
        let written = if group.entries.is_empty() {
            Ok(())
        } else {
            self.write(shared, &mut group)
        };
        match written {
            Ok(()) => {
                if !group.entries.is_empty() {
                    let commits = outcomes.iter().filter(|outcome| outcome.is_ok());
                    shared.counters.group_commits.record(commits.count() as u64);
                }
                self.publish(group, &view, &shared.cipher);
            }
            Err(kind) => fail_written(&mut outcomes, kind),
        }
        self.answer(shared, used, outcomes);
        self.freeze_if_due(shared);
        Step::Worked
    }

    /// A deliberate bug: a batch goes into two groups, of which this writes the first.
    fn write_half(&mut self, shared: &Shared, taken: &mut [Queued], effort: Effort) {
        let view = shared.view();
        let check = Check {
            shared,
            view: &view,
            effort,
        };
        let mut group = Group::new(self.last_seqno);
        let first = taken.first_mut();
        let first = first.and_then(|queued| queued.prepared.split_off_half());
        let added = first.map(|half| group.add(&half, &check));
        let sound = matches!(added, Some(Ok(Ok(())))) && !group.entries.is_empty();
        if sound && self.write(shared, &mut group).is_ok() {
            self.publish(group, &view, &shared.cipher);
        }
    }

    /// Writes a group. When the disk does not take it, asks for the zone to be sealed.
    fn write(&mut self, shared: &Shared, group: &mut Group) -> Result<(), io::ErrorKind> {
        let Some(zone) = self.zone else {
            return Err(io::ErrorKind::Other);
        };
        let (durable_up_to, syncs) = {
            let progress = shared.progress();
            (progress.durable_group, progress.syncs_started)
        };
        let cipher = &*shared.cipher;
        let head = group::WIDTH + group.records.len() + cipher.overhead();
        group.choose_way();
        let start = self.offset.next_multiple_of(if syncs == self.syncs_seen {
            group.alignment
        } else {
            BLOCK32
        });
        let length = group::padded_length(head, group.values_length, group.alignment);
        let spot = Spot {
            cipher,
            stamp: &zone.stamp,
            offset: start,
        };
        let header = GroupHeader {
            boot: shared.boot,
            number: self.next_group,
            durable_up_to,
            length,
            seal: cipher.seal(),
            records_length: len32(group.records.len() + cipher.overhead()),
            count: len32(group.entries.len()),
        }
        .encode(&spot, &mut group.records);
        self.seal_values(group, cipher, (&zone.stamp, start + len32(head)));
        let fill = (length as usize).saturating_sub(head + group.values_length);
        let parts: Vec<IoSlice<'_>> = [IoSlice::new(&header), IoSlice::new(&group.records)]
            .into_iter()
            .chain(group.values.iter().map(|value| IoSlice::new(value)))
            .chain([IoSlice::new(&self.sealed)])
            .chain(ZEROS.get(..fill).map(IoSlice::new))
            .collect();
        let location = Location {
            zone: zone.stamp.zone,
            offset: start,
        };
        let position = shared.geometry.position(location);
        if let Err(error) = shared.disk.write_at(position, &parts) {
            if shared.options.has(Sabotage::ReuseNonce) {
                return Err(error.kind());
            }
            self.zone = None;
            let seal = SealRequest {
                zone: zone.stamp.zone,
                end: self.offset,
            };
            shared.progress().seal = Some(seal);
            return Err(error.kind());
        }
        self.syncs_seen = syncs;
        self.offset = start + length;
        self.zone_contents.0 += head as u64;
        self.zone_contents.1 += group.value_bytes();
        self.log_since_freeze += u64::from(length);
        shared.counters.count_group(u64::from(length));
        let mut progress = shared.progress();
        progress.written_group = self.next_group;
        progress.written_seqno = group.seqno;
        progress.written_bytes += u64::from(length);
        Ok(())
    }

    /// Seals the values of a group, if they are to be sealed; the first one lies at this offset.
    fn seal_values(&mut self, group: &mut Group, cipher: &Cipher, at: (&ZoneStamp, u32)) {
        self.sealed.clear();
        self.sealed.shrink_to(SEAL_BUFFER);
        if cipher.seal() == Seal::Plain {
            return;
        }
        self.sealed.reserve(group.values_length);
        let (stamp, first) = at;
        for value in group.values.drain(..) {
            let offset = first + len32(self.sealed.len());
            let spot = Spot {
                cipher,
                stamp,
                offset,
            };
            spot.seal_value(&value, &mut self.sealed);
        }
    }

    /// Makes a written group visible.
    fn publish(&mut self, group: Group, view: &View, cipher: &Cipher) {
        if group.entries.is_empty() {
            return;
        }
        self.next_group += 1;
        self.last_seqno = group.seqno;
        let (Some(zone), mut next) = (self.zone, self.offset) else {
            return;
        };
        next = group.first_value(next);
        let entries = group
            .entries
            .into_iter()
            .map(|(key, mut entry, placement)| {
                if let (State::Live(_, value), Placement::Inside) = (&mut entry.state, placement) {
                    value.location = Location {
                        zone: zone.stamp.zone,
                        offset: next,
                    };
                    next += cipher.stored32(value.length);
                }
                (key, entry)
            });
        view.active.apply(entries);
    }

    /// Tells who can be told, and lets the others wait for the syncer.
    fn answer(&self, shared: &Shared, used: Vec<Queued>, outcomes: Vec<Outcome>) {
        Counters::add(&shared.counters.commits, used.len() as u64);
        let done = used
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_ok());
        let put = done.map(|(queued, _)| queued.prepared.put_bytes());
        Counters::add(&shared.counters.put_bytes, put.sum());
        let mut tell = Vec::with_capacity(used.len());
        let mut progress = shared.progress();
        for (queued, outcome) in used.into_iter().zip(outcomes) {
            queued.publish();
            let Commit {
                durability,
                token,
                completion,
                ..
            } = queued.prepared.commit;
            let waiter = Waiter { token, completion };
            let wanted = match (durability, &outcome) {
                (Durability::WriteBack, _) | (_, Err(_)) => 0,
                // Also where nothing was logged: the delete that made it so may not be durable.
                (Durability::WriteThrough | Durability::Flush, Ok(())) => progress.written_group,
            };
            if wanted <= progress.durable_group || shared.options.has(Sabotage::AnswerEarly) {
                tell.push((waiter, outcome));
            } else {
                progress.durable_waiters.push_back((wanted, waiter));
            }
        }
        let published = progress.published();
        drop(progress);
        for (waiter, outcome) in tell {
            waiter.tell(outcome);
        }
        for waiter in published {
            waiter.tell(Ok(()));
        }
    }

    /// Switches to a fresh memtable, on a group boundary, once the active one is full.
    fn freeze_if_due(&mut self, shared: &Shared) {
        let view = shared.view();
        if view.frozen.is_some() || view.active.is_empty() {
            return;
        }
        let mut progress = shared.progress();
        let due = progress.freeze_wanted
            || view.active.bytes() >= shared.options.memtable_bytes
            || self.log_since_freeze >= shared.options.log_bytes;
        let Some(replay) = self.replay_point(&progress).filter(|_| due) else {
            return;
        };
        progress.freeze_wanted = false;
        drop(progress);
        self.log_since_freeze = 0;
        shared.replace_view(|view| View {
            active: Arc::new(Memtable::default()),
            frozen: Some(Arc::new(Frozen {
                table: Arc::clone(&view.active),
                replay,
            })),
            runs: Arc::clone(&view.runs),
        });
    }

    /// Where the log goes on: behind the last group, or in the next zone where none is open. A
    /// full drive may have none before a flush has shown what is dead.
    fn replay_point(&self, progress: &Progress) -> Option<ReplayPoint> {
        let (ordinal, offset) = match (self.zone, progress.ready.front()) {
            (Some(zone), _) => (zone.ordinal, self.offset),
            (None, Some(zone)) => (zone.ordinal, BLOCK32),
            (None, None) => (progress.next_ordinal?, BLOCK32),
        };
        Some(ReplayPoint {
            ordinal,
            offset,
            group: self.next_group,
            seqno: self.last_seqno,
        })
    }
}

/// Why there is no room for a group.
enum Lack {
    /// Another worker has to do something first.
    Later(Need),
    /// There will be none.
    Never(CommitFailure),
}

/// The group is not written. All its commits fail, whatever their checks said: they were checked
/// against what the group would have made of the store.
fn fail_written(outcomes: &mut [Outcome], kind: io::ErrorKind) {
    let failure = CommitFailure::WriteFailed(kind);
    outcomes.fill(Err(CommitError { index: 0, failure }));
}

/// Refuses everything that waits.
fn refuse_all(shared: &Shared, failure: CommitFailure) -> Step {
    refuse_taken(shared, shared.queue.take_while(|_| true), failure)
}

/// Refuses the commit whose turn it is; one behind it may need no room.
fn refuse_first(shared: &Shared, failure: CommitFailure) -> Step {
    let mut left = 1;
    let first = shared.queue.take_while(|_| {
        left -= 1;
        left >= 0
    });
    refuse_taken(shared, first, failure)
}

fn refuse_taken(shared: &Shared, taken: Vec<Queued>, failure: CommitFailure) -> Step {
    if taken.is_empty() {
        return Step::Idle;
    }
    shared.refuse(taken, failure);
    Step::Worked
}
