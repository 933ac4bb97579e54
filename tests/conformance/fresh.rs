//! A drive of a test's own, and the door by which its tests come in.

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use kinetic_tests::raw::Door;
use kinetic_tests::tls::Version;
use tempfile::TempDir;

use crate::CHANNEL;

/// By which door the tests of a binary come in.
#[expect(dead_code, reason = "each of the two binaries tests one")]
pub(crate) enum Channel {
    Plain,
    Tls,
}

/// A new drive that serves, gone with this value.
pub(crate) struct Fresh {
    pub(crate) drive: Drive,
    folder: TempDir,
}

impl Fresh {
    pub(crate) fn drive() -> Self {
        Self::drive_with("")
    }

    /// A drive with these settings in its configuration file.
    pub(crate) fn drive_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the image");
        let image = folder.path().join("drive.img");
        let file = folder.path().join("kineticd.toml");
        std::fs::write(&file, settings).expect("a configuration file");
        let file = file.to_string_lossy();
        let arguments = ["--size", "256MiB", "--config", &file];
        let drive = Drive::start(&image, &arguments).expect("a running drive");
        Self { drive, folder }
    }

    /// The same drive after a stop and a start.
    pub(crate) fn restarted(self) -> Self {
        let Self { drive, folder } = self;
        assert!(drive.stop().expect("a stop").success());
        let drive = Drive::start(&folder.path().join("drive.img"), &[]).expect("a drive");
        Self { drive, folder }
    }

    /// How the drive ended by itself, and its folder.
    pub(crate) fn ended(self) -> (std::process::ExitStatus, TempDir) {
        let status = self.drive.ended().expect("an end");
        (status, self.folder)
    }

    /// A conversation over TLS, whichever door this binary tests.
    pub(crate) fn talk_tls(&self) -> Conversation {
        let door = Door::Tls(self.drive.tls(), Version::Tls13);
        Conversation::begin(door).expect("a hello")
    }

    /// A conversation on the plain port, likewise.
    pub(crate) fn talk_plain(&self) -> Conversation {
        Conversation::begin(Door::Plain(self.drive.plain())).expect("a hello")
    }

    pub(crate) fn talk(&self) -> Conversation {
        Conversation::begin(self.door()).expect("a hello")
    }

    /// The door that this binary tests.
    pub(crate) fn door(&self) -> Door {
        match CHANNEL {
            Channel::Plain => Door::Plain(self.drive.plain()),
            Channel::Tls => Door::Tls(self.drive.tls(), Version::Tls12),
        }
    }
}
