//! Flipped bits on the disk of a drive that was stopped: superblock, manifest, run, value.
//!
//! Offsets and magics are those of `docs/FORMAT.md`.

use kinetic_proto::StatusCode;
use kinetic_tests::conversation::Conversation;

use crate::offline::{Image, key, refused_and_unchanged, value};
use crate::serves;

/// Where the superblock slots lie.
const SLOTS: [u64; 2] = [0, 32 << 10];

#[test]
fn one_damaged_superblock_is_what_the_other_one_is_for() {
    for slot in SLOTS {
        for offset in [0, 8, 60, 239] {
            let image = Image::with_entries(20);
            image.flip(slot + offset);
            let drive = image.start();
            serves(drive.plain());
            let mut talk = Conversation::begin(drive.plain()).expect("a hello");
            assert_eq!(talk.get(&key(19)).success().value, value(19));
        }
    }
}

#[test]
fn two_damaged_superblocks_are_refused_and_left_as_they_are() {
    let image = Image::with_entries(20);
    for slot in SLOTS {
        image.flip(slot + 60);
    }
    let text = refused_and_unchanged(&image.path);
    assert!(text.contains("both superblocks are damaged"), "{text}");
    // Once the bits are back, so is the drive.
    for slot in SLOTS {
        image.flip(slot + 60);
    }
    serves(image.start().plain());
}

#[test]
fn a_damaged_manifest_is_refused_and_left_as_it_is() {
    let image = Image::with_entries(20);
    // Slot 0: zone size at 48, manifest zone at 72. The first frame starts at 4096 of that zone.
    let zone = u64::from(image.number_at(48)) * u64::from(image.number_at(72));
    for offset in [0, 20, 41, 60] {
        image.flip(zone + 4096 + offset);
        let text = refused_and_unchanged(&image.path);
        assert!(text.contains("manifest"), "at {offset}: {text}");
        image.flip(zone + 4096 + offset);
    }
    serves(image.start().plain());
}

#[test]
fn a_damaged_leaf_of_the_index_costs_its_keys_and_says_so() {
    let image = Image::with_entries(3000);
    // A block's header: magic, and at 4 its kind, 1 for a leaf.
    let leaves = image.find(b"KLBk\x01");
    assert!(
        leaves.len() > 3,
        "{} leaves: the memtable was not flushed",
        leaves.len()
    );
    for leaf in &leaves {
        image.flip(leaf + 36 + 10);
    }
    let drive = image.start();
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    let mut damaged = 0;
    for number in 0..3000 {
        let reply = talk.get(&key(number));
        match reply.code() {
            StatusCode::PERM_DATA_ERROR => damaged += 1,
            // Not yet in a run when the drive stopped.
            _ => assert_eq!(reply.success().value, value(number), "{number}"),
        }
    }
    assert!(damaged > 0);
    // The drive goes on: what is stored now can be read.
    talk.put(b"new", b"value").success();
    assert_eq!(&*talk.get(b"new").success().value, b"value");
    // Bits back, everything back.
    drop(talk);
    assert!(drive.stop().expect("a stopped drive").success());
    for leaf in &leaves {
        image.flip(leaf + 36 + 10);
    }
    let drive = image.start();
    serves(drive.plain());
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    for number in 0..3000 {
        assert_eq!(
            talk.get(&key(number)).success().value,
            value(number),
            "{number}"
        );
    }
}

#[test]
fn a_damaged_value_is_a_permanent_data_error_of_its_key_alone() {
    let image = Image::with_entries(50);
    let drive = image.start();
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    talk.put(b"first", b"of this boot").success();
    // Values are sealed, so what the image looks like tells where one lies: at the end of what
    // its PUT changes, but for a tag of 16 bytes and less than 8 of padding.
    let before = image.bytes();
    talk.put(&key(25), &value(25)).success();
    let after = image.bytes();
    let differ = |place: &usize| before.get(*place) != after.get(*place);
    let last = (0..after.len())
        .rfind(differ)
        .expect("a PUT changes the image");
    // What is known to be synced is not taken for torn.
    talk.put(b"later", b"value").success();
    talk.put(b"last", b"value").success();
    drop(talk);
    assert!(drive.stop().expect("a stopped drive").success());
    image.flip(last as u64 - 30);
    let drive = image.start();
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    for number in 0..50 {
        let reply = talk.get(&key(number));
        if number == 25 {
            assert_eq!(reply.code(), StatusCode::PERM_DATA_ERROR);
            assert!(reply.text().contains("checksum"), "{}", reply.text());
            assert!(reply.value.is_empty());
        } else {
            assert_eq!(reply.success().value, value(number), "{number}");
        }
    }
    // Its version is in the index; storing it anew heals it.
    talk.put(&key(25), b"healed").success();
    assert_eq!(&*talk.get(&key(25)).success().value, b"healed");
    serves(drive.plain());
}
