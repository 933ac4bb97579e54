//! Writing files below a directory, and nowhere else.
//!
//! Guarantees: each step of a path is opened relative to the one before and never through a link,
//! so that nothing outside is reached whatever lies in the directory and whoever changes it
//! meanwhile; a file gets its name only when it is whole. Not here: which paths are plain names
//! (`path`). A crash of the host may lose what was written last: nothing is synced.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::path::SafePath;
use crate::limits::TEMPORARY_NAMES;

/// A directory to write below.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    temporaries: AtomicU64,
}

/// What becomes of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("something of that name is there already; --overwrite replaces files")]
    Exists,
    #[error("a directory of that name is there")]
    IsDirectory,
    #[error("on its way is something that is no directory, or a link, which is not followed")]
    NotADirectory,
    #[error("{0}")]
    Io(#[from] io::Error),
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Tree {
    /// Opens a directory, or makes it. Links in its own path are followed: who runs the command
    /// chose it.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let root = File::open(directory)?;
        if !root.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root: root.into(),
            temporaries: AtomicU64::new(0),
        })
    }

    /// Writes a file, with the directories on its way.
    pub(crate) fn write(
        &self,
        path: &SafePath,
        value: &[u8],
        existing: Existing,
    ) -> Result<(), TreeError> {
        let mut below: Option<OwnedFd> = None;
        for name in path.directories() {
            let parent = below.as_ref().unwrap_or(&self.root);
            below = Some(open_or_make(parent.as_fd(), name)?);
        }
        let parent = below.as_ref().unwrap_or(&self.root).as_fd();
        let (temporary, mut file) = self.temporary(parent)?;
        let written = file
            .write_all(value)
            .map_err(TreeError::from)
            .and_then(|()| give_name(parent, (temporary.as_ref(), path.file()), existing));
        if written.is_err() {
            // What is told is why it was not written.
            let _ = rustix::fs::unlinkat(parent, temporary.as_str(), AtFlags::empty());
        }
        written
    }

    /// A new file under a name that nobody has.
    fn temporary(&self, parent: BorrowedFd<'_>) -> io::Result<(String, File)> {
        let flags = OFlags::WRONLY
            .union(OFlags::CREATE)
            .union(OFlags::EXCL)
            .union(OFlags::NOFOLLOW)
            .union(OFlags::CLOEXEC);
        for _ in 0..TEMPORARY_NAMES {
            let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
            let name = format!(".kinetic-export-{}-{number}.tmp", std::process::id());
            match rustix::fs::openat(parent, name.as_str(), flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok((name, File::from(file))),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

fn open_or_make(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, TreeError> {
    let opened = match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => {
            match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
                // Somebody was quicker, perhaps another key of this export.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        }
        other => other,
    };
    opened.map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => TreeError::NotADirectory,
        other => TreeError::Io(other.into()),
    })
}

fn give_name(
    parent: BorrowedFd<'_>,
    (temporary, name): (&OsStr, &OsStr),
    existing: Existing,
) -> Result<(), TreeError> {
    let named = match existing {
        Existing::Replace => rustix::fs::renameat(parent, temporary, parent, name),
        Existing::Keep => rename_to_free_name(parent, temporary, name),
    };
    named.map_err(|error| match error {
        Errno::EXIST => TreeError::Exists,
        Errno::ISDIR => TreeError::IsDirectory,
        other => TreeError::Io(other.into()),
    })
}

fn rename_to_free_name(
    parent: BorrowedFd<'_>,
    temporary: &OsStr,
    name: &OsStr,
) -> rustix::io::Result<()> {
    let flags = RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(parent, temporary, parent, name, flags) {
        // Not every file system can; a second name for the file does the same.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(parent, temporary, parent, name, AtFlags::empty())?;
            rustix::fs::unlinkat(parent, temporary, AtFlags::empty())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn path(text: &str) -> SafePath {
        SafePath::parse(text.as_bytes()).unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_written_with_its_directories_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(&folder.path().join("made/here")).unwrap();
        tree.write(&path("a/b/c"), b"value", Existing::Keep)
            .unwrap();
        assert_eq!(
            fs::read(folder.path().join("made/here/a/b/c")).unwrap(),
            b"value"
        );
        assert_eq!(names(&folder.path().join("made/here/a/b")), ["c"]);
    }

    #[test]
    fn a_file_that_exists_is_kept_or_replaced_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        tree.write(&path("a"), b"first", Existing::Keep).unwrap();
        let refused = tree
            .write(&path("a"), b"second", Existing::Keep)
            .unwrap_err();
        assert!(matches!(refused, TreeError::Exists), "{refused}");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"first");
        tree.write(&path("a"), b"third", Existing::Replace).unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"third");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_link_to_a_directory_outside_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        let tree = Tree::open(&inside).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        for attack in ["link/stolen", "up/stolen", "up/outside/stolen"] {
            for existing in [Existing::Keep, Existing::Replace] {
                let refused = tree.write(&path(attack), b"x", existing).unwrap_err();
                assert!(matches!(refused, TreeError::NotADirectory), "{refused}");
            }
        }
        assert!(names(&outside).is_empty());
        assert_eq!(names(folder.path()), ["inside", "outside"]);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_its_target_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("precious"));
        fs::write(&outside, "data").unwrap();
        let tree = Tree::open(&inside).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        let refused = tree.write(&path("link"), b"x", Existing::Keep).unwrap_err();
        assert!(matches!(refused, TreeError::Exists), "{refused}");
        tree.write(&path("link"), b"x", Existing::Replace).unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"data");
        assert_eq!(fs::read(inside.join("link")).unwrap(), b"x");
        assert!(
            !fs::symlink_metadata(inside.join("link"))
                .unwrap()
                .is_symlink()
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_creates_nothing_outside() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("absent"));
        let tree = Tree::open(&inside).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        assert!(
            tree.write(&path("link/a"), b"x", Existing::Replace)
                .is_err()
        );
        assert!(tree.write(&path("link"), b"x", Existing::Keep).is_err());
        assert!(!outside.exists());
    }

    #[test]
    fn a_file_where_a_directory_should_be_and_the_reverse_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        tree.write(&path("file"), b"x", Existing::Keep).unwrap();
        tree.write(&path("directory/a"), b"x", Existing::Keep)
            .unwrap();
        let below = tree
            .write(&path("file/a"), b"x", Existing::Replace)
            .unwrap_err();
        assert!(matches!(below, TreeError::NotADirectory), "{below}");
        let over = tree
            .write(&path("directory"), b"x", Existing::Replace)
            .unwrap_err();
        assert!(matches!(over, TreeError::IsDirectory), "{over}");
        assert_eq!(names(folder.path()), ["directory", "file"]);
    }
}
