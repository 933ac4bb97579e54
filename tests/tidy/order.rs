//! Import order: a file names only what stands above it in its `lib.rs` or `mod.rs`.
//!
//! A path is followed from the crate's root. Where it leaves the way that leads to the file that
//! names it, the two modules are siblings, and the named one must be declared first. Names that
//! a `mod.rs` re-exports count as the sibling they come from. Paths inside macro calls are tokens
//! and are not seen.

use std::collections::BTreeSet;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::finding::{Finding, Rule};
use crate::source::{Module, Tree};

/// A path as it stands in a file: its segments, its line, and the inline modules around it.
#[derive(Debug)]
struct Mention {
    segments: Vec<String>,
    line: usize,
    inline: Vec<String>,
}

/// Every path of the tree that reaches upward.
pub(crate) fn import_order(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in tree.modules.values() {
        let mut seen = BTreeSet::new();
        for mention in mentions(&module.source.syntax) {
            let Some(target) = absolute(module, &mention) else {
                continue;
            };
            let Some(above) = reaches_up(tree, module, &target) else {
                continue;
            };
            let subject = target.join("::");
            if seen.insert(subject.clone()) {
                findings.push(Finding {
                    file: module.source.path.clone(),
                    line: mention.line,
                    rule: Rule::ImportOrder,
                    message: format!(
                        "names `crate::{subject}`, but `{}` is declared after `{}`",
                        above.named, above.own
                    ),
                    subject,
                });
            }
        }
    }
    findings
}

/// Mentions of `tokio` in a crate where only the modules named `but` may know the runtime.
pub(crate) fn runtime(tree: &Tree<'_>, but: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in tree.modules.values() {
        if module
            .path
            .first()
            .is_some_and(|first| but.contains(&first.as_str()))
        {
            continue;
        }
        let mention = mentions(&module.source.syntax)
            .into_iter()
            .find(|it| it.segments.first().is_some_and(|first| first == "tokio"));
        if let Some(mention) = mention {
            findings.push(Finding {
                file: module.source.path.clone(),
                line: mention.line,
                rule: Rule::Runtime,
                subject: String::new(),
                message: format!("names tokio, which only {but:?} may: the core does no I/O"),
            });
        }
    }
    findings
}

/// Two siblings in the wrong order.
struct Above {
    named: String,
    own: String,
}

fn reaches_up(tree: &Tree<'_>, module: &Module<'_>, target: &[String]) -> Option<Above> {
    let shared = module
        .path
        .iter()
        .zip(target)
        .take_while(|(own, named)| own == named)
        .count();
    let own = module.path.get(shared)?;
    let named = target.get(shared)?;
    let parent = tree.modules.get(module.path.get(..shared)?)?;
    let place = |name: &str| parent.children.iter().position(|child| child == name);
    let (named, named_at) = match place(named) {
        Some(at) => (named.clone(), at),
        None => {
            let origin = reexported_from(parent, named)?;
            let at = place(&origin)?;
            (origin, at)
        }
    };
    (named_at > place(own)?).then(|| Above {
        named,
        own: own.clone(),
    })
}

/// The child module whose item the parent re-exports under this name.
fn reexported_from(parent: &Module<'_>, name: &str) -> Option<String> {
    for item in &parent.source.syntax.items {
        let syn::Item::Use(item) = item else { continue };
        for leaf in leaves(&item.tree) {
            if leaf.name != name {
                continue;
            }
            let skip_self = leaf
                .segments
                .iter()
                .skip_while(|segment| *segment == "self");
            let child = skip_self.into_iter().next()?;
            if parent.children.contains(child) {
                return Some(child.clone());
            }
        }
    }
    None
}

/// Segments from the crate's root, or nothing where the path leads elsewhere.
fn absolute(module: &Module<'_>, mention: &Mention) -> Option<Vec<String>> {
    let mut at = module.path.clone();
    at.extend(mention.inline.iter().cloned());
    let mut rest = mention.segments.iter();
    match rest.next()?.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
        }
        _ => return None,
    }
    for segment in rest {
        if segment == "super" {
            at.pop();
        } else {
            at.push(segment.clone());
        }
    }
    Some(at)
}

fn mentions(file: &syn::File) -> Vec<Mention> {
    let mut visitor = Visitor {
        inline: Vec::new(),
        mentions: Vec::new(),
    };
    visitor.visit_file(file);
    visitor.mentions
}

struct Visitor {
    inline: Vec<String>,
    mentions: Vec<Mention>,
}

impl Visitor {
    fn add(&mut self, segments: Vec<String>, line: usize) {
        self.mentions.push(Mention {
            segments,
            line,
            inline: self.inline.clone(),
        });
    }
}

impl<'ast> Visit<'ast> for Visitor {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inline.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree) {
            self.add(leaf.segments, leaf.line);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(segments, path.span().start().line);
        visit::visit_path(self, path);
    }
}

/// One name that a `use` brings in.
struct Leaf {
    segments: Vec<String>,
    /// What it is called here, `*` for a glob.
    name: String,
    line: usize,
}

fn leaves(tree: &syn::UseTree) -> Vec<Leaf> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), tree)];
    while let Some((mut segments, tree)) = open.pop() {
        let line = tree.span().start().line;
        match tree {
            syn::UseTree::Path(path) => {
                segments.push(path.ident.to_string());
                open.push((segments, &path.tree));
            }
            syn::UseTree::Group(group) => {
                open.extend(group.items.iter().map(|item| (segments.clone(), item)));
            }
            syn::UseTree::Glob(_) => found.push(Leaf {
                segments,
                name: "*".to_owned(),
                line,
            }),
            syn::UseTree::Name(name) => {
                let name = name.ident.to_string();
                if name != "self" {
                    segments.push(name.clone());
                }
                found.push(Leaf {
                    segments,
                    name,
                    line,
                });
            }
            syn::UseTree::Rename(rename) => {
                segments.push(rename.ident.to_string());
                found.push(Leaf {
                    segments,
                    name: rename.rename.to_string(),
                    line,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{sources_of, tree};

    const ROOT: &str = "a/src/lib.rs";

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize, String)> {
        let sources = sources_of(files);
        let found = import_order(&tree(ROOT, &sources));
        found
            .into_iter()
            .map(|it| (it.file, it.line, it.subject))
            .collect()
    }

    #[test]
    fn a_file_may_name_what_stands_above_it() {
        let files = [
            (ROOT, "pub mod low; pub mod high; pub use high::High;"),
            ("a/src/low.rs", "pub struct Low;"),
            (
                "a/src/high.rs",
                "use crate::low::Low;\npub struct High(super::low::Low);",
            ),
        ];
        assert_eq!(found(&files), []);
    }

    #[test]
    fn an_import_from_below_is_found_with_its_line() {
        let files = [
            (ROOT, "pub mod low; pub mod high;"),
            ("a/src/low.rs", "\nuse crate::high::High;"),
            ("a/src/high.rs", "pub struct High;"),
        ];
        assert_eq!(
            found(&files),
            [("a/src/low.rs".to_owned(), 2, "high::High".to_owned())]
        );
    }

    #[test]
    fn paths_in_code_and_in_groups_and_through_super_are_found_too() {
        for text in [
            "fn a() { crate::high::run() }",
            "use {std::fmt, crate::high::{self, run}};",
            "use super::high;",
            "mod tests { use super::super::high; }",
            "pub struct A<T: super::high::Bound>(T);",
        ] {
            let files = [
                (ROOT, "mod low; mod high;"),
                ("a/src/low.rs", text),
                ("a/src/high.rs", ""),
            ];
            assert!(!found(&files).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_name_that_the_root_reexports_counts_as_its_module() {
        let files = [
            (ROOT, "mod low; mod high; pub use high::{Deep as High};"),
            ("a/src/low.rs", "use crate::High;"),
            ("a/src/high.rs", "pub struct Deep;"),
        ];
        assert_eq!(
            found(&files),
            [("a/src/low.rs".to_owned(), 1, "High".to_owned())]
        );
    }

    #[test]
    fn siblings_in_a_folder_follow_the_order_of_its_mod_file() {
        let files = [
            (ROOT, "mod disk;"),
            ("a/src/disk/mod.rs", "mod error; mod file; pub struct Size;"),
            (
                "a/src/disk/error.rs",
                "use super::file::File; use super::Size;",
            ),
            (
                "a/src/disk/file.rs",
                "use super::error::Error; pub struct File;",
            ),
        ];
        let expected = (
            "a/src/disk/error.rs".to_owned(),
            1,
            "disk::file::File".to_owned(),
        );
        assert_eq!(found(&files), [expected]);
    }

    #[test]
    fn an_inline_test_module_may_name_its_own_file() {
        let files = [
            (ROOT, "mod low;"),
            (
                "a/src/low.rs",
                "fn a() {} mod tests { use super::*; use crate::low::a; }",
            ),
        ];
        assert_eq!(found(&files), []);
    }

    #[test]
    fn the_runtime_outside_its_module_is_found() {
        let sources = sources_of(&[
            (ROOT, "mod session; mod net;"),
            ("a/src/session.rs", "\nuse tokio::time;"),
            ("a/src/net.rs", "use tokio::net::TcpStream;"),
        ]);
        let found = runtime(&tree(ROOT, &sources), &["net"]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].file.as_str(), found[0].line),
            ("a/src/session.rs", 2)
        );
    }
}
