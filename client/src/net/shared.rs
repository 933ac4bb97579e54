//! What the handles of a connection and its task have in common.
//!
//! Guarantees: whatever is queued here holds a share of the budget of bytes, so the queue is
//! bounded; the lock is held for a push or a swap, never while waiting. Not here: the deadlines
//! of what has left the queue (`core::session`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use crate::core::{Reply, Request};
use crate::error::{Disconnected, Error};

/// Who waits for an answer, and its share of the budget.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) answer: oneshot::Sender<Result<Reply, Error>>,
    pub(super) cost: u32,
    pub(super) timeout: Duration,
}

/// A request on its way to the task.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) request: Request,
    pub(super) deadline: Duration,
    pub(super) waiter: Waiter,
}

/// Whether requests are still taken.
#[derive(Debug)]
enum State {
    Open,
    /// No handle is left.
    Abandoned,
    Over(Disconnected),
}

#[derive(Debug)]
struct Inbox {
    queued: VecDeque<Queued>,
    /// The task's, while it sleeps.
    waker: Option<Waker>,
    state: State,
}

/// What the task finds when it looks.
pub(super) enum Look {
    Requests,
    Nothing,
    Abandoned,
}

/// Between handles and task.
#[derive(Debug)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    pub(super) budget: Semaphore,
    started: Instant,
}

impl Shared {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            inbox: Mutex::new(Inbox {
                queued: VecDeque::new(),
                waker: None,
                state: State::Open,
            }),
            budget: Semaphore::new(budget),
            started: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that runs under the lock leaves it half done.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The span since the connection was made.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment of a span since the connection was made.
    pub(super) fn moment(&self, span: Duration) -> Instant {
        self.started + span
    }

    /// Queues a request and wakes the task.
    pub(super) fn push(&self, queued: Queued) -> Result<(), Disconnected> {
        let mut inbox = self.lock();
        match &inbox.state {
            State::Open => {}
            State::Abandoned => return Err(Disconnected::Closed),
            State::Over(reason) => return Err(reason.clone()),
        }
        inbox.queued.push_back(queued);
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// What there is to do; where there is nothing, `waker` is woken when that changes.
    pub(super) fn look(&self, waker: &Waker) -> Look {
        let mut inbox = self.lock();
        if !inbox.queued.is_empty() {
            return Look::Requests;
        }
        if matches!(inbox.state, State::Abandoned) {
            return Look::Abandoned;
        }
        match &mut inbox.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Look::Nothing
    }

    /// Takes all requests out, into `taken`, which is empty.
    pub(super) fn take(&self, taken: &mut VecDeque<Queued>) {
        std::mem::swap(&mut self.lock().queued, taken);
    }

    /// No handle is left: nobody waits for anything.
    pub(super) fn abandon(&self) {
        let mut inbox = self.lock();
        if matches!(inbox.state, State::Open) {
            inbox.state = State::Abandoned;
        }
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection is over: returns what was queued; later requests are refused.
    pub(super) fn end(&self, reason: Disconnected) -> VecDeque<Queued> {
        let mut inbox = self.lock();
        inbox.state = State::Over(reason);
        let queued = std::mem::take(&mut inbox.queued);
        drop(inbox);
        self.budget.close();
        queued
    }

    /// Why the connection is over, if it is.
    pub(super) fn reason(&self) -> Option<Disconnected> {
        match &self.lock().state {
            State::Open => None,
            State::Abandoned => Some(Disconnected::Closed),
            State::Over(reason) => Some(reason.clone()),
        }
    }
}
