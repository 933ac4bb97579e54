//! Rules that are about lines of text: how long, how many, how a file opens, what is left to do.

use crate::finding::{Finding, Rule};

/// Stop here. Aim at 80 to 250 lines, think at 400.
const MAX_FILE_LINES: usize = 600;

/// Columns, counted in characters.
const MAX_LINE_COLUMNS: usize = 100;

/// A reason shorter than this is none.
const MIN_REASON_CHARS: usize = 15;

/// A file of more than 600 lines.
pub(crate) fn file_length(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > MAX_FILE_LINES).then(|| Finding {
        file: path.to_owned(),
        line: lines,
        rule: Rule::FileLength,
        subject: String::new(),
        message: format!("{lines} lines, at most {MAX_FILE_LINES}: find the seam and cut there"),
    })
}

/// Lines of more than 100 columns.
pub(crate) fn line_length(path: &str, text: &str) -> Vec<Finding> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at, line.chars().count()));
    lines
        .filter(|(_, columns)| *columns > MAX_LINE_COLUMNS)
        .map(|(at, columns)| Finding {
            file: path.to_owned(),
            line: at + 1,
            rule: Rule::LineLength,
            subject: String::new(),
            message: format!("{columns} columns, at most {MAX_LINE_COLUMNS}"),
        })
        .collect()
}

/// A file that doesn't open with a `//!` line.
pub(crate) fn module_docs(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").map(str::trim).unwrap_or_default();
    said.is_empty().then(|| Finding {
        file: path.to_owned(),
        line: 1,
        rule: Rule::ModuleDocs,
        subject: String::new(),
        message: "must open with a `//!` line: what it is, what it guarantees, what is not here"
            .to_owned(),
    })
}

/// Notes in comments about work left, without the reason why it is left.
pub(crate) fn todo_reasons(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.split_once("//") else {
            continue;
        };
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            let Some((before, reason)) = comment.split_once(word) else {
                continue;
            };
            let inside_a_word = before
                .chars()
                .next_back()
                .is_some_and(char::is_alphanumeric);
            if !inside_a_word && reason.trim_matches([':', ' ']).len() < MIN_REASON_CHARS {
                findings.push(Finding {
                    file: path.to_owned(),
                    line: at + 1,
                    rule: Rule::Todo,
                    subject: String::new(),
                    message: format!("`{word}` without its reason: do it, or say why not now"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_600_lines_and_no_more() {
        assert!(file_length("a.rs", &"\n".repeat(600)).is_none());
        let finding = file_length("a.rs", &"\n".repeat(601)).expect("a finding");
        assert_eq!((finding.rule, finding.line), (Rule::FileLength, 601));
    }

    #[test]
    fn a_line_may_have_100_columns_and_no_more() {
        let text = format!("{}\n{}\n", "ä".repeat(100), "a".repeat(101));
        let found = line_length("a.rs", &text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule, found[0].line), (Rule::LineLength, 2));
    }

    #[test]
    fn a_file_without_an_opening_line_is_found() {
        assert!(module_docs("a.rs", "//! What it is.\n").is_none());
        for text in [
            "",
            "//!\n",
            "// What it is.\n",
            "\n//! Too late.\n",
            "fn a() {}",
        ] {
            assert!(module_docs("a.rs", text).is_some(), "{text:?} has no docs");
        }
    }

    #[test]
    fn work_left_needs_its_reason() {
        let bare = concat!("let a = 1; // TO", "DO\n// TO", "DO: later\n");
        assert_eq!(todo_reasons("a.rs", bare).len(), 2);
        let reasoned = concat!("// TO", "DO: cut this when format 2 drops the old header\n");
        assert!(todo_reasons("a.rs", reasoned).is_empty());
        assert!(todo_reasons("a.rs", "let todo = \"TODO\";\n").is_empty());
    }
}
