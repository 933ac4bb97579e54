//! docs/WISHES.md has every wish that was to be met, and what it points at exists.

use std::collections::BTreeSet;
use std::fs;

use super::{fault, root, tests};

/// What was to be met; other numbers may be there, too.
const DUE: [usize; 31] = [
    1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29, 30,
    33, 34, 35, 36, 37,
];

/// Number, what was asked, what there is, where it is described, tests.
const CELLS: usize = 5;

/// What is wrong with the rows of this page.
fn faults(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut met = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse::<usize>().ok()) else {
            continue;
        };
        if cells.len() != CELLS || cells.iter().any(|cell| cell.is_empty()) {
            faults.push(format!(
                "wish {number} has not {CELLS} cells that say something"
            ));
        }
        if !met.insert(number) {
            faults.push(format!("wish {number} is there twice"));
        }
        let described = cells.get(3).copied().unwrap_or_default();
        let broken = links(described)
            .into_iter()
            .filter(|link| !leads_somewhere(link));
        faults.extend(broken.map(|link| format!("wish {number}: {link} leads nowhere")));
        let unshown = tests(&cells)
            .into_iter()
            .filter_map(|one| fault(root(), one));
        faults.extend(unshown.map(|fault| format!("wish {number}: {fault}")));
    }
    let missing = DUE.iter().filter(|number| !met.contains(number));
    faults.extend(missing.map(|number| format!("wish {number} is not there")));
    faults
}

/// Where the links of a cell lead.
fn links(cell: &str) -> Vec<&str> {
    let behind = cell.split("](").skip(1);
    behind.filter_map(|rest| rest.split(')').next()).collect()
}

/// Whether a link from the folder of documents names a page and a heading of it.
fn leads_somewhere(link: &str) -> bool {
    let Some((file, anchor)) = link.split_once('#') else {
        return false;
    };
    let Ok(page) = fs::read_to_string(root().join("docs").join(file)) else {
        return false;
    };
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor_of).any(|known| known == anchor)
}

/// What a heading is called in links.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect()
}

#[test]
fn every_wish_that_was_to_be_met_is_described_and_shown_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/WISHES.md")).expect("the page can be read");
    let faults = faults(&page);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_wish_that_is_missing_or_points_nowhere_is_found() {
    let good = "`tests/tidy/promises/wishes.rs::a_wish_that_is_missing_or_points_nowhere_is_found`";
    let row = |link: &str, test: &str| format!("| 1 | asked | there is | [a]({link}) | {test} |");
    let others = DUE.len() - 1;
    let right = row("PROTOCOL.md#security-pins-lock-erase-set-up", good);
    assert_eq!(faults(&right).len(), others, "{:?}", faults(&right));
    for wrong in [
        row("PROTOCOL.md#nowhere", good),
        row("NOWHERE.md#frames", good),
        row("PROTOCOL.md", good),
        row("PROTOCOL.md#frames", "`tests/tidy/main.rs::nothing`"),
        row("PROTOCOL.md#frames", ""),
        format!("{right}\n{right}"),
    ] {
        assert_eq!(faults(&wrong).len(), others + 1, "{wrong}");
    }
}
