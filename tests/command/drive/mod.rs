//! `kinetic drive`: what people do with a drive that nobody serves.

mod damage;
mod devices;
mod growing;
mod looking;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{KeyValue, Synchronization};
use kinetic_tests::conversation::{Conversation, key_only};
use kinetic_tests::drive::Drive;
use tempfile::TempDir;

use crate::kinetic::{Kinetic, Said};

/// A drive that is not served, with what a test put on it.
struct Idle {
    image: PathBuf,
    folder: TempDir,
}

/// More log than a drive of 256 MiB takes before something is flushed, in values of 1 MiB.
const FLUSHED: usize = 70;

impl Idle {
    /// A new drive that a client filled; not encrypted, so that what it stores can be found.
    fn filled(fill: impl FnOnce(&mut Conversation)) -> Self {
        Self::filled_with(&["--size", "256MiB", "--unsealed"], fill)
    }

    fn filled_with(arguments: &[&str], fill: impl FnOnce(&mut Conversation)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("drive.img");
        let idle = Self { image, folder };
        idle.serve(arguments, fill);
        idle
    }

    /// Serves it for a while.
    fn serve(&self, arguments: &[&str], talk: impl FnOnce(&mut Conversation)) {
        let drive = Drive::start(&self.image, arguments).expect("a running drive");
        talk(&mut Conversation::begin(drive.plain()).expect("a hello"));
        assert!(drive.stop().expect("a stop").success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `kinetic drive` on it.
    fn run(&self, command: &str, more: &[&str]) -> Said {
        on(&self.image, command, more)
    }

    /// Flips a bit of the only place where these bytes lie.
    fn flip(&self, needle: &[u8]) {
        match places_of(&self.image, needle).as_slice() {
            [place] => self.flip_at(*place),
            places => panic!("the bytes lie in {} places", places.len()),
        }
    }

    fn flip_at(&self, place: u64) {
        let file = OpenOptions::new().read(true).write(true).open(&self.image);
        let file = file.expect("the image");
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).expect("a byte");
        byte[0] ^= 1;
        file.write_all_at(&byte, place).expect("a byte");
    }
}

/// Runs `kinetic drive` on a file.
fn on(file: &Path, command: &str, more: &[&str]) -> Said {
    let kinetic = Kinetic::new().args(["drive", command]).args([file]);
    kinetic.args(more).run()
}

/// Stores a value, durably.
fn put(talk: &mut Conversation, key: &str, value: &[u8]) {
    let entry = KeyValue {
        force: Some(true),
        synchronization: Some(Synchronization::Writethrough.into()),
        ..key_only(key.as_bytes())
    };
    talk.ask_entry(MessageType::PUT, entry, value).success();
}

/// Fills the log until what was put before is flushed.
fn until_flushed(talk: &mut Conversation) {
    for number in 0..FLUSHED {
        put(talk, &format!("filler/{number:02}"), &vec![7; 1 << 20]);
    }
}

/// Where bytes lie in a sparse file.
fn places_of(file: &Path, needle: &[u8]) -> Vec<u64> {
    let file = File::open(file).expect("the image");
    let mut places = Vec::new();
    for (start, end) in data_of(&file).expect("its data") {
        let mut bytes = vec![0; usize::try_from(end - start).expect("a length")];
        file.read_exact_at(&mut bytes, start).expect("its bytes");
        let hits = bytes.windows(needle.len()).enumerate();
        let hits = hits.filter(|(_, window)| *window == needle);
        places.extend(hits.map(|(at, _)| start + at as u64));
    }
    places
}

/// Parts of a sparse file that hold anything.
fn data_of(file: &File) -> io::Result<Vec<(u64, u64)>> {
    use rustix::fs::SeekFrom;
    let length = file.metadata()?.len();
    let mut parts = Vec::new();
    let mut at = 0;
    while at < length {
        let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(at)) else {
            break;
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        parts.push((start, end));
        at = end;
    }
    Ok(parts)
}

/// The bytes of an image and when they changed, to show that nothing was written.
fn state_of(file: &Path) -> (Vec<Vec<u8>>, std::time::SystemTime) {
    let handle = File::open(file).expect("the image");
    let parts = data_of(&handle).expect("its data").into_iter();
    let parts = parts.map(|(start, end)| {
        let mut bytes = vec![0; usize::try_from(end - start).expect("a length")];
        handle.read_exact_at(&mut bytes, start).expect("its bytes");
        bytes
    });
    let changed = fs::metadata(file).and_then(|found| found.modified());
    (parts.collect(), changed.expect("a time"))
}
