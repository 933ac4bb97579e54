//! Guessing PINs, from one address, on as many connections as the drive takes.
//!
//! What must come of it: each wrong PIN makes the next try of its kind from that address wait
//! longer, on whichever connection; nobody else waits; who knows the PIN gets in after the wait.
//! The greatest wait and the bounds on what waits are tested where the tries wait (`net/workers`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::sync_channel;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use kinetic_proto::StatusCode;
use kinetic_tests::admin::{ERASE, UNLOCK, set_erase_pin, set_lock_pin};
use kinetic_tests::conversation::Conversation;
use kinetic_tests::raw::{Door, RawConnection};
use kinetic_tests::tls::Version;

use crate::{KEPT, Target, timed};

/// How much earlier than the drive a peer may think that a wait is over.
const SLACK: Duration = Duration::from_millis(50);

/// Another address of this machine.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A drive with both PINs. It is not locked, so that UNLOCK tries a PIN and does nothing else.
fn guarded(settings: &str) -> Target {
    let target = Target::with_settings(settings);
    let mut admin = target.talk_tls();
    set_lock_pin(&mut admin, b"lock");
    set_erase_pin(&mut admin, b"erase");
    target
}

fn talk_from_elsewhere(target: &Target) -> Conversation {
    let door = Door::Tls(target.drive.tls(), Version::Tls13);
    let connection = RawConnection::connect_from(ELSEWHERE, door).expect("a connection");
    Conversation::over(connection).expect("a hello")
}

/// Tries a PIN; how long the answer took.
fn attempt(talk: &mut Conversation, operation: i32, pin: &[u8], code: StatusCode) -> Duration {
    let (reply, took) = timed(|| talk.pin_operation(operation, Some(pin)));
    assert_eq!(reply.code(), code, "{}", reply.text());
    took
}

fn wrong(talk: &mut Conversation) -> Duration {
    attempt(talk, UNLOCK, b"guess", StatusCode::NOT_AUTHORIZED)
}

/// Asks while somebody waits, and for at least one answer; each comes within a second.
fn is_served_while<T>(talk: &mut Conversation, waits: &ScopedJoinHandle<'_, T>) {
    loop {
        let (_, took) = timed(|| talk.get(KEPT).success());
        assert!(took < Duration::from_secs(1), "a GET took {took:?}");
        if waits.is_finished() {
            return;
        }
    }
}

#[test]
fn the_wait_grows_over_all_connections_of_an_address_and_ends_with_the_right_pin() {
    let target = guarded("");
    let mut guessing: Vec<Conversation> = (0..3).map(|_| target.talk_tls()).collect();
    let mut reader = target.talk();
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| {
            for (number, least_ms) in [0, 500, 1000, 2000].into_iter().enumerate() {
                let talk = guessing.get_mut(number % 3).expect("one of three");
                let took = wrong(talk);
                let least = Duration::from_millis(least_ms);
                assert!(took + SLACK >= least, "{took:?} is less than {least:?}");
            }
        });
        is_served_while(&mut reader, &crowd);
    });
    // Whoever knows the PIN waits as well, for 4 s; neither the other PIN nor others do.
    let mut owner = target.talk_tls();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| attempt(&mut owner, UNLOCK, b"lock", StatusCode::SUCCESS));
        let refused = StatusCode::NOT_AUTHORIZED;
        attempt(&mut target.talk_tls(), ERASE, b"guess", refused);
        let mut other = talk_from_elsewhere(&target);
        attempt(&mut other, UNLOCK, b"guess", refused);
        assert!(!waiting.is_finished(), "others waited with the guesser");
        is_served_while(&mut reader, &waiting);
        let took = waiting.join().expect("an answer");
        assert!(took + SLACK >= Duration::from_secs(4), "{took:?}");
    });
    // All is forgotten: the next two wait for nothing and for half a second, not for 8 s and 16 s.
    let took = wrong(&mut owner) + wrong(&mut owner);
    assert!(took < Duration::from_secs(8), "{took:?}");
    target.still_serves();
}

#[test]
fn a_crowd_that_guesses_at_once_is_refused_beyond_a_few_and_nobody_else_waits() {
    let target = guarded("");
    wrong(&mut target.talk_tls());
    let crowd: Vec<Conversation> = (0..40).map(|_| target.talk_tls()).collect();
    let (mut reader, mut other) = (target.talk(), talk_from_elsewhere(&target));
    let (heard, answers) = sync_channel(crowd.len());
    std::thread::scope(|scope| {
        for mut talk in crowd {
            let heard = heard.clone();
            scope.spawn(move || {
                let code = talk.pin_operation(UNLOCK, Some(b"guess")).code();
                heard.send(code).expect("somebody who counts");
            });
        }
        // Eight wait, one more whenever one of them is tried, and there is no room for the others.
        let refused = scope.spawn(move || {
            let busy = answers
                .iter()
                .filter(|code| *code == StatusCode::SERVICE_BUSY);
            assert_eq!(busy.take(25).count(), 25);
            answers
        });
        is_served_while(&mut reader, &refused);
        attempt(&mut other, UNLOCK, b"lock", StatusCode::SUCCESS);
        target.still_serves();
        // Some would wait for minutes yet; a stop gives them up.
        drop(target.restarted(|| ()));
        refused.join().expect("enough refusals")
    });
}

#[test]
fn who_closes_while_waiting_is_forgotten_and_has_guessed_all_the_same() {
    let target = guarded("max-connections = 4");
    let door = Door::Tls(target.drive.tls(), Version::Tls13);
    let enter = || loop {
        // There is no word for it over TLS: a full drive just closes.
        if let Ok(talk) = Conversation::begin(door) {
            return talk;
        }
    };
    let mut first = enter();
    wrong(&mut first);
    for _ in 0..2 {
        let mut talk = enter();
        let command = talk.pin_command(UNLOCK);
        talk.send_by_pin(&command, Some(b"guess"));
    }
    // All places are free again once both have been tried.
    let mut inside: Vec<Conversation> = (0..3).map(|_| enter()).collect();
    let took = attempt(&mut first, UNLOCK, b"lock", StatusCode::SUCCESS);
    assert!(
        took > Duration::from_secs(1),
        "{took:?} after three guesses"
    );
    for talk in &mut inside {
        talk.noop().success();
    }
    drop((first, inside));
    drop(enter());
}
