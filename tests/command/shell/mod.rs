//! `kinetic completions` and `kinetic man`, and `kineticd --man`: scripts that shells take, pages
//! that a formatter takes.

mod documents;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use kinetic_tests::program::Program;

use crate::kinetic::Kinetic;

/// Some commands, of the first and of the second level.
const COMMANDS: [&str; 6] = [
    "put",
    "import",
    "cluster-version",
    "completions",
    "inspect",
    "acl",
];

/// What a program says of this input, where there is such a program.
fn said(program: &str, arguments: &[&str], input: &[u8]) -> Option<(bool, String)> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(
            !in_ci,
            "there is no {program}, and with CI=true nothing may be skipped"
        );
        eprintln!("skipped: there is no {program} here");
        return None;
    };
    let mut pipe = child.stdin.take().expect("an input");
    pipe.write_all(input).expect("it reads");
    drop(pipe);
    let output = child.wait_with_output().expect("an end");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output.status.success(), text))
}

#[test]
fn each_shell_gets_a_script_that_names_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Kinetic::new().args(["completions", shell]).run().done();
        for command in COMMANDS {
            assert!(script.text().contains(command), "{shell}: no {command}");
        }
        if shell == "bash" {
            let (sound, words) = said("bash", &["-n"], &script.out).unwrap_or_default();
            assert!(sound && words.is_empty(), "{words}");
        }
    }
    Kinetic::new()
        .args(["completions", "tcsh"])
        .run()
        .fails(2, &["tcsh", "fish"]);
}

/// A page has these sections and no mistake that the formatter finds.
fn is_page(page: &[u8], what: &str) {
    let text = String::from_utf8_lossy(page);
    for section in ["NAME", "SYNOPSIS", "OPTIONS"] {
        assert!(
            text.contains(&format!("\n.SH {section}\n")),
            "{what}: no {section}\n{text}"
        );
    }
    if let Some((sound, words)) = said("groff", &["-man", "-ww", "-z", "-Tutf8"], page) {
        assert!(sound && words.is_empty(), "{what}: {words}");
    }
}

#[test]
fn every_command_has_a_manual_page_that_a_formatter_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man/man1");
    let pages_text = pages.to_string_lossy().into_owned();
    let run = Kinetic::new().args(["man", &pages_text]).run().done();
    assert!(run.out.is_empty());
    let read =
        |name: &str| fs::read(pages.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    is_page(&read("kinetic.1"), "kinetic");
    for command in ["put", "acl-set", "drive-inspect", "man", "bench"] {
        let name = format!("kinetic-{command}.1");
        is_page(&read(&name), &name);
    }
    let count = fs::read_dir(&pages).expect("the folder").count();
    assert!(count > 30, "{count} pages");
    // Twice is no harm; a file in the way is told.
    Kinetic::new().args(["man", &pages_text]).run().done();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let file = file.to_string_lossy().into_owned();
    Kinetic::new().args(["man", &file]).run().exits(7);
}

#[test]
fn the_drive_prints_its_own_page() {
    let program = Program::Drive.path().expect("the drive's program");
    let output = Command::new(Path::new(&program))
        .arg("--man")
        .output()
        .expect("a run");
    assert!(output.status.success() && output.stderr.is_empty());
    is_page(&output.stdout, "kineticd");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("tls\\-listen") && text.contains(".TH kineticd 8"),
        "{text}"
    );
}
