//! Lock, unlock and erase on a disk in memory, and what a restart finds.

use std::sync::{Arc, mpsc};

use kinetic_store::disk::Disk;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Durability, Effort, Expected, Mutation, Priority,
    Seal,
};

use super::*;
use crate::device::medium::owner::tests::{disk, disk_as, on};
use crate::device::opaque::Opaque;
use crate::device::settings::TlsPair;

struct Told(mpsc::SyncSender<Result<(), CommitError>>);

impl Completion for Told {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        self.0.send(outcome).unwrap();
    }
}

fn put(medium: &Medium, key: &'static [u8]) {
    let (told, outcome) = mpsc::sync_channel(1);
    let store = medium.store().unwrap();
    let put = Mutation::Put {
        key: key.into(),
        attributes: Attributes::new(b"", b"", None),
        value: b"value".as_slice().into(),
        expected: Expected::Any,
    };
    let commit = Commit {
        mutations: vec![put],
        durability: Durability::WriteBack,
        priority: Priority::NORMAL,
        token: 0,
        completion: Arc::new(Told(told)),
    };
    store.submit(commit).unwrap();
    store.kick();
    outcome.recv().unwrap().unwrap();
}

fn holds(medium: &Medium, key: &[u8]) -> bool {
    medium.store().unwrap().get(key, Effort::Disk).is_ok()
}

fn pin<'a>(old: &'a [u8], new: &'a [u8]) -> NewPin<'a> {
    let rounds = 1;
    NewPin { old, new, rounds }
}

fn is_wrong<T>(outcome: Result<T, LockError>) -> bool {
    matches!(outcome, Err(LockError::WrongPin))
}

#[test]
fn without_a_lock_pin_any_pin_locks_and_unlocks_and_a_restart_stays_locked() {
    let disk = disk();
    let medium = on(&disk);
    put(&medium, b"key");
    medium.lock(b"any").unwrap();
    assert!(!medium.is_open() && medium.store().is_none());
    medium.lock(b"again").unwrap();
    drop(medium);
    let medium = on(&disk);
    assert!(!medium.is_open());
    medium.unlock(b"other", &|_settings| {}).unwrap();
    medium.unlock(b"once more", &|_settings| {}).unwrap();
    assert!(holds(&medium, b"key"));
    drop(medium);
    assert!(on(&disk).is_open());
}

#[test]
fn with_a_lock_pin_nothing_but_it_locks_and_unlocks_and_every_start_is_locked() {
    let disk = disk();
    let medium = on(&disk);
    put(&medium, b"key");
    medium.set_lock_pin(&pin(b"ignored", b"1234")).unwrap();
    assert!(is_wrong(medium.lock(b"1235")) && medium.is_open());
    assert!(is_wrong(medium.unlock(b"1235", &|_settings| {})));
    medium.lock(b"1234").unwrap();
    assert!(is_wrong(medium.lock(b"1235")));
    assert!(is_wrong(medium.unlock(b"", &|_settings| {})) && !medium.is_open());
    medium.unlock(b"1234", &|_settings| {}).unwrap();
    assert!(holds(&medium, b"key"));
    drop(medium);
    let medium = on(&disk);
    assert!(!medium.is_open());
    assert!(is_wrong(medium.lock(b"1")));
    medium.lock(b"1234").unwrap();
    assert!(is_wrong(medium.unlock(b"1", &|_settings| {})) && !medium.is_open());
    medium.unlock(b"1234", &|_settings| {}).unwrap();
    assert!(holds(&medium, b"key"));
}

#[test]
fn a_lock_pin_is_replaced_and_cleared_by_whoever_knows_it() {
    let disk = disk();
    let medium = on(&disk);
    medium.set_lock_pin(&pin(b"", b"one")).unwrap();
    assert!(is_wrong(medium.set_lock_pin(&pin(b"", b"two"))));
    assert!(is_wrong(medium.set_lock_pin(&pin(b"two", b""))));
    medium.set_lock_pin(&pin(b"one", b"two")).unwrap();
    medium.lock(b"two").unwrap();
    let locked = medium.set_lock_pin(&pin(b"two", b""));
    assert!(matches!(locked, Err(LockError::Locked)), "{locked:?}");
    medium.unlock(b"two", &|_settings| {}).unwrap();
    medium.set_lock_pin(&pin(b"two", b"")).unwrap();
    drop(medium);
    assert!(on(&disk).is_open());
}

#[test]
fn an_erase_leaves_the_certificate_and_nothing_else() {
    let disk = disk();
    let medium = on(&disk);
    put(&medium, b"key");
    medium.set_lock_pin(&pin(b"", b"lock")).unwrap();
    medium.set_erase_pin(&pin(b"ignored", b"erase")).unwrap();
    let tls = Some(TlsPair {
        certificate: Opaque(vec![1]),
        key: Opaque(vec![2]),
    });
    medium
        .change(|settings| {
            settings.tls = tls.clone();
            settings.cluster_version = 5;
            settings.identities = Some(Vec::new());
            Ok::<(), LockError>(())
        })
        .unwrap();
    let uuid = medium.uuid();
    for wrong in [&b""[..], b"lock", b"erase "] {
        assert!(is_wrong(medium.erase(wrong, &|_| ())));
    }
    assert!(holds(&medium, b"key"));
    medium.erase(b"erase", &|_| ()).unwrap();
    for _start in 0..2 {
        let medium = on_after(&disk, &medium);
        assert!(medium.is_open() && !holds(&medium, b"key"));
        let settings = medium.settings();
        assert_eq!((&settings.tls, settings.cluster_version), (&tls, 0));
        assert!(settings.identities.is_none() && settings.erase_pin.is_none());
        assert_eq!((medium.uuid(), medium.cluster_version()), (uuid, 0));
    }
}

/// A start of the drive after another has ended.
fn on_after(disk: &Arc<dyn Disk>, before: &Medium) -> Medium {
    let _flushed = before.stop();
    on(disk)
}

#[test]
fn a_locked_drive_is_erased_and_serves_again() {
    let disk = disk();
    let medium = on(&disk);
    put(&medium, b"key");
    medium.set_lock_pin(&pin(b"", b"lock")).unwrap();
    medium.lock(b"lock").unwrap();
    medium.erase(b"", &|_| ()).unwrap();
    assert!(medium.is_open() && !holds(&medium, b"key"));
    medium.lock(b"any").unwrap();
    medium.unlock(b"any other", &|_settings| {}).unwrap();
}

#[test]
fn an_erase_pin_is_replaced_and_cleared_by_whoever_knows_it() {
    let disk = disk();
    let medium = on(&disk);
    assert!(!medium.has_erase_pin());
    medium.set_erase_pin(&pin(b"", b"one")).unwrap();
    assert!(is_wrong(medium.set_erase_pin(&pin(b"", b"two"))));
    medium.set_erase_pin(&pin(b"one", b"two")).unwrap();
    assert!(is_wrong(medium.erase(b"one", &|_| ())) && medium.has_erase_pin());
    medium.set_erase_pin(&pin(b"two", b"")).unwrap();
    medium.erase(b"any", &|_| ()).unwrap();
}

#[test]
fn a_drive_that_is_not_sealed_takes_no_lock_pin_and_no_secure_erase() {
    let disk = disk_as(Seal::Plain);
    let medium = on(&disk);
    assert!(!medium.is_sealed());
    put(&medium, b"key");
    let refused = medium.set_lock_pin(&pin(b"", b"lock")).unwrap_err();
    assert!(matches!(refused, LockError::NoSealForPin), "{refused}");
    assert!(refused.to_string().contains("--unsealed"), "{refused}");
    medium.set_lock_pin(&pin(b"", b"")).unwrap();
    assert!(!medium.has_lock_pin());
    let refused = medium.secure_erase(b"", &|_| ()).unwrap_err();
    assert!(matches!(refused, LockError::NoSealForErase), "{refused}");
    assert!(holds(&medium, b"key"));
    medium.lock(b"any").unwrap();
    medium.unlock(b"any", &|_settings| {}).unwrap();
    medium.erase(b"", &|_| ()).unwrap();
    assert!(!holds(&medium, b"key") && !medium.is_sealed());
    drop(medium);
    assert!(!on(&disk).is_sealed());
}
