//! What the store's writer will look up for a write, read before the write is queued.
//!
//! Guarantee: a connection is kept from its other requests by what is in memory at most; the rest
//! is read by the threads for that.

use std::sync::Arc;

use bytes::Bytes;
use kinetic_store::{Commit, Effort};

use super::Executor;
use crate::limits::LOOK_AHEAD_INLINE;
use crate::net::buffers::upcoming::State;
use crate::net::workers::{Job, Length, Task};

impl Executor {
    /// Keys that the store's writer will look up, from the first one on that is not in memory, or
    /// that was not looked for here: a batch has too many to keep other connections waiting.
    pub(super) fn unread(&self, commit: &Commit, epoch: Option<u64>) -> Vec<Bytes> {
        let checked = commit.mutations.iter().filter(|one| one.is_checked());
        let mut keys = checked.map(|one| one.key()).peekable();
        if keys.peek().is_none() {
            return Vec::new();
        }
        let Some(store) = self.drive.device.store_of(epoch) else {
            return Vec::new();
        };
        for _ in 0..LOOK_AHEAD_INLINE {
            let in_memory = keys.next_if(|key| store.look_ahead(key, Effort::Cached));
            if in_memory.is_none() {
                break;
            }
        }
        keys.cloned().collect()
    }

    /// Has these read. Where the readers have no room, the inbox will hear of it.
    pub(super) fn look_ahead(
        &self,
        unread: Vec<Bytes>,
        (token, epoch): (u64, Option<u64>),
    ) -> State {
        if unread.is_empty() {
            return State::Ready;
        }
        let job = Job {
            task: Task::LookAhead(unread),
            manner: self.pending.manner_of(token),
            length: Length::Short,
            claim: None,
            epoch,
            token,
            inbox: Arc::clone(&self.inbox),
        };
        match self
            .workers
            .readers
            .submit(Box::new(job))
            .map_err(|job| job.task)
        {
            Err(Task::LookAhead(unread)) => State::Unread(unread),
            Ok(()) | Err(Task::Answer(_)) => State::Reading,
        }
    }

    /// Has read what the readers had no room for, in order, until they have none again.
    pub(super) fn look_ahead_again(&mut self) {
        while let Some((unread, token, epoch)) = self.upcoming.take_unread() {
            let state = self.look_ahead(unread, (token, epoch));
            let refused = matches!(state, State::Unread(_));
            self.upcoming.set(token, state);
            if refused {
                return;
            }
        }
    }
}
