//! `list`, `next`, `prev`: every key once and in order, over more than one page of the drive.

use serde_json::json;

use crate::Served;

/// More than two pages: a drive gives at most 200 keys in one answer.
const COUNT: usize = 450;

/// A drive with keys of three prefixes, and the keys in order.
fn filled() -> (Served, Vec<String>) {
    let served = Served::new();
    let mut keys: Vec<String> = (0..COUNT).map(|number| format!("m/{number:04}")).collect();
    keys.extend(["a", "m", "m0", "n/1", "z"].map(str::to_owned));
    keys.sort();
    let mut talk = served.talk();
    for key in &keys {
        talk.put(key.as_bytes(), b"value").success();
    }
    (served, keys)
}

/// What a list with these arguments prints is what is expected, as lines and as JSON.
#[track_caller]
fn lists(served: &Served, arguments: &[&str], expected: &[&String]) {
    let said = served.kinetic().args(["list"]).args(arguments).run().done();
    assert!(said.lines() == expected, "{said}");
    let said = served.kinetic().args(["list", "--output", "json"]);
    let said = said.args(arguments).run().done();
    let expected: Vec<_> = expected.iter().map(|key| json!({ "key": key })).collect();
    assert!(said.json_lines() == expected, "{said}");
}

#[test]
fn a_list_has_every_key_once_and_in_order() {
    let (served, keys) = filled();
    let all: Vec<&String> = keys.iter().collect();
    lists(&served, &[], &all);
    let backwards: Vec<&String> = keys.iter().rev().collect();
    lists(&served, &["--reverse"], &backwards);
    let prefix: Vec<&String> = keys.iter().filter(|key| key.starts_with("m/")).collect();
    assert_eq!(prefix.len(), COUNT);
    lists(&served, &["m/"], &prefix);
    lists(&served, &["hex:6d2f"], &prefix);
    lists(&served, &["absent/"], &[]);
}

#[test]
fn a_limit_counts_over_pages_and_from_the_end_it_begins_at() {
    let (served, keys) = filled();
    for limit in [0, 1, 199, 200, 201, 403, 10_000] {
        let text = limit.to_string();
        let first: Vec<&String> = keys.iter().take(limit).collect();
        lists(&served, &["--limit", &text], &first);
        let last: Vec<&String> = keys.iter().rev().take(limit).collect();
        lists(&served, &["--limit", &text, "--reverse"], &last);
        let under = keys.iter().filter(|key| key.starts_with("m/")).take(limit);
        let under: Vec<&String> = under.collect();
        lists(&served, &["m/", "--limit", &text], &under);
    }
}

#[test]
fn a_list_begins_with_its_start_and_stops_before_its_end() {
    let (served, keys) = filled();
    let between = |start: &str, end: &str| -> Vec<&String> {
        let within = |key: &&String| key.as_str() >= start && key.as_str() < end;
        keys.iter().filter(within).collect()
    };
    for (start, end) in [
        ("m/0010", "m/0430"),
        ("m", "m/0000"),
        ("m/00", "n"),
        ("b", "c"),
        ("m/0005", "m/0005"),
        ("m/0300", "m/0100"),
    ] {
        let expected = between(start, end);
        lists(&served, &["--start", start, "--end", end], &expected);
        let backwards: Vec<&String> = expected.into_iter().rev().collect();
        let arguments = ["--start", start, "--end", end, "--reverse"];
        lists(&served, &arguments, &backwards);
    }
    lists(&served, &["--start", "n"], &between("n", "\u{7f}"));
    lists(&served, &["--end", "m/0003"], &between("", "m/0003"));
    // Within a prefix, whichever bound is narrower.
    lists(
        &served,
        &["m/", "--start", "a", "--end", "m/0003"],
        &between("m/", "m/0003"),
    );
    lists(
        &served,
        &["m/", "--start", "m/0447", "--end", "z"],
        &between("m/0447", "m0"),
    );
    lists(&served, &["m/", "--start", "n"], &[]);
}

#[test]
fn next_and_prev_step_from_key_to_key_and_end_with_code_3() {
    let (served, keys) = filled();
    for (step, back) in keys.windows(2).step_by(90).map(|pair| (&pair[0], &pair[1])) {
        let said = served.run(&["next", step]).done();
        assert_eq!(said.lines(), [back], "{said}");
        let said = served.run(&["prev", back]).done();
        assert_eq!(said.lines(), [step], "{said}");
    }
    let said = served
        .run(&["next", "m/0007 and more", "--output", "json"])
        .done();
    assert_eq!(said.json()["key"], "m/0008", "{said}");
    let said = served
        .run(&["prev", "m/0007 and more", "--output", "json"])
        .done();
    assert_eq!(said.json()["key"], "m/0007", "{said}");
    served.run(&["next", "z"]).fails(3, &["no key behind z"]);
    served.run(&["prev", "a"]).fails(3, &["no key before a"]);
}

#[test]
fn an_empty_drive_lists_nothing_and_succeeds() {
    let served = Served::new();
    lists(&served, &[], &[]);
    lists(&served, &["--reverse"], &[]);
    served.run(&["next", "text:"]).fails(3, &[]);
    served.run(&["prev", "hex:ffff"]).fails(3, &[]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let (served, _) = filled();
    let program = kinetic_tests::program::Program::Command.path();
    let script = r#"set -o pipefail; "$0" --drive "$1" list | head -n 1"#;
    let mut shell = std::process::Command::new("bash");
    shell
        .args(["-c", script])
        .arg(program.expect("the command's program"));
    let output = shell.arg(served.drive.plain().to_string()).output();
    let output = output.expect("a shell");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    assert_eq!(output.stdout, b"a\n");
}
