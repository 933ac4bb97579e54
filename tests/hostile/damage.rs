//! Flipped bits on the disk of a drive that was stopped: superblock, manifest, run, value.
//!
//! Offsets and magics are those of `docs/FORMAT.md`.

use kinetic_proto::schema::command::{Body, Range};
use kinetic_proto::{MessageType, StatusCode};
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
fn a_scan_says_that_the_index_is_damaged_and_goes_on_behind_it_to_the_end() {
    let image = Image::with_entries(3000);
    let leaves = image.find(b"KLBk\x01");
    image.flip(leaves[leaves.len() / 2] + 36 + 10);
    let drive = image.start();
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    let (mut start, mut told, mut rounds) = (None, 0, 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            ..Range::default()
        };
        let body = Body {
            range: Some(range),
            ..Body::default()
        };
        let reply = talk.ask(MessageType::MEDIASCAN, body, &[]);
        match reply.code() {
            StatusCode::PERM_DATA_ERROR => {
                assert!(reply.text().contains("index"), "{}", reply.text());
                told += 1;
            }
            _ => assert_eq!(reply.code(), StatusCode::SUCCESS),
        }
        let range = reply.body().range.expect("a range");
        assert_eq!(range.keys, Vec::<bytes::Bytes>::new());
        rounds += 1;
        assert!(rounds < 100, "it never ends");
        match range.end_key {
            Some(end) => start = Some(end),
            None => break,
        }
    }
    assert_eq!(told, 1);
    serves(drive.plain());
}

#[test]
fn a_damaged_value_is_a_permanent_data_error_of_its_key_alone() {
    let image = Image::with_entries(50);
    let drive = image.start();
    let mut talk = Conversation::begin(drive.plain()).expect("a hello");
    talk.put(b"first", b"of this boot").success();
    // Values are sealed, so only what changes tells where one lies: a large one is the longest
    // change by far, whatever else the drive writes meanwhile.
    let large = vec![b'v'; 8 << 10];
    let before = image.bytes();
    talk.put(&key(25), &large).success();
    let within = middle_of_longest_change(&before, &image.bytes());
    // What is known to be synced is not taken for torn.
    talk.put(b"later", b"value").success();
    talk.put(b"last", b"value").success();
    drop(talk);
    assert!(drive.stop().expect("a stopped drive").success());
    image.flip(within);
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

/// A place in the middle of the longest stretch of blocks that differ.
fn middle_of_longest_change(before: &[u8], after: &[u8]) -> u64 {
    const BLOCK: usize = 64;
    let blocks: Vec<bool> = before
        .chunks(BLOCK)
        .zip(after.chunks(BLOCK))
        .map(|(before, after)| before != after)
        .collect();
    let (mut start, mut length) = (0, 0);
    let mut longest = (0, 0);
    for (at, differs) in blocks.into_iter().enumerate() {
        (start, length) = match (differs, length) {
            (false, _) => (0, 0),
            (true, 0) => (at, 1),
            (true, length) => (start, length + 1),
        };
        longest = longest.max((length, start));
    }
    let (length, start) = longest;
    assert!(length > 100, "only {length} blocks changed");
    ((start + length / 2) * BLOCK) as u64
}
