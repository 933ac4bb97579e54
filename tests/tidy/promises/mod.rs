//! What docs/PROTOCOL.md promises has tests, and these exist.
//!
//! Three tables of its section "Where each of this is tested" name them as `FILE::FUNCTION`.

mod places;
mod wishes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Decisions that this drive was built by.
const DECISIONS: usize = 20;

/// Rows of the table under a heading of any level: their cells.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let title = |line: &str| {
        line.starts_with('#')
            .then(|| line.trim_start_matches('#').trim() == heading)
    };
    let behind = document
        .lines()
        .skip_while(|line| title(line) != Some(true))
        .skip(1);
    let section = behind.take_while(|line| !line.starts_with('#'));
    let table = section.filter(|line| line.starts_with('|')).skip(2);
    table
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The tests that the last cell of a row names.
fn tests<'a>(row: &[&'a str]) -> Vec<&'a str> {
    let cell = row.last().copied().unwrap_or_default();
    let named = cell.split("<br>").map(|one| one.trim().trim_matches('`'));
    named.filter(|one| !one.is_empty()).collect()
}

/// What is wrong with a named test: its file has no such test.
fn fault(root: &Path, named: &str) -> Option<String> {
    let Some((file, function)) = named.split_once("::") else {
        return Some(format!("{named} is no FILE::FUNCTION"));
    };
    let Ok(text) = fs::read_to_string(root.join(file)) else {
        return Some(format!("{named}: there is no such file"));
    };
    let signature = format!("fn {function}(");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains(&signature));
    let is_test = at.is_some_and(|at| {
        let before = lines.get(at.saturating_sub(4)..at).unwrap_or_default();
        let marks = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("#[test]") || line.starts_with("#[tokio::test")
        };
        before.iter().any(marks)
    });
    (!is_test).then(|| format!("{named}: there is no such test"))
}

fn document() -> String {
    let path = root().join("docs/PROTOCOL.md");
    fs::read_to_string(path).expect("the document can be read")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is in the workspace")
}

#[test]
fn every_decision_message_type_and_status_code_names_tests_that_exist() {
    let document = document();
    let keyed = |heading| -> BTreeMap<String, Vec<&str>> {
        let rows = rows(&document, heading).into_iter();
        rows.map(|row| {
            (
                row.first().copied().unwrap_or_default().to_owned(),
                tests(&row),
            )
        })
        .collect()
    };
    let (decisions, tested, codes) = (keyed("Decisions"), keyed("Requests"), keyed("Codes"));
    let mut faults = Vec::new();
    for number in 1..=DECISIONS {
        if !decisions.contains_key(&number.to_string()) {
            faults.push(format!("decision {number} names no test"));
        }
    }
    for request in keyed("Message types").keys() {
        if tested.get(request).is_none_or(Vec::is_empty) {
            faults.push(format!("message type {request} names no test"));
        }
    }
    for row in rows(&document, "Status codes") {
        let name = row.get(1).copied().unwrap_or_default();
        if codes.get(name).is_none_or(Vec::is_empty) {
            faults.push(format!("status code {name} names no test"));
        }
    }
    let all = decisions
        .values()
        .chain(tested.values())
        .chain(codes.values());
    let named: Vec<&str> = all.flatten().copied().collect();
    assert!(named.len() > DECISIONS, "the tables were not found");
    faults.extend(named.into_iter().filter_map(|named| fault(root(), named)));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let here = "tests/tidy/promises/mod.rs";
    assert_eq!(
        fault(
            root(),
            &format!("{here}::a_test_that_does_not_exist_is_found")
        ),
        None
    );
    for named in [
        "no test at all".to_owned(),
        "tests/nowhere.rs::a_test".to_owned(),
        format!("{here}::a_test_that_is_nowhere"),
        // A function, and no test.
        format!("{here}::document"),
    ] {
        assert!(fault(root(), &named).is_some(), "{named}");
    }
}
