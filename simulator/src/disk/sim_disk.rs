//! The handle that tests and the engine hold: [`SimDisk`].
//!
//! What it is: the store's [`Disk`] and the switches that break it, each a call on the one
//! [`State`] behind a mutex. Guarantee: one call at a time, so that a history is an order of calls.
//! Not here: what the calls do.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kinetic_store::disk::Disk;

use super::failure::Stopped;
use super::faults::{Faults, Slow, SyncFailure};
use super::state::State;
use super::trace::{Counts, Harm};
use super::unsynced::Survival;
use crate::rng::Rng;

/// The unit in bytes that a power cut leaves old or new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectorSize {
    /// 512 bytes.
    Small,
    /// 4096 bytes.
    Large,
}

impl SectorSize {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        match self {
            Self::Small => 512,
            Self::Large => 4096,
        }
    }
}

/// A simulated disk. Clones are handles to the same disk, so that a test can pull the plug while
/// the engine works. Deterministic as long as the order of its calls is.
#[derive(Clone)]
pub struct SimDisk {
    capacity: u64,
    sector_size: SectorSize,
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// A disk of `capacity` bytes, zero-filled, with sectors of 512 bytes. It costs what is
    /// written to it, twice.
    ///
    /// # Errors
    /// What the host reports when it cannot give that much address space.
    pub fn new(capacity: u64, seed: u64) -> io::Result<Self> {
        Self::with_sector_size(capacity, seed, SectorSize::Small)
    }

    /// The same with the sector size given.
    ///
    /// # Errors
    /// As [`SimDisk::new`].
    pub fn with_sector_size(capacity: u64, seed: u64, sector: SectorSize) -> io::Result<Self> {
        let state = State::new(capacity, u64::from(sector.bytes()), seed)?;
        Ok(Self {
            capacity,
            sector_size: sector,
            state: Arc::new(Mutex::new(state)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power now: unsynced writes survive by a mode drawn from `rng`, the page cache is
    /// gone, and every call fails until [`SimDisk::restart`]. Returns the mode.
    pub fn power_cut(&self, rng: &mut Rng) -> Survival {
        let survival = Survival::pick(rng);
        self.power_cut_as(survival, rng);
        survival
    }

    /// The same with the mode given.
    pub fn power_cut_as(&self, survival: Survival, rng: &mut Rng) {
        self.state().cut_power(survival, rng);
    }

    /// Kills the process that uses the disk (`kill -9`): calls fail until [`SimDisk::restart`],
    /// and the page cache keeps all that was written.
    pub fn kill(&self) {
        self.state().kill();
    }

    /// Power is back, or the next process starts.
    pub fn restart(&self) {
        self.state().restart();
    }

    /// Cuts the power in the middle of the `nth` write, sync or discard from now (1 is the next
    /// one). A write may be applied in part, of a sync any part may have happened.
    pub fn cut_power_after(&self, nth: u64) {
        self.state().faults.stop_at(nth, Stopped::PowerCut);
    }

    /// Kills the process in the middle of the `nth` write, sync or discard from now.
    pub fn kill_after(&self, nth: u64) {
        self.state().faults.stop_at(nth, Stopped::Killed);
    }

    /// The `nth` sync from now (1 is the next one) fails with `EIO`.
    pub fn fail_sync(&self, nth: u64, failure: SyncFailure) {
        self.state().faults.fail_sync(nth, failure);
    }

    /// From now on syncs succeed and do nothing. No disk may do this; it is here to prove that a
    /// check of durability notices.
    pub fn pretend_syncs(&self) {
        self.state().faults.pretend_syncs();
    }

    /// From the `nth` write from now (1 is the next one), `count` writes fail with `ENOSPC`, each
    /// applied in part.
    pub fn fail_writes(&self, nth: u64, count: u64) {
        self.state().faults.fill_host(nth, count);
    }

    /// Reads that touch this range fail with `EIO`, until [`SimDisk::clear_faults`].
    pub fn fail_reads(&self, offset: u64, length: u64) {
        self.state().faults.fail_reads(offset, length);
    }

    /// From the `nth` read from now (1 is the next one), `count` reads fail with `EIO`, wherever
    /// they read.
    pub fn fail_next_reads(&self, nth: u64, count: u64) {
        self.state().faults.fail_next_reads(nth, count);
    }

    /// From the `nth` sync from now (1 is the next one), `count` syncs succeed and do nothing;
    /// the next honest one makes up for it.
    pub fn lie_in_syncs(&self, nth: u64, count: u64) {
        self.state().faults.lie_in_syncs(nth, count);
    }

    /// What is unsynced cannot be written back, and nobody is told, since nobody has the disk
    /// open: reads still show it, syncs succeed, and a power cut reveals the loss.
    pub fn fail_write_back(&self, failure: SyncFailure) {
        self.state().fail_write_back(failure);
    }

    /// Calls take long from now on, of the virtual time that [`SimDisk::take_elapsed`] tells.
    pub fn slow_down(&self, slow: Slow) {
        self.state().faults.slow_down(slow);
    }

    /// Microseconds that calls took since the last question.
    #[must_use]
    pub fn take_elapsed(&self) -> u64 {
        self.state().take_elapsed()
    }

    /// Stops the machine here, between two calls, by its own seed.
    pub fn stop_now(&self, reason: Stopped) {
        self.state().stop_now(reason);
    }

    /// [`Disk::try_read_at`] would have to wait this many times in a thousand.
    pub fn wait_for_reads(&self, per_mille: u64) {
        self.state().faults.wait_for_reads(per_mille);
    }

    /// Takes back every fault that is armed. What was lost or flipped stays so.
    pub fn clear_faults(&self) {
        self.state().faults = Faults::default();
    }

    /// Bit rot: flips bit `bit` (0 to 7) of the byte at `offset`, on the platter and in the cache.
    pub fn flip_bit(&self, offset: u64, bit: u8) {
        self.state().flip_bit(offset, bit);
    }

    /// Flips one bit somewhere in the range, drawn from `rng`. Returns the byte's offset.
    pub fn flip_random_bit(&self, offset: u64, length: u64, rng: &mut Rng) -> u64 {
        let at = offset + rng.below(length);
        let bit = rng.choose(&[0, 1, 2, 3, 4, 5, 6, 7]).copied().unwrap_or(0);
        self.flip_bit(at, bit);
        at
    }

    /// What the platter holds now: what would be left if all unsynced writes were lost. Works
    /// when stopped, too, and is neither counted nor traced.
    ///
    /// # Errors
    /// `UnexpectedEof` when the range reaches past the end.
    pub fn read_durable(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Ok(self.state().read_durable(offset, buffer)?)
    }

    /// Whether calls fail at the moment, and why.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        self.state().stopped()
    }

    /// A hash of everything that was done to this disk and how it answered.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.state().trace.hash()
    }

    /// What really went wrong since the disk was made.
    #[must_use]
    pub fn harm(&self) -> Harm {
        self.state().trace.harm
    }

    /// Counts of calls and bytes since the disk was made.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().trace.counts()
    }
}

impl Disk for SimDisk {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn sector_size(&self) -> u32 {
        self.sector_size.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Ok(self.state().read(offset, buffer)?)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        Ok(self.state().try_read(offset, buffer)?)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        Ok(self.state().write(offset, parts)?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(self.state().sync()?)
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        Ok(self.state().discard(offset, length)?)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SimDisk")
            .field("capacity", &self.capacity)
            .field("sector_size", &self.sector_size)
            .finish_non_exhaustive()
    }
}
