//! Keys that try to leave the directory that `kinetic export` writes to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kinetic_tests::process::Process;
use kinetic_tests::program::Program;

use crate::Target;

const LONG: Duration = Duration::from_secs(60);

/// Everything below a folder, with what files hold.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().expect("a type").is_dir() {
            let below = tree(&entry.path()).into_iter();
            found.extend(below.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.push((name, fs::read(entry.path()).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

/// Exports all keys that begin with `x/`; the exit code, and what it said.
fn export(target: &Target, directory: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(Program::Command.path().expect("the command's program"));
    command.args(["--drive", &target.drive.plain().to_string(), "export", "x/"]);
    command.arg(directory).env("KINETIC_KEY", "asdfasdf");
    let mut process = Process::start(&mut command).expect("a process");
    let (status, lines) = process.finish(LONG).expect("an end");
    (status.code(), lines.join("\n") + &process.said())
}

#[test]
fn keys_that_try_to_leave_the_export_directory_are_reported_and_left_out() {
    let target = Target::new();
    let mut talk = target.talk();
    let wicked: [&[u8]; 9] = [
        b"x/../escaped",
        b"x/../../escaped",
        b"x/a/../../escaped",
        b"x//escaped-by-root",
        b"x/./dot",
        b"x/..",
        b"x/nul\x00byte",
        b"x/",
        b"x/slash/at/end/",
    ];
    for key in wicked {
        talk.put(key, b"wicked").success();
    }
    talk.put(b"x/good/file", b"good").success();
    talk.put(b"x/...", b"odd but harmless").success();
    let outside = tempfile::tempdir().expect("a folder");
    let directory = outside.path().join("deep/export");
    fs::create_dir_all(&directory).expect("a folder");
    fs::write(outside.path().join("escaped"), b"mine").expect("a file");

    let (code, said) = export(&target, &directory);
    assert!(code.is_some_and(|code| code != 0), "{code:?}: {said}");
    let expected = [
        ("deep/export/...", &b"odd but harmless"[..]),
        ("deep/export/good/file", b"good"),
        ("escaped", b"mine"),
    ];
    let expected = expected.map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
    assert_eq!(tree(outside.path()), expected, "{said}");
    assert!(said.contains("escaped"), "{said}");
    target.still_serves();
}

#[test]
fn a_link_in_the_export_directory_does_not_lead_outside() {
    let target = Target::new();
    let mut talk = target.talk();
    talk.put(b"x/link/file", b"through the link").success();
    talk.put(b"x/file-link", b"over the link").success();
    let outside = tempfile::tempdir().expect("a folder");
    let directory = outside.path().join("export");
    let elsewhere = outside.path().join("elsewhere");
    fs::create_dir_all(&directory).expect("a folder");
    fs::create_dir_all(&elsewhere).expect("a folder");
    fs::write(outside.path().join("precious"), b"mine").expect("a file");
    symlink(&elsewhere, directory.join("link")).expect("a link");
    symlink(outside.path().join("precious"), directory.join("file-link")).expect("a link");

    let (code, said) = export(&target, &directory);
    assert!(code.is_some_and(|code| code != 0), "{code:?}: {said}");
    assert_eq!(tree(&elsewhere), Vec::new(), "{said}");
    let precious = fs::read(outside.path().join("precious")).expect("a file");
    assert_eq!(precious, b"mine", "{said}");
    target.still_serves();
}
