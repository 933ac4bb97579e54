//! The store: what a drive does with its disk.
//!
//! Guarantee: every read verifies what it gives out; every mutation is done as a whole or not at
//! all, and told of once. All methods can be called from any thread; those that may wait for the
//! disk say so by [`Effort::Disk`].
//! Not here: identities, limits of the protocol, messages (`kinetic-server`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use bytes::Bytes;

use crate::bells::Bells;
use crate::disk::Disk;
use crate::effort::Effort;
use crate::engine::commit::{Commit, Completion, Prepared, Waiter};
use crate::engine::config::{Options, ready_zones};
use crate::engine::counters::Counters;
use crate::engine::queue::{Lane, SubmitError, Ticket};
use crate::engine::shared::Shared;
use crate::engine::syncer::Syncer;
use crate::engine::writer::{Step, Writer};
use crate::entry::{Attributes, Entry, State};
use crate::error::{Damage, ReadError};
use crate::index::merged::MergedCursor;
use crate::limits::{BLOCK, INLINE_COMMIT, INLINE_STEPS, LARGE_VALUE};
use crate::log::group;
use crate::open::recovery::{self, Given, OpenError, Recovered};
use crate::scrub::report::ScrubReport;
use crate::scrub::round::Scrub;
use crate::seal::PinKey;
use crate::upkeep::rewrap::Desk;
use crate::upkeep::worker::{UnderWay, Upkeep};

/// An open drive's store. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Shared,
    pub(crate) writer: Mutex<Writer>,
    syncer: Mutex<Syncer>,
    pub(crate) upkeep: Mutex<Upkeep>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) settings: Mutex<()>,
    pub(crate) scrub: Mutex<Scrub>,
    pub(crate) scrub_report: Arc<Mutex<ScrubReport>>,
    pub(crate) drive: u64,
    pub(crate) bells: Bells,
    /// Upkeep and scrub have nothing to do for now.
    pub(crate) resting: AtomicBool,
}

/// What is stored under a key, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Version, tag, algorithm.
    pub attributes: Attributes,
    /// Bytes of the value.
    pub value_length: u32,
}

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// All but the value.
    pub metadata: Metadata,
    /// The value.
    pub value: Bytes,
}

/// Whether the drive does all it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It reads and deletes, but refuses puts until something is deleted.
    Full,
    /// The host does not take writes at the moment; they are tried again.
    Stuck(std::io::ErrorKind),
    /// A sync failed: it only reads.
    ReadOnly,
}

/// Figures of an open store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Identity of the drive.
    pub uuid: [u8; 16],
    /// Bytes for keys and values, zones of the engine's own included.
    pub capacity_bytes: u64,
    /// Bytes of zones in use.
    pub used_bytes: u64,
    /// Bytes of values that flushed runs refer to.
    pub live_bytes: u64,
    /// Number of the current boot.
    pub boot: u64,
    /// Sorted runs.
    pub runs: usize,
    /// Commit groups written since the drive was opened.
    pub groups: u64,
    /// Bytes of commit groups written since the drive was opened.
    pub group_bytes: u64,
    /// Bytes of runs and manifest written since the drive was opened.
    pub index_bytes: u64,
    /// Syncs since the drive was opened.
    pub syncs: u64,
    /// Reads that met damaged bytes since the drive was opened.
    pub damage_seen: u64,
    /// Checks for which the writer itself had to read the disk since the drive was opened.
    pub writer_reads: u64,
    /// Tries of reads that the disk failed since the drive was opened.
    pub read_failures: u64,
    /// Flushes of a memtable since the drive was opened.
    pub flushes: u64,
    /// Merges of runs since the drive was opened.
    pub merges: u64,
    /// Values that reclaim moved since the drive was opened.
    pub moves: u64,
    /// Bytes that reclaim copied since the drive was opened.
    pub moved_bytes: u64,
    /// Whether the drive does all it should.
    pub health: Health,
}

impl Store {
    /// Opens the drive on a disk, recovery included; waits for the disk. `entropy` are random
    /// bytes that no other boot of any drive gets, `pin` is the key of its lock PIN: without the
    /// right one nothing is written.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        entropy: [u8; 32],
        pin: Option<&PinKey>,
    ) -> Result<Self, OpenError> {
        let given = Given {
            options,
            entropy,
            pin,
        };
        let Recovered {
            shared,
            writer,
            upkeep,
        } = recovery::recover(disk, given)?;
        let scrub = Scrub::default();
        let inner = Inner {
            shared,
            writer: Mutex::new(writer),
            syncer: Mutex::default(),
            desk: upkeep.desk(),
            drive: upkeep.drive(),
            settings: Mutex::default(),
            scrub_report: scrub.report(),
            scrub: Mutex::new(scrub),
            upkeep: Mutex::new(upkeep),
            bells: Bells::default(),
            resting: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The value of a key, with its metadata.
    pub fn get(&self, key: &[u8], effort: Effort) -> Result<Object, ReadError> {
        self.object(key, (effort, effort))
    }

    /// The same, with the value read from the medium, whatever the host keeps in memory.
    pub fn get_from_medium(&self, key: &[u8]) -> Result<Object, ReadError> {
        self.object(key, (Effort::Disk, Effort::Medium))
    }

    fn object(
        &self,
        key: &[u8],
        (index, value_effort): (Effort, Effort),
    ) -> Result<Object, ReadError> {
        let shared = &self.inner.shared;
        // Held to the end: the zone of the value is not reused while the view is.
        let view = shared.view();
        let entry = view
            .lookup(&shared.reader, key, index)
            .map_err(|error| self.counted_block(error, index))?;
        let Some(Entry {
            state: State::Live(attributes, value),
            seqno,
        }) = entry
        else {
            return Err(ReadError::NotFound);
        };
        let bytes = shared
            .values
            .read_kept(&value, seqno, value_effort)
            .map_err(|error| self.counted(error, value_effort, |all| &all.damaged_values))?;
        let metadata = Metadata {
            attributes,
            value_length: value.length,
        };
        Ok(Object {
            metadata,
            value: bytes,
        })
    }

    /// What a search of the index with this effort came to, counted where it is damage.
    pub(crate) fn counted_block(&self, error: ReadError, effort: Effort) -> ReadError {
        self.counted(error, effort, |counters| &counters.damaged_blocks)
    }

    fn counted(
        &self,
        error: ReadError,
        effort: Effort,
        of: fn(&Counters) -> &AtomicU64,
    ) -> ReadError {
        let error = error.after(effort);
        match error {
            ReadError::NotFound
            | ReadError::NotCached
            | ReadError::Unreadable(Damage::DiskOnce(_)) => {}
            ReadError::Unreadable(_) => Counters::add(of(&self.inner.shared.counters), 1),
        }
        error
    }

    /// The metadata of a key.
    pub fn metadata(&self, key: &[u8], effort: Effort) -> Result<Metadata, ReadError> {
        let shared = &self.inner.shared;
        let entry = shared.view().lookup(&shared.reader, key, effort);
        match entry.map_err(|error| self.counted_block(error, effort))? {
            Some(Entry {
                state: State::Live(attributes, value),
                ..
            }) => Ok(Metadata {
                attributes,
                value_length: value.length,
            }),
            Some(_) | None => Err(ReadError::NotFound),
        }
    }

    /// A source of commits, such as a connection: its commits take effect in the order in which it
    /// submits them, and it shares the writer with all others, byte for byte. Where one of them
    /// finds no room, `completion` hears of this token with success once there is some, or once
    /// the store is closing: then it is to be submitted again.
    #[must_use]
    pub fn lane(&self, token: u64, completion: Arc<dyn Completion>) -> Lane {
        self.inner.shared.queue.lane(Waiter { token, completion })
    }

    /// Queues a commit of somebody who has no lane; [`kick`](Self::kick) must follow. A commit that
    /// can never be stored is told so at once, through its completion.
    pub fn submit(&self, commit: Commit) -> Result<Ticket, SubmitError> {
        self.submit_in(self.inner.shared.queue.own_lane(), commit)
    }

    /// The same in a lane, which must be of this store.
    pub fn submit_in(&self, lane: &Lane, commit: Commit) -> Result<Ticket, SubmitError> {
        let queue = &self.inner.shared.queue;
        match self.prepared(commit) {
            Some(prepared) => queue.push(lane, prepared),
            None => Ok(queue.last_ticket(lane)),
        }
    }

    /// Queues a last commit behind all that waits, even where the queue is full, and takes none
    /// after it.
    pub(crate) fn submit_last(&self, commit: Commit) {
        if let Some(prepared) = self.prepared(commit) {
            self.inner.shared.queue.close_after(prepared);
        }
    }

    /// A commit ready for the queue; one that can never be stored is told so.
    fn prepared(&self, commit: Commit) -> Option<Prepared> {
        let shared = &self.inner.shared;
        let head = (group::WIDTH + shared.cipher.overhead()) as u64;
        let max = shared.geometry.max_group() - head - BLOCK;
        let prepared = Prepared::new(commit, max, &shared.cipher);
        prepared
            .map_err(|refused| {
                let (commit, error) = *refused;
                commit.completion.complete(commit.token, Err(error));
            })
            .ok()
    }

    /// Gets queued commits done: small ones at once on this thread if no other is at it, else by
    /// the writer's thread. Call it after the last of some [`submit`](Self::submit)s.
    pub fn kick(&self) {
        let inner = &*self.inner;
        for _ in 0..INLINE_STEPS {
            if !self.is_quick() {
                break;
            }
            let Some(mut writer) = self.try_writer() else {
                break;
            };
            if writer.step(&inner.shared, Effort::Cached) != Step::Worked {
                break;
            }
        }
        if inner.shared.queue.waiting().0 > 0 {
            inner.bells.writer.ring();
        }
        self.ring_workers();
    }

    /// Whether what waits is little enough to be done on any thread.
    fn is_quick(&self) -> bool {
        let queue = &self.inner.shared.queue;
        let (commits, bytes) = queue.waiting();
        let through_cache = |(_, values)| commits == 1 || values < LARGE_VALUE;
        bytes <= INLINE_COMMIT && queue.peek().is_some_and(through_cache)
    }

    /// The writer, unless somebody else has it.
    fn try_writer(&self) -> Option<MutexGuard<'_, Writer>> {
        match self.inner.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => {
                // It panicked half-way: what it holds contradicts itself.
                self.inner.shared.distrust();
                Some(poisoned.into_inner())
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Wakes the workers that have something to do.
    pub(crate) fn ring_workers(&self) {
        let inner = &*self.inner;
        let shared = &inner.shared;
        let progress = shared.progress();
        let unsynced = progress.unsynced();
        // Threads of its own find out by themselves that something grows old.
        let aging = inner.bells.are_heard() && unsynced > 0 && progress.unsynced_since.is_none();
        let sync = !progress.durable_waiters.is_empty()
            || unsynced >= shared.options.unsynced_bytes / 2
            || aging;
        let upkeep =
            progress.ready.len() < ready_zones(&shared.geometry) || progress.seal.is_some();
        drop(progress);
        if sync {
            inner.bells.syncer.ring();
        }
        if upkeep || shared.moves.is_answered() || shared.view().frozen.is_some() {
            inner.bells.upkeep.ring();
        }
    }

    /// Completes with success once everything of its lane up to this ticket is visible or refused.
    pub fn when_published(&self, ticket: Ticket, token: u64, completion: Arc<dyn Completion>) {
        let waiter = Waiter { token, completion };
        let mut progress = self.inner.shared.progress();
        if !ticket.is_published() {
            progress.publish_waiters.push((ticket, waiter));
            return;
        }
        drop(progress);
        waiter.tell(Ok(()));
    }

    /// Figures of now; from memory.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.inner.shared;
        let zone = u64::from(shared.geometry.zone_size);
        let free = shared.space.free_zones.load(Ordering::Relaxed);
        let zones = u64::from(shared.geometry.zones).saturating_sub(1);
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        Status {
            uuid: shared.uuid,
            capacity_bytes: zones * zone,
            used_bytes: zones.saturating_sub(free) * zone,
            live_bytes: load(&shared.space.live_bytes),
            boot: shared.boot,
            runs: shared.view().runs.len(),
            groups: load(&counters.groups),
            group_bytes: load(&counters.group_bytes),
            index_bytes: load(&counters.run_bytes) + load(&counters.manifest_bytes),
            syncs: load(&counters.syncs),
            damage_seen: counters.damage_seen(),
            writer_reads: load(&counters.writer_reads),
            read_failures: load(&shared.traffic.read_failures),
            flushes: load(&counters.flushes),
            merges: load(&counters.merges),
            moves: load(&counters.moves),
            moved_bytes: load(&counters.cold_bytes),
            health: self.health(),
        }
    }

    fn health(&self) -> Health {
        let shared = &self.inner.shared;
        match shared.progress().stuck {
            _ if shared.is_read_only() => Health::ReadOnly,
            Some(kind) => Health::Stuck(kind),
            None if shared.space.full.load(Ordering::Relaxed) => Health::Full,
            None => Health::Healthy,
        }
    }

    /// One step of the writer: one group at most.
    pub fn step_writer(&self) -> Step {
        lock(&self.inner.writer).step(&self.inner.shared, Effort::Disk)
    }

    /// One step of the syncer; `now` in microseconds of any steady clock.
    pub fn step_syncer(&self, now: u64) -> Step {
        lock(&self.inner.syncer).step(&self.inner.shared, now)
    }

    /// One step of upkeep; `now` in microseconds of any steady clock.
    pub fn step_upkeep(&self, now: u64) -> Step {
        lock(&self.inner.upkeep).step(&self.inner.shared, now)
    }

    /// What upkeep is in the middle of; for histories that mean to cut it short.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        lock(&self.inner.upkeep).under_way()
    }

    /// First byte and length on the disk of the value of a key, where it has one; for histories
    /// that mean to damage it.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn place_of(&self, key: &[u8]) -> Option<(u64, u64)> {
        let shared = &self.inner.shared;
        let entry = shared.view().lookup(&shared.reader, key, Effort::Disk);
        let value = entry.ok().flatten()?.live()?;
        let position = shared.geometry.position(value.location);
        let stored = shared
            .keys
            .at(value.location.zone)?
            .cipher
            .stored32(value.length);
        (stored > 0).then_some((position, u64::from(stored)))
    }

    /// Compares the accounting of live bytes with a full scan of the runs; for tests and checks.
    pub fn live_bytes_by_scan(&self) -> Result<LiveBytes, ReadError> {
        let shared = &self.inner.shared;
        let upkeep = lock(&self.inner.upkeep);
        let mut live = LiveBytes::default();
        for (zone, info) in &upkeep.state().zones {
            if info.live > 0 {
                live.accounted.insert(zone.0, info.live);
            }
        }
        for run in shared.view().runs.iter() {
            let mut cursor = MergedCursor::over_runs(std::slice::from_ref(run), &shared.reader)?;
            while let Some(merged) = cursor.next(&shared.reader, Effort::Disk)? {
                if upkeep.state().life_of(&merged.entry).is_none() {
                    continue;
                }
                if let Some(value) = merged.entry.live() {
                    let zone = value.location.zone.0;
                    *live.scanned.entry(zone).or_default() += u64::from(value.length);
                }
            }
        }
        Ok(live)
    }
}

/// Live bytes by zone, as accounted and as found by a full scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveBytes {
    /// What the manifest says.
    pub accounted: std::collections::BTreeMap<u32, u64>,
    /// What the runs refer to.
    pub scanned: std::collections::BTreeMap<u32, u64>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
