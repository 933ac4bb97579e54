//! Operations against a store in RAM.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use kinetic_proto::schema::command::get_log::Device as NamedLog;
use kinetic_proto::schema::command::{Body, GetLog, KeyValue, Range};
use kinetic_proto::{CommandView, Limits, MessageType, StatusCode};
use kinetic_store::{Commit, CommitError, Completion, Effort, Priority};
use prost::Message as _;

use super::entry::Source;
use super::extended::CAPABILITIES_LOG;
use super::*;
use crate::auth::{Access, Channel, Identity, IdentityTable, Permission, Scope};
use crate::device::Device;
use crate::ram_drive::{body, command, device, entry};

struct Bed {
    device: Device,
    access: Access,
    identities: IdentityTable,
}

struct Told(mpsc::SyncSender<Result<(), CommitError>>);

impl Completion for Told {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        self.0.send(outcome).unwrap();
    }
}

fn bed() -> Bed {
    Bed {
        device: device(),
        identities: IdentityTable::new([]),
        access: Access::new(Arc::new(Identity::factory(b"key")), Channel::Plain),
    }
}

impl Bed {
    fn with_scopes(scopes: Vec<Scope>) -> Self {
        let identity = Identity {
            scopes,
            ..Identity::factory(b"key")
        };
        Self {
            access: Access::new(Arc::new(identity), Channel::Plain),
            ..bed()
        }
    }

    fn ask(&self, kind: MessageType, body: Option<Body>, value: &'static [u8]) -> Answer {
        let bytes = Bytes::from(command(1, kind, body).encode_to_vec());
        let source = Source {
            message: &bytes,
            value: Bytes::from_static(value),
            limits: &Limits::default(),
        };
        let view = CommandView::parse(&bytes).unwrap();
        let request = match Request::parse(kind, &view, &source) {
            Ok(request) => request,
            Err(invalid) => return Answer::of(invalid.into()),
        };
        match begin(request, &self.access, &self.device) {
            Work::Done(answer) => answer,
            Work::Read(mut read) => loop {
                match read.run(&self.device, Effort::Disk) {
                    Ok(answer) => break answer,
                    Err(unfinished) => assert_eq!(unfinished, Unfinished::OutOfTurn),
                }
            },
            Work::Write(write) => self.commit(write),
            Work::Push(push) => panic!("{push:?} is for a peer"),
            Work::Batch(control) => panic!("{control:?} is for a connection"),
            Work::Change(change) => {
                let granted = self.identities.generation();
                change.run(&self.device, &self.identities, granted).0
            }
        }
    }

    fn commit(&self, write: Write) -> Answer {
        let (told, outcome) = mpsc::sync_channel(1);
        let commit = Commit {
            mutations: write.mutations,
            durability: write.durability,
            priority: Priority::NORMAL,
            token: 0,
            completion: Arc::new(Told(told)),
        };
        let store = self.device.store().unwrap();
        store.submit(commit).unwrap();
        store.kick();
        match outcome.recv().unwrap() {
            Ok(()) => Answer::success(),
            Err(error) => Answer::of(status::of_commit(error.failure)),
        }
    }

    fn put(&self, key: &[u8], version: &'static [u8], value: &'static [u8]) {
        let new = KeyValue {
            new_version: Some(Bytes::from_static(version)),
            tag: Some(Bytes::from_static(b"tag")),
            algorithm: Some(100),
            force: Some(true),
            ..entry(key)
        };
        let answer = self.ask(MessageType::PUT, body(new), value);
        assert_eq!(answer.code(), StatusCode::SUCCESS);
    }

    fn keys(&self, range: Range) -> Vec<Bytes> {
        let body = Body {
            range: Some(range),
            ..Body::default()
        };
        let answer = self.ask(MessageType::GETKEYRANGE, Some(body), b"");
        assert_eq!(answer.code(), StatusCode::SUCCESS);
        match answer.body {
            AnswerBody::Keys(keys) => keys,
            _ => Vec::new(),
        }
    }

    fn log(&self, types: &[i32], name: Option<&'static [u8]>) -> (Answer, GetLog) {
        let name = name.map(Bytes::from_static);
        let log = GetLog {
            types: types.to_vec(),
            device: name.map(|name| NamedLog { name: Some(name) }),
            ..GetLog::default()
        };
        let body = Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        };
        let answer = self.ask(MessageType::GETLOG, Some(body), b"");
        let log = match &answer.body {
            AnswerBody::Log(log) => GetLog::clone(log),
            _ => GetLog::default(),
        };
        (answer, log)
    }
}

fn scope(value: &'static [u8], permissions: &[Permission]) -> Scope {
    Scope {
        value: Bytes::from_static(value),
        permissions: permissions.iter().copied().collect(),
        ..Scope::default()
    }
}

#[test]
fn an_entry_comes_back_as_it_was_put() {
    let bed = bed();
    bed.put(b"key", b"v1", b"value");
    let answer = bed.ask(MessageType::GET, body(entry(b"key")), b"");
    let AnswerBody::Entry(key, attributes) = answer.body else {
        panic!("{answer:?}")
    };
    assert_eq!((&key[..], attributes.version()), (&b"key"[..], &b"v1"[..]));
    assert_eq!(
        (attributes.tag(), attributes.algorithm),
        (&b"tag"[..], Some(100))
    );
    assert_eq!(answer.value.as_ref(), b"value");
    let only = KeyValue {
        metadata_only: Some(true),
        ..entry(b"key")
    };
    let answer = bed.ask(MessageType::GET, body(only), b"");
    assert!(answer.value.is_empty());
    let answer = bed.ask(MessageType::GETVERSION, body(entry(b"key")), b"");
    assert!(matches!(answer.body, AnswerBody::Version(_)));
}

#[test]
fn a_missing_entry_is_not_found_with_an_empty_message() {
    let bed = bed();
    let kinds = [
        MessageType::GET,
        MessageType::GETVERSION,
        MessageType::GETNEXT,
        MessageType::GETPREVIOUS,
        MessageType::DELETE,
    ];
    for kind in kinds {
        let answer = bed.ask(kind, body(entry(b"none")), b"");
        assert_eq!(answer.code(), StatusCode::NOT_FOUND, "{kind}");
        assert_eq!(answer.status.status_message.as_deref(), Some(""), "{kind}");
    }
}

#[test]
fn versions_are_compared_unless_forced() {
    let bed = bed();
    let put = |expected: &'static [u8]| {
        let new = KeyValue {
            new_version: Some(Bytes::from_static(b"v")),
            db_version: Some(Bytes::from_static(expected)),
            ..entry(b"key")
        };
        bed.ask(MessageType::PUT, body(new), b"x").code()
    };
    assert_eq!(put(b"not stored"), StatusCode::VERSION_MISMATCH);
    assert_eq!(put(b""), StatusCode::SUCCESS);
    assert_eq!(put(b""), StatusCode::VERSION_MISMATCH);
    assert_eq!(put(b"v"), StatusCode::SUCCESS);
    let delete = |entry| bed.ask(MessageType::DELETE, body(entry), b"").code();
    assert_eq!(delete(entry(b"key")), StatusCode::VERSION_MISMATCH);
    let forced = KeyValue {
        force: Some(true),
        ..entry(b"key")
    };
    assert_eq!(delete(forced.clone()), StatusCode::SUCCESS);
    assert_eq!(delete(forced), StatusCode::SUCCESS);
}

#[test]
fn neighbours_are_strict_and_need_the_right_to_read_what_is_found() {
    let bed = Bed::with_scopes(vec![
        scope(b"", &[Permission::Write]),
        scope(b"b", &[Permission::Read]),
    ]);
    for key in [b"a", b"b", b"c"] {
        bed.put(key, b"", key);
    }
    let find = |kind, key| bed.ask(kind, body(entry(key)), b"");
    let found = find(MessageType::GETNEXT, b"a");
    assert_eq!(found.value.as_ref(), b"b");
    let found = find(MessageType::GETPREVIOUS, b"bb");
    assert_eq!(found.value.as_ref(), b"b");
    let passed = find(MessageType::GETNEXT, b"");
    assert_eq!(passed.value.as_ref(), b"b");
    let passed = find(MessageType::GETPREVIOUS, b"d");
    assert_eq!(passed.value.as_ref(), b"b");
    // Whether a foreign key lies behind or none at all cannot be told.
    for (kind, key) in [
        (MessageType::GETNEXT, b"b"),
        (MessageType::GETNEXT, b"c"),
        (MessageType::GETPREVIOUS, b"b"),
        (MessageType::GETPREVIOUS, b"a"),
    ] {
        assert_eq!(find(kind, key).code(), StatusCode::NOT_FOUND, "{kind}");
    }
}

#[test]
fn who_may_read_nothing_is_not_told_whether_there_are_neighbours() {
    let bed = Bed::with_scopes(vec![scope(b"", &[Permission::Write])]);
    let find = |kind| bed.ask(kind, body(entry(b"m")), b"").code();
    for _ in 0..2 {
        assert_eq!(find(MessageType::GETNEXT), StatusCode::NOT_AUTHORIZED);
        assert_eq!(find(MessageType::GETPREVIOUS), StatusCode::NOT_AUTHORIZED);
        bed.put(b"n", b"", b"");
        bed.put(b"l", b"", b"");
    }
}

#[test]
fn neighbours_behind_many_foreign_keys_are_found() {
    let bed = Bed::with_scopes(vec![
        scope(b"", &[Permission::Write]),
        scope(b"mine", &[Permission::Read]),
    ]);
    for number in 0..crate::limits::NEIGHBOURS_INLINE * 3 {
        bed.put(format!("a {number:05}").as_bytes(), b"", b"");
    }
    bed.put(b"mine", b"", b"mine");
    let found = bed.ask(MessageType::GETNEXT, body(entry(b"a")), b"");
    assert_eq!(found.value.as_ref(), b"mine");
}

#[test]
fn ranges_go_both_ways_with_all_ends() {
    let bed = bed();
    for key in [b"a", b"b", b"c", b"d"] {
        bed.put(key, b"", b"");
    }
    let range = |start: &'static [u8], end: Option<&'static [u8]>, inclusive| Range {
        start_key: Some(Bytes::from_static(start)),
        end_key: end.map(Bytes::from_static),
        start_key_inclusive: Some(inclusive),
        end_key_inclusive: Some(inclusive),
        ..Range::default()
    };
    let joined = |range| bed.keys(range).concat();
    assert_eq!(joined(range(b"a", Some(b"c"), true)), b"abc");
    assert_eq!(joined(range(b"a", Some(b"c"), false)), b"b");
    assert_eq!(joined(range(b"b", None, false)), b"cd");
    assert_eq!(joined(range(b"c", Some(b"a"), true)), b"");
    assert_eq!(joined(range(b"b", Some(b"b"), true)), b"b");
    assert_eq!(joined(range(b"b", Some(b"b"), false)), b"");
    let last = Range {
        reverse: Some(true),
        max_returned: Some(2),
        ..range(b"a", None, true)
    };
    assert_eq!(joined(last), b"dc");
}

#[test]
fn keys_without_the_right_are_skipped_and_reading_goes_on() {
    let bed = Bed::with_scopes(vec![
        scope(b"", &[Permission::Write]),
        scope(b"mine", &[Permission::Range]),
    ]);
    for number in 0..500 {
        let owner = if number % 100 == 99 { "mine" } else { "m" };
        bed.put(format!("{owner}{number:03}").as_bytes(), b"", b"");
    }
    let mine = Range {
        max_returned: Some(4),
        ..Range::default()
    };
    let keys = bed.keys(mine);
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| key.starts_with(b"mine")));
    let nobody = Bed::with_scopes(vec![scope(b"", &[Permission::Read])]);
    let answer = nobody.ask(MessageType::GETKEYRANGE, None, b"");
    assert_eq!(answer.code(), StatusCode::NOT_AUTHORIZED);
}

#[test]
fn every_log_has_content() {
    let bed = bed();
    bed.put(b"key", b"", b"value");
    let (answer, log) = bed.log(&[0, 1, 2, 3, 4, 5, 6, 6, 55], None);
    assert_eq!(answer.code(), StatusCode::SUCCESS);
    assert_eq!(log.types, [0, 1, 2, 3, 4, 5, 6, 6, 55]);
    let names: Vec<_> = log
        .utilizations
        .iter()
        .filter_map(|u| u.name.clone())
        .collect();
    assert_eq!(names, ["HDA", "EN0", "EN1", "CPU"]);
    assert_eq!(log.temperatures.len(), 2);
    let capacity = log.capacity.unwrap();
    assert!(capacity.portion_full.unwrap() > 0.0);
    assert!(capacity.nominal_capacity_in_bytes.unwrap() > 200 << 20);
    let configuration = log.configuration.unwrap();
    for text in [
        configuration.vendor,
        configuration.model,
        configuration.version,
        configuration.compilation_date,
        configuration.source_hash,
        configuration.protocol_version,
    ] {
        assert!(!text.unwrap().is_empty());
    }
    assert!(!log.statistics.is_empty() && !log.messages.unwrap().is_empty());
    assert_eq!(log.limits.unwrap().max_key_range_count, Some(200));
}

#[test]
fn a_device_log_is_found_by_its_name_only() {
    let bed = bed();
    let (answer, log) = bed.log(&[7], Some(CAPABILITIES_LOG));
    assert_eq!(answer.code(), StatusCode::SUCCESS);
    assert!(answer.value.starts_with(b"{"));
    assert_eq!(log.device.unwrap().name.as_deref(), Some(CAPABILITIES_LOG));
    let (answer, log) = bed.log(&[7, 6], Some(b"com.example"));
    assert_eq!(answer.code(), StatusCode::NOT_FOUND);
    assert!(log.limits.is_some());
    let (answer, _) = bed.log(&[], None);
    assert_eq!(answer.code(), StatusCode::INVALID_REQUEST);
    let (answer, _) = bed.log(&[0; 65], None);
    assert_eq!(answer.code(), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_flush_and_a_noop_need_no_permission() {
    let bed = Bed::with_scopes(Vec::new());
    for kind in [MessageType::NOOP, MessageType::FLUSHALLDATA] {
        assert_eq!(bed.ask(kind, None, b"").code(), StatusCode::SUCCESS);
    }
    let (answer, _) = bed.log(&[0], None);
    assert_eq!(answer.code(), StatusCode::NOT_AUTHORIZED);
}
