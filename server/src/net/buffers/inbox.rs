//! Where a connection hears of what others did for it: the store, the disk readers, the server.
//!
//! Guarantees: one short lock for each; whoever tells never blocks; a connection that sleeps is
//! woken once; once the connection is gone nothing is kept for it, and whoever works for it can see
//! that. Bounded, because a connection only hears of what it asked for, and that is bounded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use kinetic_store::{CommitError, Completion};

use crate::ops::Answer;

/// The token by which a connection hears that its last write is published.
pub(crate) const PUBLISHED: u64 = u64::MAX;

/// The token by which a connection hears that there is room in a queue that was full.
pub(crate) const ROOM: u64 = u64::MAX - 1;

/// Something that is done.
#[derive(Debug)]
pub(crate) enum Done {
    /// The commit with this token.
    Commit(u64, Result<(), CommitError>),
    /// The disk read with this token.
    Read(u64, Box<Answer>),
    /// What the store's writer will look up for the write with this token is read.
    LookedAhead(u64),
    /// The push with this token, with the bytes of values that it moved.
    Push(u64, Box<Answer>, u64),
    /// The change of the drive with this token.
    Change(u64, Box<Answer>),
}

/// One connection's inbox.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: Vec<Done>,
    stopping: bool,
    gone: bool,
    waker: Option<Waker>,
}

/// What woke a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Something is done.
    Done,
    /// The server stops.
    Stopping,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in and wakes the connection if it sleeps.
    pub(crate) fn put(&self, done: Done) {
        let mut state = self.lock();
        if state.gone {
            return;
        }
        state.done.push(done);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells the connection that there is room where there was none.
    pub(crate) fn put_room(&self) {
        self.put(Done::Commit(ROOM, Ok(())));
    }

    /// Tells the connection to come to an end.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection is no more: nobody hears of anything from now on.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.gone = true;
        let done = std::mem::take(&mut state.done);
        drop(state);
        drop(done);
    }

    /// Whether nobody hears of anything any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Whether the connection is to come to an end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Takes all that is done, leaving an empty vector that was used before.
    pub(crate) fn take(&self, into: &mut Vec<Done>) {
        into.clear();
        std::mem::swap(&mut self.lock().done, into);
    }

    /// Waits for news. A connection that knows of the stop waits for things to be done only.
    pub(crate) fn poll(&self, context: &mut Context<'_>, known: &Known) -> Poll<News> {
        let mut state = self.lock();
        if state.stopping && *known == Known::Running {
            return Poll::Ready(News::Stopping);
        }
        if !state.done.is_empty() {
            return Poll::Ready(News::Done);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            waker => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

/// What a connection knows of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It serves.
    Running,
    /// It stops.
    Stopping,
}

impl Completion for Inbox {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        self.put(Done::Commit(token, outcome));
    }
}

/// An inbox as the store wants it.
pub(crate) fn completion(inbox: &Arc<Inbox>) -> Arc<dyn Completion> {
    Arc::<Inbox>::clone(inbox)
}
