//! The threads that drive an open store's workers in production: four of its own.
//!
//! Guarantee: four named threads, which end when [`Threads::stop`] is called or the value is
//! dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::by_hand::begin_stop;
use super::clock::SteadyClock;
use super::contract::{AtWork, Hands};
use super::last_flush::LastFlush;
use super::rounds::{Fatal, PATROL, Worker};
use crate::engine::commit::Priority;
use crate::engine::writer::Step;
use crate::store::Store;

/// Hands that give each store threads of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnThreads;

impl Hands for OwnThreads {
    fn take_on(&self, store: &Store) -> io::Result<Box<dyn AtWork>> {
        Ok(Box::new(store.start_threads()?))
    }
}

/// The threads of a store.
#[derive(Debug)]
pub struct Threads {
    store: Store,
    stopping: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Store {
    /// Starts the threads that do the store's work.
    pub fn start_threads(&self) -> io::Result<Threads> {
        let mut threads = Threads {
            store: self.clone(),
            stopping: Arc::new(AtomicBool::new(false)),
            handles: Vec::new(),
        };
        let clock = SteadyClock::start();
        let measured = clock;
        let measure = move || measured.now_us();
        self.inner.shared.measure_by(Box::new(measure));
        for (worker, name) in [
            (Worker::Writer, "kinetic-writer"),
            (Worker::Syncer, "kinetic-sync"),
            (Worker::Upkeep, "kinetic-upkeep"),
            (Worker::Scrub, "kinetic-scrub"),
        ] {
            threads.spawn(name, worker, clock)?;
        }
        Ok(threads)
    }

    /// Gets everything durable that was queued before, and waits for it. `false` when the disk did
    /// not manage that in 30 seconds, or takes no writes.
    #[must_use]
    pub fn settle(&self) -> bool {
        let last = Arc::new(LastFlush::default());
        let flush = LastFlush::commit(&last, Priority::HIGHEST);
        if self.submit(flush).is_err() {
            return false;
        }
        self.kick();
        if self.inner.bells.are_heard() {
            // Whoever steps the store may be this very thread, and would wait for itself.
            self.settle_here(&last);
        }
        if self.inner.bells.are_alone() {
            return last.outcome() == Some(true);
        }
        last.wait()
    }
}

impl Threads {
    fn spawn(&mut self, name: &str, worker: Worker, clock: SteadyClock) -> io::Result<()> {
        let store = self.store.clone();
        let stopping = Arc::clone(&self.stopping);
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.handles.push(thread.spawn(move || {
            let _fatal = Fatal;
            while !stopping.load(Ordering::Acquire) {
                if worker.step(&store, clock.now_us()) != Step::Worked {
                    worker.bell(&store).wait(PATROL);
                }
            }
        })?);
        Ok(())
    }

    /// Gets everything done and synced that was submitted, then ends the threads. `false` when
    /// the disk did not manage that.
    #[must_use]
    pub fn stop(mut self) -> bool {
        let flushed = begin_stop(&self.store).wait();
        self.end();
        // Whoever the disk kept waiting for longer than that hears that it is too late.
        self.store.inner.shared.abandon();
        flushed
    }

    fn end(&mut self) {
        self.stopping.store(true, Ordering::Release);
        for worker in Worker::ALL {
            worker.bell(&self.store).ring();
        }
        for handle in self.handles.drain(..) {
            // A worker that panicked has said so on stderr already.
            let _panicked = handle.join();
        }
    }
}

impl AtWork for Threads {
    fn stop(self: Box<Self>) -> bool {
        Threads::stop(*self)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}
