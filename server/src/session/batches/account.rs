//! The open batches of all connections of a drive.
//!
//! Guarantees: there are never more than the limit. Whatever ends a batch, the end of its
//! connection included, gives back its place and what it held; and those of an opening of the store
//! that has ended are emptied at once, without a word from the connections that opened them. What
//! was read for one opening is not kept in memory after it, and a crowd that says nothing takes no
//! room from the clients of the next one.
//! Not here: which ids a connection knows them by (`open`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::{Batch, Held};

/// What the batches of all connections of a drive come to.
#[derive(Debug, Default)]
pub struct Account {
    places: Mutex<Places>,
    bytes: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Places {
    /// How many were ever taken.
    taken: u64,
    open: BTreeMap<u64, Arc<Place>>,
}

/// Where a batch is, until it is ended or forgotten.
#[derive(Debug)]
struct Place {
    /// The opening of the store that it was started in.
    epoch: Option<u64>,
    batch: Mutex<Option<Batch>>,
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Option<Batch>> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's hold on a batch that it has opened. The end of it is the end of the batch.
#[derive(Debug)]
pub(super) struct Opened {
    account: Arc<Account>,
    number: u64,
    place: Arc<Place>,
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many batches are open.
    pub fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Bytes that open batches hold, and ended ones that are not answered yet.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Forgets all batches but those of this opening of the store, whichever connection has them.
    /// To be called once it is in force: a batch that is started later than that must look by
    /// itself whether its opening has ended meanwhile.
    pub fn keep_only(&self, epoch: Option<u64>) {
        let mut ended = Vec::new();
        self.lock().open.retain(|_, place| {
            let stays = place.epoch == epoch;
            if !stays {
                ended.push(Arc::clone(place));
            }
            stays
        });
        for place in ended {
            drop(place.lock().take());
        }
    }

    /// Opens a batch in this opening of the store, unless there are so many already.
    pub(super) fn enter(self: &Arc<Self>, epoch: Option<u64>, limit: u32) -> Option<Opened> {
        let batch = Mutex::new(Some(Batch::new(Held::of(&self.bytes))));
        let place = Arc::new(Place { epoch, batch });
        let mut places = self.lock();
        if places.open.len() >= limit as usize {
            return None;
        }
        places.taken += 1;
        let number = places.taken;
        places.open.insert(number, Arc::clone(&place));
        drop(places);
        Some(Opened {
            account: Arc::clone(self),
            number,
            place,
        })
    }
}

impl Opened {
    /// Whether it was not forgotten meanwhile.
    pub(super) fn is_open(&self) -> bool {
        self.place.lock().is_some()
    }

    /// Does something with the batch, unless it was forgotten meanwhile.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Batch) -> R) -> Option<R> {
        self.place.lock().as_mut().map(act)
    }

    /// The batch, which is open no more.
    pub(super) fn take(self) -> Option<Batch> {
        self.place.lock().take()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.account.lock().open.remove(&self.number);
    }
}
