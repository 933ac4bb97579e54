//! Writes what the fuzz targets start from: one folder for each, below the folder it is given.
//!
//! From the frames captured from other programs, in the folder that KINETIC_CAPTURES names, and
//! from a plain drive in memory with some entries. Nothing of it belongs into the repository.
//! Not here: the targets (a workspace of their own in this folder).
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use kinetic_proto::schema::Command;
use kinetic_proto::{MessageView, limits::FRAME_HEADER_SIZE};
use kinetic_server::device::Settings;
use kinetic_server::device::opaque::Opaque;
use kinetic_server::device::settings::{IdentityRecord, ScopeRecord, TlsPair};
use kinetic_store::disk::{Disk, MemoryDisk};
use kinetic_store::layout::settings::SettingsHeader;
use kinetic_store::layout::superblock::Slot;
use kinetic_store::log::group::{self, GroupHeader};
use kinetic_store::manifest::frame;
use kinetic_store::run::format::block;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Durability, Expected, FormatOptions, Mutation,
    Options, Priority, Seal, Step, Store, format_as,
};
use prost::Message as _;

type Failure = Box<dyn Error>;

/// The smallest drive there is.
const CAPACITY: u64 = 256 << 20;

/// Enough for a run of several leaves.
const ENTRIES: u32 = 2000;

/// How many commits there are to one group.
const COMMITS: u32 = 20;

/// A list of identities as a drive publishes it.
const ACLS: &[u8] = br#"{"identities":[{"identity":7,"hmacAlgorithm":"HmacSHA1","maxPriority":5,
    "scopes":[{"offset":3,"value":"dmFsdWU=","permissions":["READ"],"TlsRequired":true}]}]}"#;

/// What a drive can beyond the protocol, behind the byte that says so.
const CAPABILITIES: &[u8] = br#"1{"extensions":[{"name":"COUNT","number":1002}],
    "limits":{"maxKeysPerRequest":7,"maxFoundSize":1048576}}"#;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder] = &arguments[..] else {
        return Err("usage: seed FOLDER, with KINETIC_CAPTURES for the frames".into());
    };
    let mut corpus = Corpus {
        folder: folder.into(),
        count: 0,
    };
    match std::env::var_os("KINETIC_CAPTURES") {
        Some(captures) => seed_network(&mut corpus, Path::new(&captures))?,
        None => println!("KINETIC_CAPTURES is not set: no frames of other programs"),
    }
    corpus.add(&["client_acls"], ACLS)?;
    corpus.add(&["client_extensions"], CAPABILITIES)?;
    seed_disk(&mut corpus)?;
    println!("{} inputs in {folder}", corpus.count);
    Ok(())
}

struct Corpus {
    folder: PathBuf,
    count: usize,
}

impl Corpus {
    fn add(&mut self, targets: &[&str], input: &[u8]) -> Result<(), Failure> {
        for target in targets {
            let folder = self.folder.join(target);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("seed-{:06}", self.count)), input)?;
            self.count += 1;
        }
        Ok(())
    }
}

/// A captured frame's command, in another place of another conversation.
struct Turn(Command);

impl Turn {
    fn of(message: &[u8]) -> Option<Self> {
        let view = MessageView::parse(message).ok()?;
        Command::decode(view.command_bytes()).ok().map(Self)
    }

    fn asks(mut self, sequence: u64) -> Vec<u8> {
        if let Some(header) = &mut self.0.header {
            header.sequence = Some(sequence);
            header.connection_id = Some(1);
            header.cluster_version = Some(0);
        }
        self.0.encode_to_vec()
    }

    fn answers(mut self, sequence: u64) -> Vec<u8> {
        if let Some(header) = &mut self.0.header {
            header.ack_sequence = Some(sequence);
        }
        self.0.encode_to_vec()
    }
}

fn seed_network(corpus: &mut Corpus, captures: &Path) -> Result<(), Failure> {
    for file in fs::read_dir(captures)? {
        let path = file?.path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let (mut requests, mut responses) = (vec![0], vec![0]);
        for line in fs::read_to_string(&path)?.lines() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let frame = |name: &str| line.get(name)?.as_str().and_then(unhexed);
            if let Some(frame) = frame("request") {
                requests.extend_from_slice(&frame);
                asked.extend(seed_frame(corpus, &frame)?);
            }
            if let Some(frame) = frame("response") {
                responses.extend_from_slice(&frame);
                corpus.add(
                    &["client_hello"],
                    frame.get(FRAME_HEADER_SIZE..).unwrap_or_default(),
                )?;
                answered.extend(seed_frame(corpus, &frame)?);
            }
        }
        corpus.add(&["server_session"], &requests)?;
        corpus.add(&["client_answers"], &responses)?;
        let asked = (1..).zip(asked).map(|(place, turn)| turn.asks(place));
        corpus.add(&["server_session"], &listed(asked))?;
        for answer in answered.chunks(11) {
            let answer = (1..)
                .zip(answer)
                .map(|(place, turn)| Turn(turn.0.clone()).answers(place));
            corpus.add(&["client_answers"], &listed(answer))?;
        }
    }
    Ok(())
}

/// One frame and its parts by themselves.
fn seed_frame(corpus: &mut Corpus, frame: &[u8]) -> Result<Option<Turn>, Failure> {
    corpus.add(&["proto_frame", "client_pdu"], frame)?;
    let message = frame.get(FRAME_HEADER_SIZE..).unwrap_or_default();
    let announced = frame.get(1..5).and_then(|length| length.try_into().ok());
    let length = usize::try_from(u32::from_be_bytes(announced.unwrap_or_default()))?;
    let message = message.get(..length).unwrap_or_default();
    corpus.add(&["proto_message_view", "proto_received"], message)?;
    if let Ok(view) = MessageView::parse(message) {
        corpus.add(&["proto_command_view", "proto_reply"], view.command_bytes())?;
    }
    let turn = Turn::of(message);
    if let Some(turn) = &turn {
        corpus.add(&["server_session"], &listed([Turn(turn.0.clone()).asks(1)]))?;
    }
    Ok(turn)
}

/// A list of commands, as the fuzz functions of conversations read it.
fn listed(commands: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut input = vec![1];
    for command in commands {
        if let Ok(length) = u16::try_from(command.len()) {
            input.extend(length.to_le_bytes());
            input.extend(command);
        }
    }
    input
}

fn unhexed(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

/// Settings with something in most places.
fn settings() -> Settings {
    let scope = ScopeRecord {
        offset: 3,
        value: Opaque(b"value".to_vec()),
        permissions: vec![0, 8],
        tls_required: true,
    };
    let identity = IdentityRecord {
        identity: -7,
        key: Opaque(b"secret".to_vec()),
        scopes: vec![scope],
        max_priority: Some(5),
    };
    let mut settings = Settings::default();
    settings.identities = Some(vec![identity]);
    settings.cluster_version = 7;
    settings.tls = Some(TlsPair {
        certificate: Opaque(vec![1]),
        key: Opaque(vec![2]),
    });
    settings
}

struct Ignored;

impl Completion for Ignored {
    fn complete(&self, _token: u64, _outcome: Result<(), CommitError>) {}
}

/// The structures of a plain drive with one run and a log behind it.
fn seed_disk(corpus: &mut Corpus) -> Result<(), Failure> {
    let settings = settings().encode()?;
    corpus.add(&["server_settings"], &settings)?;
    corpus.add(
        &["store_settings_slot"],
        &SettingsHeader::encode(1, 2, &settings),
    )?;
    let disk = Arc::new(MemoryDisk::new(CAPACITY));
    let options = FormatOptions {
        uuid: [1; 16],
        entropy: [2; 32],
        zone_size: None,
    };
    format_as(&*disk, &options, Seal::Plain)?;
    write_entries(&disk)?;
    for slot in [Slot::First, Slot::Second] {
        corpus.add(
            &["store_superblock"],
            &bytes_at(&disk, slot.position(), 4096)?,
        )?;
    }
    for position in (0..CAPACITY).step_by(4096) {
        let start = bytes_at(&disk, position, 4096)?;
        let length = u64::min(32 << 10, CAPACITY - position);
        if let Some(magic) = start.first_chunk::<4>() {
            seed_structure(corpus, *magic, &bytes_at(&disk, position, length)?)?;
        }
    }
    Ok(())
}

fn seed_structure(corpus: &mut Corpus, magic: [u8; 4], bytes: &[u8]) -> Result<(), Failure> {
    let number = |at: usize| {
        let four = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
        four.map_or(0, |four| u32::from_le_bytes(*four))
    };
    match u32::from_le_bytes(magic) {
        group::MAGIC => {
            let Some(header) = GroupHeader::peek(bytes) else {
                return Ok(());
            };
            let head = usize::try_from(header.head_length())?;
            let head = bytes.get(..head).unwrap_or(bytes);
            let records = head.get(group::WIDTH..).unwrap_or_default();
            corpus.add(&["store_group"], head)?;
            corpus.add(&["store_record"], records)
        }
        frame::MAGIC => {
            let length = frame::FrameHeader::peek(bytes).map_or(0, |header| header.total());
            let whole = bytes.get(..usize::try_from(length)?).unwrap_or(bytes);
            let edits = whole.get(frame::WIDTH..).unwrap_or_default();
            corpus.add(&["store_manifest_frame"], whole)?;
            corpus.add(&["store_manifest_edit"], edits)?;
            // An edit that adds a run begins with its kind.
            corpus.add(&["store_run_meta"], edits.get(1..).unwrap_or_default())
        }
        block::MAGIC => {
            let payload = usize::try_from(number(8))?;
            let whole = bytes.get(..block::HEADER + payload).unwrap_or(bytes);
            let count = number(12)
                .to_le_bytes()
                .first()
                .copied()
                .unwrap_or_default();
            let payload = whole.get(block::HEADER..).unwrap_or_default();
            corpus.add(&["store_run_block"], whole)?;
            corpus.add(&["store_run_filter"], payload)?;
            corpus.add(
                &["store_run_leaf", "store_run_node"],
                &[&[count], payload].concat(),
            )
        }
        _ if bytes.starts_with(b"KZON") => {
            corpus.add(&["store_zone_header"], bytes.get(..4096).unwrap_or(bytes))
        }
        _ => Ok(()),
    }
}

fn write_entries(disk: &Arc<MemoryDisk>) -> Result<(), Failure> {
    let options = Options {
        memtable_bytes: 64 << 10,
        ..Options::default()
    };
    let store = Store::open(Arc::<MemoryDisk>::clone(disk), options, [3; 32], None)?;
    for number in 0..ENTRIES {
        let put = Mutation::Put {
            key: Bytes::from(format!("key{:06}", number % 1500)),
            value: Bytes::from(vec![7; usize::try_from(number % 5)?]),
            attributes: Attributes::new(b"version", b"tag", Some(1)),
            expected: Expected::Any,
        };
        let delete = Mutation::Delete {
            key: Bytes::from(format!("key{number:06}")),
            expected: Expected::Any,
        };
        let commit = Commit {
            mutations: if number % 50 == 0 {
                vec![put, delete]
            } else {
                vec![put]
            },
            durability: Durability::WriteBack,
            priority: Priority::NORMAL,
            token: 0,
            completion: Arc::new(Ignored),
        };
        store.submit(commit).map_err(|error| format!("{error:?}"))?;
        if number % COMMITS == 0 {
            settle(&store, number.into());
        }
    }
    settle(&store, ENTRIES.into());
    Ok(())
}

/// Lets every worker do what it has to do; a second has passed since the last time.
fn settle(store: &Store, second: u64) {
    let now = second * 1_000_000;
    let mut worked = true;
    while worked {
        let steps = [
            store.step_writer(),
            store.step_syncer(now),
            store.step_upkeep(now),
        ];
        worked = steps.contains(&Step::Worked);
    }
}

fn bytes_at(disk: &MemoryDisk, position: u64, length: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; usize::try_from(length)?];
    disk.read_at(position, &mut bytes)?;
    Ok(bytes)
}
