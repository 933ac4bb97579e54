//! What all workers and all reads of an open store see.
//!
//! Guarantee: views are replaced, never changed; who needs to know when nobody looks into an old
//! view any more asks [`Shared::old_views`]. Every sync goes through one place, and the first one
//! that fails makes the drive read-only for good.
//! Not here: what workers do in a step.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use super::commit::{Commit, Waiter};
use super::config::{Options, Sabotage};
use super::counters::Counters;
use super::moves::Moves;
use super::progress::{Progress, refuse};
use super::queue::{Queue, Queued};
use crate::disk::{Disk, Traffic};
use crate::error::CommitFailure;
use crate::index::stepped::Stepped;
use crate::index::values::ValueReader;
use crate::index::view::View;
use crate::layout::geometry::Geometry;
use crate::run::BlockReader;
use crate::seal::{Cipher, Keys};

/// Figures about space that upkeep keeps current.
#[derive(Debug, Default)]
pub struct SpaceFigures {
    /// Zones that nothing uses.
    pub free_zones: AtomicU64,
    /// Bytes of values that flushed runs refer to.
    pub live_bytes: AtomicU64,
    /// Bytes of live runs.
    pub run_bytes: AtomicU64,
    /// Whether puts are refused because the drive is full.
    pub full: AtomicBool,
    /// Whether commits wait because reclaim has to make room for them.
    pub pressed: AtomicBool,
}

/// What all workers and reads see.
pub struct Shared {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Identity of the drive.
    pub uuid: [u8; 16],
    /// How it is cut into zones.
    pub geometry: Geometry,
    /// What it was told.
    pub options: Options,
    /// Number of this boot.
    pub boot: u64,
    /// The keys of all zones.
    pub keys: Arc<Keys>,
    /// The key of this boot.
    pub cipher: Arc<Cipher>,
    /// Reads blocks of runs.
    pub reader: BlockReader,
    /// Reads values.
    pub values: ValueReader,
    /// Commits waiting for the writer.
    pub queue: Queue,
    /// Moves waiting for the writer.
    pub moves: Moves,
    /// What went to the disk and came from it.
    pub traffic: Arc<Traffic>,
    /// Counters for status and logs.
    pub counters: Counters,
    /// Space, for status and for the writer.
    pub space: SpaceFigures,
    /// What scans had to step over.
    pub stepped: Stepped,
    view: RwLock<Arc<View>>,
    old_views: Mutex<Vec<Weak<View>>>,
    progress: Mutex<Progress>,
    sync: Mutex<()>,
    read_only: AtomicBool,
    clock: OnceLock<Clock>,
}

/// Microseconds since any moment, for measuring alone: nothing is decided by it.
pub type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// What [`Shared::new`] is made of.
pub struct Parts {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// What goes to the disk and comes from it.
    pub traffic: Arc<Traffic>,
    /// Identity of the drive.
    pub uuid: [u8; 16],
    /// Zones.
    pub geometry: Geometry,
    /// Options, fitted to the geometry.
    pub options: Options,
    /// Number of this boot.
    pub boot: u64,
    /// The keys of all zones.
    pub keys: Arc<Keys>,
    /// The key of this boot.
    pub cipher: Arc<Cipher>,
    /// Reads blocks of runs.
    pub reader: BlockReader,
    /// Reads values.
    pub values: ValueReader,
    /// What recovery found.
    pub view: View,
    /// How far recovery found the log.
    pub progress: Progress,
}

impl Shared {
    /// Everything that is shared, at the start of a boot.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let queue = Queue::new(parts.options.queue_bytes);
        Self {
            disk: parts.disk,
            traffic: parts.traffic,
            uuid: parts.uuid,
            geometry: parts.geometry,
            options: parts.options,
            boot: parts.boot,
            keys: parts.keys,
            cipher: parts.cipher,
            reader: parts.reader,
            values: parts.values,
            queue,
            moves: Moves::default(),
            counters: Counters::default(),
            space: SpaceFigures::default(),
            stepped: Stepped::default(),
            view: RwLock::new(Arc::new(parts.view)),
            old_views: Mutex::default(),
            progress: Mutex::new(parts.progress),
            sync: Mutex::default(),
            read_only: AtomicBool::new(false),
            clock: OnceLock::new(),
        }
    }

    /// The view of now. Zones that it names are not reused while it is held.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the view by what `change` makes of it.
    pub fn replace_view(&self, change: impl FnOnce(&View) -> View) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(change(&view));
        let old = std::mem::replace(&mut *view, next);
        drop(view);
        let mut old_views = self
            .old_views
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        old_views.retain(|old| old.strong_count() > 0);
        old_views.push(Arc::downgrade(&old));
    }

    /// Views that were replaced and that a read may still hold.
    #[must_use]
    pub fn old_views(&self) -> Vec<Weak<View>> {
        let old_views = self
            .old_views
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        old_views
            .iter()
            .filter(|old| old.strong_count() > 0)
            .cloned()
            .collect()
    }

    /// How far the log is. Held shortly, never over disk I/O.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a failed sync made the drive read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// Makes everything durable that was written before. After the first failure nobody may
    /// believe a sync of this disk again: the flag is set before the next one can start.
    pub fn sync(&self) -> io::Result<()> {
        let _one_at_a_time = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_read_only() {
            return Err(io::Error::other("an earlier sync failed"));
        }
        Counters::add(&self.counters.syncs, 1);
        // The writer starts a new block behind whatever this sync may make durable.
        self.progress().syncs_started += 1;
        if self.options.has(Sabotage::SkipSync) {
            return Ok(());
        }
        let outcome = self.timed_sync();
        if outcome.is_err() && self.options.has(Sabotage::SwallowSyncError) {
            return Ok(());
        }
        outcome.inspect_err(|_| self.read_only.store(true, Ordering::Release))
    }

    fn timed_sync(&self) -> io::Result<()> {
        let Some(clock) = self.clock.get() else {
            return self.disk.sync();
        };
        let begun = clock();
        let outcome = self.disk.sync();
        let took_us = clock().saturating_sub(begun);
        self.counters.sync_times.record(took_us);
        outcome
    }

    /// Measures by this clock from now on, unless there is one already.
    pub fn measure_by(&self, clock: Clock) {
        // The threads of one store are started once.
        let _kept = self.clock.set(clock);
    }

    /// What the host did not take, if it is being tried again at the moment.
    #[must_use]
    pub fn stuck(&self) -> Option<io::ErrorKind> {
        self.progress().stuck
    }

    /// Takes no more writes: what is in memory contradicts itself.
    pub fn distrust(&self) {
        self.read_only.store(true, Ordering::Release);
    }

    /// Tells these commits, whose turn it was, that they are not done.
    pub fn refuse(&self, taken: Vec<Queued>, failure: CommitFailure) {
        let mut progress = self.progress();
        taken.iter().for_each(Queued::publish);
        let published = progress.published();
        drop(progress);
        let waiters = taken.into_iter().map(|queued| {
            let Commit {
                token, completion, ..
            } = queued.prepared.commit;
            Waiter { token, completion }
        });
        refuse(waiters, failure);
        published.iter().for_each(|waiter| waiter.tell(Ok(())));
    }

    /// Tells everybody who still waits that the store was closed: its workers have ended.
    pub fn abandon(&self) {
        let queued = self.queue.take_while(|_all| true);
        self.refuse(queued, CommitFailure::Closed);
        self.refuse_durable(CommitFailure::Closed);
        let published = std::mem::take(&mut self.progress().publish_waiters);
        let told = published.into_iter().map(|(_, waiter)| waiter);
        told.for_each(|waiter| waiter.tell(Ok(())));
    }

    /// Tells everybody who waits for a sync that none will come. Whether anybody did.
    pub fn refuse_durable(&self, failure: CommitFailure) -> bool {
        let waiters = std::mem::take(&mut self.progress().durable_waiters);
        let any = !waiters.is_empty();
        refuse(waiters.into_iter().map(|(_, waiter)| waiter), failure);
        any
    }

    /// What a commit is told that cannot be done at the moment, if there is something.
    #[must_use]
    pub fn refusal(&self) -> Option<CommitFailure> {
        self.is_read_only().then_some(CommitFailure::ReadOnly)
    }
}
