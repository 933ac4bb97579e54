//! The one list of what the rules forgive, each with its reason.
//!
//! An exception names rule, file and subject exactly. One that forgives nothing any more fails
//! the test, so the list can only be as long as it must.

use crate::finding::{Finding, Rule};

/// One forgiven breach.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) rule: Rule,
    pub(crate) file: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) reason: &'static str,
}

/// Everything that is forgiven in this workspace.
pub(crate) const EXCEPTIONS: &[Exception] = &[];

/// What is left of the findings, and which exceptions forgave none of them.
pub(crate) fn forgive(
    findings: Vec<Finding>,
    exceptions: &[Exception],
) -> (Vec<Finding>, Vec<&Exception>) {
    let unused = exceptions
        .iter()
        .filter(|exception| !findings.iter().any(|finding| matches(exception, finding)))
        .collect();
    let left = findings
        .into_iter()
        .filter(|finding| {
            !exceptions
                .iter()
                .any(|exception| matches(exception, finding))
        })
        .collect();
    (left, unused)
}

fn matches(exception: &Exception, finding: &Finding) -> bool {
    exception.rule == finding.rule
        && exception.file == finding.file
        && exception.subject == finding.subject
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: &str) -> Finding {
        Finding {
            file: file.to_owned(),
            line: 1,
            rule: Rule::FileLength,
            subject: String::new(),
            message: String::new(),
        }
    }

    const ONE: &[Exception] = &[Exception {
        rule: Rule::FileLength,
        file: "a.rs",
        subject: "",
        reason: "a table that is read, not followed",
    }];

    #[test]
    fn an_exception_forgives_its_own_file_only() {
        let (left, unused) = forgive(vec![finding("a.rs"), finding("b.rs")], ONE);
        assert_eq!(left, vec![finding("b.rs")]);
        assert!(unused.is_empty());
    }

    #[test]
    fn an_exception_that_forgives_nothing_is_reported() {
        let (left, unused) = forgive(Vec::new(), ONE);
        assert!(left.is_empty());
        assert_eq!(unused.len(), 1);
    }

    #[test]
    fn every_exception_gives_a_reason() {
        for exception in EXCEPTIONS {
            assert!(exception.reason.len() > 20, "{exception:?} needs a reason");
        }
    }
}
