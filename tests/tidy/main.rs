//! Tidiness: what STYLE asks for and a machine can check, over every file of the workspace.
//!
//! Each rule is a small pure function in a file of its own, with tests that show that it bites.
//! Here they are run together. What is forgiven stands in `exceptions.rs`, with its reason.
//! Not here: what rustfmt and clippy check already.

mod finding;

mod exceptions;

mod source;

mod lines;

mod places;

mod syntax;

mod order;

mod layers;

#[cfg(test)]
mod promises;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use exceptions::{EXCEPTIONS, forgive};
use finding::Finding;
use source::Source;

#[test]
fn the_whole_workspace_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is in the workspace");
    let mut findings = check_workspace(root);
    findings.sort();
    let (left, unused) = forgive(findings, EXCEPTIONS);
    let mut report: Vec<String> = left.iter().map(Finding::to_string).collect();
    for exception in unused {
        let (rule, file, subject) = (exception.rule, exception.file, exception.subject);
        report.push(format!(
            "tests/tidy/exceptions.rs: nothing is forgiven by {rule:?} for {file} `{subject}` \
             ({}): remove it",
            exception.reason
        ));
    }
    assert!(
        report.is_empty(),
        "{} findings\n{}\n",
        report.len(),
        report.join("\n")
    );
}

fn check_workspace(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sources = BTreeMap::new();
    for (path, text) in source::rust_files(root).expect("the workspace can be read") {
        findings.extend(lines::file_length(&path, &text));
        findings.extend(lines::line_length(&path, &text));
        findings.extend(lines::module_docs(&path, &text));
        findings.extend(lines::todo_reasons(&path, &text));
        match Source::parse(&path, &text) {
            Ok(source) => {
                findings.extend(syntax::check(&source));
                sources.insert(path, source);
            }
            Err(finding) => findings.push(finding),
        }
    }
    assert!(
        sources.len() > 20,
        "only {} sources found: is this the workspace?",
        sources.len()
    );

    let files = source::all_files(root).expect("the workspace can be listed");
    findings.extend(places::folder_size(&files));
    findings.extend(places::names(&files));
    findings.extend(source::orphans(&sources));
    for opened in source::roots(&sources) {
        let tree = source::tree(&opened, &sources);
        findings.extend(order::import_order(&tree));
        if opened == "server/src/lib.rs" {
            findings.extend(order::runtime(&tree, &["net"]));
        }
    }
    for layer in layers::LAYERS {
        let manifest = root.join(layer.folder).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("each layer has a manifest");
        findings.extend(layers::check(layer, &text));
    }
    findings
}
