//! GETLOG: every type, alone and together, and what does not exist.

use bytes::Bytes;
use kinetic_proto::schema::command::get_log::{Device, Type};
use kinetic_proto::schema::command::{Body, GetLog};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::conversation::{Conversation, Reply};

use crate::Fresh;

/// Asks for logs of these types.
pub(crate) fn ask_logs(talk: &mut Conversation, types: &[Type]) -> Reply {
    ask_numbers(talk, types.iter().map(|&kind| kind.into()).collect())
}

fn ask_numbers(talk: &mut Conversation, types: Vec<i32>) -> Reply {
    ask(
        talk,
        GetLog {
            types,
            ..GetLog::default()
        },
    )
}

fn ask(talk: &mut Conversation, log: GetLog) -> Reply {
    let body = Body {
        get_log: Some(Box::new(log)),
        ..Body::default()
    };
    talk.ask(MessageType::GETLOG, body, &[])
}

fn log_of(talk: &mut Conversation, kind: Type) -> GetLog {
    let reply = ask_logs(talk, &[kind]).success();
    assert!(reply.value.is_empty());
    let log = *reply.body().get_log.expect("body.getLog");
    assert_eq!(log.types, [i32::from(kind)]);
    log
}

#[test]
fn utilizations_name_disk_interfaces_and_processor_from_0_to_1() {
    let fresh = Fresh::drive();
    let log = log_of(&mut fresh.talk(), Type::Utilizations);
    let mut names: Vec<_> = log
        .utilizations
        .iter()
        .filter_map(|one| one.name.clone())
        .collect();
    names.sort();
    assert_eq!(names, ["CPU", "EN0", "EN1", "HDA"]);
    for one in &log.utilizations {
        assert!(
            one.value.is_some_and(|value| (0.0..=1.0).contains(&value)),
            "{one:?}"
        );
    }
}

#[test]
fn temperatures_name_disk_and_processor_with_their_bounds() {
    let fresh = Fresh::drive();
    let log = log_of(&mut fresh.talk(), Type::Temperatures);
    let mut names: Vec<_> = log
        .temperatures
        .iter()
        .filter_map(|one| one.name.clone())
        .collect();
    names.sort();
    assert_eq!(names, ["CPU", "HDA"]);
    for one in &log.temperatures {
        let all = [one.current, one.minimum, one.maximum, one.target];
        assert!(all.iter().all(Option::is_some), "{one:?}");
        assert!(one.minimum < one.maximum, "{one:?}");
        assert!(
            one.minimum <= one.target && one.target <= one.maximum,
            "{one:?}"
        );
    }
}

#[test]
fn a_drive_that_holds_anything_is_fuller_than_nothing() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    talk.put(b"key", &[7; 1000]).success();
    let capacity = log_of(&mut talk, Type::Capacities)
        .capacity
        .expect("a capacity");
    let bytes = capacity.nominal_capacity_in_bytes;
    assert!(
        bytes > Some(200 << 20) && bytes <= Some(256 << 20),
        "{bytes:?}"
    );
    let full = capacity.portion_full;
    assert!(
        full.is_some_and(|full| full > 0.0 && full < 1.0),
        "{full:?}"
    );
}

#[test]
fn the_configuration_has_no_empty_field() {
    let fresh = Fresh::drive();
    let log = log_of(&mut fresh.talk(), Type::Configuration);
    let found = log.configuration.expect("a configuration");
    let texts = [
        &found.vendor,
        &found.model,
        &found.version,
        &found.compilation_date,
        &found.source_hash,
        &found.protocol_version,
    ];
    for text in texts {
        assert!(
            text.as_ref().is_some_and(|text| !text.is_empty()),
            "{found:?}"
        );
    }
    for name in [&found.serial_number, &found.world_wide_name] {
        assert!(
            name.as_ref().is_some_and(|name| !name.is_empty()),
            "{found:?}"
        );
    }
    assert_eq!(found.port, Some(u32::from(fresh.drive.plain().port())));
    assert!(!found.interface.is_empty());
    for interface in &found.interface {
        assert!(interface.name.is_some(), "{interface:?}");
        for address in [&interface.ipv4_address, &interface.ipv6_address] {
            let Some(address) = address else { continue };
            let text = str::from_utf8(address).expect("an address is text");
            text.parse::<std::net::IpAddr>().expect("an address");
        }
    }
}

#[test]
fn statistics_count_requests_and_value_bytes_and_only_grow() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let mut counted = |kind: MessageType| {
        talk.put(b"key", &[1; 500]).success();
        talk.get(b"key").success();
        let statistics = log_of(&mut talk, Type::Statistics).statistics;
        let mut of_kind = statistics
            .iter()
            .filter(|one| one.message_type == Some(kind.into()));
        let one = of_kind.next().expect("an entry for the type");
        assert!(of_kind.next().is_none(), "two entries for {kind}");
        // Milliseconds, rounded up; less than the patience of this connection.
        let longest = one.max_latency.expect("a longest latency");
        assert!((1..60_000).contains(&longest), "{one:?}");
        (one.count, one.bytes)
    };
    assert_eq!(counted(MessageType::PUT), (Some(1), Some(500)));
    assert_eq!(counted(MessageType::GET), (Some(2), Some(1000)));
    assert_eq!(counted(MessageType::PUT), (Some(3), Some(1500)));
}

#[test]
fn messages_are_never_empty() {
    let fresh = Fresh::drive();
    let messages = log_of(&mut fresh.talk(), Type::Messages).messages;
    assert!(messages.is_some_and(|text| !text.is_empty()));
}

#[test]
fn types_may_be_named_together_and_are_repeated_as_they_came() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    // A type that nobody knows has no content, and spoils nothing.
    let types = vec![6, 2, 6, 99, -1, 0];
    let reply = ask_numbers(&mut talk, types.clone()).success();
    let log = reply.body().get_log.expect("body.getLog");
    assert_eq!(log.types, types);
    assert!(log.limits.is_some() && log.capacity.is_some());
    assert_eq!(log.utilizations.len(), 4);
    assert_eq!(log.configuration, None);
    assert_eq!(log.messages, None);
}

#[test]
fn no_type_at_all_is_an_invalid_request() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let reply = ask_logs(&mut talk, &[]);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    let reply = talk.ask(MessageType::GETLOG, Body::default(), &[]);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
}

#[test]
fn a_device_log_is_found_by_its_name_or_not_at_all() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let named = |name: Option<&'static [u8]>| GetLog {
        types: vec![Type::Device.into()],
        device: Some(Device {
            name: name.map(Bytes::from_static),
        }),
        ..GetLog::default()
    };
    for missing in [named(Some(b"no such log")), named(Some(b"")), named(None)] {
        let reply = ask(&mut talk, missing);
        assert_eq!(reply.code(), StatusCode::NOT_FOUND);
    }
    assert_eq!(
        ask_logs(&mut talk, &[Type::Device]).code(),
        StatusCode::NOT_FOUND
    );
    let known: &[u8] = b"org.kinetic.capabilities";
    let reply = ask(&mut talk, named(Some(known))).success();
    let log = reply.body().get_log.expect("body.getLog");
    assert_eq!(
        log.device.and_then(|device| device.name).as_deref(),
        Some(known)
    );
    let content: serde_json::Value = serde_json::from_slice(&reply.value).expect("JSON");
    assert!(content.is_object(), "{content}");
}

/// The content of a device log.
fn device_log(talk: &mut Conversation, name: &str) -> serde_json::Value {
    let request = GetLog {
        types: vec![Type::Device.into()],
        device: Some(Device {
            name: Some(Bytes::copy_from_slice(name.as_bytes())),
        }),
        ..GetLog::default()
    };
    let reply = ask(talk, request).success();
    serde_json::from_slice(&reply.value).expect("JSON")
}

#[test]
fn the_capabilities_are_the_requests_beyond_the_protocol_and_their_limits() {
    let fresh = Fresh::drive();
    let content = device_log(&mut fresh.talk(), "org.kinetic.capabilities");
    let listed = content["extensions"].as_array().expect("a list");
    let listed = listed
        .iter()
        .map(|one| (one["name"].as_str(), one["number"].as_i64()));
    let known = MessageType::EXTENSIONS.iter();
    let known: Vec<_> = known
        .map(|one| (one.name(), Some(i64::from(one.0))))
        .collect();
    assert!(listed.eq(known), "{content}");
    assert_eq!(content["limits"]["maxKeysPerRequest"], 1000);
    assert_eq!(content["limits"]["maxFoundSize"], 1 << 20);
    assert_eq!(content["limits"]["maxDigestParts"], 200);
    assert_eq!(content["limits"]["maxNestedPushes"], 32);
}

#[test]
fn an_extension_nobody_knows_and_the_response_to_one_are_invalid() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let reply = talk.ask(MessageType(1998), Body::default(), &[]);
    assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
    let command = talk.command(MessageType(1001), Body::default());
    talk.send_command(&command, &[]);
    assert_eq!(talk.answer().code(), StatusCode::INVALID_REQUEST);
}

#[test]
fn messages_have_numbers_from_which_they_can_be_gone_on_with() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let whole = device_log(&mut talk, "org.kinetic.messages");
    let next = whole["next"].as_u64().expect("a number");
    assert_eq!(whole["first"], 1);
    let lines = whole["messages"].as_array().expect("a list");
    assert_eq!(lines.len() as u64, next - 1);
    assert_eq!(lines[0]["number"], 1);
    assert!(
        lines[0]["text"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let last = device_log(&mut talk, &format!("org.kinetic.messages/{}", next - 1));
    assert_eq!(
        last["messages"],
        serde_json::json!([lines[lines.len() - 1]])
    );
    let ahead = device_log(&mut talk, &format!("org.kinetic.messages/{}", next + 1000));
    assert_eq!(ahead["messages"], serde_json::json!([]));
    assert_eq!(ahead["next"], next);
}
