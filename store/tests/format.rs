//! docs/FORMAT.md says what the code does, and the code nothing that the page does not say.
//!
//! Tables of fields are compared both ways: each table with its constant, and each constant of the
//! sources with the list here. Magics and kinds are read from what the code encodes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kinetic_store::Options;
use kinetic_store::engine::config::Reserve;
use kinetic_store::entry::{Attributes, Entry, Seqno, State, ValueRef};
use kinetic_store::layout::checksum::{ZoneStamp, checksum};
use kinetic_store::layout::codec::Field;
use kinetic_store::layout::geometry::{Geometry, ZoneId};
use kinetic_store::layout::settings::{Place, SettingsHeader};
use kinetic_store::layout::superblock::{DriveState, Seal, Slot, Superblock};
use kinetic_store::layout::wrapped_key::WrappedKey;
use kinetic_store::layout::zone_header::{ZoneHeader, ZoneKind};
use kinetic_store::layout::{settings, superblock, wrapped_key, zone_header};
use kinetic_store::limits;
use kinetic_store::log::group::{self, GroupHeader};
use kinetic_store::log::record::{self, Placement};
use kinetic_store::manifest::edit::{self, Counters, Edit, ReplayPoint, ZoneInfo};
use kinetic_store::manifest::frame;
use kinetic_store::open::grow::most_bytes;
use kinetic_store::run::format::block::{Kind, NewBlock};
use kinetic_store::run::format::leaf::{LeafBuilder, RESTART};
use kinetic_store::run::format::{block, filter, leaf, meta, node};
use kinetic_store::run::{BlockHandle, RunId, RunMeta};
use kinetic_store::seal::cipher::Kind as Sealed;
use kinetic_store::seal::{Cipher, Spot};

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// A heading of the document, the constant under `store/src` that its table is about, and that.
type Structure = (&'static str, &'static str, &'static [Field]);

const STRUCTURES: [Structure; 20] = [
    (
        "Superblock",
        "layout/superblock.rs FIELDS",
        &superblock::FIELDS,
    ),
    (
        "Wrapped key",
        "layout/wrapped_key.rs FIELDS",
        &wrapped_key::FIELDS,
    ),
    (
        "Settings slot",
        "layout/settings.rs FIELDS",
        &settings::FIELDS,
    ),
    (
        "Zone header",
        "layout/zone_header.rs FIELDS",
        &zone_header::FIELDS,
    ),
    ("Group header", "log/group.rs FIELDS", &group::FIELDS),
    ("Record", "log/record.rs FIELDS", &record::FIELDS),
    ("Block header", "run/format/block.rs FIELDS", &block::FIELDS),
    (
        "Handle",
        "run/format/block.rs HANDLE_FIELDS",
        &block::HANDLE_FIELDS,
    ),
    (
        "Leaf entry",
        "run/format/leaf.rs ENTRY_FIELDS",
        &leaf::ENTRY_FIELDS,
    ),
    (
        "Leaf entry algorithm",
        "run/format/leaf.rs ALGORITHM_FIELDS",
        &leaf::ALGORITHM_FIELDS,
    ),
    (
        "Leaf entry value",
        "run/format/leaf.rs LIVE_FIELDS",
        &leaf::LIVE_FIELDS,
    ),
    ("Node child", "run/format/node.rs FIELDS", &node::FIELDS),
    ("Filter", "run/format/filter.rs FIELDS", &filter::FIELDS),
    ("Run meta", "run/format/meta.rs FIELDS", &meta::FIELDS),
    (
        "Extent",
        "run/format/meta.rs EXTENT_FIELDS",
        &meta::EXTENT_FIELDS,
    ),
    ("Frame header", "manifest/frame.rs FIELDS", &frame::FIELDS),
    (
        "Zone edit",
        "manifest/edit.rs ZONE_FIELDS",
        &edit::ZONE_FIELDS,
    ),
    (
        "Replay edit",
        "manifest/edit.rs REPLAY_FIELDS",
        &edit::REPLAY_FIELDS,
    ),
    (
        "Counters edit",
        "manifest/edit.rs COUNTER_FIELDS",
        &edit::COUNTER_FIELDS,
    ),
    (
        "Live edit",
        "manifest/edit.rs LIVE_FIELDS",
        &edit::LIVE_FIELDS,
    ),
];

/// A table of the document: the heading above it, its head and its rows, cell by cell.
struct Table {
    heading: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').and_then(|l| l.strip_suffix('|'));
    let inner = inner.expect("a row of a table ends with a bar");
    let cells = inner.split('|');
    cells.map(|cell| cell.trim().to_owned()).collect()
}

fn tables() -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let mut heading = String::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        match (line.starts_with('|'), inside) {
            (true, false) => found.push(Table {
                heading: heading.clone(),
                head: cells(line),
                rows: Vec::new(),
            }),
            (true, true) if line.starts_with("| ---") => {}
            (true, true) => {
                let table = found.last_mut().expect("its head came first");
                table.rows.push(cells(line));
            }
            (false, _) => {}
        }
        inside = line.starts_with('|');
    }
    found
}

/// The rows of the first table under a heading.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let table = tables().into_iter().find(|table| table.heading == heading);
    table.map_or_else(|| panic!("no table under {heading:?}"), |table| table.rows)
}

/// The first two cells of each row under a heading.
fn pairs(heading: &str) -> Vec<(String, String)> {
    let pair = |row: Vec<String>| match row.as_slice() {
        [left, right, ..] => (left.clone(), right.clone()),
        _ => panic!("a row of one cell under {heading:?}"),
    };
    rows(heading).into_iter().map(pair).collect()
}

fn pair(left: impl ToString, right: impl ToString) -> (String, String) {
    (left.to_string(), right.to_string())
}

fn number(cell: &str) -> u64 {
    cell.parse()
        .unwrap_or_else(|_| panic!("{cell:?} is no number"))
}

#[test]
fn every_table_of_fields_is_a_constant_of_the_code() {
    let mut constants: BTreeMap<&str, &[Field]> = STRUCTURES
        .iter()
        .map(|(heading, _, fields)| (*heading, *fields))
        .collect();
    let is_of_fields = |table: &Table| table.head == ["offset", "size", "field", "meaning"];
    for table in tables().iter().filter(|table| is_of_fields(table)) {
        let heading = table.heading.as_str();
        let fields = constants.remove(heading);
        let fields = fields.unwrap_or_else(|| panic!("{heading}: no constant, or twice a table"));
        let documented: Vec<(u64, u64, &str)> = table
            .rows
            .iter()
            .map(|row| (number(&row[0]), number(&row[1]), row[2].as_str()))
            .collect();
        let coded: Vec<(u64, u64, &str)> = fields
            .iter()
            .map(|field| (field.offset as u64, field.size as u64, field.name))
            .collect();
        assert_eq!(documented, coded, "{heading}");
    }
    assert!(constants.is_empty(), "without a table: {constants:?}");
}

/// The constants of a source file that lay fields out, each with the file's name before it.
fn constants_of(file: &str, text: &str) -> Vec<String> {
    let constant = |line: &str| {
        let (declared, kind) = line.split_once(": ")?;
        let (_, name) = declared.split_once("const ")?;
        kind.starts_with("[Field; ")
            .then(|| format!("{file} {name}"))
    };
    text.lines().filter_map(constant).collect()
}

#[test]
fn every_constant_of_the_sources_has_a_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let file = path.strip_prefix(&root).unwrap().display().to_string();
                found.extend(constants_of(&file, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    let mut listed: Vec<String> = STRUCTURES
        .iter()
        .map(|(_, name, _)| (*name).to_owned())
        .collect();
    listed.sort();
    assert_eq!(found, listed);
}

const STAMP: ZoneStamp = ZoneStamp {
    drive: 1,
    zone: ZoneId(2),
    epoch: 3,
    salt: 4,
};

fn spot(cipher: &Cipher) -> Spot<'_> {
    Spot {
        cipher,
        stamp: &STAMP,
        offset: 4096,
    }
}

fn superblock() -> Superblock {
    Superblock {
        uuid: [0; 16],
        drive: 1,
        capacity: limits::MIN_CAPACITY,
        geometry: Geometry::for_capacity(limits::MIN_CAPACITY).expect("the smallest drive"),
        sequence: 1,
        boot: 1,
        manifest: STAMP,
        manifest_boot: 1,
        first_frame: 1,
        manifest_boot_salt: [0; 16],
        seal: Seal::Plain,
        state: DriveState::Serving,
        wrapped: WrappedKey::NOTHING,
    }
}

fn header_of(kind: ZoneKind) -> Vec<u8> {
    let header = ZoneHeader {
        kind,
        drive: 1,
        zone: ZoneId(2),
        epoch: 3,
        boot: 1,
        boot_salt: [0; 16],
        seal: Seal::Plain,
    };
    header.encode()
}

fn block_of(kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    let block = NewBlock {
        kind,
        run: RunId(1),
        count: 0,
        payload: &[],
    };
    block.encode(&spot(&Cipher::default()), &mut out);
    out
}

#[test]
fn every_magic_is_what_structures_start_with() {
    let group = GroupHeader {
        boot: 1,
        number: 1,
        durable_up_to: 0,
        length: 64,
        seal: Seal::Plain,
        records_length: 0,
        count: 0,
    };
    let cipher = Cipher::default();
    let encoded = [
        ("superblock", superblock().encode()),
        ("settings slot", SettingsHeader::encode(1, 1, b"")),
        ("zone header", header_of(ZoneKind::Log)),
        ("group", group.encode(&spot(&cipher), &mut Vec::new())),
        ("frame", frame::encode(1, 1, &[], &spot(&cipher))),
        ("block", block_of(Kind::Leaf)),
    ];
    let documented = pairs("Magics");
    assert_eq!(documented.len(), encoded.len());
    for ((name, magic), (expected, bytes)) in documented.iter().zip(&encoded) {
        let start: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(name, expected);
        assert!(start.join(" ").starts_with(magic), "{name}");
    }
    let lengths = [
        superblock::MAGIC.len(),
        4,
        zone_header::MAGIC.len(),
        4,
        4,
        4,
    ];
    let listed = documented.iter().map(|(_, magic)| magic.split(' ').count());
    assert_eq!(listed.collect::<Vec<_>>(), lengths);
}

#[test]
fn every_kind_has_the_number_that_is_written() {
    let zones = [
        ("log", ZoneKind::Log),
        ("cold", ZoneKind::Cold),
        ("run", ZoneKind::Run),
        ("manifest", ZoneKind::Manifest),
    ];
    let zones = zones.map(|(name, kind)| pair(header_of(kind)[4], name));
    assert_eq!(pairs("Zone kinds"), zones);
    assert_eq!(ZoneKind::from_number(0), None);
    assert_eq!(ZoneKind::from_number(5), None);

    let blocks = [
        ("leaf", Kind::Leaf),
        ("node", Kind::Node),
        ("filter", Kind::Filter),
    ];
    let blocks = blocks.map(|(name, kind)| pair(block_of(kind)[4], name));
    assert_eq!(pairs("Block kinds"), blocks);
}

fn entry(algorithm: Option<i32>) -> Entry {
    let attributes = Attributes::new(b"", b"", algorithm);
    let state = State::Live(attributes, ValueRef::default());
    let seqno = Seqno(1);
    Entry { seqno, state }
}

fn tombstone() -> Entry {
    let (seqno, state) = (Seqno(1), State::Deleted);
    Entry { seqno, state }
}

#[test]
fn every_record_kind_and_flag_is_the_one_that_is_written() {
    let encode = |entry: &Entry, placement| {
        let mut out = Vec::new();
        record::encode(&mut out, b"", entry, placement);
        (out[0], out[1])
    };
    let put = encode(&entry(None), Placement::Inside);
    let delete = encode(&tombstone(), Placement::Inside);
    let moved = encode(&entry(None), Placement::Elsewhere);
    let coded = [
        pair(put.0, "put"),
        pair(delete.0, "delete"),
        pair(moved.0, "move"),
    ];
    assert_eq!(pairs("Record kinds"), coded);
    assert_eq!((put.1, delete.1, moved.1), (0, 0, 0));
    assert_eq!(encode(&entry(Some(0)), Placement::Inside).1, 1);
}

#[test]
fn every_leaf_entry_kind_and_flag_is_the_one_that_is_written() {
    let encode = |entry: &Entry| {
        let mut leaf = LeafBuilder::default();
        leaf.add(b"", entry);
        let payload = leaf.finish();
        (payload[12], payload[13])
    };
    assert_eq!(encode(&entry(None)), (1, 0));
    assert_eq!(encode(&entry(Some(0))), (1, 1));
    assert_eq!(encode(&tombstone()), (2, 0));
    let listed = rows("Leaf entry");
    assert_eq!(listed[3][3], "1: live, 2: deleted (a tombstone)");
    assert!(listed[4][3].starts_with("bit 0: the algorithm is given"));
}

fn encoded(edit: &Edit) -> Vec<u8> {
    let mut out = Vec::new();
    edit.encode(&mut out);
    out
}

fn zone_edit(end: Option<u32>) -> Edit {
    Edit::Zone(ZoneInfo {
        kind: ZoneKind::Log,
        stamp: STAMP,
        boot: 1,
        boot_salt: [0; 16],
        ordinal: 1,
        end,
        live: 0,
        born: Seqno(1),
    })
}

#[test]
fn every_edit_has_the_number_and_length_that_are_written() {
    let run = RunMeta {
        id: RunId(1),
        level: 0,
        height: 1,
        root: BlockHandle::default(),
        root_filter: BlockHandle::default(),
        entries: 0,
        tombstones: 0,
        bytes: 0,
        max_seqno: Seqno(0),
        extents: Vec::new(),
    };
    let edits = [
        ("zone", zone_edit(None)),
        ("free", Edit::Free(ZoneId(1))),
        ("add run", Edit::AddRun(0, run)),
        ("remove run", Edit::RemoveRun(RunId(1))),
        ("replay", Edit::Replay(ReplayPoint::default())),
        ("live", Edit::Live(ZoneId(1), 0)),
        ("counters", Edit::Counters(Counters::default())),
    ];
    let coded = edits.map(|(name, edit)| {
        let bytes = encoded(&edit);
        vec![
            bytes[0].to_string(),
            name.to_owned(),
            bytes.len().to_string(),
        ]
    });
    assert_eq!(rows("Edits"), coded);
    for (heading, edit) in [
        ("Zone edit", 0),
        ("Replay edit", 4),
        ("Live edit", 5),
        ("Counters edit", 6),
    ] {
        assert_eq!(rows(heading)[0][3], coded[edit][0], "{heading}");
    }
    let flags = |end| encoded(&zone_edit(end))[edit::ZONE_FIELDS[3].offset];
    assert_eq!((flags(None), flags(Some(0))), (0, 1));
}

#[test]
fn every_bound_is_listed_as_it_is() {
    let coded = [
        pair("longest key", limits::MAX_KEY),
        pair("longest version", limits::MAX_VERSION),
        pair("longest tag", limits::MAX_TAG),
        pair("longest value", limits::MAX_VALUE),
        pair("most mutations of a commit", limits::MAX_COMMIT_OPERATIONS),
        pair("largest block of a run", limits::RUN_BLOCK_MAX),
        pair("bytes a block of a run aims at", limits::RUN_BLOCK_TARGET),
        pair("leaves below one filter", limits::LEAVES_PER_FILTER),
        pair("bits of filter for each key", limits::FILTER_BITS_PER_KEY),
        pair("entries from one restart point to the next", RESTART),
        pair(
            "fewest children of a node that is not the last of its level",
            node::MIN_CHILDREN,
        ),
        pair(
            "mean length of values from which on a group is aligned",
            limits::LARGE_VALUE,
        ),
        pair("alignment of other groups", group::ALIGNMENT),
        pair(
            "bytes of a value that are sealed together",
            limits::SEAL_CHUNK,
        ),
        pair("bytes of a tag", limits::SEAL_TAG),
    ];
    assert_eq!(pairs("Bounds"), coded);
    let mut payload = Vec::new();
    filter::encode(&[filter::hash(b"key")], &mut payload);
    assert_eq!((payload[0], payload.len()), (6, 9));
}

#[test]
fn the_geometry_of_each_capacity_is_the_listed_one() {
    for row in rows("Geometry") {
        let geometry = Geometry::for_capacity(number(&row[0])).unwrap();
        let coded = pair(geometry.zone_size, geometry.zones);
        assert_eq!((row[1].clone(), row[2].clone()), coded, "{row:?}");
    }
    assert_eq!(Geometry::for_capacity(limits::MIN_CAPACITY - 1), None);
    let positions = [Slot::First.position(), Slot::Second.position()];
    assert_eq!(positions, [0, 32768]);
    assert_eq!((Slot::of(2), Slot::of(3)), (Slot::First, Slot::Second));
}

#[test]
fn a_drive_grows_to_the_listed_capacity() {
    for row in rows("Growing") {
        let zone_size = u32::try_from(number(&row[0])).unwrap();
        assert_eq!(number(&row[1]), most_bytes(zone_size), "{row:?}");
    }
}

#[test]
fn settings_lie_where_the_page_says() {
    for row in rows("Settings places") {
        let geometry = Geometry {
            zone_size: u32::try_from(number(&row[0])).unwrap(),
            zones: 64,
        };
        let [first, second] = [Slot::First, Slot::Second].map(|s| Place::of(s, &geometry));
        assert_eq!(first.length, second.length);
        let coded = [first.position, second.position, first.length];
        assert_eq!(row[1..], coded.map(|bytes| bytes.to_string()), "{row:?}");
    }
}

#[test]
fn every_state_seal_and_kind_of_key_is_the_one_that_is_written() {
    let coded = [
        pair(DriveState::Serving as u8, "serving"),
        pair(DriveState::Erasing as u8, "erasing"),
    ];
    assert_eq!(pairs("States"), coded);
    let coded = [
        pair(Seal::Plain as u8, "plain"),
        pair(Seal::Sealed as u8, "sealed"),
    ];
    assert_eq!(pairs("Seals"), coded);
    let coded = [
        pair(Sealed::Records as u8, "the records of a group"),
        pair(Sealed::Value as u8, "a chunk of a value"),
        pair(Sealed::Block as u8, "the payload of a block"),
        pair(Sealed::Frame as u8, "the edits of a frame"),
    ];
    assert_eq!(pairs("Kinds of sealed bytes"), coded);
    let coded = [
        pair(wrapped_key::NONE, "none"),
        pair(wrapped_key::OPEN, "open"),
        pair(wrapped_key::PIN, "PIN"),
    ];
    assert_eq!(pairs("Kinds of wrapped keys"), coded);
}

#[test]
fn the_reserve_of_each_capacity_is_the_listed_one() {
    for row in rows("Reserve") {
        let geometry = Geometry::for_capacity(number(&row[0])).unwrap();
        let reserve = Reserve::of(&geometry, &Options::default().fitted(&geometry), 0);
        let coded = [reserve.manifest, reserve.flush, reserve.delete, reserve.put];
        assert_eq!(row[1..], coded.map(|zones| zones.to_string()), "{row:?}");
    }
}

#[test]
fn published_checksums_hold() {
    for row in rows("Checksum values") {
        let sum = match row[0].as_str() {
            "" => checksum(row[1].as_bytes()),
            offset => STAMP.checksum(offset.parse().unwrap(), &[row[1].as_bytes()]),
        };
        assert_eq!(format!("{sum:#010x}"), row[2], "{row:?}");
    }
}
