//! `put`, `get`, `head`, `delete`: values byte for byte, keys in every form, versions.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::json;

use crate::Served;

/// Every byte, and what text mode, terminals and C strings would trip over, at its ends too.
fn awkward(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = b"\r\n\0\xff\x1b".to_vec();
    bytes.extend((0..=255).cycle().take(length.saturating_sub(7)));
    bytes.extend(b"\n\n");
    bytes
}

#[test]
fn values_go_through_files_and_pipes_byte_for_byte() {
    let served = Served::new();
    for value in [
        Vec::new(),
        b"\n".to_vec(),
        awkward(70_000),
        awkward(1 << 20),
    ] {
        let (from, to) = (served.path("from"), served.path("to"));
        fs::write(&from, &value).expect("a file");
        let said = served
            .kinetic()
            .args(["put", "by-file"])
            .args([&from])
            .run();
        assert!(said.done().out.is_empty());
        let piped = served.kinetic().args(["put", "by-pipe"]).input(&value);
        assert!(piped.run().done().out.is_empty());
        let dash = served.kinetic().args(["put", "by-dash", "-"]).input(&value);
        assert!(dash.run().done().out.is_empty());
        for key in ["by-file", "by-pipe", "by-dash"] {
            let said = served.run(&["get", key]).done();
            assert!(said.out == value, "{} bytes: {said}", value.len());
            let said = served.kinetic().args(["get", key, "-o"]).args([&to]).run();
            assert!(said.done().out.is_empty());
            assert!(fs::read(&to).expect("a file") == value, "get {key} -o");
        }
    }
}

#[test]
fn a_value_over_the_limit_is_refused_and_what_was_there_stays() {
    let served = Served::new();
    let file = served.path("too-long");
    fs::write(&file, awkward((1 << 20) + 1)).expect("a file");
    served
        .kinetic()
        .args(["put", "a"])
        .input(b"old")
        .run()
        .done();
    let by_file = served.kinetic().args(["put", "a"]).args([&file]).run();
    by_file.fails(1, &["too-long", "1048576"]);
    let by_pipe = served.kinetic().args(["put", "a"]);
    let by_pipe = by_pipe.input(&awkward((1 << 20) + 1)).run();
    by_pipe.fails(1, &["standard input", "1048576"]);
    let said = served.run(&["get", "a"]).done();
    assert!(said.out == b"old", "{said}");
}

#[test]
fn keys_and_versions_over_the_limit_are_refused_with_the_limit() {
    let served = Served::new();
    let put = |arguments: &[&str]| served.kinetic().args(["put"]).args(arguments).run();
    let most = "k".repeat(4096);
    put(&[&most, "--version", &"v".repeat(2048)]).done();
    put(&[&format!("{most}k")]).fails(1, &["4096"]);
    put(&["a", "--version", &"v".repeat(2049)]).fails(1, &["2048"]);
    let listed = served.run(&["list"]).done();
    assert_eq!(listed.lines(), [most], "{listed}");
}

#[test]
fn a_full_disk_below_standard_output_is_code_7() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "a"])
        .input(b"value")
        .run()
        .done();
    let program = kinetic_tests::program::Program::Command.path();
    let program = program.expect("the command's program");
    for arguments in [&["get", "a"][..], &["list"], &["ping"]] {
        let mut command = std::process::Command::new(&program);
        command
            .args(["--drive", &served.drive.plain().to_string()])
            .args(arguments);
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command
            .stdout(full.expect("a device"))
            .output()
            .expect("an end");
        assert_eq!(output.status.code(), Some(7), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_key_is_the_same_bytes_in_every_form() {
    let served = Served::new();
    let no_text = OsString::from_vec(b"\xff\xfe raw".to_vec());
    let keys: [(OsString, &[&str], &str); 5] = [
        (
            "f\u{fc}r 1".into(),
            &["text:f\u{fc}r 1", "hex:66c3bc722031", "base64:ZsO8ciAx"],
            "f\u{fc}r 1",
        ),
        (
            "hex:00FF0a".into(),
            &["hex:00ff0a", "base64:AP8K"],
            "hex:00ff0a",
        ),
        ("text:hex:00".into(), &["hex:6865783a3030"], "text:hex:00"),
        (no_text, &["hex:fffe20726177"], "hex:fffe20726177"),
        ("text:".into(), &["hex:", "base64:"], "text:"),
    ];
    for (stored_as, others, printed) in &keys {
        let put = served.kinetic().args(["put".into(), stored_as.clone()]);
        put.input(printed.as_bytes()).run().done();
        for form in others.iter().chain([printed]) {
            let said = served.run(&["get", form]).done();
            assert!(said.out == printed.as_bytes(), "{said}");
            let head = served.run(&["head", form, "--output", "json"]).done();
            assert_eq!(head.json()["key"], *printed, "{head}");
        }
    }
    let listed = served.run(&["list"]).done();
    for (_, _, printed) in &keys {
        let count = listed
            .lines()
            .iter()
            .filter(|line| line == &printed)
            .count();
        assert_eq!(count, 1, "{printed}: {listed}");
    }
    for wrong in ["hex:0", "hex:0g", "base64:*"] {
        served.run(&["get", wrong]).fails(2, &[wrong, "text:"]);
    }
}

#[test]
fn a_version_that_is_not_the_expected_one_is_code_4_and_nothing_changes() {
    let served = Served::new();
    let put = |value: &str, arguments: &[&str]| {
        let put = served.kinetic().args(["put", "a"]).args(arguments);
        put.input(value.as_bytes()).run()
    };
    put("one", &["--version", "v1"]).done();
    put("two", &["--version", "v2"]).fails(4, &["v1", "--expected-version", "--force"]);
    put("two", &["--version", "v2", "--expected-version", "v0"]).fails(4, &["v1", "v0"]);
    assert_eq!(served.run(&["get", "a"]).done().text(), "one");
    put("two", &["--version", "v2", "--expected-version", "v1"]).done();
    assert_eq!(served.run(&["get", "a"]).done().text(), "two");
    put("three", &["--version", "hex:00ff", "--force"]).done();

    served.run(&["delete", "a"]).fails(4, &["kinetic head"]);
    served
        .run(&["delete", "a", "--expected-version", "v2"])
        .fails(4, &[]);
    assert_eq!(served.run(&["get", "a"]).done().text(), "three");
    let delete = ["delete", "a", "--expected-version", "hex:00ff"];
    assert!(served.run(&delete).done().out.is_empty());
    served.run(&["get", "a"]).fails(3, &["no key a"]);
    // Expecting a version of what is not there.
    put("four", &["--expected-version", "v9"]).fails(4, &["absent"]);
}

#[test]
fn an_absent_key_is_code_3() {
    let served = Served::new();
    let kept = served.path("kept");
    fs::write(&kept, "mine").expect("a file");
    for command in ["get", "head"] {
        served
            .run(&[command, "hex:00"])
            .fails(3, &["no key hex:00"]);
    }
    let deleted = served.run(&["delete", "hex:00"]);
    deleted.fails(3, &["hex:00: there is no such key", "--force"]);
    let get = |file| served.kinetic().args(["get", "a", "-o"]).args([file]);
    get(served.path("kept")).run().fails(3, &[]);
    assert_eq!(fs::read(&kept).expect("a file"), b"mine");
    get(served.path("new")).run().fails(3, &[]);
    assert!(!served.path("new").exists());
    // By force it is only made sure that there is none.
    served.run(&["delete", "a", "--force"]).done();
}

#[test]
fn a_local_file_that_is_not_to_be_had_is_code_7() {
    let served = Served::new();
    let absent = served.path("absent/file");
    let put = served.kinetic().args(["put", "a"]).args([&absent]).run();
    put.fails(7, &["absent/file"]);
    served.run(&["get", "a"]).fails(3, &[]);
    served.kinetic().args(["put", "a"]).input(b"x").run().done();
    let get = served.kinetic().args(["get", "a", "-o"]).args([&absent]);
    get.run().fails(7, &["absent/file"]);
}

#[test]
fn head_shows_version_tag_and_algorithm() {
    let served = Served::new();
    let put = served.kinetic().args(["put", "a", "--version", "v1"]);
    let put = put.args(["--tag", "hex:cafe00", "--algorithm", "crc32c"]);
    put.input(b"value").run().done();
    let head = served.run(&["head", "a"]).done();
    for word in ["v1", "hex:cafe00", "crc32c"] {
        assert!(head.text().contains(word), "{word}: {head}");
    }
    let expected = json!({
        "key": "a", "version": "v1", "tag": "hex:cafe00", "algorithm": "crc32c",
    });
    let head = served.run(&["--output", "json", "head", "a"]).done();
    assert_eq!(head.json(), expected, "{head}");
}

#[test]
fn put_get_and_delete_speak_json() {
    let served = Served::new();
    let put = served.kinetic().args(["put", "hex:00", "--output", "json"]);
    let said = put.input(b"\0\xff").run().done();
    assert_eq!(
        said.json(),
        json!({ "key": "hex:00", "bytes": 2 }),
        "{said}"
    );
    let said = served.run(&["get", "hex:00", "--output", "json"]).done();
    let entry = said.json();
    assert_eq!(entry["key"], "hex:00", "{said}");
    assert_eq!(entry["bytes"], 2, "{said}");
    assert_eq!(entry["value_base64"], "AP8=", "{said}");
    let said = served.run(&["delete", "hex:00", "--output", "json"]).done();
    assert_eq!(said.json(), json!({ "key": "hex:00" }), "{said}");
}

#[test]
fn a_value_of_any_durability_is_there_after_a_kill() {
    let served = Served::new();
    let levels = ["write-back", "write-through", "flush"];
    for level in levels {
        let put = served.kinetic().args(["put", level, "--durability", level]);
        put.input(level.as_bytes()).run().done();
    }
    served.run(&["delete", "write-back"]).done();
    let served = served.killed_and_restarted();
    served.run(&["get", "write-back"]).fails(3, &[]);
    for level in ["write-through", "flush"] {
        assert_eq!(served.run(&["get", level]).done().text(), level);
    }
}
