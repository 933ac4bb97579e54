//! What a thief of the disk finds, and what becomes of sealed bytes that rot.

use std::io::IoSlice;

use super::*;

const KEY: &[u8] = b"a key that tells much";
const VERSION: &[u8] = b"a version, too";
const TAG: &[u8] = b"and a tag of its value";

fn secret(number: u32, length: usize) -> Vec<u8> {
    let text = format!("secret {number:06} ");
    text.bytes().cycle().take(length).collect()
}

fn telling(number: u32) -> Mutation {
    let length = [40, 3000, 20_000][number as usize % 3];
    Mutation::Put {
        key: Bytes::from([KEY, &number.to_be_bytes()].concat()),
        value: Bytes::from(secret(number, length)),
        attributes: Attributes::new(VERSION, TAG, Some(2)),
        expected: Expected::Any,
    }
}

/// A drive on which records, runs and merged runs lie, some of it overwritten and deleted.
fn with_history(seal: Seal) -> Drive {
    let mut drive = Drive::sealed_as(ZONES, seal);
    for round in 0..3 {
        for number in 0..150 {
            let token = drive.submit(vec![telling(number)], Durability::WriteBack);
            drive.finish(token).unwrap();
            if number % 10 == round {
                let key = [KEY, &number.to_be_bytes()].concat();
                let gone = vec![delete(&key, Expected::Any)];
                let token = drive.submit(gone, Durability::WriteThrough);
                drive.finish(token).unwrap();
            }
        }
        drive.settle();
        let status = drive.store.status();
        assert!(status.flushes > 0 && status.merges > 0, "{status:?}");
        drive.reopen();
    }
    drive
}

fn image(disk: &MemoryDisk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.capacity()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

fn holds(image: &[u8], needle: &[u8]) -> bool {
    image.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_key_version_tag_or_value_is_anywhere_in_the_image() {
    let needles = [&KEY[..8], &VERSION[..8], &TAG[..8], b"secret 0"];
    let plain = image(&with_history(Seal::Plain).disk);
    for needle in needles {
        assert!(holds(&plain, needle), "the search finds what is there");
    }
    let sealed = image(&with_history(Seal::Sealed).disk);
    for needle in needles {
        let text = String::from_utf8_lossy(needle);
        assert!(!holds(&sealed, needle), "{text:?} stands in the clear");
    }
}

#[test]
fn a_sealed_drive_gives_everything_back() {
    let drive = with_history(Seal::Sealed);
    for number in 0..150_u32 {
        let key = [KEY, &number.to_be_bytes()].concat();
        if number % 10 == 2 {
            assert_eq!(drive.value(&key), Err(ReadError::NotFound));
            continue;
        }
        let object = drive.store.get(&key, Effort::Disk).unwrap();
        assert_eq!(object.value, secret(number, object.value.len()));
        assert_eq!(object.metadata.attributes.version(), VERSION);
        assert_eq!(object.metadata.attributes.tag(), TAG);
    }
}

#[test]
fn values_of_every_length_around_a_chunk_come_back() {
    let disk = Arc::new(MemoryDisk::new(256 << 20));
    let options = FormatOptions {
        uuid: [7; 16],
        entropy: entropy(0),
        zone_size: None,
    };
    format(&*disk, &options).unwrap();
    let mut drive = Drive {
        store: Drive::open(&disk, 1),
        disk,
        outcomes: Arc::default(),
        next_token: 0,
        now: 0,
    };
    let lengths = [0, 1, 65_535, 65_536, 65_537, 200_000, 1 << 20];
    let many: Vec<Mutation> = (0..)
        .zip(lengths)
        .map(|(number, length)| put(&[number], &secret(1, length), Expected::Any))
        .collect();
    let token = drive.submit(many[..6].to_vec(), Durability::WriteThrough);
    drive.finish(token).unwrap();
    let token = drive.submit(many[6..].to_vec(), Durability::WriteThrough);
    drive.finish(token).unwrap();
    for _ in 0..2 {
        for (number, length) in (0..).zip(lengths) {
            assert!(
                drive.value(&[number]).unwrap() == secret(1, length),
                "{length}"
            );
        }
        drive.reopen();
    }
}

#[test]
fn a_commit_at_its_bound_fits_in_values_of_any_size() {
    let bound = usize::try_from(crate::limits::commit_bytes(u64::from(ZONE), 8)).unwrap();
    for (keys, length) in [(1, bound - 4), (8, bound / 8 - 4)] {
        let mut drive = Drive::new();
        let all = (0..keys).map(|number: u8| {
            let key = [b'k', b'e', b'y', number];
            Mutation::Put {
                key: Bytes::copy_from_slice(&key),
                value: Bytes::from(secret(1, length)),
                attributes: Attributes::default(),
                expected: Expected::Any,
            }
        });
        let token = drive.submit(all.collect(), Durability::WriteThrough);
        assert_eq!(drive.finish(token), Ok(()), "{keys} of {length}");
    }
    let zone = crate::limits::MAX_ZONE;
    let (plain, cipher) = (
        1 << 20,
        with_history(Seal::Sealed).store.inner.shared.cipher.clone(),
    );
    let many = crate::limits::commit_bytes(zone, 1000) / plain;
    let stored = many * cipher.stored(1 << 20) as u64 + many * crate::limits::MUTATION_BYTES;
    assert!(stored + 2 * crate::limits::BLOCK < zone / 2 - crate::limits::BLOCK);
}

#[test]
fn every_boot_and_every_copy_of_an_image_seals_with_a_key_of_its_own() {
    let mut drive = Drive::new();
    drive.put(b"key", b"value").unwrap();
    drive.settle();
    let copy = MemoryDisk::new(drive.disk.capacity());
    copy.write_at(0, &[IoSlice::new(&image(&drive.disk))])
        .unwrap();
    let copy = Arc::new(copy);
    let salts = |disk: &Arc<MemoryDisk>, boot| {
        drop(Drive::open(disk, boot));
        crate::open::slots::choose(&**disk)
            .unwrap()
            .manifest_boot_salt
    };
    let found = [
        salts(&drive.disk, 2),
        salts(&drive.disk, 3),
        salts(&copy, 4),
    ];
    assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
}

#[test]
fn a_flipped_bit_in_sealed_bytes_costs_what_it_hits() {
    let mut drive = Drive::new();
    let before = image(&drive.disk);
    drive.put(b"rotten", &[0xab; 5000]).unwrap();
    drive.settle();
    let after = image(&drive.disk);
    // The value is the longest run of changed bytes.
    let changed: Vec<usize> = (0..after.len())
        .filter(|i| before[*i] != after[*i])
        .collect();
    let middle = changed
        .windows(2000)
        .find(|window| window[1999] - window[0] < 2100)
        .map(|window| window[1000]);
    let place = middle.expect("a value of 5000 bytes lies on the disk");
    let rotten = [after[place] ^ 1];
    drive
        .disk
        .write_at(place as u64, &[IoSlice::new(&rotten)])
        .unwrap();
    assert!(matches!(
        drive.value(b"rotten"),
        Err(ReadError::Unreadable(_))
    ));
}

#[test]
fn a_drive_does_not_open_as_plain_once_it_is_sealed() {
    use crate::layout::superblock::{Slot, Superblock};
    let drive = Drive::new();
    for slot in [Slot::First, Slot::Second] {
        let superblock = Superblock::read(&*drive.disk, slot).unwrap().unwrap();
        let forged = Superblock {
            seal: Seal::Plain,
            ..superblock
        };
        forged.write(&*drive.disk).unwrap();
    }
    let disk: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&drive.disk);
    let refused = Store::open(disk, options(), entropy(3), None);
    assert!(matches!(refused, Err(OpenError::NoKey)));
}
