//! What a tidy rule says when it is broken: which rule, where, about what, and how to mend it.
//!
//! A finding is a value; nothing here reads files or decides what is forgiven (`exceptions.rs`).

use std::fmt;

/// The rules that are held over the whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A file imports only what stands above it in its `lib.rs` or `mod.rs`.
    ImportOrder,
    /// Crates depend on each other downward only, and foreign crates stay where they belong.
    Layers,
    /// Only `server::net` names the runtime.
    Runtime,
    /// A file ends before it gets too long to read in one sitting.
    FileLength,
    /// A function fits on a screen.
    FunctionLength,
    /// A line fits beside another one.
    LineLength,
    /// A folder can be taken in at a glance.
    FolderSize,
    /// Every file opens by saying what it is.
    ModuleDocs,
    /// No file or module is named for having no subject.
    Name,
    /// Lints are expected with a reason, never allowed.
    Allow,
    /// A note of what is left to do says why it is left.
    Todo,
    /// No debugging output stays behind.
    Dbg,
    /// A test's name says what holds.
    TestName,
    /// A file belongs to a module tree, or it is never compiled.
    Orphan,
    /// A file can be parsed at all.
    Syntax,
}

/// One breach of one rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) rule: Rule,
    /// What in the file it is about, where a file can break the rule more than once: a function,
    /// an imported path. Empty otherwise. Exceptions name it, because line numbers move.
    pub(crate) subject: String,
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}:{}: {} [{:?}",
            self.file, self.line, self.message, self.rule
        )?;
        if !self.subject.is_empty() {
            write!(out, ", subject `{}`", self.subject)?;
        }
        write!(out, "]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_file_line_rule_and_subject() {
        let finding = Finding {
            file: "store/src/log.rs".to_owned(),
            line: 7,
            rule: Rule::FunctionLength,
            subject: "append".to_owned(),
            message: "too long".to_owned(),
        };
        let text = finding.to_string();
        assert_eq!(
            text,
            "store/src/log.rs:7: too long [FunctionLength, subject `append`]"
        );
    }
}
