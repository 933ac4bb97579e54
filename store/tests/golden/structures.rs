//! Every structure of the format with fixed contents, as text: what today's program writes.
//!
//! Guarantee: nothing in it depends on chance. `v1/structures.txt` is what it was when version 1
//! became stable, so that a change of encoder and decoder alike is noticed.

use std::fmt::Write as _;

use kinetic_store::entry::{Attributes, Entry, Seqno, State, ValueRef};
use kinetic_store::layout::checksum::ZoneStamp;
use kinetic_store::layout::geometry::{Geometry, Location, ZoneId};
use kinetic_store::layout::settings::SettingsHeader;
use kinetic_store::layout::superblock::{DriveState, Seal, Superblock};
use kinetic_store::layout::wrapped_key::WrappedKey;
use kinetic_store::layout::zone_header::{ZoneHeader, ZoneKind};
use kinetic_store::log::group::GroupHeader;
use kinetic_store::log::record::{self, Placement};
use kinetic_store::manifest::edit::{Counters, Edit, ReplayPoint, ZoneInfo};
use kinetic_store::manifest::frame;
use kinetic_store::run::format::block::{Kind, NewBlock};
use kinetic_store::run::format::filter;
use kinetic_store::run::format::leaf::LeafBuilder;
use kinetic_store::run::format::node::{Child, NodeBuilder};
use kinetic_store::run::{BlockHandle, Extent, RunId, RunMeta};
use kinetic_store::seal::wrap::{Owner, wrap};
use kinetic_store::seal::{Cipher, DataKey, Spot};
use kinetic_store::{Kdf, Protection};
use zeroize::Zeroizing;

use crate::image::{hex, sum};

/// A life of a zone, told by its numbers.
const STAMP: ZoneStamp = ZoneStamp {
    drive: 0x0102_0304_0506_0708,
    zone: ZoneId(0x1112_1314),
    epoch: 0x2122_2324_2526_2728,
    salt: 0x3132_3334_3536_3738,
};
const OFFSET: u32 = 0x0041_4200;
const BOOT: u64 = 0x5152_5354_5556_5758;
const BOOT_SALT: [u8; 16] = *b"salt of the boot";
const UUID: [u8; 16] = *b"uuid of a drive.";

/// All of them, by name.
pub(crate) fn text() -> String {
    let mut text = String::new();
    for (name, bytes) in structures() {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{name}, {} bytes", bytes.len());
        for line in bytes.chunks(32) {
            let _written = writeln!(text, "    {}", hex(line));
        }
    }
    text
}

fn structures() -> Vec<(&'static str, Vec<u8>)> {
    let plain = Cipher::default();
    // Each has a key of its own: nonces follow from places, and all of these have the same.
    let sealed = || Cipher::of_boot(&data_key(), &BOOT_SALT);
    let mut all = vec![
        (
            "superblock with a PIN",
            beginning(superblock(Seal::Sealed, pin())),
        ),
        (
            "superblock without one",
            beginning(superblock(Seal::Plain, Protection::Open)),
        ),
        ("superblock of an erase", beginning(erasing())),
        (
            "settings slot",
            SettingsHeader::encode(STAMP.drive, 9, b"settings"),
        ),
        ("zone header", beginning(zone_header())),
    ];
    all.extend([
        ("group", group(&plain)),
        ("group, sealed", group(&sealed())),
        ("sealed value", value(&sealed(), b"a value")),
        (
            "sum of a sealed value of 65537 bytes",
            long_value(&sealed()),
        ),
        ("leaf", block(Kind::Leaf, &leaf(), &plain)),
        ("leaf, sealed", block(Kind::Leaf, &leaf(), &sealed())),
        ("node", block(Kind::Node, &node(), &plain)),
        ("filter", block(Kind::Filter, &filter_of_keys(), &plain)),
        ("frame of every edit", used(frame(&edits(), &plain))),
        (
            "frame, sealed",
            used(frame(&[zone_info(Some(4096))], &sealed())),
        ),
    ]);
    all
}

fn data_key() -> DataKey {
    DataKey::new(Zeroizing::new(*b"the data key of a drive, made up"))
}

/// What is not zero of it.
fn used(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.map_or(0, |end| end + 1));
    bytes
}

/// A block of the disk without the zeros behind what it holds.
fn beginning(bytes: Vec<u8>) -> Vec<u8> {
    assert_eq!(bytes.len(), 4096);
    used(bytes)
}

fn pin() -> Protection {
    let kdf = Kdf {
        salt: *b"salt of the PIN.",
        rounds: 1000,
    };
    Protection::Pin(kdf.key_of(b"2580"), kdf)
}

fn superblock(seal: Seal, protection: Protection) -> Vec<u8> {
    let owner = Owner { uuid: UUID, seal };
    let wrapped = wrap(&data_key(), &protection, &owner, *b"fixed nonce!");
    superblock_with(seal, DriveState::Serving, wrapped)
}

fn erasing() -> Vec<u8> {
    superblock_with(Seal::Sealed, DriveState::Erasing, WrappedKey::NOTHING)
}

fn superblock_with(seal: Seal, state: DriveState, wrapped: WrappedKey) -> Vec<u8> {
    let superblock = Superblock {
        uuid: UUID,
        drive: STAMP.drive,
        capacity: (1 << 30) + 5,
        geometry: Geometry {
            zone_size: 4 << 20,
            zones: 256,
        },
        sequence: 0x6162_6364_6566_6768,
        boot: BOOT + 1,
        manifest: STAMP,
        manifest_boot: BOOT,
        first_frame: 0x7172_7374_7576_7778,
        manifest_boot_salt: BOOT_SALT,
        seal,
        state,
        wrapped,
    };
    superblock.encode()
}

fn zone_header() -> Vec<u8> {
    let header = ZoneHeader {
        kind: ZoneKind::Cold,
        drive: STAMP.drive,
        zone: STAMP.zone,
        epoch: STAMP.epoch,
        boot: BOOT,
        boot_salt: BOOT_SALT,
        seal: Seal::Sealed,
    };
    header.encode()
}

fn spot(cipher: &Cipher) -> Spot<'_> {
    Spot {
        cipher,
        stamp: &STAMP,
        offset: OFFSET,
    }
}

fn live(number: u32, algorithm: Option<i32>) -> State {
    let value = ValueRef {
        location: Location {
            zone: ZoneId(0x8182_8384),
            offset: 0x9192_9394,
        },
        length: number,
        checksum: 0xa1a2_a3a4,
    };
    State::Live(Attributes::new(b"version", b"the tag", algorithm), value)
}

fn group(cipher: &Cipher) -> Vec<u8> {
    let mut records = Vec::new();
    let changes = [
        (live(3, Some(-2)), Placement::Inside),
        (live(4, None), Placement::Inside),
        (State::Deleted, Placement::Inside),
        (live(70_000, Some(6)), Placement::Elsewhere),
    ];
    for ((state, placement), number) in changes.into_iter().zip(1..) {
        let seqno = Seqno(0xb1b2_b3b4_b5b6_b700 + number);
        record::encode(&mut records, b"a key", &Entry { seqno, state }, placement);
    }
    let length = records.len() + cipher.overhead();
    let header = GroupHeader {
        boot: BOOT,
        number: 0xc1c2_c3c4_c5c6_c7c8,
        durable_up_to: 0xd1d2_d3d4_d5d6_d7d8,
        length: 4096,
        seal: cipher.seal(),
        records_length: u32::try_from(length).unwrap_or(u32::MAX),
        count: 4,
    };
    let mut bytes = header.encode(&spot(cipher), &mut records);
    bytes.append(&mut records);
    bytes
}

fn value(cipher: &Cipher, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    spot(cipher).seal_value(value, &mut sealed);
    sealed
}

fn long_value(cipher: &Cipher) -> Vec<u8> {
    let long: Vec<u8> = (0..=255).cycle().take(65_537).collect();
    sum(&value(cipher, &long)).into_bytes()
}

fn keys() -> Vec<Vec<u8>> {
    let keys = (0..10).map(|number| format!("key {number:03}").into_bytes());
    keys.chain([b"key 009 and more".to_vec(), b"other".to_vec()])
        .collect()
}

/// Entries of all kinds, over a restart point.
fn leaf() -> (u32, Vec<u8>) {
    let mut leaf = LeafBuilder::default();
    for (key, number) in keys().iter().zip(1_u32..) {
        let state = match number % 3 {
            0 => State::Deleted,
            1 => live(number, Some(5)),
            _ => live(number, None),
        };
        let seqno = Seqno(0xe1e2_e3e4_e5e6_e700 + u64::from(number));
        leaf.add(key, &Entry { seqno, state });
    }
    (leaf.count(), leaf.finish().to_vec())
}

fn handle(number: u32) -> BlockHandle {
    BlockHandle {
        location: Location {
            zone: ZoneId(0x0102_0300 + number),
            offset: 0x1112_1300 + number,
        },
        length: 0x2122_2300 + number,
    }
}

fn node() -> (u32, Vec<u8>) {
    let mut node = NodeBuilder::default();
    for (fence, filter) in [("", BlockHandle::default()), ("fence", handle(9))] {
        node.add(&Child {
            fence: fence.as_bytes(),
            handle: handle(1),
            filter,
        });
    }
    (node.count(), node.finish().to_vec())
}

fn filter_of_keys() -> (u32, Vec<u8>) {
    let hashes: Vec<u64> = keys().iter().map(|key| filter::hash(key)).collect();
    let mut payload = Vec::new();
    filter::encode(&hashes, &mut payload);
    (12, payload)
}

fn block(kind: Kind, (count, payload): &(u32, Vec<u8>), cipher: &Cipher) -> Vec<u8> {
    let mut bytes = Vec::new();
    let block = NewBlock {
        kind,
        run: RunId(0xf1f2_f3f4_f5f6_f7f8),
        count: *count,
        payload,
    };
    block.encode(&spot(cipher), &mut bytes);
    bytes
}

fn run_meta() -> RunMeta {
    let extent = |start| Extent {
        stamp: STAMP,
        start,
        end: start + 0x1234,
    };
    RunMeta {
        id: RunId(0x0102_0304_0506_0708),
        level: 2,
        height: 3,
        root: handle(5),
        root_filter: handle(6),
        entries: 0x1112_1314_1516_1718,
        tombstones: 0x2122_2324_2526_2728,
        bytes: 0x3132_3334_3536_3738,
        max_seqno: Seqno(0x4142_4344_4546_4748),
        extents: vec![extent(4096), extent(0x0051_5200)],
    }
}

fn zone_info(end: Option<u32>) -> Edit {
    Edit::Zone(ZoneInfo {
        kind: ZoneKind::Log,
        stamp: STAMP,
        boot: BOOT,
        boot_salt: BOOT_SALT,
        ordinal: 0x6162_6364_6566_6768,
        end,
        live: 0x7172_7374_7576_7778,
        born: Seqno(0x8182_8384_8586_8788),
    })
}

fn edits() -> Vec<Edit> {
    let zone = STAMP.zone;
    vec![
        zone_info(None),
        zone_info(Some(0x0091_9293)),
        Edit::Free(zone),
        Edit::AddRun(7, run_meta()),
        Edit::RemoveRun(RunId(0xa1a2_a3a4_a5a6_a7a8)),
        Edit::Replay(ReplayPoint {
            ordinal: 0xb1b2_b3b4_b5b6_b7b8,
            offset: 0xc1c2_c3c4,
            group: 0xd1d2_d3d4_d5d6_d7d8,
            seqno: Seqno(0xe1e2_e3e4_e5e6_e7e8),
        }),
        Edit::Live(zone, -5),
        Edit::Counters(Counters {
            next_epoch: 0x0102_0304_0506_0708,
            next_run: 0x1112_1314_1516_1718,
            next_ordinal: 0x2122_2324_2526_2728,
        }),
    ]
}

fn frame(edits: &[Edit], cipher: &Cipher) -> Vec<u8> {
    frame::encode(BOOT, 0x3132_3334_3536_3738, edits, &spot(cipher))
}
