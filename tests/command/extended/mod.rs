//! `count`, `exists`, `digest`, `diff`, parts of values, and messages that are followed.

mod comparing;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{KeyValue, Synchronization};
use kinetic_tests::conversation::{Conversation, key_only};
use kinetic_tests::program::Program;
use serde_json::json;

use crate::Served;

/// Stores a value without waiting for the disk.
fn put(talk: &mut Conversation, key: &[u8], value: &[u8]) {
    let entry = KeyValue {
        force: Some(true),
        synchronization: Some(Synchronization::Writeback.into()),
        ..key_only(key)
    };
    talk.ask_entry(MessageType::PUT, entry, value).success();
}

/// A drive with so many keys of two prefixes.
fn filled(count: u32) -> Served {
    let served = Served::new();
    let mut talk = served.talk();
    for number in 0..count {
        let prefix = if number % 3 == 0 { "m" } else { "n" };
        let key = format!("{prefix}/{number:05}");
        put(&mut talk, key.as_bytes(), b"value");
    }
    served
}

#[test]
fn a_count_is_a_number_whatever_the_limit_of_a_range() {
    let served = filled(450);
    for (arguments, expected) in [
        (&["count"][..], 450),
        (&["count", "m/"], 150),
        (&["count", "m/", "--start", "m/00300"], 50),
        (&["count", "--end", "n"], 150),
        (&["count", "absent"], 0),
        (&["count", "--limit", "1"], 1),
        (&["count", "--limit", "333"], 333),
        (&["count", "--limit", "0"], 0),
    ] {
        let said = served.run(arguments).done();
        assert_eq!(said.lines(), [&expected.to_string()], "{said}");
    }
    let said = served.run(&["count", "--output", "json"]).done();
    assert_eq!(said.json(), json!({ "keys": 450 }));
}

#[test]
fn the_exit_code_says_whether_all_keys_are_there() {
    let served = filled(3);
    let said = served.run(&["exists", "m/00000", "n/00001"]).done();
    assert_eq!(said.lines(), ["yes  m/00000", "yes  n/00001"], "{said}");
    let said = served.run(&["exists", "absent"]).exits(3);
    assert!(said.err.contains("no key absent"), "{said}");
    let said = served.run(&["exists", "x", "m/00000", "y", "--output", "json"]);
    let lines = [
        json!({ "key": "x", "exists": false }),
        json!({ "key": "m/00000", "exists": true }),
        json!({ "key": "y", "exists": false }),
    ];
    assert_eq!(said.json_lines(), lines, "{said}");
    assert!(said.exits(3).err.contains("2 of 3 keys are not there"));
    served.run(&["exists"]).fails(2, &["KEY"]);
}

#[test]
fn a_part_of_a_value_is_written_as_the_whole_would_be() {
    let served = Served::new();
    let put = served.kinetic().args(["put", "key"]);
    put.input(b"0123456789").run().done();
    for (arguments, expected) in [
        (
            &["get", "key", "--offset", "3", "--length", "4"][..],
            &b"3456"[..],
        ),
        (&["get", "key", "--offset", "8"], b"89"),
        (&["get", "key", "--length", "2"], b"01"),
        (&["get", "key", "--offset", "10"], b""),
    ] {
        assert_eq!(served.run(arguments).done().out, expected);
    }
    served
        .run(&["get", "absent", "--offset", "1"])
        .fails(3, &["no key absent"]);
}

#[test]
fn digests_are_equal_where_drives_are_and_parts_are_those_that_were_asked_for() {
    let (one, other) = (filled(50), filled(50));
    for arguments in [
        &["digest"][..],
        &["digest", "m/", "--values"],
        &["digest", "--entries", "7"],
    ] {
        let said = one.run(arguments).done();
        assert_eq!(said.out, other.run(arguments).done().out, "{said}");
    }
    let said = one.run(&["digest", "--entries", "20", "--output", "json"]);
    let parts = said.done().json_lines();
    let counts: Vec<_> = parts.iter().map(|part| &part["keys"]).collect();
    assert_eq!(counts, [&json!(20), &json!(20), &json!(10)]);
    assert_eq!(parts[2]["last_key"], json!(null));
    assert_eq!(parts[0]["bytes"], json!(100));
    assert_eq!(parts[0]["sha256"].as_str().map(str::len), Some(64));
}

#[test]
fn a_diff_of_equal_drives_is_empty_and_one_of_others_fails_with_code_1() {
    let (one, other) = (filled(50), filled(50));
    let (first, second) = (
        one.drive.plain().to_string(),
        other.drive.plain().to_string(),
    );
    let said = one.run(&["diff", &first, &second, "--values"]).done();
    assert!(said.out.is_empty(), "{said}");
    one.talk().put(b"a", b"").success();
    other.talk().put(b"z", b"").success();
    other.talk().put(b"m/00003", b"longer value").success();
    other.talk().put(b"n/00004", b"VALUE").success();
    let said = one.run(&["diff", &first, &second]);
    let lines = ["only-first   a", "differs      m/00003", "only-second  z"];
    assert_eq!(said.lines(), lines, "{said}");
    assert!(said.exits(1).err.contains("3 keys differ"));
    // The same length: it takes a look at the values.
    let said = one.run(&[
        "diff", &first, &second, "n/", "--values", "--output", "json",
    ]);
    let line = json!({ "key": "n/00004", "difference": "differs" });
    assert_eq!(said.json_lines(), [line], "{said}");
    assert!(said.exits(1).err.contains("1 key differs"));
    one.run(&["diff", &first, &second, "m/0001"]).done();
    one.run(&["diff", &first]).fails(2, &["SECOND"]);
    // Of two drives it is said which one has refused.
    other.run(&["power", "hibernate", "--yes"]).done();
    one.run(&["diff", &first, &second])
        .fails(1, &[&second, "HIBERNATE"]);
}

/// A command that would never end.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already, which is what is wanted.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn messages_are_followed_as_they_come() {
    let served = Served::new();
    let mut command = Command::new(Program::Command.path().expect("the command's program"));
    let drive = served.drive.plain().to_string();
    command.args(["--drive", &drive, "log", "messages", "--follow"]);
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = Following(child.expect("the command starts"));
    let mut lines = BufReader::new(child.0.stdout.take().expect("a pipe")).lines();
    let mut wait_for = |text: &str| loop {
        let line = lines.next().expect("a line").expect("text");
        if line.contains(text) {
            break;
        }
    };
    wait_for("started");
    let image = served.path("image");
    std::fs::write(&image, b"an image").expect("a file");
    let mut firmware = served.kinetic().args(["firmware", "--yes"]);
    firmware = firmware.args([image]);
    firmware.run().done();
    wait_for("firmware");
    drop(child);
    served
        .run(&["log", "limits", "--follow"])
        .fails(2, &["only messages can be followed"]);
}
