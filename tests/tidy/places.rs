//! Rules that are about where files lie and what they are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Rule};

/// Files directly in one folder of sources.
const MAX_FOLDER_FILES: usize = 9;

/// One operation, or the tests of one kind of message, is one file: as long as the protocol.
const UNBOUNDED_FOLDERS: [&str; 2] = ["ops", "conformance"];

/// Names that say that nobody knew what the code is about.
const EMPTY_NAMES: &[&str] = &[
    "util",
    "utils",
    "helper",
    "helpers",
    "misc",
    "common",
    "stuff",
    "shared_code",
];

/// Folders of sources with more files than can be taken in at a glance.
pub(crate) fn folder_size(files: &[String]) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        folders.entry(folder).or_default().push(name);
    }
    let too_full = folders.into_iter().filter(|(folder, names)| {
        let last = folder.rsplit('/').next().unwrap_or(folder);
        let has_source = names.iter().any(|name| name.ends_with(".rs"));
        has_source && !UNBOUNDED_FOLDERS.contains(&last) && names.len() > MAX_FOLDER_FILES
    });
    too_full
        .map(|(folder, names)| Finding {
            file: folder.to_owned(),
            line: 1,
            rule: Rule::FolderSize,
            subject: String::new(),
            message: format!(
                "{} files in one folder, at most {MAX_FOLDER_FILES}: {}",
                names.len(),
                names.join(", "),
            ),
        })
        .collect()
}

/// Files and folders whose name names no subject.
pub(crate) fn names(files: &[String]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for file in files {
        for part in file.split('/') {
            let stem = part.strip_suffix(".rs").unwrap_or(part);
            if EMPTY_NAMES.contains(&stem) && seen.insert(file) {
                findings.push(Finding {
                    file: file.clone(),
                    line: 1,
                    rule: Rule::Name,
                    subject: String::new(),
                    message: format!("`{stem}` names no subject: call it what it is about"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{name}/file{at}.rs")).collect()
    }

    #[test]
    fn a_folder_may_hold_nine_files_and_no_more() {
        assert!(folder_size(&folder("a/src", 9)).is_empty());
        let found = folder_size(&folder("a/src", 10));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].rule, found[0].file.as_str()),
            (Rule::FolderSize, "a/src")
        );
    }

    #[test]
    fn the_folder_of_operations_is_as_long_as_the_protocol() {
        assert!(folder_size(&folder("server/src/ops", 30)).is_empty());
    }

    #[test]
    fn a_folder_without_sources_is_nobodys_business() {
        let corpus: Vec<String> = (0..50).map(|at| format!("proto/corpus/{at}.bin")).collect();
        assert!(folder_size(&corpus).is_empty());
    }

    #[test]
    fn names_that_name_nothing_are_found_as_file_and_as_folder() {
        let bad = ["a/src/utils.rs", "a/src/common/frame.rs"].map(str::to_owned);
        assert_eq!(names(&bad).len(), 2);
        assert!(names(&["a/src/frame.rs".to_owned()]).is_empty());
    }
}
