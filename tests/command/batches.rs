//! `batch` and `limits`: all lines of a file or none, and which line was to blame.

use std::fs;

use crate::Served;
use crate::kinetic::Said;

impl Served {
    fn batch(&self, lines: &str) -> Said {
        let command = self.kinetic().args(["batch", "-"]);
        command.input(lines.as_bytes()).run()
    }
}

#[test]
fn a_file_of_puts_and_deletes_is_done_whole() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "old"])
        .input(b"x")
        .run()
        .done();
    let value = served.path("value");
    fs::write(&value, [0, 1, 2]).expect("a file");
    let lines = format!(
        "{}\n\n{}\n{}\n",
        r#"{"put": "a", "value": "hex:ff", "version": "1"}"#,
        serde_json::json!({"put": "hex:00", "file": value, "tag": "t", "algorithm": "sha1"}),
        r#"{"delete": "old"}"#
    );
    let file = served.path("operations");
    fs::write(&file, &lines).expect("a file");
    let said = served.kinetic().args(["batch"]).args([&file]).run();
    assert!(said.done().out.is_empty());
    assert_eq!(served.run(&["get", "a"]).done().out, [0xff]);
    assert_eq!(served.run(&["get", "hex:00"]).done().out, [0, 1, 2]);
    served.run(&["get", "old"]).fails(3, &["old"]);
    let head = served.run(&["head", "hex:00", "--output", "json"]).done();
    assert_eq!(head.json()["algorithm"], "sha1");

    let again = served.kinetic().args(["batch", "-", "--output", "json"]);
    let again = again.input(br#"{"put": "b", "value": "12"}"#).run().done();
    assert_eq!(again.json()["operations"], 1);
    assert_eq!(again.json()["value_bytes"], 2);
}

#[test]
fn one_failure_undoes_all_and_names_its_line_and_cause() {
    let served = Served::new();
    let put = r#"{"put": "a", "value": "1"}"#;
    let mismatch = r#"{"put": "b", "value": "1", "expected_version": "7"}"#;
    let said = served.batch(&format!("{put}\n\n{mismatch}\n"));
    said.fails(
        4,
        &[
            "line 3",
            "VERSION_MISMATCH",
            "PUT of b, failed",
            "nothing of the batch",
        ],
    );
    served.run(&["get", "a"]).fails(3, &[]);
    let said = served.batch(&format!("{put}\n{}\n", r#"{"delete": "absent"}"#));
    said.fails(3, &["line 2", "NOT_FOUND"]);
    served.run(&["get", "a"]).fails(3, &[]);
}

#[test]
fn a_line_with_a_mistake_is_wrong_usage_and_nothing_is_sent() {
    let served = Served::new();
    let good = r#"{"put": "a", "value": "1"}"#;
    for (bad, word) in [
        ("nonsense", r#"such as {"put""#),
        (r#"["a"]"#, r#"such as {"put""#),
        ("{", r#"such as {"put""#),
        ("{}", "a put or a delete"),
        (r#"{"put": "b"}"#, "a value or a file"),
        (
            r#"{"put": "b", "value": "1", "file": "x"}"#,
            "a value or a file",
        ),
        (
            r#"{"put": "b", "delete": "b", "value": "1"}"#,
            "a put or a delete",
        ),
        (r#"{"put": "b", "valu": "1"}"#, "valu"),
        (r#"{"put": "b", "value": 1}"#, "expected a string"),
        (r#"{"put": "hex:0", "value": "1"}"#, "hexadecimal"),
        (r#"{"delete": "b", "value": "1"}"#, "a delete has"),
        (r#"{"delete": "b", "algorithm": "sha1"}"#, "a delete has"),
        (
            r#"{"put": "b", "value": "1", "tag": "t", "algorithm": "rot13"}"#,
            "sha1",
        ),
        (
            r#"{"put": "b", "value": "1", "algorithm": "sha1"}"#,
            "no tag",
        ),
        (
            r#"{"put": "b", "value": "1", "force": true, "expected_version": "1"}"#,
            "expected_version",
        ),
        (
            r#"{"delete": "b", "force": true, "expected_version": "1"}"#,
            "expected_version",
        ),
    ] {
        let said = served.batch(&format!("{good}\n{bad}\n"));
        said.fails(2, &["line 2", word]);
    }
    let absent = served.batch(r#"{"put": "b", "file": "/nowhere/at/all"}"#);
    absent.fails(7, &["/nowhere/at/all"]);
    served
        .run(&["batch", "/nowhere/at/all"])
        .fails(7, &["/nowhere"]);
    assert!(served.run(&["list"]).done().out.is_empty());
}

#[test]
fn the_limits_are_shown_and_a_batch_over_them_is_refused_here() {
    let served = Served::new();
    let said = served.run(&["limits", "--output", "json"]).done();
    let limits = said.json()["limits"].clone();
    assert_eq!(limits["max_key_size"], 4096, "{said}");
    let most = limits["max_operation_count_per_batch"].as_u64();
    let most = most.expect("a limit of operations");
    let line = |number| format!("{{\"put\": \"{number}\", \"value\": \"\"}}\n");
    // It stops at the first line that is too much, however many follow.
    let lines: String = (0..most + 100).map(line).collect();
    let said = served
        .batch(&lines)
        .fails(1, &["operations", "kinetic limits"]);
    assert!(said.err.contains(&most.to_string()), "{said}");
    assert!(said.err.contains(&format!("line {}:", most + 1)), "{said}");
    let lines: String = (0..most).map(line).collect();
    served.batch(&lines).done();
}
