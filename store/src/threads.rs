//! The threads that drive an open store's workers in production; the one file with a clock.
//!
//! Guarantee: four named threads, which end when [`Threads::stop`] is called or the value is
//! dropped. Stopping gets everything that was submitted done and synced first; where the disk does
//! not manage that in time, whoever still waits is told that the store was closed.
//! Not here: any decision of a worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bells::{Bell, Bells};
use crate::engine::commit::{Commit, Completion, Durability, Priority};
use crate::engine::writer::{Need, Step};
use crate::error::CommitError;
use crate::store::Store;

/// A worker looks by itself this often.
const PATROL: Duration = Duration::from_millis(100);
/// Stopping waits this long for the last sync.
const STOP: Duration = Duration::from_secs(30);

/// The threads of a store.
#[derive(Debug)]
pub struct Threads {
    store: Store,
    stopping: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Store {
    /// Starts the threads that do the store's work.
    pub fn start_threads(&self) -> std::io::Result<Threads> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut threads = Threads {
            store: self.clone(),
            stopping,
            handles: Vec::new(),
        };
        let start = now();
        let since = move || u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.inner.shared.measure_by(Box::new(since));
        threads.spawn(
            "kinetic-writer",
            |bells| &bells.writer,
            |store, _| store.step_writer(),
        )?;
        threads.spawn("kinetic-sync", |bells| &bells.syncer, Store::step_syncer)?;
        threads.spawn(
            "kinetic-upkeep",
            |bells| &bells.upkeep,
            |store, now| match store.may_rest() {
                true => Step::Idle,
                false => store.step_upkeep(now),
            },
        )?;
        threads.spawn(
            "kinetic-scrub",
            |bells| &bells.scrub,
            |store, now| match store.may_rest() {
                true => Step::Idle,
                false => store.step_scrub(now),
            },
        )?;
        Ok(threads)
    }

    /// Has upkeep and scrub do nothing, where nothing waits for the writer, until
    /// [`wake`](Self::wake) or the stop.
    pub fn rest(&self) {
        self.inner.resting.store(true, Ordering::Release);
    }

    /// Has them go on.
    pub fn wake(&self) {
        self.inner.resting.store(false, Ordering::Release);
        self.inner.bells.upkeep.ring();
        self.inner.bells.scrub.ring();
    }

    fn may_rest(&self) -> bool {
        self.inner.resting.load(Ordering::Acquire) && self.inner.shared.queue.waiting().0 == 0
    }

    /// Gets everything durable that was queued before, by the threads, and waits for it. `false`
    /// when the disk did not manage that in 30 seconds, or takes no writes.
    #[must_use]
    pub fn settle(&self) -> bool {
        let last = Arc::new(LastFlush::default());
        let flush = LastFlush::commit(&last, Priority::HIGHEST);
        if self.submit(flush).is_err() {
            return false;
        }
        self.kick();
        last.wait()
    }
}

impl Threads {
    fn spawn(
        &mut self,
        name: &str,
        bell: fn(&Bells) -> &Bell,
        step: fn(&Store, u64) -> Step,
    ) -> std::io::Result<()> {
        let store = self.store.clone();
        let stopping = Arc::clone(&self.stopping);
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.handles.push(thread.spawn(move || {
            let _fatal = Fatal;
            let start = now();
            while !stopping.load(Ordering::Acquire) {
                let since = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                match step(&store, since) {
                    Step::Worked => wake_others(&store),
                    Step::Blocked(need) => {
                        wake(&store, need);
                        bell(&store.inner.bells).wait(PATROL);
                    }
                    Step::Idle => bell(&store.inner.bells).wait(PATROL),
                }
            }
        })?);
        Ok(())
    }

    /// Gets everything done and synced that was submitted, then ends the threads. `false` when
    /// the disk did not manage that.
    #[must_use]
    pub fn stop(mut self) -> bool {
        let last = Arc::new(LastFlush::default());
        self.store.wake();
        let flush = LastFlush::commit(&last, Priority::NORMAL);
        self.store.submit_last(flush);
        self.store.inner.bells.writer.ring();
        let flushed = last.wait();
        self.end();
        // Whoever the disk kept waiting for longer than that hears that it is too late.
        self.store.inner.shared.abandon();
        flushed
    }

    fn end(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let bells = &self.store.inner.bells;
        let all = [&bells.writer, &bells.syncer, &bells.upkeep, &bells.scrub];
        all.into_iter().for_each(Bell::ring);
        for handle in self.handles.drain(..) {
            // A worker that panicked has said so on stderr already.
            let _panicked = handle.join();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

/// A worker that panics takes the process with it: nobody would be told of what it had taken, and
/// what it left half done cannot be trusted. Opening again starts from what is on the disk.
struct Fatal;

impl Drop for Fatal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn wake_others(store: &Store) {
    let shared = &store.inner.shared;
    let wanted = shared.moves.is_waiting() || shared.progress().freeze_wanted;
    if wanted || shared.queue.waiting().0 > 0 {
        store.inner.bells.writer.ring();
    }
    store.ring_workers();
}

fn wake(store: &Store, need: Need) {
    match need {
        Need::Sync => store.inner.bells.syncer.ring(),
        Need::Zone | Need::Flush => store.inner.bells.upkeep.ring(),
        Need::Disk => store.inner.bells.writer.ring(),
        Need::Time => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "threads run on the host's clock; steps get `now`"
)]
fn now() -> Instant {
    Instant::now()
}

/// Whoever stops waits for the last flush with this.
#[derive(Debug, Default)]
struct LastFlush {
    outcome: Mutex<Option<Result<(), CommitError>>>,
    done: Condvar,
}

impl Completion for LastFlush {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.done.notify_all();
    }
}

impl LastFlush {
    /// The flush that it waits for.
    fn commit(last: &Arc<Self>, priority: Priority) -> Commit {
        let completion: Arc<dyn Completion> = Arc::<Self>::clone(last);
        Commit {
            mutations: Vec::new(),
            durability: Durability::Flush,
            priority,
            token: 0,
            completion,
        }
    }

    fn wait(&self) -> bool {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .done
            .wait_timeout_while(outcome, STOP, |outcome| outcome.is_none());
        let (outcome, _) = waited.unwrap_or_else(PoisonError::into_inner);
        matches!(*outcome, Some(Ok(())))
    }
}
