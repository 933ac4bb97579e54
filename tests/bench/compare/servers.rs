//! The servers side by side: `kineticd`, `redis-server`, and the canned frames.
//!
//! Each is started fresh in a folder of its own on the same disk, listens on a free port of
//! loopback, and is killed when its owner goes.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kinetic_tests::drive::Drive;
use kinetic_tests::process::Process;

use crate::BenchError;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Kineticd,
    /// The same drive, not sealed.
    Unsealed,
    Redis,
    Canned,
}

/// What is compared unless more is asked for.
pub(crate) const TARGETS: [Target; 3] = [Target::Kineticd, Target::Redis, Target::Canned];

/// That, and what sealing costs.
pub(crate) const TARGETS_AND_UNSEALED: [Target; 4] = [
    Target::Kineticd,
    Target::Unsealed,
    Target::Redis,
    Target::Canned,
];

const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Large enough for all that one round writes: overwritten values may keep their place.
const IMAGE_SIZE: &str = "16GiB";

/// A server that serves.
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    running: Running,
    _folder: tempfile::TempDir,
}

enum Running {
    Drive(Drive),
    Process(Process),
}

impl Server {
    /// Starts one in a fresh folder below `disk`; canned values have `value_size` bytes.
    pub(crate) fn start(target: Target, disk: &Path, value_size: u64) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir_in(disk)?;
        let (running, address) = match target {
            Target::Kineticd => kineticd(folder.path(), &[])?,
            Target::Unsealed => kineticd(folder.path(), &["--unsealed"])?,
            Target::Redis => redis(folder.path())?,
            Target::Canned => canned(value_size)?,
        };
        Ok(Self {
            target,
            address,
            running,
            _folder: folder,
        })
    }

    /// Processor time it has used so far, in microseconds, in steps of a clock tick.
    pub(crate) fn cpu_us(&self) -> Result<u64, BenchError> {
        let id = match &self.running {
            Running::Drive(drive) => drive.id(),
            Running::Process(process) => process.id(),
        };
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        ticks(&stat)
            .map(|ticks| ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
            .ok_or(BenchError::Unreadable {
                what: "/proc/<pid>/stat",
                text: stat,
            })
    }
}

/// User and system time, fields 14 and 15; the name before them may hold blanks.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn kineticd(folder: &Path, more: &[&str]) -> Result<(Running, SocketAddr), BenchError> {
    let image = folder.join("drive.img");
    let drive = Drive::start(&image, &[&["--size", IMAGE_SIZE], more].concat())?;
    let address = drive.plain();
    Ok((Running::Drive(drive), address))
}

/// The rewriting of the append-only file is off: it would only slow Redis down in places.
fn redis(folder: &Path) -> Result<(Running, SocketAddr), BenchError> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let port = address.port().to_string();
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port, "--dir"])
        .arg(folder);
    command.args([
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--save",
        "",
    ]);
    command.args(["--auto-aof-rewrite-percentage", "0", "--daemonize", "no"]);
    let mut process = Process::start(&mut command)?;
    loop {
        let line = process.next_line(READY_DEADLINE)?;
        if line.contains("Ready to accept connections") {
            return Ok((Running::Process(process), address));
        }
    }
}

fn canned(value_size: u64) -> Result<(Running, SocketAddr), BenchError> {
    let mut command = Command::new(beside_me("canned")?);
    command.args(["--value-size", &value_size.to_string()]);
    let mut process = Process::start(&mut command)?;
    let line = process.next_line(READY_DEADLINE)?;
    let address = line
        .split('"')
        .nth(3)
        .and_then(|address| address.parse().ok());
    let unreadable = BenchError::Unreadable {
        what: "the canned server's line",
        text: line,
    };
    Ok((Running::Process(process), address.ok_or(unreadable)?))
}

/// Cargo puts the examples of a package side by side, and builds one only when asked for it.
fn beside_me(name: &str) -> Result<PathBuf, BenchError> {
    let me = std::env::current_exe()?;
    let path = me.with_file_name(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(BenchError::NotBuilt { path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_blanks() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 1 0 300 1 1";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("nonsense"), None);
    }
}
