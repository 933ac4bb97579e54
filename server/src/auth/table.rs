//! The identities that are in force.
//!
//! Guarantees: a list is replaced whole, and every change has a new generation, so that whoever
//! keeps an identity knows when to look again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::identity::{FACTORY_IDENTITY, FACTORY_KEY, Identity, Permission};
use crate::device::Settings;
use crate::device::opaque::Opaque;
use crate::device::settings::{IdentityRecord, ScopeRecord};

/// Identities by number.
#[derive(Debug)]
pub struct IdentityTable {
    identities: RwLock<BTreeMap<i64, Identity>>,
    generation: AtomicU64,
}

impl IdentityTable {
    /// These identities; of two with the same number the later one counts.
    #[must_use]
    pub fn new(identities: impl IntoIterator<Item = Identity>) -> Self {
        let identities = identities.into_iter().map(|one| (one.number, one));
        Self {
            identities: RwLock::new(identities.collect()),
            generation: AtomicU64::new(0),
        }
    }

    /// The identities of these settings; the factory's where none were set.
    #[must_use]
    pub fn of(settings: &Settings, factory_key: &[u8]) -> Self {
        Self::new(listed(settings, factory_key))
    }

    /// Puts the identities of these settings in force.
    pub fn follow(&self, settings: &Settings, factory_key: &[u8]) {
        self.replace(listed(settings, factory_key));
    }

    /// Which list is in force.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A copy of an identity, for a connection to keep while the generation stays.
    pub fn find(&self, number: i64) -> Option<Identity> {
        let identities = self
            .identities
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        identities.get(&number).cloned()
    }

    /// Puts another list in force.
    pub fn replace(&self, list: impl IntoIterator<Item = Identity>) {
        let list = list.into_iter().map(|one| (one.number, one)).collect();
        let mut identities = self
            .identities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *identities = list;
        self.generation.fetch_add(1, Ordering::Release);
    }
}

fn listed(settings: &Settings, factory_key: &[u8]) -> Vec<Identity> {
    match &settings.identities {
        None => vec![Identity::factory(factory_key)],
        Some(records) => records.iter().map(Identity::of_record).collect(),
    }
}

/// The identity of a drive that nobody has configured, as the settings would keep it.
#[must_use]
pub fn factory_record(factory_key: &[u8]) -> IdentityRecord {
    IdentityRecord {
        identity: FACTORY_IDENTITY,
        key: Opaque(factory_key.to_vec()),
        scopes: vec![ScopeRecord {
            offset: 0,
            value: Opaque::default(),
            permissions: Permission::ALL.map(Permission::to_wire).to_vec(),
            tls_required: false,
        }],
        max_priority: None,
    }
}

/// The identities of these settings that sign with the key that everybody knows.
#[must_use]
pub fn with_known_key(settings: &Settings, factory_key: &[u8]) -> Vec<i64> {
    match &settings.identities {
        None if factory_key == FACTORY_KEY => vec![FACTORY_IDENTITY],
        None => Vec::new(),
        Some(records) => records
            .iter()
            .filter(|record| record.key.0 == FACTORY_KEY)
            .map(|record| record.identity)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_list_has_a_new_generation() {
        let table = IdentityTable::new([Identity::factory(b"one")]);
        let before = table.generation();
        assert!(table.find(1).is_some());
        table.replace([]);
        assert!(table.find(1).is_none());
        assert_ne!(table.generation(), before);
    }

    #[test]
    fn settings_without_a_list_have_the_factory_identity_with_the_key_that_was_configured() {
        let mut settings = Settings::default();
        let table = IdentityTable::of(&settings, b"own");
        let signed = table.find(1).unwrap().key.sign(b"command");
        assert_eq!(
            signed,
            kinetic_proto::SigningKey::new(b"own").sign(b"command")
        );
        assert_eq!(with_known_key(&settings, FACTORY_KEY), [1]);
        assert!(with_known_key(&settings, b"own").is_empty());
        let factory = Identity::of_record(&factory_record(b"own"));
        assert_eq!(factory.scopes, Identity::factory(b"own").scopes);
        settings.identities = Some(vec![IdentityRecord {
            identity: 5,
            ..factory_record(FACTORY_KEY)
        }]);
        table.follow(&settings, b"own");
        assert!(table.find(1).is_none() && table.find(5).is_some());
        assert_eq!(with_known_key(&settings, b"own"), [5]);
    }
}
