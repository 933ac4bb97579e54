//! What an open store changes outside its zones: settings, and how its data key is protected.
//!
//! Guarantee: both are durable when the call returns, and old or new after a power cut. The calls
//! wait for the disk.
//! Not here: what settings and PINs mean (`kinetic-server`).

use std::sync::{PoisonError, TryLockError};

use crate::open::settings::{Area, Kept, SettingsError};
use crate::seal::Protection;
use crate::store::Store;
use crate::upkeep::rewrap::ProtectError;

impl Store {
    /// Wraps the data key in another way, in both superblock slots; nothing is sealed anew. From
    /// then on the drive opens with the new PIN only, or without one.
    pub fn protect(&self, protection: Protection) -> Result<(), ProtectError> {
        let inner = &*self.inner;
        inner.bells.upkeep.ring();
        inner.desk.ask(protection, || {
            let mut upkeep = match inner.upkeep.try_lock() {
                Ok(upkeep) => upkeep,
                Err(TryLockError::Poisoned(poisoned)) => {
                    inner.shared.distrust();
                    poisoned.into_inner()
                }
                // The worker's thread is at it and will meet the request.
                Err(TryLockError::WouldBlock) => return,
            };
            upkeep.protect(&inner.shared);
        })
    }

    /// Replaces the settings of the drive. After an error the old ones are in force.
    pub fn write_settings(&self, settings: &[u8]) -> Result<Kept, SettingsError> {
        let inner = &*self.inner;
        let shared = &inner.shared;
        let _one_at_a_time = inner
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shared.is_read_only() {
            return Err(SettingsError::ReadOnly);
        }
        let area = Area {
            disk: &*shared.disk,
            geometry: shared.geometry,
            drive: inner.drive,
        };
        area.write(settings, &|| shared.sync())
    }
}
