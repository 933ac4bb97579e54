//! Settings, the lock PIN and erasing, beside whatever else the drive does.
//!
//! Guarantee: after each start, settings and PIN are what was acknowledged last, or what was being
//! written when the machine stopped or the disk failed, and nothing of longer settings is left
//! behind them; an erased drive shows nothing.

use kinetic_store::disk::Disk as _;
use kinetic_store::layout::settings::{Place, WIDTH};
use kinetic_store::layout::superblock::Slot;
use kinetic_store::open::slots;
use kinetic_store::{
    EraseOptions, Kdf, Kept, OpenError, PinKey, Protection, Store, erase, read_settings,
};

use super::state::{Machine, Secrets};
use crate::history::atlas::Phase;
use crate::history::model::{Loss, Model};
use crate::history::plan::pick;
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};
use crate::history::watch::WatchedDisk;

/// Longest settings that are written; the zones of histories have little room for them.
const LONGEST: u64 = 9000;
static ZEROS: [u8; 4096] = [0; 4096];

fn pin(number: u8) -> PinKey {
    PinKey::new([number; 32])
}

impl Machine {
    /// Writes other settings, or sets or clears the lock PIN.
    pub(in crate::history) fn change_secrets(&mut self) -> Result<(), Broken> {
        let store = self.store()?;
        self.report.operations += 1;
        self.watched.enter(Phase::Secrets);
        let outcome = self.change_one(&store);
        self.watched.enter(Phase::Serve);
        outcome
    }

    fn change_one(&mut self, store: &Store) -> Result<(), Broken> {
        let number = u8::try_from(self.rng.below(250)).unwrap_or_default();
        let done = if self.rng.chance(1, 2) {
            // They grow and shrink by far and by little: lists of one identity and of many.
            let longest = pick(&mut self.rng, &[200, 5000, LONGEST], LONGEST);
            let length = usize::try_from(self.rng.below(longest)).unwrap_or_default();
            let settings = vec![number; length];
            let written = store.write_settings(&settings);
            self.secrets.settings.push(settings);
            // Nobody is told of anything once the machine has stopped.
            let told = matches!(written, Ok(Kept::Twice)) && !self.is_stopped();
            keep_last(&mut self.secrets.settings, told);
            written.map(drop).map_err(|error| error.to_string())
        } else {
            let (wanted, protection) = match number % 3 {
                0 => (None, Protection::Open),
                _ => {
                    let salt = [number; 16];
                    let kdf = Kdf { salt, rounds: 1 };
                    (Some(number), Protection::Pin(pin(number), kdf))
                }
            };
            let protected = store.protect(protection);
            self.secrets.pins.push(wanted);
            // Nobody is told of anything once the machine has stopped.
            let told = protected.is_ok() && !self.is_stopped();
            keep_last(&mut self.secrets.pins, told);
            protected.map_err(|error| error.to_string())
        };
        let failed = self.watched.sync_failed() || self.watched.write_failed();
        match done {
            // The second slot may not have been written.
            Ok(()) if failed || self.is_stopped() => Ok(()),
            Ok(()) => self.check_slots(),
            Err(_) if failed || self.is_stopped() || self.is_damaged() => Ok(()),
            Err(error) => Broken::found(Promise::Answers, format!("secrets: {error}")),
        }
    }

    /// Erases the drive, which is not open; the erase may be cut short.
    pub(super) fn erase(&mut self) {
        let before = drive(&self.watched);
        self.watched.enter(Phase::Erase);
        self.watched.forget();
        let options = EraseOptions {
            entropy: self.entropy(),
            settings: Vec::new(),
        };
        let done = erase(&*self.watched, &options);
        if !self.is_stopped() {
            // Whoever opens it is another process.
            self.watched.start();
        }
        self.secrets.erased = before;
        self.mark(if done.is_ok() {
            Mark::Erased
        } else {
            Mark::StoppedInErase
        });
        if done.is_ok() {
            self.forget();
        }
    }

    /// Opens the drive with the PIN that fits.
    pub(super) fn unlock(
        &mut self,
        mut open: impl FnMut(&mut Self, Option<&PinKey>) -> Result<Store, OpenError>,
    ) -> Result<Store, OpenError> {
        let mut pins = self.secrets.pins.clone();
        // An erase that nobody acknowledged took the PIN away, too.
        pins.extend(self.secrets.erased.map(|_| None));
        let mut refused = OpenError::Locked;
        for number in pins {
            match open(self, number.map(pin).as_ref()) {
                Ok(store) => {
                    self.secrets.pins = vec![number];
                    return Ok(store);
                }
                Err(error @ (OpenError::Locked | OpenError::WrongPin)) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// The drive is open: are settings what they may be, and did an erase come through?
    pub(super) fn check_secrets(&mut self) -> Result<(), Broken> {
        if let Some(before) = self.secrets.erased.take()
            && drive(&self.watched).is_some_and(|drive| drive != before)
        {
            self.forget();
        }
        let Ok(found) = read_settings(&*self.watched) else {
            let excused = self.is_stopped() || self.is_damaged();
            return if excused {
                Ok(())
            } else {
                Broken::found(Promise::Contents, "settings cannot be read")
            };
        };
        if !self.secrets.settings.contains(&found) && self.loss < Loss::Rotten {
            let length = found.len();
            let detail = format!("settings of {length} bytes that nobody wrote last");
            return Broken::found(Promise::Contents, detail);
        }
        self.secrets.settings = vec![found];
        // A slot that the disk does not take is written by the next start.
        if self.watched.write_failed() {
            return Ok(());
        }
        self.check_slots()
    }

    /// Behind the settings in force both slots are zeros.
    fn check_slots(&self) -> Result<(), Broken> {
        let disk = &*self.watched;
        let both = (slots::choose(disk), read_settings(disk));
        let (Ok(superblock), Ok(settings), false) = (both.0, both.1, self.is_damaged()) else {
            return Ok(());
        };
        for slot in [Slot::First, Slot::Second] {
            let Place { position, length } = Place::of(slot, &superblock.geometry);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            if disk.read_at(position, &mut bytes).is_err() {
                continue;
            }
            let rest = bytes.get(WIDTH + settings.len()..).unwrap_or_default();
            if rest
                .chunks(ZEROS.len())
                .any(|part| !ZEROS.starts_with(part))
            {
                let detail = format!("something is left behind settings, in slot {slot:?}");
                return Broken::found(Promise::Contents, detail);
            }
        }
        Ok(())
    }

    /// Nothing that was stored may be shown again.
    fn forget(&mut self) {
        self.model = Model::default();
        self.secrets = Secrets::default();
    }
}

/// What was acknowledged is all that may be there.
fn keep_last<T>(possible: &mut Vec<T>, acknowledged: bool) {
    if acknowledged {
        possible.drain(..possible.len().saturating_sub(1));
    }
}

fn drive(disk: &WatchedDisk) -> Option<u64> {
    // Some reads may fail once.
    let superblock = (0..4).find_map(|_| slots::choose(disk).ok());
    superblock.map(|superblock| superblock.drive)
}
