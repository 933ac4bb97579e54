//! Conformance: raw bytes to a real `kineticd`, and what must come back.
//!
//! One module per part of the protocol. Requests are built byte by byte or with prost and sent
//! over [`kinetic_tests::raw`], so that what no client would send can be sent too. What holds of
//! every answer (signature, identity, ackSequence, connectionID, no clusterVersion) is checked for
//! every answer, by [`kinetic_tests::conversation`].

mod logs;

mod captured;
mod headers;
mod hello;
mod pipelining;
mod ranges;
mod reading;
mod writing;

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use tempfile::TempDir;

/// A new drive that serves, gone with this value.
struct Fresh {
    drive: Drive,
    _folder: TempDir,
}

impl Fresh {
    fn drive() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the image");
        let image = folder.path().join("drive.img");
        let drive = Drive::start(&image, &["--size", "256MiB"]).expect("a running drive");
        Self {
            drive,
            _folder: folder,
        }
    }

    fn talk(&self) -> Conversation {
        Conversation::begin(self.drive.plain()).expect("a hello")
    }
}
