//! A running `kineticd`, on a free port of loopback.
//!
//! Guarantees: it serves when [`Drive::start`] returns, and it is gone when its owner is.
//! Not here: the image it serves, which belongs to the test and outlives the process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::process::{Process, ProcessError};
use crate::program::{Program, ProgramError};

/// Starting includes formatting an image, and recovery after a kill.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// Stopping includes a flush of everything acknowledged.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Why there is no running drive.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The binary is not to be had.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The process failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The ready line does not say where the plain port is.
    #[error("the ready line names no plain address: {line}")]
    Ready {
        /// What it says.
        line: String,
    },
}

/// A drive that serves.
#[derive(Debug)]
pub struct Drive {
    process: Process,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    ready: serde_json::Value,
}

impl Drive {
    /// Starts the drive on an image, with further arguments, and waits until it serves.
    pub fn start(image: &Path, arguments: &[&str]) -> Result<Self, DriveError> {
        Self::run(Command::new(Program::Drive.path()?), image, arguments)
    }

    /// The same where the host's soft limit of open files is this.
    pub fn start_with_descriptors(
        image: &Path,
        arguments: &[&str],
        descriptors: u32,
    ) -> Result<Self, DriveError> {
        let mut shell = Command::new("sh");
        let line = format!("ulimit -S -n {descriptors} && exec \"$0\" \"$@\"");
        shell.args(["-c", &line]).arg(Program::Drive.path()?);
        Self::run(shell, image, arguments)
    }

    fn run(mut command: Command, image: &Path, arguments: &[&str]) -> Result<Self, DriveError> {
        command
            .arg(image)
            .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"])
            .arg("--ready-json")
            .args(arguments);
        let mut process = Process::start(&mut command)?;
        let line = process.next_line(READY_DEADLINE)?;
        let ready: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let address = |name: &str| {
            let text = ready.as_ref()?.get(name)?.as_str()?;
            text.parse::<SocketAddr>().ok()
        };
        let (plain, tls) = (address("plain"), address("tls"));
        match (ready, plain) {
            (Some(ready), Some(plain)) => Ok(Self {
                process,
                plain,
                tls,
                ready,
            }),
            _ => Err(DriveError::Ready { line }),
        }
    }

    /// Where its plain port listens.
    pub fn plain(&self) -> SocketAddr {
        self.plain
    }

    /// Where its TLS port listens.
    ///
    /// # Panics
    /// If the ready line named none.
    pub fn tls(&self) -> SocketAddr {
        self.tls.expect("a TLS address in the ready line")
    }

    /// Everything its ready line said.
    pub fn ready(&self) -> &serde_json::Value {
        &self.ready
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The end of its log so far.
    pub fn log(&self) -> String {
        self.process.said()
    }

    /// Stops it by SIGTERM and waits until it is gone; a clean stop ends with status 0.
    pub fn stop(mut self) -> Result<ExitStatus, DriveError> {
        self.process.terminate()?;
        let (status, _) = self.process.finish(STOP_DEADLINE)?;
        Ok(status)
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> Result<ExitStatus, DriveError> {
        let (status, _) = self.process.finish(STOP_DEADLINE)?;
        Ok(status)
    }

    /// Kills it as a crash would; the page cache survives, so this says nothing about syncs.
    pub fn kill(mut self) -> Result<(), DriveError> {
        Ok(self.process.kill()?)
    }
}
