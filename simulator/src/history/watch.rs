//! The disk as the engine of a history sees it: the simulated one, with an eye on what each call
//! is for.
//!
//! Guarantee: passes every call on unchanged, unless a trap is set for it; remembers what was
//! written where, at which call the machine stopped, and whether a sync failed.
//! Not here: faults (`disk`).

use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kinetic_store::disk::Disk;
use kinetic_store::upkeep::worker::UnderWay;

use super::atlas::{Call, Moment, Phase, Purpose, Site};
use crate::disk::{SimDisk, Stopped, stopped_by};

/// Where the second superblock slot starts.
const SECOND_SLOT: u64 = 32 << 10;
/// Where the first group of a zone starts.
const FIRST_GROUP: u64 = 4096;
/// So many writes are remembered for rot.
const REMEMBERED: usize = 256;
/// So many bytes of the head of a write are remembered.
pub(super) const HEAD: usize = 64;

/// The end of the last group that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// Bytes from the start of the zone.
    pub(super) offset: u64,
    pub(super) purpose: Purpose,
}

/// Stops the machine at one of the next calls of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trap {
    pub(super) call: Call,
    /// So many calls of the kind are left, this one included.
    pub(super) nth: u64,
    pub(super) moment: Moment,
    pub(super) reason: Stopped,
}

/// A write that was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) purpose: Purpose,
    /// Its first bytes.
    pub(super) head: [u8; HEAD],
    /// Whether a sync has succeeded since.
    pub(super) synced: bool,
}

impl Written {
    fn word(&self, at: usize) -> u64 {
        let bytes = self.head.get(at..at + 8).and_then(|it| it.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    /// Number of the group or frame.
    pub(super) fn number(&self) -> u64 {
        self.word(16)
    }

    /// Groups up to this one were durable, by the word of this group.
    pub(super) fn durable_up_to(&self) -> u64 {
        self.word(24)
    }

    /// Bytes of header and records of a group, of header and edits of a frame.
    pub(super) fn verified_length(&self) -> u64 {
        match self.purpose {
            Purpose::Frame | Purpose::FreeingFrame => 44 + (self.word(32) & 0xFFFF_FFFF),
            _ => 60 + (self.word(40) >> 32),
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    phase: Phase,
    under_way: UnderWay,
    /// The next group holds the moves that were handed in.
    moves_next: bool,
    trap: Option<Trap>,
    last_write: Option<Purpose>,
    stopped_at: Option<Site>,
    log_end: Option<LogEnd>,
    filled_zone: bool,
    sync_failed: bool,
    write_failed: bool,
    group_failed: bool,
    written: Vec<Written>,
    writes: usize,
    /// A byte, and whether anything was written over it since it was asked about.
    over: (u64, bool),
}

/// A simulated disk under watch.
#[derive(Debug)]
pub(super) struct WatchedDisk {
    disk: SimDisk,
    zone_size: u64,
    seen: Mutex<Seen>,
}

impl WatchedDisk {
    pub(super) fn new(disk: SimDisk, zone_size: u32) -> Self {
        Self {
            disk,
            zone_size: u64::from(zone_size),
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the process is about from now on.
    pub(super) fn enter(&self, phase: Phase) {
        self.seen().phase = phase;
    }

    /// What upkeep is in the middle of.
    pub(super) fn note(&self, under_way: UnderWay) {
        let mut seen = self.seen();
        seen.moves_next |= under_way.moves && !seen.under_way.moves;
        seen.moves_next &= under_way.moves;
        seen.under_way = under_way;
    }

    pub(super) fn set_trap(&self, trap: Trap) {
        self.seen().trap = Some(trap);
    }

    pub(super) fn clear_trap(&self) {
        self.seen().trap = None;
    }

    /// At which call the machine stopped, if it did since the last question.
    pub(super) fn take_stopped_at(&self) -> Option<Site> {
        self.seen().stopped_at.take()
    }

    /// Where the log ends, as far as this boot wrote it.
    pub(super) fn log_end(&self) -> Option<LogEnd> {
        self.seen().log_end
    }

    /// Whether a group ended exactly where its zone does.
    pub(super) fn filled_zone(&self) -> bool {
        self.seen().filled_zone
    }

    /// Whether a sync failed since the last start.
    pub(super) fn sync_failed(&self) -> bool {
        self.seen().sync_failed
    }

    /// Whether the host refused a write since the last start.
    pub(super) fn write_failed(&self) -> bool {
        self.seen().write_failed
    }

    /// Whether the write of a group failed since the last question.
    pub(super) fn take_group_failed(&self) -> bool {
        std::mem::take(&mut self.seen().group_failed)
    }

    /// Another start: what failed before does not count any more, and what was not synced is not
    /// known to be there.
    pub(super) fn start(&self) {
        let mut seen = self.seen();
        seen.under_way = UnderWay::default();
        seen.moves_next = false;
        seen.trap = None;
        seen.stopped_at = None;
        seen.log_end = None;
        seen.sync_failed = false;
        seen.write_failed = false;
        seen.group_failed = false;
        seen.written.retain(|written| written.synced);
        seen.writes = seen.written.len();
    }

    /// Looks from now on whether anything is written over a byte.
    pub(super) fn guard(&self, offset: u64) {
        self.seen().over = (offset, false);
    }

    /// Whether anything was written over that byte since.
    pub(super) fn was_written_over(&self) -> bool {
        self.seen().over.1
    }

    /// Nothing that was written counts any more.
    pub(super) fn forget(&self) {
        self.seen().written.clear();
    }

    /// The last writes.
    pub(super) fn written(&self) -> Vec<Written> {
        self.seen().written.clone()
    }

    fn purpose(&self, offset: u64, first: &[u8]) -> Purpose {
        match (offset, first.get(..4)) {
            (0, _) => Purpose::FirstSlot,
            (SECOND_SLOT, _) => Purpose::SecondSlot,
            _ if offset < self.zone_size => Purpose::Settings,
            (_, Some(b"KMAN")) if self.seen().under_way.freeing => Purpose::FreeingFrame,
            (_, Some(b"KMAN")) => Purpose::Frame,
            (_, Some(b"KZON")) => Purpose::ZoneHeader,
            (_, Some(b"KGRP")) if first.get(16..24) == Some(&[0; 8]) => Purpose::Cold,
            (_, Some(b"KGRP")) if self.seen().moves_next => Purpose::Moves,
            (_, Some(b"KGRP")) if offset % self.zone_size == FIRST_GROUP => Purpose::FirstGroup,
            (_, Some(b"KGRP")) => Purpose::Group,
            _ => self.seen().run_purpose(),
        }
    }

    /// Lets a trap that is set for this call spring; gives back what is to happen behind it.
    fn spring(&self, call: Call) -> Option<Stopped> {
        let trap = self.seen().takes(call)?;
        match (trap.moment, trap.reason) {
            (Moment::Behind, reason) => return Some(reason),
            (Moment::Within, Stopped::PowerCut) => self.disk.cut_power_after(1),
            (Moment::Within, Stopped::Killed) => self.disk.kill_after(1),
        }
        None
    }

    /// Stops the machine behind a call that went well, if a trap says so.
    fn stop_behind(&self, call: Call, reason: Option<Stopped>) {
        if let Some(reason) = reason {
            self.disk.stop_now(reason);
            self.seen().stop(call, Moment::Behind);
        }
    }
}

impl Seen {
    /// Flushes come first: a run is one of a merge only where no flush is under way.
    fn run_purpose(&self) -> Purpose {
        if self.under_way.merge && !self.under_way.flush {
            Purpose::MergedRun
        } else {
            Purpose::FlushedRun
        }
    }

    fn takes(&mut self, call: Call) -> Option<Trap> {
        let trap = self.trap.as_mut().filter(|trap| trap.call == call)?;
        trap.nth = trap.nth.saturating_sub(1);
        if trap.nth > 0 {
            return None;
        }
        self.trap.take()
    }

    fn stop(&mut self, call: Call, moment: Moment) {
        self.stopped_at = Some(Site {
            phase: self.phase,
            call,
            moment,
        });
    }

    fn remember(&mut self, written: Written) {
        let place = self.writes % REMEMBERED;
        self.writes += 1;
        match self.written.get_mut(place) {
            Some(old) => *old = written,
            None => self.written.push(written),
        }
    }
}

fn is_group(purpose: Purpose) -> bool {
    matches!(
        purpose,
        Purpose::FirstGroup | Purpose::Group | Purpose::Moves
    )
}

impl Disk for WatchedDisk {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let first = parts.first().map_or(&[][..], |part| part);
        let purpose = self.purpose(offset, first);
        let call = Call::Write(purpose);
        let was_running = self.disk.stopped().is_none();
        let behind = self.spring(call);
        let outcome = self.disk.write_at(offset, parts);
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut seen = self.seen();
        let (guarded, _) = seen.over;
        seen.over.1 |= (offset..offset + length).contains(&guarded);
        match &outcome {
            Ok(()) => {
                seen.last_write = Some(purpose);
                let mut head = [0; HEAD];
                head.iter_mut()
                    .zip(first)
                    .for_each(|(to, from)| *to = *from);
                seen.remember(Written {
                    offset,
                    length,
                    purpose,
                    head,
                    synced: false,
                });
                if is_group(purpose) {
                    let end = (offset + length) % self.zone_size;
                    seen.filled_zone |= end == 0;
                    let offset = if end == 0 { self.zone_size } else { end };
                    seen.log_end = Some(LogEnd { offset, purpose });
                    seen.moves_next = false;
                }
                drop(seen);
                self.stop_behind(call, behind);
            }
            Err(error) if stopped_by(error).is_none() => {
                seen.write_failed = true;
                seen.group_failed |= is_group(purpose);
            }
            Err(_) if was_running => seen.stop(call, Moment::Within),
            Err(_) => {}
        }
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let call = Call::Sync(self.seen().last_write.unwrap_or(Purpose::Group));
        let was_running = self.disk.stopped().is_none();
        let behind = self.spring(call);
        let outcome = self.disk.sync();
        let mut seen = self.seen();
        match &outcome {
            Ok(()) => {
                seen.written.iter_mut().for_each(|it| it.synced = true);
                drop(seen);
                self.stop_behind(call, behind);
            }
            Err(error) if stopped_by(error).is_none() => seen.sync_failed = true,
            Err(_) if was_running => seen.stop(call, Moment::Within),
            Err(_) => {}
        }
        outcome
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}
