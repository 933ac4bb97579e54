//! The tables of `docs/TESTING.md` name tests that exist.

use std::path::Path;

/// Rows of all tables: their cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let cells = |line: &str| {
        let inner = line.trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    lines.map(cells).collect()
}

#[test]
fn every_test_that_the_page_of_tests_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/TESTING.md")).unwrap();
    let mut named = 0;
    for row in rows(&page) {
        let is_name = |cell: &&String| cell.starts_with('`') && cell.contains('_');
        let Some(test) = row.iter().find(is_name) else {
            continue;
        };
        let file = match row.last() {
            Some(last) if last.ends_with(".rs") => last.as_str(),
            _ => "tests/simulation/sabotage.rs",
        };
        let test = test.trim_matches('`');
        let source = std::fs::read_to_string(root.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("fn {test}()")),
            "{test} is not in {file}"
        );
        named += 1;
    }
    assert!(named > 60, "{named} tests are named");
}
