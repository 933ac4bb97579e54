//! Peers that send or take too slowly, or too much, or not what they should.

mod fake;

mod changes;
mod crowds;
mod forgeries;
mod pins;
mod pushes;
mod silence;
mod stops;

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::Body;
use kinetic_tests::conversation::{Reply, about, key_only};
use kinetic_tests::raw::{RawConnection, request};

use crate::Target;

impl Target {
    /// Sixty peers of the TLS port whose handshakes go no further.
    fn stalled_handshakes(&self) -> Vec<RawConnection> {
        // Nothing, the first byte of a record, and a record that never ends.
        let beginnings: [&[u8]; 3] = [
            b"",
            b"\x16",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ];
        let mut stalled: Vec<RawConnection> = (0..60)
            .map(|_| RawConnection::connect(self.drive.tls()).expect("a connection"))
            .collect();
        for (peer, bytes) in stalled.iter_mut().zip(beginnings.iter().cycle()) {
            peer.send(bytes).expect("it is sent");
        }
        stalled
    }
}

#[test]
fn a_client_that_sends_byte_by_byte_is_served_and_keeps_nobody_waiting() {
    let target = Target::new();
    let mut slow = target.talk();
    let mut normal = target.talk();
    let command = slow.command(MessageType::PUT, about(key_only(b"slow")));
    for byte in request(&command, b"drop by drop") {
        slow.raw().send(&[byte]).expect("it is sent");
        normal.noop().success();
    }
    slow.answer().success();
    assert_eq!(&*normal.get(b"slow").success().value, b"drop by drop");
    target.still_serves();
}

#[test]
fn clients_that_never_read_cost_a_bounded_amount_of_memory_and_keep_nobody_waiting() {
    let target = Target::new();
    let mut talk = target.talk();
    let value = vec![7; 1 << 20];
    talk.put(b"large", &value).success();
    assert_eq!(talk.get(b"large").success().value, value);
    let before = target.peak_memory_bytes();
    // Answers of 4 GiB, if the drive were to hold them.
    let mut silent: Vec<_> = (0..4).map(|_| target.talk()).collect();
    for peer in &mut silent {
        for _ in 0..1000 {
            peer.send(MessageType::GET, about(key_only(b"large")), &[]);
        }
    }
    // Others are served meanwhile, and by then the drive has done for the silent what it does.
    for _ in 0..50 {
        assert_eq!(talk.get(b"large").success().value, value);
        target.still_serves();
    }
    // Each may hold 4 MiB of answers, and 16 reads of the disk that bring 1 MiB each.
    let grown = target.peak_memory_bytes() - before;
    assert!(grown < 96 << 20, "{grown} bytes for peers that never read");
    // Who starts to read after all gets everything.
    let late = silent.first_mut().expect("four peers");
    for _ in 0..1000 {
        assert_eq!(late.answer().success().value.len(), value.len());
    }
    drop(silent);
    target.still_serves();
}

#[test]
fn lists_that_are_never_read_cost_a_bounded_amount_of_memory() {
    let target = Target::new();
    let mut talk = target.talk();
    for number in 0..200 {
        let key = format!("{number:04096}");
        talk.put(key.as_bytes(), b"").success();
    }
    let long = |reply: Reply| assert_eq!(reply.success().keys().len(), 200);
    long(talk.ask(MessageType::GETKEYRANGE, Body::default(), &[]));
    let before = target.peak_memory_bytes();
    // Lists of 3 GiB, if the drive were to hold them.
    let mut silent: Vec<_> = (0..4).map(|_| target.talk()).collect();
    for peer in &mut silent {
        for _ in 0..1000 {
            peer.send(MessageType::GETKEYRANGE, Body::default(), &[]);
        }
    }
    for _ in 0..20 {
        long(talk.ask(MessageType::GETKEYRANGE, Body::default(), &[]));
        target.still_serves();
    }
    let grown = target.peak_memory_bytes() - before;
    assert!(
        grown < 96 << 20,
        "{grown} bytes for lists that nobody reads"
    );
    let late = silent.first_mut().expect("four peers");
    for _ in 0..100 {
        long(late.answer());
    }
}

#[test]
fn clients_that_connect_and_say_nothing_keep_nobody_waiting() {
    let target = Target::new();
    let idle: Vec<_> = (0..200).map(|_| target.connect()).collect();
    target.still_serves();
    drop(idle);
    target.still_serves();
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let target = Target::new();
    for _ in 0..300 {
        RawConnection::connect(target.drive.plain()).expect("a connection");
    }
    target.still_serves();
}

#[test]
fn a_peer_that_goes_away_with_requests_in_flight_disturbs_nobody() {
    let target = Target::new();
    for _ in 0..20 {
        let mut talk = target.talk();
        for number in 0..100_u32 {
            let key = number.to_be_bytes();
            talk.send(MessageType::PUT, about(key_only(&key)), &[7; 10_000]);
            talk.send(MessageType::GETKEYRANGE, Body::default(), &[]);
        }
    }
    target.still_serves();
}
