//! Lock, unlock, erase, and the PINs that these take.
//!
//! Guarantees: while the drive is locked no key, no entry and no value is in memory; a lock PIN
//! wraps the key of the data, so that nobody opens the drive without it; nothing is changed before
//! the PIN is right; what is answered as done survives a loss of power. An absent PIN is an empty
//! one, and setting an empty one clears it.
//! Not here: who may try how often (`auth::penalties`).

use std::sync::Arc;

use kinetic_store::open::slots;
use kinetic_store::seal::wrap::{self, Owner};
use kinetic_store::{
    EraseOptions, FormatError, Kdf, Kept, PinKey, ProtectError, Protection, SettingsError,
    SlotsError,
};

use super::owner::{Closed, Medium, MediumError, State, Unchanged};
use crate::device::pin::{PinHash, SALT_SIZE};
use crate::device::settings::{BadSettings, Settings};
use crate::entropy::NoRandomness;

/// Why a drive is locked, unlocked or erased no more and no less than before, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is another PIN.
    #[error("the PIN is wrong")]
    WrongPin,
    /// That takes an unlocked drive.
    #[error("the drive is locked")]
    Locked,
    /// A lock PIN would promise what it cannot keep.
    #[error(
        "the drive is not sealed, so a lock PIN would keep nothing from whoever has the disk; \
         format a drive without --unsealed and copy the data there"
    )]
    NoSealForPin,
    /// There is no key to forget.
    #[error(
        "the drive is not sealed, so what is erased can be read from the disk until it is \
         overwritten; use an ordinary erase, and overwrite the disk"
    )]
    NoSealForErase,
    /// The superblocks cannot be read.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The drive cannot be opened.
    #[error(transparent)]
    Open(#[from] MediumError),
    /// The settings cannot be written.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The settings cannot be put into words.
    #[error(transparent)]
    Encode(#[from] BadSettings),
    /// The key of the data cannot be wrapped anew.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// There are no random bytes.
    #[error(transparent)]
    Entropy(#[from] NoRandomness),
    /// Somebody reads for longer than was waited for.
    #[error(
        "the drive takes no more requests, but a read that hangs in the disk still has its key: \
         ask again"
    )]
    InUse,
    /// The disk did not take the last writes.
    #[error("the drive is locked, but its last writes may not be on the disk: see the log")]
    NotFlushed,
    /// The disk did not take the note that the drive is locked.
    #[error("the drive is locked, but the disk cannot be written, so a restart unlocks it")]
    NotNoted,
    /// The disk failed half-way.
    #[error(
        "erasing failed half-way ({0}): the drive stays locked; erase it again, or unlock it, \
         which finishes the erase where it was begun"
    )]
    Erase(FormatError),
}

impl From<Unchanged<LockError>> for LockError {
    fn from(unchanged: Unchanged<LockError>) -> Self {
        match unchanged {
            Unchanged::Refused(error) => error,
            Unchanged::Encode(error) => error.into(),
            Unchanged::Write(error) => error.into(),
        }
    }
}

impl Medium {
    /// Takes the store from all and forgets its key. Locking a locked drive checks the PIN only.
    pub fn lock(&self, pin: &[u8]) -> Result<(), LockError> {
        let mut state = self.lock_state();
        let key = self.lock_pin_key(&state, pin)?;
        if !self.is_open() {
            return Ok(());
        }
        let mut noted = Ok(());
        if key.is_none() {
            // Without a PIN to wrap the key the lock is only as good as its note. Where that
            // cannot be written the drive is locked all the same, until it is started again.
            noted = self
                .change_with(&state, |settings| {
                    settings.locked = true;
                    Ok::<(), LockError>(())
                })
                .map(drop);
        }
        match self.close(&mut state) {
            Closed::InUse => Err(LockError::InUse),
            _ if noted.is_err() => Err(LockError::NotNoted),
            Closed::NotFlushed => Err(LockError::NotFlushed),
            Closed::Clean => Ok(()),
        }
    }

    /// Opens the store again. Unlocking an unlocked drive checks the PIN only. An erase that was
    /// cut short is finished; `follow` hears of its settings before anybody can use the new drive.
    pub fn unlock(&self, pin: &[u8], follow: &dyn Fn(&Settings)) -> Result<(), LockError> {
        let mut state = self.lock_state();
        let key = self.lock_pin_key(&state, pin)?;
        if !self.is_open() {
            self.serve(&mut state, key.as_ref(), follow)?;
        }
        Ok(())
    }

    /// Makes a new drive of it: no data, no PINs, no identities but the factory's. Its certificate
    /// stays. All that was there can be read no more once this has begun.
    /// `follow` hears of the settings before anybody can use the new drive.
    pub fn erase(&self, pin: &[u8], follow: &dyn Fn(&Settings)) -> Result<(), LockError> {
        let mut state = self.lock_state();
        let settings = self.settings();
        if !settings.erase_pin.as_ref().is_none_or(|set| set.is_of(pin)) {
            return Err(LockError::WrongPin);
        }
        let erased = settings.erased();
        let options = EraseOptions {
            entropy: self.entropy().random()?,
            settings: erased.encode()?,
        };
        match self.close(&mut state) {
            Closed::Clean => {}
            Closed::NotFlushed => tracing::warn!("the last writes before an erase were not synced"),
            // Whoever lingers still has the old key.
            Closed::InUse => return Err(LockError::InUse),
        }
        kinetic_store::erase(&*state.disk, &options).map_err(LockError::Erase)?;
        follow(&erased);
        self.serve(&mut state, None, follow)?;
        Ok(())
    }

    /// Replaces the erase PIN; an empty new one clears it. Where none is set, `old` may be any.
    pub fn set_erase_pin(&self, change: &NewPin<'_>) -> Result<Kept, LockError> {
        let hash = match change.new {
            [] => None,
            new => Some(PinHash::of(new, self.entropy().random()?, change.rounds)),
        };
        Ok(self.change(|settings| {
            let set = settings.erase_pin.as_ref();
            if !set.is_none_or(|set| set.is_of(change.old)) {
                return Err(LockError::WrongPin);
            }
            settings.erase_pin = hash;
            Ok(())
        })?)
    }

    /// Makes a new drive of it, as [`erase`](Self::erase) does, if that makes all that was there
    /// unreadable: on a drive that is not sealed it does not.
    pub fn secure_erase(&self, pin: &[u8], follow: &dyn Fn(&Settings)) -> Result<(), LockError> {
        if !self.is_sealed() {
            return Err(LockError::NoSealForErase);
        }
        self.erase(pin, follow)
    }

    /// Replaces the lock PIN, likewise. It does not lock the drive; the next start does. A drive
    /// that is not sealed takes none.
    pub fn set_lock_pin(&self, change: &NewPin<'_>) -> Result<(), LockError> {
        let state = self.lock_state();
        if !self.is_sealed() && !change.new.is_empty() {
            return Err(LockError::NoSealForPin);
        }
        self.lock_pin_key(&state, change.old)?;
        let protection = match change.new {
            [] => Protection::Open,
            new => {
                let salt = self.entropy().random::<SALT_SIZE>()?;
                let rounds = change.rounds;
                let kdf = Kdf { salt, rounds };
                Protection::Pin(kdf.key_of(new), kdf)
            }
        };
        let store = self.store().ok_or(LockError::Locked)?;
        store.protect(protection)?;
        Ok(())
    }

    /// Whether an erase takes a PIN.
    #[must_use]
    pub fn has_erase_pin(&self) -> bool {
        self.settings().erase_pin.is_some()
    }

    /// Whether locking and unlocking take a PIN. Reads the disk.
    #[must_use]
    pub fn has_lock_pin(&self) -> bool {
        let disk = Arc::clone(&self.lock_state().disk);
        matches!(kinetic_store::kdf_of(&*disk), Ok(Some(_)))
    }

    /// The key that a lock PIN comes to, if it is the right one; none where no PIN is set.
    fn lock_pin_key(&self, state: &State, pin: &[u8]) -> Result<Option<PinKey>, LockError> {
        let Some(kdf) = kinetic_store::kdf_of(&*state.disk)? else {
            return Ok(None);
        };
        let key = kdf.key_of(pin);
        let superblock = slots::choose(&*state.disk)?;
        let owner = Owner {
            uuid: superblock.uuid,
            seal: superblock.seal,
        };
        match wrap::unwrap(&superblock.wrapped, Some(&key), &owner) {
            Ok(_data_key) => Ok(Some(key)),
            Err(_wrong) => Err(LockError::WrongPin),
        }
    }
}

/// A PIN, and the one that it replaces.
#[derive(Clone, Copy)]
pub struct NewPin<'a> {
    /// What is set now.
    pub old: &'a [u8],
    /// What is to be set; empty clears it.
    pub new: &'a [u8],
    /// Rounds of PBKDF2 for it.
    pub rounds: u32,
}

#[cfg(test)]
mod tests;
