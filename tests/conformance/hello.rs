//! The hello: what a drive says before it is asked.

use std::time::{Duration, Instant};

use kinetic_proto::schema::command::get_log::Type;
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::raw::RawConnection;

use crate::Fresh;
use crate::logs::ask_logs;

/// One client's default time-out covers connect and hello together.
const HELLO_DEADLINE: Duration = Duration::from_millis(100);

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time of a real socket is what is tested"
)]
fn it_comes_within_a_tenth_of_a_second_before_any_byte_of_the_client() {
    let fresh = Fresh::drive();
    // The best of a few: the machine may be busy, a drive that waits is late every time.
    let quickest = (0..5)
        .map(|_| {
            let start = Instant::now();
            RawConnection::connect_and_greet(fresh.door()).expect("a hello");
            start.elapsed()
        })
        .min();
    assert!(quickest < Some(HELLO_DEADLINE), "{quickest:?}");
}

#[test]
fn it_is_an_unsolicited_success_with_connection_id_and_cluster_version_and_nothing_else() {
    let fresh = Fresh::drive();
    let (_, frame) = RawConnection::connect_and_greet(fresh.door()).expect("a hello");
    let hello = frame.received();
    assert_eq!(hello.auth_type, Some(AuthType::Unsolicitedstatus.into()));
    assert_eq!((hello.identity, &hello.hmac), (None, &None));
    assert!(frame.value.is_empty());

    let status = hello.command.status.as_ref().expect("a status");
    assert_eq!(StatusCode::of(status), StatusCode::SUCCESS);
    assert_eq!(status.status_message, None);

    let header = hello.command.header.expect("a header");
    assert!(header.connection_id > Some(0), "{header:?}");
    assert_eq!(header.cluster_version, Some(0));
    assert_eq!(header.message_type, None);
    assert_eq!((header.sequence, header.ack_sequence), (None, None));
}

#[test]
fn it_has_the_whole_configuration_and_all_limits_that_exist() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let body = talk.hello().command.body.clone().expect("a body");
    let log = body.get_log.expect("body.getLog");
    assert_eq!(log.types, Vec::<i32>::new());

    let configuration = log.configuration.as_ref().expect("a configuration");
    let port = u32::from(fresh.drive.plain().port());
    assert_eq!(configuration.port, Some(port));
    let tls_port = u32::from(fresh.drive.tls().port());
    assert_eq!(configuration.tls_port, Some(tls_port));

    let limits = log.limits.expect("limits");
    assert_eq!(limits.max_key_size, Some(4096));
    assert_eq!(limits.max_value_size, Some(1 << 20));
    assert_eq!(limits.max_version_size, Some(2048));
    assert_eq!(limits.max_key_range_count, Some(200));
    let none = u32::MAX;
    assert_ne!(limits.max_outstanding_read_requests, Some(none));
    assert_ne!(limits.max_connections, Some(none));

    let asked = ask_logs(&mut talk, &[Type::Configuration, Type::Limits]).success();
    let asked = asked.body().get_log.expect("body.getLog");
    assert_eq!(asked.limits, Some(limits));
    let mut told = configuration.clone();
    // Interfaces may come and go between two looks at the host.
    told.interface.clear();
    let mut asked = asked.configuration.expect("a configuration");
    asked.interface.clear();
    assert_eq!(asked, told);
}

#[test]
fn every_connection_has_its_own_id_and_answers_carry_it() {
    let fresh = Fresh::drive();
    let mut talks = [fresh.talk(), fresh.talk(), fresh.talk()];
    let mut ids: Vec<i64> = talks.iter().map(|talk| talk.connection_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), talks.len());
    for talk in &mut talks {
        // The id is checked in every answer.
        talk.noop().success();
    }
}

#[test]
fn nothing_follows_it_until_a_request_comes() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    let reply = talk.noop();
    let header = reply.header();
    assert_eq!(header.message_type, Some(MessageType::NOOP.0 - 1));
}
