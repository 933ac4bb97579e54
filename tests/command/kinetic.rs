//! One run of `kinetic`: its arguments and standard input, and what came back.
//!
//! Guarantees: bytes go in and out as they are; nothing of the test's own environment reaches
//! the command; a run that does not end is killed; every failed expectation shows the whole run.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use kinetic_tests::program::Program;
use serde_json::Value;
use tempfile::NamedTempFile;

/// What a run takes at most, on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(120);

/// What is shown of each stream when an expectation failed.
const SHOWN_BYTES: usize = 4000;

/// What of the test's own environment could reach the command.
const ENVIRONMENT: [&str; 9] = [
    "KINETIC_DRIVE",
    "KINETIC_IDENTITY",
    "KINETIC_KEY",
    "KINETIC_TLS",
    "KINETIC_FINGERPRINT",
    "KINETIC_CA",
    "KINETIC_INSECURE_TLS",
    "KINETIC_PIN",
    "KINETIC_NEW_PIN",
];

/// A run to be.
pub(crate) struct Kinetic {
    command: Command,
    input: Option<Vec<u8>>,
}

/// A run that was.
pub(crate) struct Said {
    line: String,
    code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// A child that does not outlive its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already, which is what is wanted.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Kinetic {
    /// The command without a drive, an identity or a key.
    pub(crate) fn new() -> Self {
        let mut command = Command::new(Program::Command.path().expect("the command's program"));
        for name in ENVIRONMENT {
            command.env_remove(name);
        }
        Self {
            command,
            input: None,
        }
    }

    /// The command, told of a drive.
    pub(crate) fn at(drive: SocketAddr) -> Self {
        Self::new().args(["--drive", &drive.to_string()])
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, more: impl IntoIterator<Item = A>) -> Self {
        self.command.args(more);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads from a pipe as its standard input; otherwise that is empty.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Self {
        self.input = Some(bytes.to_vec());
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Said {
        let line = format!("{:?}", self.command);
        let mut errors = NamedTempFile::new().expect("a file");
        let stdin = match &self.input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        let child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(errors.reopen().expect("the same file"))
            .spawn();
        let mut running = Running(child.expect("the command starts"));
        if let (Some(mut pipe), Some(input)) = (running.0.stdin.take(), self.input) {
            // A command that does not want all of it closes the pipe, as it may.
            let write = move || drop(pipe.write_all(&input));
            let thread = thread::Builder::new().name("standard input".to_owned());
            thread.spawn(write).expect("a thread");
        }
        let (sender, output) = sync_channel(1);
        if let Some(mut pipe) = running.0.stdout.take() {
            let read = move || {
                let mut bytes = Vec::new();
                let read = pipe.read_to_end(&mut bytes);
                // Nobody waits any more where the deadline is over.
                sender.send(read.map(|_| bytes)).ok();
            };
            let thread = thread::Builder::new().name("standard output".to_owned());
            thread.spawn(read).expect("a thread");
        }
        let output = output.recv_timeout(DEADLINE);
        let code = match &output {
            Ok(_) => running.0.wait().expect("its end").code(),
            Err(_) => None,
        };
        let mut err = Vec::new();
        errors.read_to_end(&mut err).expect("what it said");
        let err = String::from_utf8_lossy(&err).into_owned();
        match output {
            Ok(out) => Said {
                line,
                code,
                out: out.expect("its standard output"),
                err,
            },
            Err(_) => panic!("{line} was not done {DEADLINE:?} later; it said:\n{err}"),
        }
    }
}

impl Said {
    /// It succeeded, without a word on standard error.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert!(self.code == Some(0) && self.err.is_empty(), "{self}");
        self
    }

    /// It ended with a code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "not {code}: {self}");
        assert!(!self.err.contains("panicked"), "{self}");
        self
    }

    /// It failed with a code, printed nothing but a sentence that has all of these in it.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        let said = self.exits(code);
        assert!(said.out.is_empty(), "it printed something: {said}");
        let prefix = if said.err.contains("error: ") {
            "error: "
        } else {
            "kinetic: "
        };
        let is_sentence = said.err.lines().any(|line| line.starts_with(prefix));
        assert!(is_sentence, "no sentence: {said}");
        for word in words {
            assert!(said.err.contains(word), "no {word:?} in it: {said}");
        }
        said
    }

    /// Its standard output, which is text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        match std::str::from_utf8(&self.out) {
            Ok(text) => text,
            Err(error) => panic!("{error}: {self}"),
        }
    }

    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// Its standard output, which is one line of JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let lines = self.json_lines();
        match <[Value; 1]>::try_from(lines) {
            Ok([value]) => value,
            Err(lines) => panic!("{} lines of JSON: {self}", lines.len()),
        }
    }

    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for line in self.lines() {
            match serde_json::from_str(line) {
                Ok(value) => values.push(value),
                Err(error) => panic!("{error} in {line:?}: {self}"),
            }
        }
        values
    }
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| match bytes.get(..SHOWN_BYTES) {
            Some(begin) => format!("{}... ({})", begin.escape_ascii(), bytes.len()),
            None => String::from_utf8_lossy(bytes).into_owned(),
        };
        writeln!(out, "{}", self.line)?;
        writeln!(out, "--- exit code {:?}", self.code)?;
        writeln!(out, "--- standard output\n{}", shown(&self.out))?;
        writeln!(out, "--- standard error\n{}", shown(self.err.as_bytes()))
    }
}
