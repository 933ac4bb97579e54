//! Files and folders that the documents name are there.
//!
//! A document names them by the end of their path, which is enough to find them. Not here: what is
//! said about them.

use std::collections::BTreeSet;
use std::fs;

use super::root;
use crate::source::all_files;

/// Those that tell how things are; CHANGELOG.md tells how they became so.
const DOCUMENTS: [&str; 9] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs/FORMAT.md",
    "docs/METRICS.md",
    "docs/PERFORMANCE.md",
    "docs/PROTOCOL.md",
    "docs/SECURITY.md",
    "docs/TESTING.md",
];

/// Words between single back-ticks that are a Rust file, or a folder with a slash at its end.
fn places(document: &str) -> BTreeSet<&str> {
    let lines = document.lines().filter(|line| !line.starts_with("    "));
    let quoted = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let place = |word: &&str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_/.".contains(letter);
        let is_folder = word.ends_with('/') && word.chars().filter(|it| *it == '/').count() > 1;
        word.chars().all(plain)
            && !word.starts_with(['/', '.'])
            && (word.ends_with(".rs") || is_folder)
    };
    quoted.filter(place).collect()
}

/// Whether a file lies there, or in a folder of that name.
fn is_there(place: &str, files: &[String]) -> bool {
    files.iter().any(|file| {
        let path = format!("/{file}");
        match place.strip_suffix('/') {
            Some(folder) => path.contains(&format!("/{folder}/")),
            None => path.ends_with(&format!("/{place}")),
        }
    })
}

#[test]
fn every_file_and_folder_that_a_document_names_is_there() {
    let files = all_files(root()).expect("the workspace can be listed");
    let mut missing = Vec::new();
    let mut named = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).expect("the document can be read");
        let places = places(&text);
        named += places.len();
        let gone = places.iter().filter(|place| !is_there(place, &files));
        missing.extend(gone.map(|place| format!("{document} names {place}, which is not there")));
    }
    assert!(named > 50, "only {named} places were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn places_are_told_from_other_words_and_found_by_their_end() {
    let text = "See `net/a.rs`, `upkeep/worker/`, `photos/`, `b.rs` and `.rs`.\n    `code.rs`";
    assert_eq!(
        places(text).into_iter().collect::<Vec<_>>(),
        ["b.rs", "net/a.rs", "upkeep/worker/"]
    );
    let files = [
        "server/src/net/a.rs".to_owned(),
        "x/upkeep/worker/mod.rs".to_owned(),
    ];
    for there in ["net/a.rs", "a.rs", "server/src/net/a.rs", "upkeep/worker/"] {
        assert!(is_there(there, &files), "{there}");
    }
    for gone in ["et/a.rs", "b.rs", "worker/mod/", "net/b.rs"] {
        assert!(!is_there(gone, &files), "{gone}");
    }
}
