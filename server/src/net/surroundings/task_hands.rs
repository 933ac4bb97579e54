//! The work of stores done by tasks: no thread, and tokio's clock.
//!
//! Guarantee: a store is stepped when it is rung or when what it waits for is due, on the runtime
//! on which it was taken on. With [`Labour::Here`](super::Labour::Here) beside it, a drive is all
//! tasks of one runtime. A step may wait for the disk where it is: for disks that never make
//! anybody wait.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kinetic_store::{AtWork, Hand, Hands, Listener, Pace, Store};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

/// Hands that are tasks of a runtime.
#[derive(Debug, Clone)]
pub struct TaskHands {
    runtime: Handle,
    origin: Instant,
}

impl TaskHands {
    /// On the runtime of now, whose clock starts at 0 for its stores.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn here() -> Self {
        Self {
            runtime: Handle::current(),
            origin: Instant::now(),
        }
    }
}

impl Hands for TaskHands {
    fn take_on(&self, store: &Store) -> io::Result<Box<dyn AtWork>> {
        let rung = Arc::<Notify>::default();
        let bell = Arc::clone(&rung);
        let listener: Listener = Arc::new(move || bell.notify_one());
        let shift = Arc::new(Shift {
            hand: Mutex::new(Some(store.by_hand(&listener))),
            origin: self.origin,
        });
        let task = self.runtime.spawn(work(Arc::clone(&shift), rung));
        Ok(Box::new(OneStore { shift, task }))
    }
}

#[derive(Debug)]
struct Shift {
    /// Taken by whoever stops the store.
    hand: Mutex<Option<Hand>>,
    origin: Instant,
}

impl Shift {
    fn now_us(&self) -> u64 {
        let passed = Instant::now().saturating_duration_since(self.origin);
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }

    fn step(&self) -> Option<Pace> {
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        Some(hand.as_mut()?.step(self.now_us()))
    }
}

async fn work(shift: Arc<Shift>, rung: Arc<Notify>) {
    while let Some(pace) = shift.step() {
        match pace {
            Pace::Now => yield_now().await,
            Pace::At(due_us) => {
                tokio::select! {
                    biased;
                    () = rung.notified() => {}
                    () = sleep_until(shift.origin + Duration::from_micros(due_us)) => {}
                }
            }
        }
    }
}

#[derive(Debug)]
struct OneStore {
    shift: Arc<Shift>,
    task: JoinHandle<()>,
}

impl AtWork for OneStore {
    fn stop(self: Box<Self>) -> bool {
        let hand = self
            .shift
            .hand
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        hand.is_some_and(|hand| hand.stop(self.shift.now_us()))
    }
}

impl Drop for OneStore {
    fn drop(&mut self) {
        self.task.abort();
        let hand = self.shift.hand.lock();
        drop(hand.unwrap_or_else(PoisonError::into_inner).take());
    }
}
