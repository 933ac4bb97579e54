//! The command `kinetic` against a real `kineticd`: what a person or a script sees of both.
//!
//! Every test runs the real binaries, and every failure shows what the command said. Not here:
//! what only a hostile peer would send (`hostile`), and the protocol itself (`conformance`).
//!
//! In layer order: running the command (`kinetic`), and then one file for each group of verbs.

mod kinetic;

mod admin;
mod batches;
mod drive;
mod extended;
mod failures;
mod images;
mod listing;
mod peers;
mod reports;
mod scanning;
mod shell;
mod transfer;
mod values;

use std::ffi::OsStr;
use std::path::PathBuf;

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use tempfile::TempDir;

use kinetic::{Kinetic, Said};

/// A running drive, gone with this value, and a folder for what a test needs beside it.
struct Served {
    drive: Drive,
    image: PathBuf,
    folder: TempDir,
}

impl Served {
    /// An empty drive.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("drive.img");
        let drive = Drive::start(&image, &["--size", "256MiB"]).expect("a running drive");
        Self {
            drive,
            image,
            folder,
        }
    }

    /// The drive as a process that was killed finds it.
    fn killed_and_restarted(self) -> Self {
        self.started_again(|drive| drive.kill().expect("a killed drive"), &[])
    }

    /// The drive after a stop, started with further arguments.
    fn restarted(self, arguments: &[&str]) -> Self {
        let stop = |drive: Drive| assert!(drive.stop().expect("a stop").success());
        self.started_again(stop, arguments)
    }

    fn started_again(self, end: impl FnOnce(Drive), arguments: &[&str]) -> Self {
        let Self {
            drive,
            image,
            folder,
        } = self;
        end(drive);
        let drive = Drive::start(&image, arguments).expect("the drive opens again");
        Self {
            drive,
            image,
            folder,
        }
    }

    /// The command, told of this drive.
    fn kinetic(&self) -> Kinetic {
        Kinetic::at(self.drive.plain())
    }

    /// The command, told of this drive's TLS port and of nobody to trust.
    fn over_tls(&self) -> Kinetic {
        Kinetic::at(self.drive.tls())
    }

    /// The command under TLS, trusting whoever answers.
    fn secured(&self) -> Kinetic {
        self.over_tls().args(["--insecure-tls"])
    }

    /// Runs the command with arguments and without standard input.
    fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Said {
        self.kinetic().args(arguments).run()
    }

    /// A path for a test's own files.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection that stores many entries faster than a process for each.
    fn talk(&self) -> Conversation {
        Conversation::begin(self.drive.plain()).expect("a hello")
    }
}
