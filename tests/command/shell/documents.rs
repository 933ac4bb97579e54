//! Lines that README.md shows to people work as they stand there.
//!
//! Not here: its first lines, which `.ci/run` goes through.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kinetic_tests::program::Program;

/// The block of README.md that has this in it.
fn block(needle: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(path).expect("it can be read");
    let mut blocks = text.split("```sh\n").skip(1);
    let found = blocks.find_map(|rest| {
        let block = rest.split("```").next()?;
        block.contains(needle).then(|| block.to_owned())
    });
    found.unwrap_or_else(|| panic!("README.md shows no block with {needle}"))
}

/// A shell goes through these lines, in this folder, up to the first that fails.
fn run(lines: &str, folder: &Path) -> Output {
    let program = Program::Command.path().expect("the command");
    let beside = program.parent().expect("a folder").to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(beside).chain(env::split_paths(&others));
    let mut shell = Command::new("bash");
    shell.args(["-euxc", lines]).current_dir(folder);
    shell.env("HOME", folder);
    shell.env("PATH", env::join_paths(all).expect("a search path"));
    for variable in ["KINETIC_DRIVE", "KINETIC_KEY", "KINETIC_IDENTITY"] {
        shell.env_remove(variable);
    }
    shell.output().expect("a shell")
}

#[test]
fn what_is_done_to_a_drive_that_is_not_served_works_as_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = run(&block("kinetic drive format"), folder.path());
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let image = folder.path().join("other.img");
    assert_eq!(fs::metadata(image).expect("the image").len(), 2 << 30);
}
