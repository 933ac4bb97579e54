//! `export`: nothing is written outside the directory, and nothing over what is there unasked.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::tree::{Leaf, Tree};
use crate::Served;
use crate::kinetic::Said;

fn export(served: &Served, prefix: &str, to: &Path, more: &[&str]) -> Said {
    let command = served.kinetic().args(["export", prefix]).args([to]);
    command.args(["--output", "json"]).args(more).run()
}

/// The keys that it said it left out.
fn left_out(said: &Said) -> BTreeSet<&str> {
    let lines = said.err.lines();
    let rests = lines.filter_map(|line| line.strip_prefix("left out: "));
    rests
        .filter_map(|rest| Some(rest.split_once(": ")?.0))
        .collect()
}

/// It wrote so many files, left out these keys, and says so by its code.
#[track_caller]
fn left_out_are(said: Said, written: u64, keys: &[&str]) {
    let said = said.exits(8);
    assert_eq!(left_out(&said), keys.iter().copied().collect(), "{said}");
    let report = json!({
        "written": written,
        "bytes": said.json().get("bytes"),
        "left_out": keys.len(),
    });
    assert_eq!(said.json(), report, "{said}");
}

fn files(files: &[(&str, &[u8])]) -> Tree {
    let leaf = |(path, bytes): &(&str, &[u8])| (PathBuf::from(path), Leaf::File(bytes.to_vec()));
    Tree(files.iter().map(leaf).collect())
}

#[test]
fn a_key_that_is_no_path_downward_is_left_out_and_told() {
    let served = Served::new();
    let outside = tempfile::tempdir().expect("a folder");
    let directory = outside.path().join("deep/export");
    fs::create_dir_all(directory.join("a")).expect("a folder");
    fs::write(outside.path().join("deep/x"), "mine").expect("a file");
    let absolute = outside.path().join("by-root").display().to_string();
    let long = format!("long/{}", "n".repeat(256));
    let hostile = [
        "../x",
        "..",
        "/etc/x",
        &absolute,
        "a/../../x",
        "a/../y",
        "./dot",
        "a//b",
        "a/",
        "hex:6e756c0062797465",
        "hex:2e2e2f78006f6b",
        &long,
    ];
    let mut expected: Vec<&str> = hostile.to_vec();
    expected.push("text:");
    for key in &expected {
        served
            .kinetic()
            .args(["put", key])
            .input(b"hostile")
            .run()
            .done();
    }
    let harmless = ["a/good", "..good", "b\\..\\good", "~", "hex:0a"];
    for key in harmless {
        served
            .kinetic()
            .args(["put", key])
            .input(b"good")
            .run()
            .done();
    }
    left_out_are(export(&served, "text:", &directory, &[]), 5, &expected);
    let written = files(&[
        ("deep/export/a/good", b"good"),
        ("deep/export/..good", b"good"),
        ("deep/export/b\\..\\good", b"good"),
        ("deep/export/~", b"good"),
        ("deep/export/\n", b"good"),
        ("deep/x", b"mine"),
    ]);
    assert_eq!(Tree::of(outside.path()), written);
    // Told to overwrite, it is no bolder.
    left_out_are(
        export(&served, "text:", &directory, &["--overwrite"]),
        5,
        &expected,
    );
    assert_eq!(Tree::of(outside.path()), written);
}

#[test]
fn a_prefix_without_its_slash_is_told() {
    let served = Served::new();
    served.talk().put(b"t/a", b"value").success();
    let directory = served.path("export");
    let said = export(&served, "t", &directory, &[]);
    assert!(said.err.contains("lacking its slash"), "{said}");
    left_out_are(said, 0, &["t/a"]);
    assert_eq!(Tree::of(&directory), Tree::default());
}

#[test]
fn a_link_in_the_directory_is_neither_followed_nor_written_through() {
    let served = Served::new();
    let outside = tempfile::tempdir().expect("a folder");
    let directory = outside.path().join("export");
    fs::create_dir_all(outside.path().join("elsewhere")).expect("a folder");
    fs::create_dir_all(&directory).expect("a folder");
    fs::write(outside.path().join("precious"), "mine").expect("a file");
    symlink("../elsewhere", directory.join("down")).expect("a link");
    symlink("..", directory.join("up")).expect("a link");
    symlink("../precious", directory.join("over")).expect("a link");
    symlink("../new", directory.join("nowhere")).expect("a link");
    let mut talk = served.talk();
    for key in ["t/down/x", "t/up/precious", "t/up/x", "t/over", "t/nowhere"] {
        talk.put(key.as_bytes(), b"hostile").success();
    }
    talk.put(b"t/good", b"good").success();
    let before = Tree::of(outside.path());
    let keys = ["t/down/x", "t/up/precious", "t/up/x", "t/over", "t/nowhere"];
    left_out_are(export(&served, "t/", &directory, &[]), 1, &keys);
    let changed = before.differences(&Tree::of(outside.path()));
    assert_eq!(changed, BTreeSet::from(["export/good".into()]));

    // Told to overwrite, it replaces the links to files themselves and never what they lead to.
    let said = export(&served, "t/", &directory, &["--overwrite"]);
    left_out_are(said, 3, &["t/down/x", "t/up/precious", "t/up/x"]);
    let changed = before.differences(&Tree::of(outside.path()));
    let expected = ["export/good", "export/over", "export/nowhere"];
    assert_eq!(changed, expected.into_iter().map(PathBuf::from).collect());
}

#[test]
fn a_file_that_exists_is_replaced_only_when_told() {
    let served = Served::new();
    let directory = served.path("export");
    fs::create_dir_all(directory.join("folder")).expect("a folder");
    fs::write(directory.join("a"), "mine and longer").expect("a file");
    let mut talk = served.talk();
    for key in ["t/a", "t/b", "t/folder"] {
        talk.put(key.as_bytes(), b"stored").success();
    }
    let said = export(&served, "t/", &directory, &[]);
    assert!(said.err.contains("--overwrite"), "{said}");
    left_out_are(said, 1, &["t/a", "t/folder"]);
    assert_eq!(
        fs::read(directory.join("a")).expect("a file"),
        b"mine and longer"
    );
    assert_eq!(fs::read(directory.join("b")).expect("a file"), b"stored");
    left_out_are(
        export(&served, "t/", &directory, &["--overwrite"]),
        2,
        &["t/folder"],
    );
    let mut expected = files(&[("a", b"stored"), ("b", b"stored")]);
    expected.0.insert("folder".into(), Leaf::EmptyFolder);
    assert_eq!(Tree::of(&directory), expected);
}

#[test]
fn a_key_that_is_file_and_folder_at_once_costs_one_of_both_and_is_told() {
    let served = Served::new();
    let directory = served.path("export");
    let mut talk = served.talk();
    talk.put(b"t/a", b"file").success();
    talk.put(b"t/a/b", b"below").success();
    let said = export(&served, "t/", &directory, &[]).exits(8);
    let (left, found) = (left_out(&said), Tree::of(&directory));
    let with_file = left == BTreeSet::from(["t/a/b"]) && found == files(&[("a", b"file")]);
    let with_folder = left == BTreeSet::from(["t/a"]) && found == files(&[("a/b", b"below")]);
    assert!(with_file || with_folder, "{found:?}: {said}");
}

#[test]
fn the_directory_is_made_where_there_is_none_and_a_file_is_code_7() {
    let served = Served::new();
    served.talk().put(b"t/a/b", b"value").success();
    let directory = served.path("made/for/this");
    let said = export(&served, "t/", &directory, &[]).done();
    assert_eq!(said.json()["written"], 1, "{said}");
    assert_eq!(Tree::of(&directory), files(&[("a/b", b"value")]));
    let said = export(&served, "t/", &directory.join("a/b"), &[]);
    said.fails(7, &["a/b"]);
}
