//! A drive's image while no drive runs, and a drive that must not start.
//!
//! Small zones make a small image, which can be searched in memory.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kinetic_store::FormatOptions;
use kinetic_store::disk::FileDisk;
use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use kinetic_tests::process::Process;
use kinetic_tests::program::Program;
use tempfile::TempDir;

use crate::{KEPT, KEPT_VALUE};

/// Zone size in bytes.
const ZONE_BYTES: u32 = 64 << 10;
const IMAGE_BYTES: u64 = 16 << 20;

/// A drive's image, while no drive runs.
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) folder: TempDir,
}

/// The key of an entry.
pub(crate) fn key(number: usize) -> Vec<u8> {
    format!("key {number:06}").into_bytes()
}

/// A value that is found nowhere else on the disk.
pub(crate) fn value(number: usize) -> Vec<u8> {
    format!("<value of {number:06}>").repeat(5).into_bytes()
}

impl Image {
    /// The image of a drive that was stopped with this many entries in it.
    pub(crate) fn with_entries(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the image");
        let path = folder.path().join("drive.img");
        let options = FormatOptions {
            uuid: [7; 16],
            entropy: [9; 32],
            zone_size: Some(ZONE_BYTES),
        };
        let disk = FileDisk::create_new(&path, IMAGE_BYTES).expect("an image");
        kinetic_store::format(&disk, &options).expect("an empty drive");
        drop(disk);
        let image = Self { path, folder };
        let drive = image.start();
        let mut talk = Conversation::begin(drive.plain()).expect("a hello");
        talk.put(KEPT, KEPT_VALUE).success();
        for number in 0..count {
            talk.put(&key(number), &value(number)).success();
        }
        drop(talk);
        assert!(drive.stop().expect("a stopped drive").success());
        image
    }

    pub(crate) fn start(&self) -> Drive {
        Drive::start(&self.path, &[]).expect("a running drive")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("the image")
    }

    pub(crate) fn flip(&self, offset: u64) {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let file = file.expect("the image");
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).expect("a byte");
        file.write_all_at(&byte.map(|byte| byte ^ 0x10), offset)
            .expect("a flipped bit");
    }

    /// Where these bytes lie.
    pub(crate) fn find(&self, wanted: &[u8]) -> Vec<u64> {
        let bytes = self.bytes();
        let windows = bytes.windows(wanted.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == wanted);
        found.map(|(offset, _)| offset as u64).collect()
    }

    pub(crate) fn number_at(&self, offset: usize) -> u32 {
        let bytes = self.bytes();
        let number = bytes.get(offset..offset + 4).expect("four bytes");
        u32::from_le_bytes(number.try_into().expect("four bytes"))
    }
}

/// Longer than a drive takes to refuse anything.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Runs a drive that must not start; what it says.
pub(crate) fn refusal(command: &mut Command) -> String {
    let mut process = Process::start(command).expect("a process");
    let (status, lines) = process.finish(LONG).expect("an end");
    let said = process.said();
    assert_eq!(lines, Vec::<String>::new(), "it greeted: {said}");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let sentence = said
        .lines()
        .find_map(|line| line.strip_prefix("kineticd: "));
    sentence
        .unwrap_or_else(|| panic!("no sentence in {said}"))
        .to_owned()
}

/// The command that serves an image on a free port.
pub(crate) fn kineticd(image: &Path) -> Command {
    let mut command = Command::new(Program::Drive.path().expect("the drive's program"));
    command
        .arg(image)
        .args(["--listen", "127.0.0.1:0", "--tls-listen", "off"])
        .arg("--ready-json");
    command
}

/// What a drive says of an image that it must refuse and leave as it is.
pub(crate) fn refused_and_unchanged(image: &Path) -> String {
    let before = fs::read(image).expect("the image");
    let text = refusal(&mut kineticd(image));
    assert!(
        fs::read(image).expect("the image") == before,
        "it was changed: {text}"
    );
    text
}
