//! `import`: everything is stored and lasts, or it is said beforehand what is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::tree::{self, Tree};
use crate::Served;
use crate::kinetic::Said;

fn import(served: &Served, tree: &Path, more: &[&str]) -> Said {
    let command = served.kinetic().args(["import"]).args([tree]);
    command.args(["t/", "--output", "json"]).args(more).run()
}

fn export(served: &Served, to: &Path) -> Said {
    let command = served.kinetic().args(["export", "t/"]).args([to]);
    command.args(["--output", "json"]).run()
}

/// The paths that an import said it left out, as it printed them.
fn left_out(said: &Said) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for line in said.err.lines() {
        let Some(rest) = line.strip_prefix("left out: ") else {
            continue;
        };
        let (path, _) = rest.rsplit_once(": ").expect("a reason behind the path");
        assert!(paths.insert(path.to_owned()), "twice: {said}");
    }
    paths
}

/// Paths as a terminal can bear them.
fn printed(root: &Path, paths: BTreeSet<PathBuf>) -> BTreeSet<String> {
    let print = |path: PathBuf| {
        let path = root.join(path);
        match path.to_str() {
            Some(text) if !text.contains(char::is_control) => text.to_owned(),
            _ => format!("{path:?}"),
        }
    };
    paths.into_iter().map(print).collect()
}

#[test]
fn a_tree_comes_back_after_a_kill_but_for_what_import_said() {
    let served = Served::new();
    let (source, back) = (served.path("source"), served.path("back"));
    tree::make(&source);
    let storable = Tree::of(&source);
    tree::make_unstorable(&source);
    let whole = Tree::of(&source);

    let said = import(&served, &source, &["--skip"]).exits(0);
    let report = said.json();
    assert_eq!(report["stored"], storable.0.len(), "{said}");
    assert_eq!(report["bytes"], storable.file_bytes(), "{said}");
    assert_eq!(
        report["left_out"],
        whole.0.len() - storable.0.len(),
        "{said}"
    );
    assert_eq!(report["failed"], 0, "{said}");

    let served = served.killed_and_restarted();
    let exported = export(&served, &back).done();
    assert_eq!(exported.json()["written"], storable.0.len(), "{exported}");
    assert_eq!(
        exported.json()["bytes"],
        storable.file_bytes(),
        "{exported}"
    );
    assert_eq!(exported.json()["left_out"], 0, "{exported}");
    let differences = printed(&source, whole.differences(&Tree::of(&back)));
    assert_eq!(differences, left_out(&said), "{said}");
    assert_eq!(differences.len(), 7, "{said}");
}

#[test]
fn one_thing_that_cannot_be_stored_keeps_all_from_being_stored() {
    for number in 0..4 {
        let served = Served::new();
        let source = served.path("source");
        tree::write(&source, "a/file".into(), b"good".to_vec());
        let bad = source.join("bad");
        match number {
            0 => fs::write(&bad, vec![0; (1 << 20) + 1]).expect("a file"),
            1 => std::os::unix::fs::symlink("a/file", &bad).expect("a link"),
            2 => fs::create_dir(&bad).expect("a folder"),
            _ => drop(std::os::unix::net::UnixListener::bind(&bad).expect("a socket")),
        }
        let said = import(&served, &source, &[]).fails(8, &["nothing was stored", "--skip"]);
        let expected = BTreeSet::from([bad.display().to_string()]);
        assert_eq!(left_out(&said), expected, "{said}");
        let listed = served.run(&["list"]).done();
        assert!(listed.out.is_empty(), "{listed}");
    }
}

#[test]
fn a_key_over_the_limit_cannot_be_stored() {
    let served = Served::new();
    let source = served.path("source");
    let folders = vec!["f".repeat(200); 17].join("/");
    tree::write(&source, Path::new(&folders).join("good"), b"good".to_vec());
    let prefix = format!("{}/", "p".repeat(700));
    let command = served.kinetic().args(["import"]).args([&source]);
    let said = command.args([&prefix]).run();
    said.fails(8, &["the drive's limit is 4096"]);
    import(&served, &source, &[]).done();
}

#[test]
fn an_import_can_be_repeated_and_entries_with_versions_need_force() {
    let served = Served::new();
    let source = served.path("source");
    tree::write(&source, "a".into(), b"one".to_vec());
    tree::write(&source, "b".into(), b"two".to_vec());
    import(&served, &source, &[]).done();
    tree::write(&source, "a".into(), b"three".to_vec());
    import(&served, &source, &[]).done();
    assert_eq!(served.run(&["get", "t/a"]).done().text(), "three");

    let put = ["put", "t/b", "--version", "v1", "--force"];
    served.kinetic().args(put).input(b"mine").run().done();
    tree::write(&source, "a".into(), b"four".to_vec());
    let said = import(&served, &source, &[]).exits(8);
    assert!(said.err.contains("not stored: "), "{said}");
    assert_eq!(said.json()["stored"], 1, "{said}");
    assert_eq!(said.json()["failed"], 1, "{said}");
    assert_eq!(served.run(&["get", "t/a"]).done().text(), "four");
    assert_eq!(served.run(&["get", "t/b"]).done().text(), "mine");
    import(&served, &source, &["--force"]).done();
    assert_eq!(served.run(&["get", "t/b"]).done().text(), "two");
}

#[test]
fn a_directory_that_is_none_is_code_7_and_an_empty_one_is_nothing_to_do() {
    let served = Served::new();
    let source = served.path("source");
    import(&served, &source, &[]).fails(7, &["source"]);
    fs::write(&source, "a file").expect("a file");
    import(&served, &source, &[]).fails(7, &["source"]);
    fs::remove_file(&source).expect("no file");
    fs::create_dir(&source).expect("a folder");
    let said = import(&served, &source, &[]).done();
    assert_eq!(said.json()["stored"], 0, "{said}");
}
