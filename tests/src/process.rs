//! A child process whose standard output is read line by line, with a deadline on every wait.
//!
//! Guarantees: dropping it kills the child and waits for it; nothing here sleeps; its standard
//! error is kept whole and shown in every error.
//! Not here: which program runs, or what its lines mean.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

/// Lines of output that may wait to be read before the child has to.
const MAX_WAITING_LINES: usize = 4096;

/// What of the standard error is shown: its end says why.
const SHOWN_ERROR_BYTES: u64 = 4096;

/// Why a process did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started at all.
    #[error("{program} could not be started: {source}")]
    Start {
        /// What was to run.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Its output ended where a line was awaited.
    #[error("{program} ended with {status} before the awaited line; it said:\n{said}")]
    Ended {
        /// What ran.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error.
        said: String,
    },
    /// It took longer than it was given.
    #[error("{program} was not done {waited:?} later; it said:\n{said}")]
    TooSlow {
        /// What ran.
        program: String,
        /// What it was given.
        waited: Duration,
        /// The end of its standard error.
        said: String,
    },
    /// The system refused to signal or await it.
    #[error("{program} could not be signalled or awaited: {source}")]
    Control {
        /// What ran.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    program: String,
    child: Child,
    lines: Receiver<String>,
    errors: NamedTempFile,
}

impl Process {
    /// Starts it with no standard input.
    pub fn start(command: &mut Command) -> Result<Self, ProcessError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| ProcessError::Start {
            program: program.clone(),
            source,
        };
        let errors = NamedTempFile::new().map_err(failed)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.reopen().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let (sender, lines) = sync_channel(MAX_WAITING_LINES);
        if let Some(output) = child.stdout.take() {
            thread::Builder::new()
                .name(format!("lines of {program}"))
                .spawn(move || forward_lines(output, &sender))
                .map_err(failed)?;
        }
        Ok(Self {
            program,
            child,
            lines,
            errors,
        })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output.
    pub fn next_line(&mut self, deadline: Duration) -> Result<String, ProcessError> {
        match self.lines.recv_timeout(deadline) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(self.too_slow(deadline)),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Asks it to stop, as an operator would.
    pub fn terminate(&self) -> Result<(), ProcessError> {
        let control = |source| ProcessError::Control {
            program: self.program.clone(),
            source,
        };
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| control(std::io::ErrorKind::InvalidInput.into()))?;
        kill_process(id, Signal::TERM).map_err(|errno| control(errno.into()))
    }

    /// Stops it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) -> Result<(), ProcessError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|source| self.control(source))
    }

    /// Waits until it has closed its standard output and ended: its remaining lines, its status.
    ///
    /// The deadline counts from the last line that came.
    pub fn finish(
        &mut self,
        deadline: Duration,
    ) -> Result<(ExitStatus, Vec<String>), ProcessError> {
        let mut remaining = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline) {
                Ok(line) => remaining.push(line),
                Err(RecvTimeoutError::Timeout) => return Err(self.too_slow(deadline)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self.child.wait().map_err(|source| self.control(source))?;
        Ok((status, remaining))
    }

    /// The end of what it wrote to its standard error so far.
    pub fn said(&self) -> String {
        match self.end_of_errors() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(its standard error cannot be read: {error})"),
        }
    }

    fn end_of_errors(&self) -> std::io::Result<Vec<u8>> {
        let mut file = self.errors.reopen()?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN_ERROR_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn too_slow(&self, waited: Duration) -> ProcessError {
        let said = self.said();
        ProcessError::TooSlow {
            program: self.program.clone(),
            waited,
            said,
        }
    }

    fn ended(&mut self) -> ProcessError {
        match self.child.wait() {
            Ok(status) => {
                let said = self.said();
                ProcessError::Ended {
                    program: self.program.clone(),
                    status,
                    said,
                }
            }
            Err(source) => self.control(source),
        }
    }

    fn control(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Control {
            program: self.program.clone(),
            source,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn forward_lines(output: ChildStdout, sender: &SyncSender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if sender.send(line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script])).expect("a shell")
    }

    #[test]
    fn lines_come_one_by_one_and_the_rest_with_the_status() {
        let mut process = shell("echo one; echo two; echo three; exit 3");
        assert_eq!(process.next_line(LONG).expect("a line"), "one");
        let (status, rest) = process.finish(LONG).expect("an end");
        assert_eq!(
            (status.code(), rest),
            (Some(3), vec!["two".to_owned(), "three".to_owned()])
        );
    }

    #[test]
    fn an_end_before_the_awaited_line_shows_what_was_said() {
        let error = shell("echo it broke >&2; exit 1")
            .next_line(LONG)
            .expect_err("no line");
        assert!(error.to_string().contains("it broke"), "{error}");
    }

    #[test]
    fn a_line_that_does_not_come_is_given_up() {
        let mut process = shell("exec sleep 60");
        let error = process
            .next_line(Duration::from_millis(20))
            .expect_err("no line");
        assert!(matches!(error, ProcessError::TooSlow { .. }), "{error}");
    }

    #[test]
    fn a_terminated_process_ends_by_that_signal() {
        use std::os::unix::process::ExitStatusExt;
        let mut process = shell("echo up; exec sleep 60");
        process.next_line(LONG).expect("a line");
        process.terminate().expect("a signal");
        let (status, _) = process.finish(LONG).expect("an end");
        assert_eq!(status.signal(), Some(15));
    }
}
