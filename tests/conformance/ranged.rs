//! COUNT, RANGE_METADATA and RANGE_DIGEST: which keys they are about, how much an answer holds, how
//! it is gone on with, and who may.

use bytes::Bytes;
use kinetic_proto::schema::command::digest::Part;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::{HmacAlgorithm, Permission, Scope};
use kinetic_proto::schema::command::{Body, KeyValue, Range, Security};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::admin::secure;
use kinetic_tests::conversation::{Conversation, Reply, key_only};
use ring::digest::{SHA256, digest};

use crate::Fresh;

fn ask(talk: &mut Conversation, kind: MessageType, range: Range) -> Reply {
    let body = Body {
        range: Some(range),
        ..Body::default()
    };
    talk.ask(kind, body, &[])
}

/// A drive with so many keys of three digits.
fn numbered(count: u32) -> (Fresh, Conversation) {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..count {
        talk.put(format!("{number:03}").as_bytes(), b"value")
            .success();
    }
    (fresh, talk)
}

fn from_to(start: &'static str, end: &'static str) -> Range {
    Range {
        start_key: Some(Bytes::from(start)),
        end_key: Some(Bytes::from(end)),
        start_key_inclusive: Some(true),
        end_key_inclusive: Some(true),
        ..Range::default()
    }
}

fn counted(reply: Reply) -> (Option<u64>, Option<Bytes>) {
    let range = reply.success().body().range.expect("body.range");
    assert!(range.keys.is_empty());
    (range.count, range.end_key)
}

fn parts(reply: Reply) -> Vec<Part> {
    reply.success().body().digest.expect("body.digest").part
}

/// The sum over entries without version, tag and algorithm, as PROTOCOL.md has it.
fn sum(entries: &[(&[u8], &[u8])], with_values: bool) -> Bytes {
    let mut input = Vec::new();
    for (key, value) in entries {
        input.extend(u32::try_from(key.len()).expect("a short key").to_be_bytes());
        input.extend(*key);
        input.extend([0; 12]);
        input.extend((value.len() as u64).to_be_bytes());
        if with_values {
            input.extend(digest(&SHA256, value).as_ref());
        }
    }
    Bytes::copy_from_slice(digest(&SHA256, &input).as_ref())
}

/// Identity 7 may read what begins with 0 and list all; 8 may list what begins with 1.
fn restrict(fresh: &Fresh) -> (Conversation, Conversation) {
    let scope = |value: &'static [u8], permission: Permission| Scope {
        value: Some(Bytes::from_static(value)),
        permission: vec![permission.into()],
        ..Scope::default()
    };
    let acl = |identity, scope| Acl {
        identity: Some(identity),
        key: Some(Bytes::from_static(b"key")),
        hmac_algorithm: Some(HmacAlgorithm::HmacSha1.into()),
        scope,
        ..Acl::default()
    };
    let all = scope(b"", Permission::Range);
    let security = Security {
        acl: vec![
            acl(1, vec![scope(b"", Permission::Security)]),
            acl(7, vec![all, scope(b"0", Permission::Read)]),
            acl(8, vec![scope(b"1", Permission::Range)]),
        ],
        ..Security::default()
    };
    secure(&mut fresh.talk_tls(), security);
    let as_identity = |number| fresh.talk().speaking_as(number, b"key");
    (as_identity(7), as_identity(8))
}

#[test]
fn a_count_has_all_keys_of_the_range_and_no_end_key() {
    let (_fresh, mut talk) = numbered(250);
    let count = MessageType::COUNT;
    let whole = talk.ask(count, Body::default(), &[]);
    assert_eq!(counted(whole), (Some(250), None));
    let both = ask(&mut talk, count, from_to("100", "199"));
    assert_eq!(counted(both), (Some(100), None));
    let neither = Range {
        start_key_inclusive: None,
        end_key_inclusive: None,
        reverse: Some(true),
        ..from_to("100", "199")
    };
    assert_eq!(counted(ask(&mut talk, count, neither)), (Some(98), None));
    for nothing in [from_to("x", "y"), from_to("199", "100")] {
        assert_eq!(counted(ask(&mut talk, count, nothing)), (Some(0), None));
    }
    let to_empty = Range {
        end_key: Some(Bytes::new()),
        ..Range::default()
    };
    assert_eq!(counted(ask(&mut talk, count, to_empty)), (Some(0), None));
}

#[test]
fn a_count_stops_where_it_is_told_to_even_above_the_limit_of_a_range() {
    let (_fresh, mut talk) = numbered(250);
    for (most, end) in [(1, "000"), (200, "199"), (201, "200")] {
        let range = Range {
            max_returned: Some(most),
            ..Range::default()
        };
        let (count, end_key) = counted(ask(&mut talk, MessageType::COUNT, range));
        assert_eq!(count, Some(most.into()));
        assert_eq!(end_key, Some(Bytes::from(end)));
    }
    for enough in [0, 251, u32::MAX] {
        let range = Range {
            max_returned: Some(enough),
            ..Range::default()
        };
        let (count, end_key) = counted(ask(&mut talk, MessageType::COUNT, range));
        assert_eq!((count, end_key), (Some(250), None), "{enough}");
    }
}

#[test]
fn only_what_may_be_listed_is_counted() {
    let (fresh, _talk) = numbered(250);
    let (mut seven, mut eight) = restrict(&fresh);
    let whole = ask(&mut seven, MessageType::COUNT, Range::default());
    assert_eq!(counted(whole), (Some(250), None));
    let some = ask(&mut eight, MessageType::COUNT, Range::default());
    assert_eq!(counted(some), (Some(100), None));
    let mut one = fresh.talk().speaking_as(1, b"key");
    for kind in [
        MessageType::COUNT,
        MessageType::RANGE_METADATA,
        MessageType::RANGE_DIGEST,
    ] {
        let refused = ask(&mut one, kind, Range::default());
        assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
        assert_eq!(refused.text(), "permission denied");
    }
}

#[test]
fn metadata_of_a_range_is_that_of_each_entry_without_its_value() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let entry = KeyValue {
        new_version: Some(Bytes::from_static(b"v1")),
        tag: Some(Bytes::from_static(b"tag")),
        algorithm: Some(100),
        force: Some(true),
        ..key_only(b"a")
    };
    talk.ask_entry(MessageType::PUT, entry, b"12345").success();
    talk.put(b"b", b"").success();
    let reply = ask(&mut talk, MessageType::RANGE_METADATA, Range::default()).success();
    assert_eq!(reply.value.len(), 0);
    let found = reply.body().found;
    let entries: Vec<KeyValue> = found.into_iter().filter_map(|one| one.key_value).collect();
    let a = KeyValue {
        db_version: Some(Bytes::from_static(b"v1")),
        tag: Some(Bytes::from_static(b"tag")),
        algorithm: Some(100),
        value_length: Some(5),
        ..key_only(b"a")
    };
    let b = KeyValue {
        db_version: Some(Bytes::new()),
        tag: Some(Bytes::new()),
        value_length: Some(0),
        ..key_only(b"b")
    };
    assert_eq!(entries, [a.clone(), b.clone()]);
    let backward = Range {
        reverse: Some(true),
        ..Range::default()
    };
    let reply = ask(&mut talk, MessageType::RANGE_METADATA, backward).success();
    let found = reply.body().found;
    let entries: Vec<KeyValue> = found.into_iter().filter_map(|one| one.key_value).collect();
    assert_eq!(entries, [b, a]);
}

fn listed(reply: Reply) -> Vec<Bytes> {
    let found = reply.success().body().found.into_iter();
    found
        .map(|one| one.key_value.expect("an entry").key.expect("its key"))
        .collect()
}

#[test]
fn metadata_has_the_limit_of_a_range_and_skips_what_may_not_be_read() {
    let (fresh, mut talk) = numbered(250);
    let metadata = MessageType::RANGE_METADATA;
    let all = listed(ask(&mut talk, metadata, Range::default()));
    assert_eq!((all.len(), all.last()), (200, Some(&Bytes::from("199"))));
    let most = |most| Range {
        max_returned: Some(most),
        ..Range::default()
    };
    assert_eq!(listed(ask(&mut talk, metadata, most(3))).len(), 3);
    let refused = ask(&mut talk, metadata, most(201));
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    let (mut seven, mut eight) = restrict(&fresh);
    assert_eq!(
        listed(ask(&mut seven, metadata, Range::default())).len(),
        100
    );
    let refused = ask(&mut eight, metadata, Range::default());
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
}

#[test]
fn metadata_of_the_largest_entries_is_cut_so_that_it_fits_a_message() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..150 {
        let entry = KeyValue {
            new_version: Some(Bytes::from(vec![1; 2048])),
            tag: Some(Bytes::from(vec![2; 4096])),
            force: Some(true),
            ..key_only(format!("{number:04096}").as_bytes())
        };
        talk.ask_entry(MessageType::PUT, entry, b"").success();
    }
    let (mut start, mut total, mut answers) = (None, 0, 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            ..Range::default()
        };
        let keys = listed(ask(&mut talk, MessageType::RANGE_METADATA, range));
        let Some(last) = keys.last() else { break };
        start = Some(last.clone());
        total += keys.len();
        answers += 1;
    }
    assert_eq!((total, answers), (150, 2));
}

#[test]
fn one_digest_is_the_sum_over_all_entries() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let kind = MessageType::RANGE_DIGEST;
    let empty = parts(ask(&mut talk, kind, Range::default()));
    let expected = Part {
        end_key: None,
        count: Some(0),
        bytes: Some(0),
        digest: Some(sum(&[], false)),
    };
    assert_eq!(empty, [expected]);
    talk.put(b"a", b"one").success();
    talk.put(b"b", b"").success();
    let entries: [(&[u8], &[u8]); 2] = [(b"a", b"one"), (b"b", b"")];
    for with_values in [false, true] {
        let range = Range {
            with_values: Some(with_values),
            ..Range::default()
        };
        let reply = ask(&mut talk, kind, range);
        assert_eq!(reply.body().range, None);
        let expected = Part {
            end_key: None,
            count: Some(2),
            bytes: Some(3),
            digest: Some(sum(&entries, with_values)),
        };
        assert_eq!(parts(reply), [expected], "{with_values}");
    }
    // Another value of the same length shows only with values.
    let before = parts(ask(&mut talk, kind, Range::default()));
    talk.put(b"a", b"two").success();
    assert_eq!(parts(ask(&mut talk, kind, Range::default())), before);
}

#[test]
fn parts_of_so_many_entries_go_on_until_one_has_no_end() {
    let (_fresh, mut talk) = numbered(450);
    let kind = MessageType::RANGE_DIGEST;
    let (mut start, mut all, mut answers) = (None, Vec::new(), 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            max_returned: Some(2),
            ..Range::default()
        };
        let reply = ask(&mut talk, kind, range);
        start = reply.body().range.and_then(|range| range.end_key);
        let told = parts(reply);
        assert!(told.len() <= 200);
        if start.is_some() {
            assert_eq!(told.last().and_then(|part| part.end_key.clone()), start);
        }
        all.extend(told);
        answers += 1;
        if start.is_none() {
            break;
        }
    }
    assert_eq!(answers, 2);
    // All of two, and what is behind the last of them: nothing.
    assert_eq!(all.len(), 226);
    assert!(all[..225].iter().all(|part| part.count == Some(2)));
    assert_eq!((all[225].count, &all[225].end_key), (Some(0), &None));
    assert_eq!(all[0].end_key.as_deref(), Some(&b"001"[..]));
    let first = sum(&[(b"000", b"value"), (b"001", b"value")], false);
    assert_eq!(all[0].digest, Some(first));
}

#[test]
fn splits_part_a_range_as_the_client_says() {
    let (_fresh, mut talk) = numbered(10);
    let kind = MessageType::RANGE_DIGEST;
    let split = |keys: &[&'static str]| keys.iter().map(|&key| Bytes::from(key)).collect();
    let range = Range {
        split: split(&["000", "004", "0041", "1"]),
        ..from_to("001", "008")
    };
    let told = parts(ask(&mut talk, kind, range));
    let counts: Vec<_> = told.iter().map(|part| part.count.unwrap()).collect();
    assert_eq!(counts, [0, 4, 0, 4, 0]);
    let ends: Vec<_> = told.iter().map(|part| part.end_key.as_deref()).collect();
    let expected = [&b"000"[..], b"004", b"0041", b"1"];
    assert!(
        ends.iter()
            .copied()
            .eq(expected.into_iter().map(Some).chain([None]))
    );
    for wrong in [split(&["b", "a"]), split(&["a", "a"])] {
        let range = Range {
            split: wrong,
            ..Range::default()
        };
        let refused = ask(&mut talk, kind, range);
        assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
    }
    let both = Range {
        split: split(&["a"]),
        max_returned: Some(1),
        ..Range::default()
    };
    let refused = ask(&mut talk, kind, both);
    assert_eq!(refused.code(), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_digest_with_a_key_that_may_not_be_read_is_refused_as_a_whole() {
    let (fresh, _talk) = numbered(250);
    let (mut seven, _eight) = restrict(&fresh);
    let kind = MessageType::RANGE_DIGEST;
    let told = parts(ask(&mut seven, kind, from_to("000", "099")));
    assert_eq!(told[0].count, Some(100));
    let refused = ask(&mut seven, kind, from_to("000", "100"));
    assert_eq!(refused.code(), StatusCode::NOT_AUTHORIZED);
    assert_eq!(refused.text(), "permission denied");
    assert_eq!(refused.body(), Body::default());
}

#[test]
fn a_digest_whose_time_is_up_says_how_far_it_got() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..24_u8 {
        talk.put(&[b'k', number], &vec![number; 1 << 20]).success();
    }
    let (mut start, mut count, mut bytes, mut answers) = (None, 0, 0, 0);
    loop {
        let range = Range {
            start_key: start.clone(),
            with_values: Some(true),
            ..Range::default()
        };
        let body = Body {
            range: Some(range),
            ..Body::default()
        };
        let mut command = talk.command(MessageType::RANGE_DIGEST, body);
        if let Some(header) = &mut command.header {
            header.time_quanta = Some(1);
        }
        let reply = talk.ask_command(&command, &[]);
        start = reply.body().range.and_then(|range| range.end_key);
        for part in parts(reply) {
            assert_eq!(part.end_key, start);
            count += part.count.unwrap();
            bytes += part.bytes.unwrap();
        }
        answers += 1;
        if start.is_none() {
            break;
        }
    }
    assert_eq!((count, bytes), (24, 24 << 20));
    assert!(answers > 2, "{answers} answers");
}
