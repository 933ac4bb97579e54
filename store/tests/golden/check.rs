//! An image against what must be found on it.
//!
//! Guarantee: where this comes back, the drive was seen without opening it as it was left, not one
//! byte of it was changed by that; it opened, showed what was stored and nothing else, took writes,
//! and after another opening showed them, too, and was sound.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kinetic_store::disk::{Disk, MemoryDisk};
use kinetic_store::{
    Attributes, Durability, Expected as Precondition, Health, Mutation, OpenError, Options, PinKey,
    kdf_of, read_settings, settings_before_erase,
};
use serde_json::{Value, json};

use crate::drive::Drive;
use crate::expected::{Expected, Stored};
use crate::facts::facts;
use crate::image::{Image, sum};

/// Panics where an image is not as it must be.
pub(crate) fn check(image: &Image, expected: &Expected) {
    assert_eq!(image.sum(), expected.image, "the image was changed");
    let disk = image.disk().expect("a disk in memory can be written");
    let shared: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&disk);
    let pin = key_of(&*disk, expected.pin.as_deref());
    seen(&shared, expected, pin.as_ref());
    assert_eq!(
        Image::of(&*disk).ok().as_ref(),
        Some(image),
        "looking writes"
    );
    if expected.pin.is_some() {
        locked(&shared);
    }
    assert_eq!(
        Image::of(&*disk).ok().as_ref(),
        Some(image),
        "a locked drive is written"
    );
    goes_on(&shared, expected, pin.as_ref());
}

/// The key of a PIN on a drive that has one.
fn key_of(disk: &dyn Disk, pin: Option<&str>) -> Option<PinKey> {
    let kdf = kdf_of(disk).expect("a drive of ours");
    kdf.zip(pin).map(|(kdf, pin)| kdf.key_of(pin.as_bytes()))
}

/// Whether a drive shows the same without opening it as when it was left.
fn seen(disk: &Arc<dyn Disk>, expected: &Expected, pin: Option<&PinKey>) {
    let found = facts(disk, pin).expect("a drive of ours");
    for (name, fact) in &expected.facts {
        assert_eq!(found.get(name), Some(fact), "{name}");
    }
    let settings = match settings_before_erase(&**disk).expect("settings can be read") {
        Some(kept) => kept,
        None => read_settings(&**disk).expect("settings can be read"),
    };
    assert_eq!(settings, expected.settings);
}

/// Whether a drive with a PIN opens with the right one only.
fn locked(disk: &Arc<dyn Disk>) {
    let open = |pin: Option<&PinKey>| {
        Drive::open(Arc::clone(disk), Options::default(), [1; 32], pin).map(|_open| ())
    };
    assert!(matches!(open(None), Err(OpenError::Locked)));
    let wrong = key_of(&**disk, Some("another PIN"));
    assert!(matches!(open(wrong.as_ref()), Err(OpenError::WrongPin)));
}

/// Whether a drive opens, shows what it must, takes writes and shows them, too.
fn goes_on(disk: &Arc<dyn Disk>, expected: &Expected, pin: Option<&PinKey>) {
    let open = |entropy| {
        Drive::open(Arc::clone(disk), Options::default(), entropy, pin)
            .unwrap_or_else(|error| panic!("it does not open: {error}"))
    };
    let Expected { entries, gone, .. } = expected;
    let (mut entries, mut gone) = (entries.clone(), gone.clone());
    let mut drive = open([2; 32]);
    drive.shows(&entries, &gone);
    let fact = |name| expected.facts.get(name).and_then(Value::as_u64);
    // Boots of a drive that was erased are counted anew.
    assert!(Some(drive.store.status().boot) > fact("boot") || fact("state") == Some(1));
    assert_eq!(drive.store.status().health, Health::Healthy);
    let first = entries.keys().next().cloned();
    for key in [Some(b"a new key".to_vec()), first.clone()]
        .into_iter()
        .flatten()
    {
        put(&mut drive, &key, &mut entries);
        gone.remove(&key);
    }
    if let Some(key) = entries
        .keys()
        .next_back()
        .cloned()
        .filter(|key| first.as_ref() != Some(key))
    {
        let delete = Mutation::Delete {
            key: Bytes::from(key.clone()),
            expected: Precondition::Any,
        };
        drive.commit(vec![delete], Durability::WriteThrough);
        entries.remove(&key);
        gone.insert(key);
    }
    drive.shows(&entries, &gone);
    drive.close();
    let mut drive = open([3; 32]);
    drive.shows(&entries, &gone);
    drive.optimize();
    drive.rest();
    drive.shows(&entries, &gone);
    drive.close();
    let found = facts(disk, pin).expect("a drive of ours");
    assert_eq!(
        found.get("findings"),
        Some(&json!(0)),
        "it is not sound any more"
    );
    open([4; 32]).shows(&entries, &gone);
}

fn put(drive: &mut Drive, key: &[u8], entries: &mut BTreeMap<Vec<u8>, Stored>) {
    let value = vec![b'n'; 1234];
    let stored = Stored {
        version: b"a new version".to_vec(),
        tag: b"a new tag".to_vec(),
        algorithm: Some(1),
        length: value.len() as u64,
        sum: sum(&value),
    };
    let put = Mutation::Put {
        key: Bytes::copy_from_slice(key),
        value: Bytes::from(value),
        attributes: Attributes::new(&stored.version, &stored.tag, stored.algorithm),
        expected: Precondition::Any,
    };
    drive.commit(vec![put], Durability::WriteThrough);
    entries.insert(key.to_vec(), stored);
}
