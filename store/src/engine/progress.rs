//! How far the log is: what is written, what is durable, which zones come next, and who waits.
//!
//! Guarantee: a waiter for durability is told only after a sync that started when its group was
//! written already. All of this is under one short lock that is never held over disk I/O.
//! Not here: the order of steps (`writer`, `syncer`, `upkeep`).

use std::collections::VecDeque;
use std::io::ErrorKind;

use super::commit::Waiter;
use super::queue::Ticket;
use crate::entry::Seqno;
use crate::error::{CommitError, CommitFailure};
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::ZoneId;

/// A log zone that the writer may fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogZone {
    /// The zone and its life.
    pub stamp: ZoneStamp,
    /// Its place in the order of log zones.
    pub ordinal: u64,
}

/// A log zone that takes no more groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// The zone and its life.
    pub stamp: ZoneStamp,
    /// Bytes of groups in it.
    pub used: u64,
    /// Bytes of records and headers of those.
    pub heads: u64,
    /// Bytes of values in those.
    pub values: u64,
}

/// A log zone in which a write failed: nothing may be appended behind `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealRequest {
    /// The zone.
    pub zone: ZoneId,
    /// Where its last good group ends.
    pub end: u32,
}

/// A look at what upkeep alone writes, superblocks and manifest: whether one is wanted, and what
/// came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkup {
    /// Nobody asks.
    #[default]
    None,
    /// Somebody asks.
    Wanted,
    /// It was looked at.
    Done(Checked),
}

/// What was found, and is being written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Superblock slots that did not hold what they should.
    pub lost_slots: usize,
    /// Whether the manifest could not be read back.
    pub lost_manifest: bool,
}

/// How far the log is.
#[derive(Debug, Default)]
pub struct Progress {
    /// How often upkeep was asked to put the index in order.
    pub optimize_asked: u64,
    /// How many of those requests are done.
    pub optimize_done: u64,
    /// A look at superblocks and manifest, for scrub.
    pub checkup: Checkup,
    /// The last group that was written.
    pub written_group: u64,
    /// The last mutation of it.
    pub written_seqno: Seqno,
    /// Bytes of all groups that were written in this boot.
    pub written_bytes: u64,
    /// The last group that is on the disk.
    pub durable_group: u64,
    /// Bytes of all groups of this boot that are on the disk.
    pub durable_bytes: u64,
    /// Syncs of the disk that were started, whoever asked for them.
    pub syncs_started: u64,
    /// When unsynced bytes were first seen, in microseconds of the caller's clock.
    pub unsynced_since: Option<u64>,
    /// Waiting for a group to become durable, in the order of groups.
    pub durable_waiters: VecDeque<(u64, Waiter)>,
    /// Waiting for a ticket to be published, in no order.
    pub publish_waiters: Vec<(Ticket, Waiter)>,
    /// Zones that the writer may take next, in order.
    pub ready: VecDeque<LogZone>,
    /// Zones that the writer has filled since upkeep looked.
    pub filled: Vec<Filled>,
    /// A zone in which a write failed and that the manifest must seal.
    pub seal: Option<SealRequest>,
    /// The host did not take a write of the manifest or a run; tried again from time to time.
    pub stuck: Option<ErrorKind>,
    /// Upkeep found no zone for the log.
    pub exhausted: bool,
    /// The writer should switch memtables at the next chance.
    pub freeze_wanted: bool,
    /// Where there is no log zone to go on in: the ordinal that the next one will have.
    pub next_ordinal: Option<u64>,
}

impl Progress {
    /// Of a boot that begins behind this group, of which this was the last mutation.
    #[must_use]
    pub fn behind(group: u64, seqno: Seqno) -> Self {
        Self {
            written_group: group,
            durable_group: group,
            written_seqno: seqno,
            ..Self::default()
        }
    }

    /// Bytes that are written but not on the disk.
    #[must_use]
    pub fn unsynced(&self) -> u64 {
        self.written_bytes - self.durable_bytes
    }

    /// A sync covered everything up to this group: waiters that may be told.
    pub fn durable(&mut self, group: u64, bytes: u64) -> Vec<Waiter> {
        self.durable_group = self.durable_group.max(group);
        self.durable_bytes = self.durable_bytes.max(bytes);
        if self.unsynced() == 0 {
            self.unsynced_since = None;
        }
        let mut told = Vec::new();
        while self
            .durable_waiters
            .front()
            .is_some_and(|(wanted, _)| *wanted <= self.durable_group)
        {
            told.extend(self.durable_waiters.pop_front().map(|(_, waiter)| waiter));
        }
        told
    }

    /// More tickets are published: waiters that may be told.
    pub fn published(&mut self) -> Vec<Waiter> {
        if self.publish_waiters.is_empty() {
            return Vec::new();
        }
        let (told, left) = std::mem::take(&mut self.publish_waiters)
            .into_iter()
            .partition::<Vec<_>, _>(|(ticket, _)| ticket.is_published());
        self.publish_waiters = left;
        told.into_iter().map(|(_, waiter)| waiter).collect()
    }
}

/// Tells waiters that nothing becomes durable any more.
pub fn refuse(waiters: impl IntoIterator<Item = Waiter>, failure: CommitFailure) {
    for waiter in waiters {
        waiter.tell(Err(CommitError { index: 0, failure }));
    }
}
