//! The one owner of a drive's disk: it opens the store and stops it, and changes the settings.
//!
//! Guarantees: whoever has got the store by [`Medium::store`] may use it to the end of what it is
//! at; it is stopped only when nobody uses it any more, so that everything submitted is done and
//! told of first. Each opening has an epoch of its own: what was known of an earlier one (tickets,
//! open batches) means nothing in it. Settings are in force only once a copy of them is durable; a
//! change of which none is changes nothing.
//! Not here: when that happens, and who may ask for it (`ops`).

use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use kinetic_store::disk::Disk;
use kinetic_store::{
    AtWork, EraseOptions, FormatError, Hands, Kept, OpenError, Options, OwnThreads, PinKey, Seal,
    SettingsError, SlotsError, Store,
};

use crate::device::settings::{BadSettings, Settings};
use crate::entropy::{Entropy, NoRandomness};
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
    /// The settings cannot be read.
    #[error(transparent)]
    Unreadable(#[from] SettingsError),
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// Every opening needs random bytes.
    #[error(transparent)]
    Entropy(#[from] NoRandomness),
    /// An erase that was cut short cannot be finished.
    #[error("the erase that was begun cannot be finished: {0}")]
    Erase(#[from] FormatError),
    /// The host gave no threads.
    #[error("the threads of the store cannot be started: {0}")]
    Threads(io::Error),
}

/// Why the settings are as they were.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged<R> {
    /// Whoever edits them does not want it.
    #[error("{0}")]
    Refused(R),
    /// They could not be put into words.
    #[error(transparent)]
    Encode(#[from] BadSettings),
    /// They could not be written.
    #[error(transparent)]
    Write(#[from] SettingsError),
}

/// What whoever opens a drive may give it, beside the disk.
#[derive(Debug, Clone)]
pub struct Means {
    /// Who does the work of the store, each time that it is open.
    pub hands: Arc<dyn Hands>,
    /// Where keys and salts come from.
    pub entropy: Entropy,
}

impl Default for Means {
    /// Threads of its own, and the host's random bytes.
    fn default() -> Self {
        Self {
            hands: Arc::new(OwnThreads),
            entropy: Entropy::default(),
        }
    }
}

/// The disk of a drive, and the store on it while that is open.
pub struct Medium {
    means: Means,
    uuid: [u8; 16],
    zone_size: u32,
    seal: Seal,
    open: ArcSwapOption<Opening>,
    settings: ArcSwap<Settings>,
    /// As in the settings, for it is looked at in every request.
    cluster_version: AtomicI64,
    state: Mutex<State>,
}

/// What the owner needs to open and to stop. Whoever changes anything holds it to the end.
pub(super) struct State {
    pub(super) disk: Arc<dyn Disk>,
    options: Options,
    epochs: u64,
    running: Option<Running>,
    /// An earlier opening that somebody still used when it was closed.
    lingering: Option<Receiver<()>>,
}

/// What runs while the store is open.
struct Running {
    work: Box<dyn AtWork>,
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
    /// Opens the drive on a disk and starts its threads; a drive that was locked stays locked.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Self, MediumError> {
        Self::open_by(disk, options, Means::default())
    }

    /// The same, by these means.
    pub fn open_by(
        disk: Arc<dyn Disk>,
        options: Options,
        means: Means,
    ) -> Result<Self, MediumError> {
        let superblock = kinetic_store::open::slots::choose(&*disk)?;
        let settings = Settings::decode(&kinetic_store::read_settings(&*disk)?)?;
        let locked = settings.locked || kinetic_store::kdf_of(&*disk)?.is_some();
        let medium = Self {
            means,
            uuid: superblock.uuid,
            zone_size: superblock.geometry.zone_size,
            seal: superblock.seal,
            open: ArcSwapOption::empty(),
            cluster_version: AtomicI64::new(settings.cluster_version),
            settings: ArcSwap::from_pointee(settings),
            state: Mutex::new(State {
                disk,
                options,
                epochs: 0,
                running: None,
                lingering: None,
            }),
        };
        if !locked {
            medium.serve(&mut medium.lock_state(), None, &|_settings| {})?;
        }
        Ok(medium)
    }

    /// Identity of the drive, drawn when it was formatted.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// Whether what it stores is encrypted, as was decided when it was formatted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.seal == Seal::Sealed
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

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The cluster version in force.
    #[must_use]
    pub fn cluster_version(&self) -> i64 {
        self.cluster_version.load(Ordering::Acquire)
    }

    /// Changes the settings: durably first, in one copy at least, then in force. Waits for disk.
    pub fn change<R>(
        &self,
        edit: impl FnOnce(&mut Settings) -> Result<(), R>,
    ) -> Result<Kept, Unchanged<R>> {
        self.change_with(&self.lock_state(), edit)
    }

    pub(super) fn change_with<R>(
        &self,
        state: &State,
        edit: impl FnOnce(&mut Settings) -> Result<(), R>,
    ) -> Result<Kept, Unchanged<R>> {
        let mut settings = Settings::clone(&self.settings.load());
        edit(&mut settings).map_err(Unchanged::Refused)?;
        let bytes = settings.encode()?;
        let kept = match self.store() {
            Some(store) => store.write_settings(&bytes)?,
            None => kinetic_store::write_settings(&*state.disk, &bytes)?,
        };
        if let Kept::Once(error) = &kept {
            tracing::error!(%error, "settings are in force of which only one copy is on the disk");
        }
        self.put_in_force(settings);
        Ok(kept)
    }

    /// Lets the store go as a crash would: nothing more is done, and nobody is told.
    pub fn let_go(&self) {
        let mut state = self.lock_state();
        drop(self.open.swap(None));
        drop(state.running.take());
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.means.entropy
    }

    /// Gets everything done and synced that was submitted, then lets the store go. `false` when
    /// the disk did not manage that. Waits for the disk.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.close(&mut self.lock_state()) == Closed::Clean
    }

    pub(super) fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put_in_force(&self, settings: Settings) {
        let version = settings.cluster_version;
        self.settings.store(Arc::new(settings));
        self.cluster_version.store(version, Ordering::Release);
    }

    /// Opens the store for all to use.
    pub(super) fn serve(
        &self,
        state: &mut State,
        pin: Option<&PinKey>,
        follow: &dyn Fn(&Settings),
    ) -> Result<(), MediumError> {
        let entropy = self.entropy();
        finish_erase(&*state.disk, entropy)?;
        let disk = Arc::clone(&state.disk);
        let store = Store::open(disk, state.options.clone(), entropy.random()?, pin)?;
        // An erase may have been finished, of which the settings are a part.
        let settings = Settings::decode(&kinetic_store::read_settings(&*state.disk)?)?;
        let work = self.means.hands.take_on(&store);
        let work = work.map_err(MediumError::Threads)?;
        if settings.locked {
            let mut unlocked = settings;
            unlocked.locked = false;
            if let Kept::Once(error) = store.write_settings(&unlocked.encode()?)? {
                tracing::error!(%error, "only one copy on the disk says that it is unlocked");
            }
            self.put_in_force(unlocked);
        } else {
            self.put_in_force(settings);
        }
        follow(&self.settings());
        let (in_use, unused) = bounded(1);
        state.epochs += 1;
        state.running = Some(Running { work, unused });
        self.open.store(Some(Arc::new(Opening {
            store,
            epoch: state.epochs,
            _in_use: in_use,
        })));
        Ok(())
    }

    /// Takes the store from all, waits for those who use it, then stops it.
    pub(super) fn close(&self, state: &mut State) -> Closed {
        drop(self.open.swap(None));
        let flushed = match state.running.take() {
            Some(Running { work, unused }) => {
                // Nobody ever sends: it ends with the last user.
                let patience = Duration::from_secs(LAST_USE_SECONDS);
                if unused.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    state.lingering = Some(unused);
                }
                work.stop()
            }
            None => true,
        };
        let ended =
            |lingering: &mut Receiver<()>| lingering.try_recv() == Err(TryRecvError::Disconnected);
        state.lingering.take_if(ended);
        if state.lingering.is_some() {
            tracing::error!("the store was stopped while it was in use");
            Closed::InUse
        } else if flushed {
            Closed::Clean
        } else {
            Closed::NotFlushed
        }
    }
}

/// How the store was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nobody has it, and everything is on the disk.
    Clean,
    /// Nobody has it, and its last writes may be lost.
    NotFlushed,
    /// Somebody who waits for the disk still has it.
    InUse,
}

/// Finishes an erase that was cut short, keeping what an erase keeps.
fn finish_erase(disk: &dyn Disk, entropy: &Entropy) -> Result<(), MediumError> {
    let Some(before) = kinetic_store::settings_before_erase(disk)? else {
        return Ok(());
    };
    let erased = Settings::decode(&before).map(|settings| settings.erased());
    let options = EraseOptions {
        entropy: entropy.random()?,
        settings: erased.unwrap_or_default().encode()?,
    };
    Ok(kinetic_store::erase(disk, &options)?)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{self, IoSlice};
    use std::sync::atomic::AtomicU32;

    use kinetic_store::disk::MemoryDisk;
    use kinetic_store::{Effort, FormatOptions};

    use super::*;

    pub(in crate::device::medium) fn disk() -> Arc<dyn Disk> {
        disk_as(Seal::Sealed)
    }

    pub(in crate::device::medium) fn disk_as(seal: Seal) -> Arc<dyn Disk> {
        let disk = MemoryDisk::new(256 << 20);
        let options = FormatOptions {
            uuid: [1; 16],
            entropy: [2; 32],
            zone_size: None,
        };
        kinetic_store::format_as(&disk, &options, seal).unwrap();
        Arc::new(disk)
    }

    pub(in crate::device::medium) fn on(disk: &Arc<dyn Disk>) -> Medium {
        Medium::open(Arc::clone(disk), Options::default()).unwrap()
    }

    /// A disk that fails every sync behind so many more.
    struct Failing(Arc<dyn Disk>, AtomicU32);

    impl Disk for Failing {
        fn capacity(&self) -> u64 {
            self.0.capacity()
        }

        fn sector_size(&self) -> u32 {
            self.0.sector_size()
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.0.read_at(offset, buffer)
        }

        fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
            self.0.try_read_at(offset, buffer)
        }

        fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
            self.0.write_at(offset, parts)
        }

        fn sync(&self) -> io::Result<()> {
            let left = self.1.load(Ordering::Acquire);
            let left = left.checked_sub(1).ok_or(io::ErrorKind::Other)?;
            self.1.store(left, Ordering::Release);
            self.0.sync()
        }

        fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
            self.0.discard(offset, length)
        }
    }

    #[test]
    fn settings_of_which_there_is_one_copy_are_in_force_and_it_is_told() {
        for (syncs, in_force) in [(0, 0), (1, 7)] {
            let disk = disk();
            drop(on(&disk));
            let failing = Arc::new(Failing(Arc::clone(&disk), AtomicU32::new(u32::MAX)));
            let medium = on(&(Arc::clone(&failing) as Arc<dyn Disk>));
            assert!(medium.stop(), "so that no thread syncs");
            failing.1.store(syncs, Ordering::Release);
            let changed = medium.change(|settings| {
                settings.cluster_version = 7;
                Ok::<(), &str>(())
            });
            match changed {
                Ok(Kept::Once(_)) => assert_eq!(syncs, 1),
                Err(Unchanged::Write(_)) => assert_eq!(syncs, 0),
                other => panic!("{other:?}"),
            }
            assert_eq!(medium.cluster_version(), in_force);
            drop(medium);
            assert_eq!(on(&disk).cluster_version(), in_force);
        }
    }

    #[test]
    fn a_store_that_is_stopped_is_nobodys_any_more() {
        let medium = on(&disk());
        let epoch = medium.store().unwrap().epoch();
        assert!(medium.store().unwrap().get(b"key", Effort::Disk).is_err());
        assert!(medium.stop());
        assert!(medium.store().is_none() && !medium.is_open());
        assert!(medium.stop());
        medium
            .serve(&mut medium.lock_state(), None, &|_settings| {})
            .unwrap();
        assert!(medium.store().unwrap().epoch() > epoch);
    }

    #[test]
    fn no_two_openings_draw_the_same_salt() {
        let disk = disk();
        let medium = on(&disk);
        let salt = || {
            let superblock = kinetic_store::open::slots::choose(&*disk).unwrap();
            superblock.manifest_boot_salt
        };
        let mut salts = vec![salt()];
        for _opening in 0..3 {
            assert!(medium.stop());
            medium
                .serve(&mut medium.lock_state(), None, &|_settings| {})
                .unwrap();
            let salt = salt();
            assert!(!salts.contains(&salt), "one key would seal two boots");
            salts.push(salt);
        }
    }

    #[test]
    fn stopping_waits_for_whoever_uses_the_store() {
        let medium = on(&disk());
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

    #[test]
    fn settings_are_kept_and_what_is_refused_or_too_large_changes_nothing() {
        let disk = disk();
        let medium = on(&disk);
        let set = |version| {
            move |settings: &mut Settings| {
                settings.cluster_version = version;
                Ok::<(), &str>(())
            }
        };
        medium.change(set(7)).unwrap();
        assert_eq!(medium.cluster_version(), 7);
        let refused = medium.change(|settings| {
            settings.cluster_version = 8;
            Err("no")
        });
        assert!(matches!(refused, Err(Unchanged::Refused("no"))));
        let refused = medium.change(|settings| {
            settings.tls = Some(crate::device::settings::TlsPair {
                certificate: crate::device::opaque::Opaque(vec![0; 4 << 20]),
                key: crate::device::opaque::Opaque::default(),
            });
            Ok::<(), &str>(())
        });
        let Err(Unchanged::Write(error)) = refused else {
            panic!("{refused:?}")
        };
        assert!(matches!(error, SettingsError::TooLarge { .. }), "{error}");
        assert_eq!(
            (medium.cluster_version(), &medium.settings().tls),
            (7, &None)
        );
        drop(medium);
        let medium = on(&disk);
        assert_eq!(medium.cluster_version(), 7);
        assert!(medium.stop());
        medium.change(set(9)).unwrap();
        drop(medium);
        assert_eq!(on(&disk).cluster_version(), 9);
    }
}
