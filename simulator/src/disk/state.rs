//! One simulated disk: what reads see, what is durable, what lies between, and what goes wrong.
//!
//! Guarantees: `seen` is `platter` with all of `unsynced` and `forgotten` over it; every call goes
//! into the trace with its outcome; chance comes from the seed alone.

use std::io::{self, IoSlice};

use kinetic_store::disk::PastEnd;

use super::failure::{Failure, Stopped};
use super::faults::{Faults, ReadFault, Slow, SyncFailure};
use super::platter::Platter;
use super::trace::{Event, Trace, content_hash};
use super::unsynced::{Content, Fate, Survival, Unsynced};
use crate::rng::Rng;

/// Everything behind the mutex of a disk.
pub(super) struct State {
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    capacity: u64,
    seen: Platter,
    platter: Platter,
    unsynced: Vec<Unsynced>,
    /// Offset and length of what failed syncs left in the page cache only.
    forgotten: Vec<(u64, u64)>,
    stopped: Option<Stopped>,
    /// A sync said that it was done, and left some of `unsynced`.
    lied: bool,
    /// Such was lost for good, and only the cache shows it.
    betrayed: bool,
    /// Microseconds that calls took and nobody has asked for yet.
    elapsed_us: u64,
    rng: Rng,
}

impl State {
    pub(super) fn new(capacity: u64, sector: u64, seed: u64) -> io::Result<Self> {
        Ok(Self {
            faults: Faults::default(),
            trace: Trace::default(),
            capacity,
            seen: Platter::new(capacity, sector)?,
            platter: Platter::new(capacity, sector)?,
            unsynced: Vec::new(),
            forgotten: Vec::new(),
            stopped: None,
            lied: false,
            betrayed: false,
            elapsed_us: 0,
            rng: Rng::new(seed),
        })
    }

    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }

    pub(super) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let length = buffer.len() as u64;
        let outcome = self.may_read(offset, length);
        self.trace
            .call(Event::Read { offset, length }, outcome.map(|()| 0u64));
        outcome.map(|()| self.seen.read(offset, buffer))
    }

    pub(super) fn try_read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<bool, Failure> {
        let length = buffer.len() as u64;
        let wait = self.rng.chance(self.faults.wait_per_mille(), 1000);
        let outcome = self.may_read(offset, length).map(|()| !wait);
        self.trace.call(Event::TryRead { offset, length }, outcome);
        match outcome {
            Ok(true) => self.seen.read(offset, buffer),
            // Nothing is promised about the buffer, and nobody may count on zeros.
            Ok(false) => buffer.fill(0xA5),
            Err(_) => {}
        }
        outcome
    }

    fn may_read(&mut self, offset: u64, length: u64) -> Result<(), Failure> {
        self.must_run()?;
        self.take_time();
        PastEnd::check(offset, length, self.capacity).map_err(Failure::ReadPastEnd)?;
        let harm = &mut self.trace.harm;
        match self.faults.read_fails(offset, length) {
            None => return Ok(()),
            Some(ReadFault::Once) => harm.transient_reads += 1,
            Some(ReadFault::Always) => harm.failed_reads += 1,
        }
        Err(Failure::Unreadable)
    }

    /// A call is under way; sometimes it takes long.
    fn take_time(&mut self) {
        let slow = self.faults.slow();
        if let Some(Slow { longest_us, .. }) =
            slow.filter(|slow| self.rng.chance(slow.per_mille, 1000))
        {
            self.elapsed_us += self.rng.below(longest_us);
            self.trace.harm.slow_calls += 1;
        }
    }

    /// Microseconds that calls took since the last question.
    pub(super) fn take_elapsed(&mut self) -> u64 {
        std::mem::take(&mut self.elapsed_us)
    }

    pub(super) fn write(&mut self, offset: u64, parts: &[IoSlice<'_>]) -> Result<(), Failure> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let content = content_hash(parts.iter().map(|part| &**part));
        let outcome = self.write_whole_or_part(offset, length, parts);
        self.trace.call(
            Event::Write {
                offset,
                length,
                content,
            },
            outcome.map(|()| 0u64),
        );
        outcome
    }

    fn write_whole_or_part(
        &mut self,
        offset: u64,
        length: u64,
        parts: &[IoSlice<'_>],
    ) -> Result<(), Failure> {
        self.must_run()?;
        self.take_time();
        PastEnd::check(offset, length, self.capacity).map_err(Failure::WritePastEnd)?;
        if let Some(reason) = self.faults.stops_now() {
            // Whole in half of the cases, so that the cut alone decides which sectors survive.
            let whole = reason == Stopped::PowerCut && self.rng.chance(1, 2);
            let applied = if whole {
                length
            } else {
                self.rng.below(length + 1)
            };
            self.cache(offset, applied, parts);
            return Err(self.stop(reason));
        }
        if self.faults.host_is_full() {
            let applied = self.rng.below(length);
            self.cache(offset, applied, parts);
            self.trace.harm.refused_writes += 1;
            return Err(Failure::HostFull);
        }
        self.cache(offset, length, parts);
        Ok(())
    }

    /// Puts the first `length` bytes of `parts` into the page cache, as sectors to be synced.
    fn cache(&mut self, offset: u64, length: u64, parts: &[IoSlice<'_>]) {
        if length == 0 {
            return;
        }
        let sector = self.seen.sector();
        let start = offset - offset % sector;
        let end = (offset + length).next_multiple_of(sector);
        let mut sectors = vec![0; usize::try_from(end - start).unwrap_or_default()];
        self.seen.read(start, &mut sectors);
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        let mut at = usize::try_from(offset - start).unwrap_or(usize::MAX);
        for part in parts {
            let count = part.len().min(left);
            if let (Some(to), Some(from)) = (sectors.get_mut(at..at + count), part.get(..count)) {
                to.copy_from_slice(from);
            }
            at += count;
            left -= count;
        }
        self.seen.write(start, &sectors);
        self.unsynced.push(Unsynced {
            offset: start,
            content: Content::Bytes(sectors),
        });
    }

    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        let outcome = self.sync_or_fail();
        self.trace.call(Event::Sync, outcome.map(|()| 0u64));
        outcome
    }

    fn sync_or_fail(&mut self) -> Result<(), Failure> {
        self.must_run()?;
        self.take_time();
        if let Some(reason) = self.faults.stops_now() {
            return Err(self.stop(reason));
        }
        if let Some(failure) = self.faults.fails_sync() {
            self.forget(failure);
            self.trace.harm.failed_syncs += 1;
            return Err(Failure::SyncFailed);
        }
        if self.faults.sync_lies() {
            let left = !self.unsynced.is_empty();
            self.trace.harm.lying_syncs += u64::from(left);
            self.lied |= left;
            return Ok(());
        }
        self.lied = false;
        for write in self.unsynced.drain(..) {
            write.settle(&mut self.platter);
        }
        Ok(())
    }

    /// What is unsynced could not be written back: reads still show it, and no sync will write it.
    fn forget(&mut self, failure: SyncFailure) {
        let survival = match failure {
            SyncFailure::LosesAll => Survival::LoseAll,
            SyncFailure::LosesSome => Survival::Tear,
        };
        survival.apply(&self.unsynced, &mut self.platter, &mut self.rng);
        self.betrayed |= std::mem::take(&mut self.lied);
        let gone = self
            .unsynced
            .drain(..)
            .map(|write| (write.offset, write.length()));
        self.forgotten.extend(gone);
    }

    /// The same while nobody has the disk open: nobody is told.
    pub(super) fn fail_write_back(&mut self, failure: SyncFailure) {
        self.trace.event(Event::WriteBackFailed);
        self.trace.harm.swallowed_syncs += u64::from(!self.unsynced.is_empty());
        self.forget(failure);
    }

    pub(super) fn discard(&mut self, offset: u64, length: u64) -> Result<(), Failure> {
        let outcome = self.discard_or_not(offset, length);
        self.trace
            .call(Event::Discard { offset, length }, outcome.map(|()| 0u64));
        outcome
    }

    /// A discard is advice: taken or not, by chance, for the whole sectors of the range.
    fn discard_or_not(&mut self, offset: u64, length: u64) -> Result<(), Failure> {
        self.must_run()?;
        PastEnd::check(offset, length, self.capacity).map_err(Failure::WritePastEnd)?;
        let stops = self.faults.stops_now();
        let sector = self.seen.sector();
        let start = offset.next_multiple_of(sector);
        let end = (offset + length) / sector * sector;
        if self.rng.chance(1, 2) && start < end {
            self.seen.zero(start, end - start);
            let content = Content::Zeros(end - start);
            self.unsynced.push(Unsynced {
                offset: start,
                content,
            });
        }
        stops.map_or(Ok(()), |reason| Err(self.stop(reason)))
    }

    fn must_run(&self) -> Result<(), Failure> {
        self.stopped
            .map_or(Ok(()), |reason| Err(Failure::Stopped(reason)))
    }

    /// Stops in the middle of a call.
    fn stop(&mut self, reason: Stopped) -> Failure {
        match reason {
            Stopped::PowerCut => {
                let mut rng = self.rng.fork();
                let survival = Survival::pick(&mut rng);
                self.cut_power(survival, &mut rng);
            }
            Stopped::Killed => self.kill(),
        }
        Failure::Stopped(reason)
    }

    pub(super) fn cut_power(&mut self, survival: Survival, rng: &mut Rng) {
        self.trace.event(Event::PowerCut);
        let mut fate = survival.apply(&self.unsynced, &mut self.platter, rng);
        fate.lost |= !self.forgotten.is_empty();
        self.note(fate);
        let unsynced = self
            .unsynced
            .drain(..)
            .map(|write| (write.offset, write.length()));
        for (offset, length) in unsynced.chain(self.forgotten.drain(..)) {
            self.seen.copy(&self.platter, offset, length);
        }
        self.stopped = Some(Stopped::PowerCut);
    }

    fn note(&mut self, fate: Fate) {
        let lied = std::mem::take(&mut self.lied) && fate.lost;
        let betrayed = std::mem::take(&mut self.betrayed);
        let harm = &mut self.trace.harm;
        harm.lost += u64::from(fate.lost);
        harm.torn += u64::from(fate.torn);
        harm.reordered += u64::from(fate.reordered);
        harm.exposed_lies += u64::from(lied || betrayed);
    }

    /// Stops here, between two calls.
    pub(super) fn stop_now(&mut self, reason: Stopped) {
        let _stopped = self.stop(reason);
    }

    pub(super) fn kill(&mut self) {
        self.trace.event(Event::Kill);
        self.stopped = self.stopped.or(Some(Stopped::Killed));
    }

    pub(super) fn restart(&mut self) {
        self.trace.event(Event::Restart);
        self.stopped = None;
    }

    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) {
        self.trace.event(Event::Flip {
            offset,
            bit: u64::from(bit),
        });
        self.trace.harm.flipped_bits += 1;
        self.platter.flip(offset, bit);
        self.seen.flip(offset, bit);
        for write in &mut self.unsynced {
            write.flip(offset, bit);
        }
    }

    pub(super) fn read_durable(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        PastEnd::check(offset, buffer.len() as u64, self.capacity).map_err(Failure::ReadPastEnd)?;
        self.platter.read(offset, buffer);
        Ok(())
    }
}
