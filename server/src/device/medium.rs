//! The life of the store on its disk: opened, served, stopped; one owner for all of it.
//!
//! Guarantees: whoever has got the store by [`Medium::store`] may use it to the end of what it is
//! at; it is stopped only when nobody uses it any more, so that everything submitted is done and
//! told of first. Each opening has an epoch of its own: what was known of an earlier one (tickets,
//! open batches) means nothing in it.
//! Not here: when that happens, and who may ask for it (`ops`).

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use crossbeam::channel::{Receiver, Sender, bounded};
use kinetic_store::disk::Disk;
use kinetic_store::{OpenError, Options, SlotsError, Store, Threads};

use crate::entropy::{self, NoRandomness};
use crate::limits::LAST_USE_SECONDS;

/// Why a drive cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// There is no drive on the disk.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Every opening needs random bytes.
    #[error(transparent)]
    Entropy(#[from] NoRandomness),
    /// The host gave no threads.
    #[error("the threads of the store cannot be started: {0}")]
    Threads(io::Error),
}

/// The disk of a drive, and the store on it while that is open.
pub struct Medium {
    uuid: [u8; 16],
    zone_size: u32,
    open: ArcSwapOption<Opening>,
    state: Mutex<State>,
}

/// What the owner needs to open and to stop.
struct State {
    disk: Arc<dyn Disk>,
    options: Options,
    epochs: u64,
    running: Option<Running>,
}

/// What runs while the store is open.
struct Running {
    threads: Threads,
    /// Hears of it when nobody uses the opening any more.
    unused: Receiver<()>,
}

/// One opening of the store.
struct Opening {
    store: Store,
    epoch: u64,
    /// Its end is what the owner waits for.
    _in_use: Sender<()>,
}

/// The open store. Not to be kept longer than what is done with it at once takes: whoever stops
/// the store waits for it.
pub struct Open(Guard<Option<Arc<Opening>>>);

impl Open {
    fn opening(&self) -> &Opening {
        #[expect(
            clippy::expect_used,
            reason = "`Medium::store` makes it of an opening only"
        )]
        self.0.as_deref().expect("an opening")
    }

    /// Which opening of the store it is.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.opening().epoch
    }
}

impl Deref for Open {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.opening().store
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Medium")
            .field("uuid", &self.uuid)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl Medium {
    /// Opens the drive on a disk and starts its threads.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Self, MediumError> {
        let superblock = kinetic_store::open::slots::choose(&*disk)?;
        let medium = Self {
            uuid: superblock.uuid,
            zone_size: superblock.geometry.zone_size,
            open: ArcSwapOption::empty(),
            state: Mutex::new(State {
                disk,
                options,
                epochs: 0,
                running: None,
            }),
        };
        medium.serve(&mut medium.lock())?;
        Ok(medium)
    }

    /// Identity of the drive, drawn when it was formatted.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// Bytes of keys, versions, tags and values that every commit of at most so many mutations may
    /// have, whether the store is open or not.
    #[must_use]
    pub fn commit_bytes(&self, mutations: u32) -> u64 {
        kinetic_store::limits::commit_bytes(u64::from(self.zone_size), mutations)
    }

    /// The store, if it is open.
    #[must_use]
    pub fn store(&self) -> Option<Open> {
        let opening = self.open.load();
        opening.is_some().then(|| Open(opening))
    }

    /// Whether the store is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load().is_some()
    }

    /// Gets everything done and synced that was submitted, then lets the store go. `false` when
    /// the disk did not manage that. Waits for the disk.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.close(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the store for all to use.
    fn serve(&self, state: &mut State) -> Result<(), MediumError> {
        let disk = Arc::clone(&state.disk);
        let store = Store::open(disk, state.options.clone(), entropy::random()?, None)?;
        let threads = store.start_threads().map_err(MediumError::Threads)?;
        let (in_use, unused) = bounded(1);
        state.epochs += 1;
        state.running = Some(Running { threads, unused });
        self.open.store(Some(Arc::new(Opening {
            store,
            epoch: state.epochs,
            _in_use: in_use,
        })));
        Ok(())
    }

    /// Takes the store from all, then stops it. `false` when its last writes may be lost.
    fn close(&self, state: &mut State) -> bool {
        drop(self.open.swap(None));
        let Some(Running { threads, unused }) = state.running.take() else {
            return true;
        };
        // Nobody ever sends: it ends with the last user.
        let left = unused.recv_timeout(Duration::from_secs(LAST_USE_SECONDS));
        if left == Err(crossbeam::channel::RecvTimeoutError::Timeout) {
            tracing::error!("the store was stopped while it was in use");
        }
        threads.stop()
    }
}

#[cfg(test)]
mod tests {
    use kinetic_store::disk::MemoryDisk;
    use kinetic_store::{Effort, FormatOptions};

    use super::*;

    fn medium() -> Medium {
        let disk = MemoryDisk::new(256 << 20);
        let options = FormatOptions {
            uuid: [1; 16],
            entropy: [2; 32],
            zone_size: None,
        };
        kinetic_store::format(&disk, &options).unwrap();
        Medium::open(Arc::new(disk), Options::default()).unwrap()
    }

    #[test]
    fn a_store_that_is_stopped_is_nobodys_any_more() {
        let medium = medium();
        let epoch = medium.store().unwrap().epoch();
        assert!(medium.store().unwrap().get(b"key", Effort::Disk).is_err());
        assert!(medium.stop());
        assert!(medium.store().is_none() && !medium.is_open());
        assert!(medium.stop());
        medium.serve(&mut medium.lock()).unwrap();
        assert!(medium.store().unwrap().epoch() > epoch);
    }

    #[test]
    fn stopping_waits_for_whoever_uses_the_store() {
        let medium = medium();
        let used = medium.store().unwrap();
        std::thread::scope(|scope| {
            let stopping = scope.spawn(|| medium.stop());
            while medium.is_open() {
                std::thread::yield_now();
            }
            assert!(!stopping.is_finished());
            assert!(used.get(b"key", Effort::Disk).is_err());
            drop(used);
            assert!(stopping.join().unwrap());
        });
    }
}
