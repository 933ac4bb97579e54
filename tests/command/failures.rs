//! Drives that are not there, keys that are not theirs, and arguments that make no sense.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::Served;
use crate::kinetic::Kinetic;

/// An address that refuses, for as long as the streams live: the port of one end of a
/// connection is taken, but nobody listens at it.
fn deaf() -> (SocketAddr, TcpListener, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let stream = TcpStream::connect(address).expect("a connection");
    let taken = stream.local_addr().expect("the other port");
    (taken, listener, stream)
}

#[test]
fn without_a_drive_every_command_says_so_with_code_5() {
    let (address, _listener, _stream) = deaf();
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("made");
    fs::create_dir(folder.path().join("tree")).expect("a folder");
    let tree = folder.path().join("tree").display().to_string();
    let place = place.display().to_string();
    let commands: [&[&str]; 15] = [
        &["put", "a"],
        &["get", "a"],
        &["get", "a", "-o", &place],
        &["head", "a"],
        &["delete", "a"],
        &["list"],
        &["next", "a"],
        &["prev", "a"],
        &["ping"],
        &["info"],
        &["log", "limits"],
        &["flush"],
        &["import", &tree, "p/"],
        &["export", "p/", &place],
        &["bench", "--count", "1"],
    ];
    for command in commands {
        let said = Kinetic::at(address).args(command).run();
        said.fails(5, &[&address.to_string(), "--drive", "KINETIC_DRIVE"]);
    }
    assert!(!fs::exists(&place).expect("to look"), "something was made");
}

#[test]
fn a_peer_that_says_nothing_is_given_up_with_code_5() {
    // The kernel takes the connection; nobody ever reads from it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let said = Kinetic::at(address)
        .args(["ping", "--timeout", "200ms"])
        .run();
    said.fails(5, &[&address.to_string(), "200ms"]);
}

#[test]
fn a_peer_that_is_no_drive_is_code_5() {
    for words in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"",
        b"F\0\0",
        &[0xff; 64],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let answer = move || {
            let (mut peer, _) = listener.accept().expect("the command");
            peer.write_all(words).expect("the command reads");
        };
        let answering = thread::Builder::new().spawn(answer).expect("a thread");
        let said = Kinetic::at(address)
            .args(["ping", "--timeout", "20s"])
            .run();
        said.fails(5, &[&address.to_string()]);
        answering.join().expect("the peer");
    }
}

#[test]
fn a_wrong_key_says_where_keys_come_from_and_does_not_tell_the_key() {
    let served = Served::new();
    let file = served.path("key");
    fs::write(&file, "wr0ng-secret\n").expect("a file");
    let key_file = ["--key-file".as_ref(), file.as_os_str()];
    for said in [
        served
            .kinetic()
            .args(["ping"])
            .env("KINETIC_KEY", "wr0ng-secret")
            .run(),
        served.kinetic().args(["ping"]).args(key_file).run(),
        served
            .kinetic()
            .args(["put", "a"])
            .args(key_file)
            .input(b"x")
            .run(),
        served.kinetic().args(["list"]).args(key_file).run(),
    ] {
        let said = said.fails(6, &["--key-file", "KINETIC_KEY", "--identity"]);
        assert!(!said.err.contains("wr0ng"), "{said}");
        assert!(!said.err.contains("asdfasdf"), "{said}");
    }
    served
        .run(&["ping", "--identity", "77"])
        .fails(6, &["--identity"]);
    served.run(&["get", "a"]).fails(3, &[]);

    fs::write(&file, "asdfasdf\n").expect("a file");
    let ping = served.kinetic().args(["ping"]).args(key_file);
    // The file goes before the environment.
    ping.env("KINETIC_KEY", "wr0ng").run().done();
    let absent = served.path("absent");
    let absent = ["--key-file".as_ref(), absent.as_os_str()];
    served
        .kinetic()
        .args(["ping"])
        .args(absent)
        .run()
        .fails(7, &["absent"]);
    served.run(&["ping", "--ask-key"]).fails(2, &["--key-file"]);
}

#[test]
fn a_key_that_is_empty_is_told_as_such_and_standard_input_is_none() {
    let served = Served::new();
    let file = served.path("key");
    for empty in ["", "\n"] {
        fs::write(&file, empty).expect("a file");
        let ping = served.kinetic().args(["ping", "--key-file"]).args([&file]);
        ping.run().fails(2, &["key: the key is empty"]);
    }
    let ping = served.kinetic().args(["ping"]).env("KINETIC_KEY", "");
    ping.run().fails(2, &["KINETIC_KEY: the key is empty"]);
    let ping = served.kinetic().args(["ping", "--key-file", "-"]);
    ping.input(b"asdfasdf").run().fails(2, &["/dev/stdin"]);
    let ping = served.kinetic().args(["ping", "--key-file", "/dev/stdin"]);
    ping.input(b"asdfasdf").run().done();
    let lock = served.secured().args(["lock", "--yes", "--pin-file", "-"]);
    lock.input(b"1234").run().fails(2, &["/dev/stdin"]);
}

#[test]
fn a_drive_that_is_named_twice_is_one() {
    let served = Served::new();
    let address = served.drive.plain().to_string();
    let said = served.run(&["ping", "--drive", &address]).done();
    assert_eq!(said.lines().len(), 1, "{said}");
    let get = ["cluster-version", "get", "--drive", &address];
    assert_eq!(served.run(&get).done().lines().len(), 1);
}

#[test]
fn another_cluster_version_is_refused_with_where_to_look() {
    let served = Served::new();
    let said = served.run(&["ping", "--cluster-version", "9"]);
    said.fails(1, &["cluster version", "kinetic info"]);
}

#[test]
fn the_environment_names_the_drive_unless_an_option_does() {
    let served = Served::new();
    let (deaf, _listener, _stream) = deaf();
    let drive = served.drive.plain().to_string();
    Kinetic::new()
        .args(["ping"])
        .env("KINETIC_DRIVE", &drive)
        .run()
        .done();
    let ping = served.kinetic().args(["ping"]);
    ping.env("KINETIC_DRIVE", &deaf.to_string()).run().done();
}

#[test]
fn wrong_usage_is_code_2_and_reaches_no_drive() {
    let usages: [&[&str]; 14] = [
        &["frobnicate"],
        &["put"],
        &["get", "a", "b"],
        &["get", "hex:0"],
        &["list", "--limit", "many"],
        &["list", "--limit", "-1"],
        &["put", "a", "--force", "--expected-version", "1"],
        &["put", "a", "--algorithm", "sha1"],
        &["put", "a", "--durability", "maybe"],
        &["ping", "--timeout", "soon"],
        &["ping", "--timeout", "0"],
        &["ping", "--output", "xml"],
        &["bench", "--mix", "gett=1"],
        &["export", "p/"],
    ];
    for usage in usages {
        Kinetic::new().args(usage).run().fails(2, &["error: "]);
    }
    Kinetic::new().run().exits(2);
}

#[test]
fn the_help_tells_the_exit_codes() {
    let said = Kinetic::new().args(["--help"]).run().done();
    for code in 0..=9 {
        let is_told = said
            .lines()
            .iter()
            .any(|line| line.starts_with(&format!("  {code}  ")));
        assert!(is_told, "{code}: {said}");
    }
}
