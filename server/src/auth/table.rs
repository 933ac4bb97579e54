//! The identities that are in force.
//!
//! Guarantees: a list is replaced whole, and every change has a new generation, so that whoever
//! keeps an identity knows when to look again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::identity::Identity;

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
}
