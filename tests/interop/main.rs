//! Interop: the PyPI client `kinetic` 0.9.1 under Python 2.7 against a real `kineticd`.
//!
//! What it asserts stands in `client.py`, and in the test modules of that client's own source
//! archive, which `suite.py` runs as they are, plain and over TLS; exit statuses decide. `.ci/run`
//! prepares Python, packages and archive and names them in `KINETIC_PYTHON27`,
//! `KINETIC_PYTHONPATH` and `KINETIC_PYTHON_SUITE`. Without them the tests are skipped with a
//! printed line, and fail where `CI=true`.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kinetic_tests::drive::Drive;
use kinetic_tests::process::Process;

/// The client's own time-outs are shorter; this one is for a client that hangs.
const SILENCE_DEADLINE: Duration = Duration::from_secs(120);

/// What an environment variable holds; where it is not set, the test is skipped or fails.
fn given(name: &str) -> Option<OsString> {
    let value = env::var_os(name);
    if value.is_none() {
        let why = format!("{name} is not set: run .ci/run");
        assert!(
            env::var_os("CI").is_none_or(|ci| ci != "true"),
            "cannot be skipped in CI: {why}"
        );
        eprintln!("skipped: {why}");
    }
    value
}

/// Runs a script of this folder to its end, which must be a good one.
fn run(script: &str, drive: Drive, arguments: impl FnOnce(&Drive, &mut Command)) {
    let (Some(python), Some(packages)) = (given("KINETIC_PYTHON27"), given("KINETIC_PYTHONPATH"))
    else {
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    let mut command = Command::new(python);
    command.arg("-u").arg(path.join(script));
    arguments(&drive, &mut command);
    command
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    // The client gives up connecting after 100 ms, which says nothing on a loaded machine.
    command.env("KINETIC_CONNECT_TIMEOUT", "20");
    let mut client = Process::start(&mut command).expect("a running Python");
    let (status, lines) = match client.finish(SILENCE_DEADLINE) {
        Ok(end) => end,
        Err(error) => panic!("{error}\nthe drive's log:\n{}", drive.log()),
    };
    let said = lines.join("\n");
    eprintln!("{said}");
    assert!(
        status.success(),
        "{script} ended with {status}:\n{said}\n{}\nthe drive's log:\n{}",
        client.said(),
        drive.log(),
    );
    let status = drive.stop().expect("a stopped drive");
    assert!(
        status.success(),
        "kineticd ended with {status} after SIGTERM"
    );
}

fn place(command: &mut Command, address: SocketAddr) {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    command.args([host, port]);
}

#[test]
fn the_python_client_of_2015_does_its_work() {
    let folder = tempfile::tempdir().expect("a folder for the image");
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image, &["--size", "1GiB"]).expect("a running drive");
    run("client.py", drive, |drive, command| {
        place(command, drive.plain());
    });
}

fn run_suite(channel: &str, door: impl Fn(&Drive) -> SocketAddr) {
    let Some(suite) = given("KINETIC_PYTHON_SUITE") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for the images");
    let start = |name: &str| {
        let image = folder.path().join(name);
        Drive::start(&image, &["--size", "1GiB"]).expect("a running drive")
    };
    let (first, second) = (start("first.img"), start("second.img"));
    run("suite.py", first, |first, command| {
        command.arg(channel);
        place(command, door(first));
        place(command, door(&second));
        command.arg(suite);
    });
}

#[test]
fn the_python_client_s_own_test_modules_pass_on_the_plain_port() {
    run_suite("plain", Drive::plain);
}

#[test]
fn the_python_client_s_own_test_modules_pass_over_tls() {
    run_suite("tls", Drive::tls);
}
