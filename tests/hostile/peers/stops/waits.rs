//! SIGTERM while peers are silent, wait for the time of their PIN, or never finish a handshake.

use kinetic_tests::admin::{UNLOCK, set_lock_pin};
use kinetic_tests::raw::Door;
use kinetic_tests::tls::Version;

use super::*;

#[test]
fn idle_connections_get_a_last_word_and_hold_up_nothing() {
    let target = Target::new();
    let plain = Door::Plain(target.drive.plain());
    let tls = Door::Tls(target.drive.tls(), Version::Tls13);
    let mut idle: Vec<RawConnection> = [plain, tls]
        .into_iter()
        .flat_map(|door| std::iter::repeat_n(door, 50))
        .map(|door| RawConnection::connect_and_greet(door).expect("a hello").0)
        .collect();
    // One of them never shakes hands.
    let stalled = RawConnection::connect(target.drive.tls()).expect("a connection");
    let target = target.restarted(|| {
        for connection in &mut idle {
            assert!(to_the_end(connection).is_empty());
        }
    });
    drop(stalled);
    target.still_serves();
}

#[test]
fn while_tls_handshakes_stall_at_every_point() {
    let target = Target::new();
    let stalled = target.stalled_handshakes();
    let mut shaken = target.talk_tls();
    shaken.put(b"after them", b"value").success();
    let target = target.restarted(|| {
        assert!(to_the_end(shaken.raw()).is_empty());
    });
    drop(stalled);
    target.talk().get(b"after them").success();
    target.still_serves();
}

#[test]
fn while_tries_of_pins_wait_for_their_time_they_are_given_up_and_each_is_told_so() {
    let target = Target::new();
    let mut admin = target.talk_tls();
    set_lock_pin(&mut admin, b"right");
    admin.put(b"before", b"value").success();
    // The next ones wait for 4 s, 8 s, and 16 s each.
    for _ in 0..4 {
        let wrong = admin.pin_operation(UNLOCK, Some(b"wrong"));
        assert_eq!(wrong.code(), StatusCode::NOT_AUTHORIZED);
    }
    let mut guessing: Vec<Conversation> = (0..6).map(|_| target.talk_tls()).collect();
    for talk in &mut guessing {
        let command = talk.pin_command(UNLOCK);
        talk.send_by_pin(&command, Some(b"guess"));
    }
    let target = target.restarted(|| {
        for talk in &mut guessing {
            let replies = to_the_end(talk.raw());
            let codes: Vec<StatusCode> = replies.iter().map(Reply::code).collect();
            assert_eq!(codes, [StatusCode::SERVICE_BUSY]);
        }
        assert!(to_the_end(admin.raw()).is_empty());
    });
    assert_eq!(target.talk().noop().code(), StatusCode::DEVICE_LOCKED);
    let mut admin = target.talk_tls();
    admin.pin_operation(UNLOCK, Some(b"right")).success();
    admin.get(b"before").success();
    target.still_serves();
}
