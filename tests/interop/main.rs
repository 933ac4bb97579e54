//! Interop: the PyPI client `kinetic` 0.9.1 under Python 2.7 against a real `kineticd`.
//!
//! What it asserts stands in `client.py`; its exit status decides. `.ci/run` prepares the Python
//! and names it in `KINETIC_PYTHON27` and `KINETIC_PYTHONPATH`. Without them the test is skipped
//! with a printed line, and fails where `CI=true`.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kinetic_tests::drive::Drive;
use kinetic_tests::process::Process;

/// The client's own time-outs are shorter; this one is for a client that hangs.
const SILENCE_DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn the_python_client_of_2015_does_its_work() {
    let python = (
        env::var_os("KINETIC_PYTHON27"),
        env::var_os("KINETIC_PYTHONPATH"),
    );
    let (Some(python), Some(packages)) = python else {
        let why = "KINETIC_PYTHON27 and KINETIC_PYTHONPATH are not set: run .ci/run";
        assert!(
            env::var_os("CI").is_none_or(|ci| ci != "true"),
            "cannot be skipped in CI: {why}"
        );
        println!("skipped: {why}");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for the image");
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image, &["--size", "1GiB"]).expect("a running drive");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/client.py");
    let mut command = Command::new(python);
    command.arg("-u").arg(script);
    command
        .arg(drive.plain().ip().to_string())
        .arg(drive.plain().port().to_string());
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
    println!("{said}");
    assert!(
        status.success(),
        "client.py ended with {status}:\n{said}\n{}\nthe drive's log:\n{}",
        client.said(),
        drive.log(),
    );
    let status = drive.stop().expect("a stopped drive");
    assert!(
        status.success(),
        "kineticd ended with {status} after SIGTERM"
    );
}
