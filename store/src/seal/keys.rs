//! Which key what lies in a zone is sealed with.
//!
//! Guarantee: a zone is sealed with the key of the boot that allocated it; every boot, of every
//! copy of an image, has a key of its own, since its salt is random.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::cipher::Cipher;
use super::key::DataKey;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::ZoneId;
use crate::layout::superblock::Seal;

/// A life of a zone, and its key.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// The life.
    pub stamp: ZoneStamp,
    /// The key.
    pub cipher: Arc<Cipher>,
}

/// The keys of a drive.
#[derive(Debug, Default)]
pub struct Keys {
    /// None where nothing is sealed.
    key: Option<DataKey>,
    plain: Life,
    boots: Mutex<BTreeMap<[u8; 16], Arc<Cipher>>>,
    zones: RwLock<BTreeMap<ZoneId, Life>>,
}

impl Keys {
    /// The keys of a drive that is sealed in this way.
    #[must_use]
    pub fn new(seal: Seal, key: &DataKey) -> Self {
        Self {
            key: (seal == Seal::Sealed).then(|| key.clone()),
            ..Self::default()
        }
    }

    /// The key of the boot with this salt.
    #[must_use]
    pub fn of_boot(&self, salt: &[u8; 16]) -> Arc<Cipher> {
        let Some(key) = &self.key else {
            return Arc::clone(&self.plain.cipher);
        };
        let mut boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        let cipher = boots
            .entry(*salt)
            .or_insert_with(|| Arc::new(Cipher::of_boot(key, salt)));
        Arc::clone(cipher)
    }

    /// From now on the zone is in this life, allocated by the boot with this salt. No read may
    /// still look into its life before.
    pub fn enter(&self, stamp: ZoneStamp, salt: &[u8; 16]) {
        if self.key.is_none() {
            return;
        }
        let cipher = self.of_boot(salt);
        let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
        zones.insert(stamp.zone, Life { stamp, cipher });
    }

    /// The present life of a zone in use. Without a seal it does not matter which one it is.
    #[must_use]
    pub fn at(&self, zone: ZoneId) -> Option<Life> {
        if self.key.is_none() {
            return Some(self.plain.clone());
        }
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        zones.get(&zone).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn each_boot_has_a_key_of_its_own_and_a_zone_that_of_its_boot() {
        let key = DataKey::new(Zeroizing::new([1; 32]));
        let keys = Keys::new(Seal::Sealed, &key);
        let stamp = ZoneStamp {
            zone: ZoneId(5),
            epoch: 8,
            ..ZoneStamp::default()
        };
        assert!(keys.at(ZoneId(5)).is_none());
        keys.enter(stamp, &[1; 16]);
        let life = keys.at(ZoneId(5)).unwrap();
        assert_eq!(life.stamp, stamp);
        assert!(Arc::ptr_eq(&life.cipher, &keys.of_boot(&[1; 16])));
        assert!(!Arc::ptr_eq(&life.cipher, &keys.of_boot(&[2; 16])));
        let plain = Keys::new(Seal::Plain, &key);
        assert_eq!(plain.at(ZoneId(5)).unwrap().cipher.seal(), Seal::Plain);
    }
}
