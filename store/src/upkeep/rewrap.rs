//! Protecting the data key in another way: a new wrapped key in both superblock slots.
//!
//! Guarantee: who asked is told of success when both slots hold the new wrapped key, each synced;
//! of a failure when the old one is on its way back. A power cut leaves old or new.
//! Not here: the steps (`ledger`), and when it is the turn of a request (`worker`).

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::ledger::Ledger;
use crate::engine::salt::SaltSource;
use crate::layout::wrapped_key::WrappedKey;
use crate::seal::wrap::{Owner, wrap};
use crate::seal::{DataKey, Protection};

/// Whoever waits looks by itself this often.
const PATROL: Duration = Duration::from_millis(20);

/// Why the data key is not protected in the new way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtectError {
    /// The disk did not take it; the old protection is written back as soon as it does.
    #[error(
        "the disk did not take the new protection ({0}); make room on the host, then try again"
    )]
    Disk(io::ErrorKind),
    /// A sync failed: nobody knows whether old or new protection is on the disk.
    #[error(
        "the drive is read-only since its disk failed to sync; copy the data off and replace it"
    )]
    ReadOnly,
}

/// A request, and what came of it.
#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Wanted(Protection),
    UnderWay,
    Done(Result<(), ProtectError>),
}

/// Between whoever asks and the worker.
#[derive(Debug, Default)]
pub struct Desk {
    turn: Mutex<()>,
    state: Mutex<State>,
    done: Condvar,
}

impl Desk {
    /// Asks, and waits for the outcome. `help` is called again and again: it does the work where
    /// the worker is not at it.
    pub fn ask(&self, protection: Protection, help: impl Fn()) -> Result<(), ProtectError> {
        let _one_at_a_time = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *self.state() = State::Wanted(protection);
        loop {
            help();
            let mut state = self.state();
            if let State::Done(outcome) = *state {
                *state = State::Idle;
                return outcome;
            }
            drop(self.done.wait_timeout(state, PATROL));
        }
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(*self.state(), State::Wanted(_) | State::UnderWay)
    }

    fn take(&self) -> Option<Protection> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::UnderWay) {
            State::Wanted(protection) => Some(protection),
            other => {
                *state = other;
                None
            }
        }
    }

    fn tell(&self, outcome: Result<(), ProtectError>) {
        let mut state = self.state();
        if matches!(*state, State::Wanted(_) | State::UnderWay) {
            *state = State::Done(outcome);
            self.done.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's side of it, with the data key.
#[derive(Debug)]
pub struct Rewrap {
    key: DataKey,
    desk: Arc<Desk>,
    /// What the superblocks held before the change under way.
    old: Option<WrappedKey>,
}

impl Rewrap {
    /// With the key of the drive.
    #[must_use]
    pub fn new(key: DataKey) -> Self {
        let desk = Arc::default();
        Self {
            key,
            desk,
            old: None,
        }
    }

    /// Where to ask.
    #[must_use]
    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Begins what was asked for, if something was. No change may be under way.
    pub(super) fn begin(&mut self, ledger: &mut Ledger, salts: &mut SaltSource) -> bool {
        let Some(protection) = self.desk.take() else {
            return false;
        };
        let owner = Owner {
            uuid: ledger.superblock.uuid,
            seal: ledger.superblock.seal,
        };
        let wrapped = wrap(&self.key, &protection, &owner, salts.nonce());
        self.old = Some(ledger.superblock.wrapped);
        ledger.rewrap(wrapped);
        true
    }

    /// The change is durable.
    pub(super) fn done(&mut self) {
        if self.old.take().is_some() {
            self.desk.tell(Ok(()));
        }
    }

    /// Nothing can be changed at the moment: the old key comes back where the new one was begun.
    pub(super) fn fail(&mut self, ledger: &mut Ledger, (read_only, kind): (bool, io::ErrorKind)) {
        if read_only {
            return self.give_up();
        }
        if let Some(old) = self.old.take() {
            ledger.rewrap(old);
        }
        self.desk.tell(Err(ProtectError::Disk(kind)));
    }

    /// Nothing can be changed any more.
    pub(super) fn give_up(&mut self) {
        self.old = None;
        self.desk.tell(Err(ProtectError::ReadOnly));
    }
}
