//! Whom a drive takes for its peer under TLS, and what drives are called.
//!
//! Not here: what is pushed (`pushing`), and peers that are no good (`hostile`).

use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::get_log::Type;
use kinetic_proto::schema::command::p2p_operation::Peer;

use crate::Fresh;
use crate::logs::ask_logs;
use crate::pushing::{codes, forced, outcome, push, put_whole, text, to};

/// The port of a drive for TLS, as peers are named.
fn tls(fresh: &Fresh) -> Peer {
    let address = fresh.drive.tls();
    Peer {
        hostname: Some(address.ip().to_string()),
        port: Some(u32::from(address.port())),
        tls: Some(true),
    }
}

/// What the drive says of its certificate in its own log.
fn fingerprint(fresh: &Fresh) -> String {
    let reply = ask_logs(&mut fresh.talk(), &[Type::Messages]).success();
    let messages = reply.body().get_log.and_then(|log| log.messages);
    let messages = String::from_utf8_lossy(&messages.unwrap_or_default()).into_owned();
    let mut words = messages.split(|letter: char| !letter.is_ascii_hexdigit());
    let found = words.find(|word| word.len() == 64);
    found.expect("a fingerprint").to_owned()
}

#[test]
fn under_tls_a_peer_is_known_by_the_certificate_that_was_named() {
    let (there, other) = (Fresh::drive(), Fresh::drive());
    let known = fingerprint(&there);
    let here = Fresh::drive_with(&format!("peer-fingerprint = ['{known}']\n"));
    let mut talk = here.talk();
    put_whole(&mut talk, "a", b"for you alone");
    let told = push(&mut talk, to(tls(&there), vec![forced("a")])).success();
    assert_eq!(codes(&outcome(&told)), [StatusCode::SUCCESS]);
    assert_eq!(there.talk().get(b"a").success().value, b"for you alone"[..]);
    let refused = push(&mut talk, to(tls(&other), vec![forced("a")]));
    assert_eq!(refused.code(), StatusCode::REMOTE_CONNECTION_ERROR);
    let told = outcome(&refused);
    assert_eq!(codes(&told), [StatusCode::NOT_ATTEMPTED]);
    let why = format!("{} {}", refused.text(), text(&told, 0));
    assert!(why.contains(&fingerprint(&other)), "{why}");
    assert_eq!(other.talk().get(b"a").code(), StatusCode::NOT_FOUND);
}

/// Serial number and world wide name.
fn names(fresh: &Fresh) -> [Vec<u8>; 2] {
    let talk = fresh.talk();
    let body = talk.hello().command.body.clone().expect("a body");
    let configuration = body.get_log.and_then(|log| log.configuration);
    let configuration = configuration.expect("a configuration");
    [configuration.serial_number, configuration.world_wide_name]
        .map(|name| name.expect("a name").to_vec())
}

#[test]
fn drives_of_one_host_have_names_of_their_own_and_keep_them() {
    let (one, other) = (Fresh::drive(), Fresh::drive());
    let [before, others] = [names(&one), names(&other)];
    for (mine, theirs) in before.iter().zip(&others) {
        assert!(!mine.is_empty());
        assert_ne!(mine, theirs);
    }
    assert_eq!(names(&one.restarted()), before);
}
