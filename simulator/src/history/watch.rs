//! The disk as the engine of a history sees it: the simulated one, with an eye on what each call
//! was for.
//!
//! Guarantee: passes every call on unchanged; remembers what was written where, which call a cut
//! interrupted, and whether a sync failed. Not here: faults (`disk`).

use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kinetic_store::disk::Disk;

use crate::disk::{SimDisk, stopped_by};

/// Where the second superblock slot starts.
const SECOND_SLOT: u64 = 32 << 10;
/// Where the first group of a zone starts.
const FIRST_GROUP: u64 = 4096;
/// So many writes are remembered for rot.
const REMEMBERED: usize = 256;

/// What a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    FirstSlot,
    SecondSlot,
    Frame,
    ZoneHeader,
    /// The first group of a zone.
    FirstGroup,
    Group,
    /// A group of a cold zone.
    Cold,
    Run,
    /// A sync after a write of a superblock slot.
    SlotSync,
    Sync,
}

/// The end of the last group that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// Bytes from the start of the zone.
    pub(super) offset: u64,
    pub(super) purpose: Purpose,
}

#[derive(Debug, Default)]
struct Seen {
    last_write: Option<Purpose>,
    interrupted: Option<Purpose>,
    log_end: Option<LogEnd>,
    filled_zone: bool,
    sync_failed: bool,
    write_failed: bool,
    group_failed: bool,
    written: Vec<(u64, u64)>,
    writes: usize,
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

    /// What the call was for that a cut or a kill interrupted, if one did since the last question.
    pub(super) fn take_interrupted(&self) -> Option<Purpose> {
        self.seen().interrupted.take()
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

    /// Another start: what failed before does not count any more.
    pub(super) fn start(&self) {
        let mut seen = self.seen();
        seen.interrupted = None;
        seen.log_end = None;
        seen.sync_failed = false;
        seen.write_failed = false;
        seen.group_failed = false;
    }

    /// One of the last writes, by a number.
    pub(super) fn written(&self, number: u64) -> Option<(u64, u64)> {
        let seen = self.seen();
        let place = number.checked_rem(seen.written.len() as u64)?;
        seen.written.get(usize::try_from(place).ok()?).copied()
    }

    fn purpose(&self, offset: u64, first: &[u8]) -> Purpose {
        match (offset, first.get(..4)) {
            (0, _) => Purpose::FirstSlot,
            (SECOND_SLOT, _) => Purpose::SecondSlot,
            (_, Some(b"KMAN")) => Purpose::Frame,
            (_, Some(b"KZON")) => Purpose::ZoneHeader,
            (_, Some(b"KGRP")) if first.get(16..24) == Some(&[0; 8]) => Purpose::Cold,
            (_, Some(b"KGRP")) if offset % self.zone_size == FIRST_GROUP => Purpose::FirstGroup,
            (_, Some(b"KGRP")) => Purpose::Group,
            _ => Purpose::Run,
        }
    }
}

impl Seen {
    fn remember(&mut self, offset: u64, length: u64) {
        let place = self.writes % REMEMBERED;
        self.writes += 1;
        match self.written.get_mut(place) {
            Some(old) => *old = (offset, length),
            None => self.written.push((offset, length)),
        }
    }
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
        let was_running = self.disk.stopped().is_none();
        let outcome = self.disk.write_at(offset, parts);
        let purpose = self.purpose(offset, parts.first().map_or(&[][..], |part| part));
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut seen = self.seen();
        match &outcome {
            Ok(()) => {
                seen.last_write = Some(purpose);
                seen.remember(offset, length);
                if matches!(purpose, Purpose::FirstGroup | Purpose::Group) {
                    let end = (offset + length) % self.zone_size;
                    seen.filled_zone |= end == 0;
                    let offset = if end == 0 { self.zone_size } else { end };
                    seen.log_end = Some(LogEnd { offset, purpose });
                }
            }
            Err(error) if stopped_by(error).is_none() => {
                seen.write_failed = true;
                seen.group_failed |= matches!(purpose, Purpose::FirstGroup | Purpose::Group);
            }
            Err(_) if was_running => seen.interrupted = Some(purpose),
            Err(_) => {}
        }
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let was_running = self.disk.stopped().is_none();
        let outcome = self.disk.sync();
        let mut seen = self.seen();
        match &outcome {
            Ok(()) => {}
            Err(error) if stopped_by(error).is_none() => seen.sync_failed = true,
            Err(_) if was_running => {
                let slot = matches!(
                    seen.last_write,
                    Some(Purpose::FirstSlot | Purpose::SecondSlot)
                );
                let purpose = if slot {
                    Purpose::SlotSync
                } else {
                    Purpose::Sync
                };
                seen.interrupted = Some(purpose);
            }
            Err(_) => {}
        }
        outcome
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}
