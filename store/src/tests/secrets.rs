//! Protection, settings and erasing, with power cut at every call.

use std::io::{self, IoSlice};
use std::sync::PoisonError;

use super::*;
use crate::layout::settings::{Place, WIDTH};
use crate::layout::superblock::{Slot, Superblock};
use crate::open::settings::Area;
use crate::open::slots;
use crate::{
    EraseOptions, Kdf, Kept, PinKey, Protection, SettingsError, erase, kdf_of, read_settings,
    settings_before_erase, write_settings,
};

const KDF: Kdf = Kdf {
    salt: [3; 16],
    rounds: 600_000,
};

fn pin(number: u8) -> PinKey {
    PinKey::new([number; 32])
}

fn by_pin(number: u8) -> Protection {
    Protection::Pin(pin(number), KDF)
}

/// What of the unsynced writes survives a cut.
#[derive(Clone, Copy, Debug)]
enum Survives {
    Nothing,
    Everything,
    /// The first sector of each.
    Beginnings,
    /// All but the first sector of each.
    Ends,
}

const CUTS: [Survives; 4] = [
    Survives::Nothing,
    Survives::Everything,
    Survives::Beginnings,
    Survives::Ends,
];

#[derive(Debug)]
struct Power {
    calls_left: u64,
    unsynced: Vec<(u64, Vec<u8>)>,
}

/// A disk that stops after some writes and syncs.
struct Cuttable {
    cached: Arc<MemoryDisk>,
    durable: Arc<MemoryDisk>,
    power: Mutex<Power>,
}

impl Cuttable {
    fn new(image: &MemoryDisk, calls_left: u64) -> Arc<Self> {
        Arc::new(Self {
            cached: copy(image),
            durable: copy(image),
            power: Mutex::new(Power {
                calls_left,
                unsynced: Vec::new(),
            }),
        })
    }

    /// Lets it run for so many calls more.
    fn grant(&self, calls: u64) {
        self.power.lock().unwrap().calls_left = calls;
    }

    fn after(&self, survives: Survives) -> Arc<MemoryDisk> {
        let image = copy(&self.durable);
        for (offset, bytes) in &self.power.lock().unwrap().unsynced {
            let (from, to) = match survives {
                Survives::Nothing => (0, 0),
                Survives::Everything => (0, bytes.len()),
                Survives::Beginnings => (0, bytes.len().min(512)),
                Survives::Ends => (bytes.len().min(512), bytes.len()),
            };
            let parts = [IoSlice::new(&bytes[from..to])];
            image.write_at(offset + from as u64, &parts).unwrap();
        }
        image
    }

    fn call(power: &mut Power) -> io::Result<()> {
        power.calls_left = power
            .calls_left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("power is off"))?;
        Ok(())
    }
}

impl Disk for Cuttable {
    fn capacity(&self) -> u64 {
        self.cached.capacity()
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.cached.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.cached.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        // The write in which power fails may reach the disk, too.
        power.unsynced.push((offset, bytes));
        Self::call(&mut power)?;
        self.cached.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        let mut power = self.power.lock().unwrap_or_else(PoisonError::into_inner);
        Self::call(&mut power)?;
        for (offset, bytes) in power.unsynced.drain(..) {
            self.durable.write_at(offset, &[IoSlice::new(&bytes)])?;
        }
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.cached.discard(offset, length)
    }
}

fn copy(disk: &MemoryDisk) -> Arc<MemoryDisk> {
    let mut bytes = vec![0; usize::try_from(disk.capacity()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    let copy = MemoryDisk::new(disk.capacity());
    copy.write_at(0, &[IoSlice::new(&bytes)]).unwrap();
    Arc::new(copy)
}

fn open(disk: &Arc<MemoryDisk>, pin: Option<&PinKey>) -> Result<Store, OpenError> {
    let disk: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(disk);
    Store::open(disk, options(), entropy(9), pin)
}

/// A small drive with an entry and settings.
fn small() -> Drive {
    let mut drive = Drive::with_zones(100);
    drive.put(b"key", b"value").unwrap();
    drive.settle();
    drive.store.write_settings(b"old settings").unwrap();
    drive
}

fn is_there(store: &Store) -> bool {
    store.get(b"key", Effort::Disk).is_ok()
}

#[test]
fn a_protected_drive_opens_with_its_pin_only_and_needs_no_pin_once_that_is_taken_away() {
    let drive = small();
    assert_eq!(kdf_of(&*drive.disk).unwrap(), None);
    drive.store.protect(by_pin(1)).unwrap();
    assert_eq!(kdf_of(&*drive.disk).unwrap(), Some(KDF));
    assert!(is_there(&drive.store), "it goes on serving");
    let Drive { disk, store, .. } = drive;
    drop(store);
    assert!(matches!(open(&disk, None), Err(OpenError::Locked)));
    let wrong = open(&disk, Some(&pin(2)));
    assert!(matches!(wrong, Err(OpenError::WrongPin)));
    let before = copy(&disk);
    assert!(open(&before, None).is_err());
    assert_eq!(read_settings(&*disk).unwrap(), b"old settings");
    let store = open(&disk, Some(&pin(1))).unwrap();
    assert!(is_there(&store));
    store.protect(by_pin(2)).unwrap();
    assert!(matches!(
        open(&disk, Some(&pin(1))),
        Err(OpenError::WrongPin)
    ));
    store.protect(Protection::Open).unwrap();
    assert!(is_there(&open(&disk, None).unwrap()));
}

#[test]
fn both_slots_hold_the_new_protection_when_the_call_returns() {
    let drive = small();
    drive.store.protect(by_pin(1)).unwrap();
    let slots = [Slot::First, Slot::Second].map(|slot| Superblock::read(&*drive.disk, slot));
    let [first, second] = slots.map(|slot| slot.unwrap().unwrap().wrapped);
    assert_eq!(first, second);
    assert_eq!((first.kind, first.rounds), (2, 600_000));
}

#[test]
fn a_cut_in_a_change_of_protection_leaves_old_or_new() {
    let mut seen = [false; 2];
    let drive = small();
    for calls in 0..20 {
        let disk = Cuttable::new(&drive.disk, u64::MAX);
        let shared: Arc<dyn Disk> = Arc::<Cuttable>::clone(&disk);
        let store = Store::open(shared, options(), entropy(5), None).unwrap();
        store.protect(by_pin(1)).unwrap();
        disk.grant(calls);
        let done = store.protect(by_pin(2));
        assert_eq!(done.is_err(), calls < 4, "{calls} calls");
        for survives in CUTS {
            let image = disk.after(survives);
            let opened = [pin(1), pin(2)].map(|pin| open(&copy(&image), Some(&pin)));
            let works = opened.map(|store| store.is_ok_and(|store| is_there(&store)));
            assert_ne!(works[0], works[1], "{calls} calls, {survives:?}: {works:?}");
            assert!(works[1] || done.is_err(), "{calls} calls, {survives:?}");
            seen = [seen[0] | works[0], seen[1] | works[1]];
            let settled = usize::from(works[1]) + 1;
            let right = pin(u8::try_from(settled).unwrap());
            drop(open(&image, Some(&right)).unwrap());
            let slots = [Slot::First, Slot::Second].map(|slot| Superblock::read(&*image, slot));
            let [first, second] = slots.map(|slot| slot.unwrap().unwrap().wrapped);
            assert_eq!(first, second, "the lagging slot is repaired");
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn settings_are_empty_at_first_and_what_was_written_later() {
    let mut drive = Drive::with_zones(100);
    assert_eq!(read_settings(&*drive.disk).unwrap(), b"");
    for settings in [&b"first"[..], b"second", b"", &[7; 20_000]] {
        drive.store.write_settings(settings).unwrap();
        assert_eq!(read_settings(&*drive.disk).unwrap(), settings);
    }
    drive.reopen();
    assert_eq!(read_settings(&*drive.disk).unwrap(), [7; 20_000]);
    write_settings(&*drive.disk, b"while closed").unwrap();
    assert_eq!(read_settings(&*drive.disk).unwrap(), b"while closed");
}

#[test]
fn settings_that_do_not_fit_are_refused_with_both_numbers_and_change_nothing() {
    let drive = small();
    let limit = (28 << 10) - 32;
    let large = vec![1; limit + 1];
    let refused = drive.store.write_settings(&large).unwrap_err();
    let SettingsError::TooLarge { bytes, limit: most } = refused else {
        panic!("{refused}");
    };
    assert_eq!((bytes, most), (large.len() as u64, limit as u64));
    assert_eq!(read_settings(&*drive.disk).unwrap(), b"old settings");
    drive.store.write_settings(&large[1..]).unwrap();
    assert_eq!(read_settings(&*drive.disk).unwrap(), large[1..]);
    assert!(is_there(&drive.store));
}

#[test]
fn a_large_drive_has_settings_of_a_megabyte_and_a_half() {
    let disk = MemoryDisk::new(256 << 20);
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: None,
    };
    format(&disk, &options).unwrap();
    let settings = vec![6; (3 << 19) - 32];
    write_settings(&disk, &settings).unwrap();
    write_settings(&disk, &settings).unwrap();
    assert_eq!(read_settings(&disk).unwrap(), settings);
    let mut bytes = vec![0; settings.len()];
    for position in [512 << 10, 2 << 20] {
        disk.read_at(position + 32, &mut bytes).unwrap();
        assert!(bytes == settings, "slot at {position}");
    }
}

/// Whether both slots are zeros behind the settings in force.
fn is_clean(disk: &MemoryDisk) -> bool {
    let settings = read_settings(disk).unwrap();
    let superblock = Superblock::read(disk, Slot::First).unwrap().unwrap();
    [Slot::First, Slot::Second].into_iter().all(|slot| {
        let Place { position, length } = Place::of(slot, &superblock.geometry);
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        disk.read_at(position, &mut bytes).unwrap();
        let (_, rest) = bytes.split_at(WIDTH + settings.len());
        rest.iter().all(|byte| *byte == 0)
    })
}

#[test]
fn nothing_of_longer_settings_is_left_behind_shorter_ones() {
    let drive = small();
    for length in [28_000, 9000, 4064, 4065, 0, 28 * 1024 - 32, 1] {
        let settings = vec![7; length];
        drive.store.write_settings(&settings).unwrap();
        assert_eq!(read_settings(&*drive.disk).unwrap(), settings);
        assert!(is_clean(&drive.disk), "{length} bytes");
    }
}

#[test]
fn a_cut_while_longer_settings_are_replaced_leaves_one_of_both_and_opening_wipes_the_rest() {
    let drive = small();
    let (old, new) = (vec![7; 20_000], b"short".to_vec());
    drive.store.write_settings(&old).unwrap();
    let mut seen = [false; 2];
    let mut was_left = false;
    for calls in 0..8 {
        let disk = Cuttable::new(&drive.disk, calls);
        let written = write_settings(&*disk, &new);
        // Each of the two writes is one, the zeros behind it, and a sync.
        assert_eq!(written.is_err(), calls < 3, "{calls} calls");
        let is_twice = matches!(written, Ok(Kept::Twice));
        assert_eq!(is_twice, calls >= 6, "{calls} calls");
        for survives in CUTS {
            let image = disk.after(survives);
            let found = read_settings(&*image).unwrap();
            assert!(found == old || found == new, "{calls} calls, {survives:?}");
            assert!(found == new || written.is_err(), "{calls} calls");
            seen[usize::from(found == new)] = true;
            was_left |= !is_clean(&image);
            drop(open(&image, None).unwrap());
            assert_eq!(read_settings(&*image).unwrap(), found);
            assert!(is_clean(&image), "{calls} calls, {survives:?}");
        }
    }
    assert!(seen == [true; 2] && was_left);
}

#[test]
fn a_cut_in_a_write_of_settings_leaves_old_or_new() {
    let drive = small();
    let new = vec![9; 9000];
    let mut seen = [false; 2];
    for calls in 0..6 {
        let disk = Cuttable::new(&drive.disk, calls);
        let written = write_settings(&*disk, &new);
        assert_eq!(written.is_err(), calls < 2, "{calls} calls");
        let is_twice = matches!(written, Ok(Kept::Twice));
        assert_eq!(is_twice, calls >= 4, "{calls} calls");
        for survives in CUTS {
            let image = disk.after(survives);
            let is_new = match read_settings(&*image).unwrap() {
                settings if settings == new => true,
                settings if settings == b"old settings" => false,
                other => panic!("{calls} calls, {survives:?}: {other:?}"),
            };
            assert!(is_new || written.is_err(), "{calls} calls, {survives:?}");
            seen[usize::from(is_new)] = true;
            drop(open(&image, None).unwrap());
            let after = read_settings(&*image).unwrap();
            assert_eq!(after == new, is_new, "opening changes nothing of it");
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_write_of_settings_that_fails_leaves_the_old_ones_in_force() {
    let drive = small();
    let disk = Cuttable::new(&drive.disk, u64::MAX);
    let shared: Arc<dyn Disk> = Arc::<Cuttable>::clone(&disk);
    let store = Store::open(shared, options(), entropy(5), None).unwrap();
    disk.grant(0);
    assert!(matches!(
        store.write_settings(b"new"),
        Err(SettingsError::Disk(_))
    ));
    assert_eq!(read_settings(&*disk).unwrap(), b"old settings");
    disk.grant(1);
    assert!(matches!(
        store.write_settings(b"new"),
        Err(SettingsError::Disk(_))
    ));
    assert_eq!(store.status().health, Health::ReadOnly, "a sync failed");
    assert!(matches!(
        store.write_settings(b"new"),
        Err(SettingsError::ReadOnly)
    ));
    assert!(store.protect(Protection::Open).is_err());
}

#[test]
fn settings_in_one_copy_are_in_force_and_told_to_be_so() {
    let drive = small();
    let disk = Cuttable::new(&drive.disk, u64::MAX);
    let shared: Arc<dyn Disk> = Arc::<Cuttable>::clone(&disk);
    let store = Store::open(shared, options(), entropy(5), None).unwrap();
    disk.grant(2);
    let kept = store.write_settings(b"new");
    assert!(matches!(kept, Ok(Kept::Once(_))), "{kept:?}");
    assert_eq!(read_settings(&*disk).unwrap(), b"new");
    disk.grant(u64::MAX);
    let kept = store.write_settings(b"newer");
    assert!(matches!(kept, Ok(Kept::Twice)), "{kept:?}");
    for slot in Area::of(&*disk, &slots::choose(&*disk).unwrap()).copies() {
        assert_eq!(slot.unwrap().settings, b"newer");
    }
}

#[test]
fn a_damaged_slot_of_settings_is_what_the_other_one_is_for() {
    let drive = small();
    for position in [4096, 36864] {
        let image = copy(&drive.disk);
        image
            .write_at(position + 33, &[IoSlice::new(b"#")])
            .unwrap();
        assert_eq!(read_settings(&*image).unwrap(), b"old settings");
    }
    for position in [4096, 36864] {
        drive
            .disk
            .write_at(position + 33, &[IoSlice::new(b"#")])
            .unwrap();
    }
    let refused = read_settings(&*drive.disk).unwrap_err();
    assert!(
        matches!(refused, SettingsError::Damaged),
        "never empty by damage"
    );
}

const NEW_SETTINGS: &[u8] = b"of the new drive";

fn erase_options() -> EraseOptions {
    EraseOptions {
        entropy: entropy(77),
        settings: NEW_SETTINGS.to_vec(),
    }
}

fn drive_number(disk: &MemoryDisk) -> u64 {
    slots::choose(disk).unwrap().drive
}

#[test]
fn an_erased_drive_is_empty_has_the_same_identity_and_another_key() {
    let drive = small();
    let uuid = drive.store.status().uuid;
    drive.store.protect(by_pin(1)).unwrap();
    let Drive { disk, store, .. } = drive;
    drop(store);
    let before = slots::choose(&*disk).unwrap();
    erase(&*disk, &erase_options()).unwrap();
    let after = slots::choose(&*disk).unwrap();
    assert_ne!(before.drive, after.drive);
    assert_ne!(before.wrapped.sealed, after.wrapped.sealed);
    assert_eq!(read_settings(&*disk).unwrap(), NEW_SETTINGS);
    assert_eq!(kdf_of(&*disk).unwrap(), None);
    let store = open(&disk, None).unwrap();
    assert!(!is_there(&store));
    assert_eq!(store.status().uuid, uuid);
}

#[test]
fn a_cut_in_an_erase_is_finished_when_the_drive_is_opened_and_never_shows_old_data() {
    let drive = small();
    drive.store.protect(by_pin(1)).unwrap();
    let Drive { disk, store, .. } = drive;
    drop(store);
    let (old_drive, old_key) = {
        let superblock = slots::choose(&*disk).unwrap();
        (superblock.drive, superblock.wrapped.sealed)
    };
    let (mut kept, mut begun) = (0, 0);
    for calls in 0..100 {
        let cuttable = Cuttable::new(&disk, calls);
        let done = erase(&*cuttable, &erase_options());
        for survives in CUTS {
            let image = cuttable.after(survives);
            let context = format!("{calls} calls, {survives:?}");
            let before = settings_before_erase(&*image).unwrap();
            if let Some(before) = &before {
                let known = [&b"old settings"[..], NEW_SETTINGS].contains(&before.as_slice());
                assert!(known, "{context}: {before:?}");
                begun += 1;
            }
            if let Ok(store) = open(&image, Some(&pin(1)))
                && is_there(&store)
            {
                assert!(calls < 2, "old data after the mark was durable: {context}");
                kept += 1;
                continue;
            }
            let store = open(&image, None).unwrap();
            assert!(!is_there(&store), "{context}");
            let left = if before.is_some() { b"" } else { NEW_SETTINGS };
            assert_eq!(read_settings(&*image).unwrap(), left, "{context}");
            assert_ne!(drive_number(&image), old_drive, "{context}");
            let mut bytes = vec![0; 64 << 10];
            image.read_at(0, &mut bytes).unwrap();
            for old in [&b"old settings"[..], &old_key] {
                let found = bytes.windows(old.len()).any(|window| window == old);
                assert!(!found, "{context}");
            }
        }
        if done.is_ok() {
            assert!(
                kept > 0 && begun > 10 && calls > 10,
                "{kept} {begun} {calls}"
            );
            return;
        }
    }
    panic!("the erase never came through");
}
