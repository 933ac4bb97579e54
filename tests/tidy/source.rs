//! The sources of the workspace, as the rules see them: text, syntax tree, place in a module tree.
//!
//! Reading is done once, here; every rule is a function of these values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::finding::{Finding, Rule};

/// Written by a generator and held fresh by a test of its own, so no rule of style applies.
const GENERATED: &[&str] = &["proto/src/generated/kinetic.rs"];

/// Folders of the workspace that hold no source of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", "docs"];

/// One file: its place below the workspace's root with forward slashes, and its syntax tree.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) syntax: syn::File,
}

impl Source {
    /// Parses one file's text.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let syntax = syn::parse_file(text).map_err(|error| Finding {
            file: path.to_owned(),
            line: error.span().start().line,
            rule: Rule::Syntax,
            subject: String::new(),
            message: format!("cannot be parsed: {error}"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            syntax,
        })
    }
}

/// Every Rust file below `root` that is written by hand, in the order of its path.
pub(crate) fn rust_files(root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for path in all_files(root)? {
        if path.ends_with(".rs") && !GENERATED.contains(&path.as_str()) {
            let text = fs::read_to_string(root.join(&path))?;
            files.push((path, text));
        }
    }
    Ok(files)
}

/// Every file below `root`, build output and hidden folders aside, sorted.
pub(crate) fn all_files(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if entry.file_type()?.is_dir() {
                let skipped = SKIPPED_FOLDERS.contains(&name.as_str()) || name.starts_with('.');
                if !skipped {
                    folders.push(path);
                }
            } else {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A module that has a file of its own.
pub(crate) struct Module<'a> {
    /// The names that lead to it from the crate's root, which itself has none.
    pub(crate) path: Vec<String>,
    /// Modules it declares, in the order of declaration: the layers, lowest first.
    pub(crate) children: Vec<String>,
    pub(crate) source: &'a Source,
}

/// One crate target: its root file and every module that is reached from it.
pub(crate) struct Tree<'a> {
    pub(crate) modules: BTreeMap<Vec<String>, Module<'a>>,
}

/// Builds the module tree that the file `root` opens.
pub(crate) fn tree<'a>(root: &str, sources: &'a BTreeMap<String, Source>) -> Tree<'a> {
    let mut modules = BTreeMap::new();
    let mut open = vec![(Vec::new(), root.to_owned())];
    while let Some((path, file)) = open.pop() {
        let Some(source) = sources.get(&file) else {
            continue;
        };
        let folder = folder_of_children(&file, path.is_empty());
        let mut children = Vec::new();
        for item in &source.syntax.items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            let name = module.ident.to_string();
            if module.content.is_none() {
                let mut child = path.clone();
                child.push(name.clone());
                let beside = format!("{folder}/{name}.rs");
                let inside = format!("{folder}/{name}/mod.rs");
                let at = if sources.contains_key(&beside) {
                    beside
                } else {
                    inside
                };
                open.push((child, at));
            }
            children.push(name);
        }
        modules.insert(
            path.clone(),
            Module {
                path,
                children,
                source,
            },
        );
    }
    Tree { modules }
}

/// The files that open a crate target: libraries, binaries, integration tests, benches.
pub(crate) fn roots(sources: &BTreeMap<String, Source>) -> Vec<String> {
    sources
        .keys()
        .filter(|path| is_root(path))
        .cloned()
        .collect()
}

fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        [.., "lib.rs" | "main.rs"]
            | [_, "build.rs"]
            | [_, "tests" | "benches" | "examples" | "bench" | "fuzz", _]
            | [_, "fuzz", "fuzz_targets", _, _]
            | [_, "src", "bin", _]
    )
}

fn folder_of_children(file: &str, is_root: bool) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    if is_root || name == "mod.rs" {
        folder.to_owned()
    } else {
        file.trim_end_matches(".rs").to_owned()
    }
}

/// Files that no root reaches are not compiled, whatever they say.
pub(crate) fn orphans(sources: &BTreeMap<String, Source>) -> Vec<Finding> {
    let mut reached = std::collections::BTreeSet::new();
    for root in roots(sources) {
        for module in tree(&root, sources).modules.into_values() {
            reached.insert(module.source.path.clone());
        }
    }
    let lost = sources.keys().filter(|path| !reached.contains(*path));
    lost.map(|path| Finding {
        file: path.clone(),
        line: 1,
        rule: Rule::Orphan,
        subject: String::new(),
        message: "no `mod` line reaches this file, so it is never compiled".to_owned(),
    })
    .collect()
}

/// Sources for the rules' own tests, from pairs of path and text.
#[cfg(test)]
pub(crate) fn sources_of(files: &[(&str, &str)]) -> BTreeMap<String, Source> {
    let parse = |(path, text): &(&str, &str)| {
        (
            path.to_string(),
            Source::parse(path, text).expect("a snippet that parses"),
        )
    };
    files.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_follows_mod_lines_into_folders_and_beside_files() {
        let sources = sources_of(&[
            ("a/src/lib.rs", "mod disk; pub mod log;"),
            ("a/src/disk/mod.rs", "mod file;"),
            ("a/src/disk/file.rs", ""),
            ("a/src/log.rs", "mod tests;"),
            ("a/src/log/tests.rs", ""),
        ]);
        let tree = tree("a/src/lib.rs", &sources);
        assert_eq!(tree.modules.len(), 5);
        assert_eq!(tree.modules[&Vec::new()].children, ["disk", "log"]);
        assert!(orphans(&sources).is_empty());
    }

    #[test]
    fn a_file_that_nothing_declares_is_an_orphan() {
        let sources = sources_of(&[("a/src/lib.rs", ""), ("a/src/lost.rs", "")]);
        let found = orphans(&sources);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "a/src/lost.rs");
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_finding_with_its_line() {
        let finding = Source::parse("a.rs", "fn a() {}\nfn {")
            .err()
            .expect("a finding");
        assert_eq!((finding.line, finding.rule), (2, Rule::Syntax));
    }
}
