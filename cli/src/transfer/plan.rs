//! What an import will do: every file below a directory with its key, and what is left out.
//!
//! Guarantees: nothing below the directory is passed over in silence; links are never followed;
//! the order is that of the names, so that two runs do the same. Not here: reading files.

use std::fs::{self, DirEntry, FileType};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// The drive's limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) key_bytes: usize,
    pub(super) value_bytes: u64,
}

/// What an import will do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) files: Vec<PlannedFile>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) total_bytes: u64,
}

/// A file and its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlannedFile {
    pub(super) path: PathBuf,
    pub(super) key: Vec<u8>,
}

/// Something that cannot be stored.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) path: PathBuf,
    pub(super) reason: Reason,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("its {size} bytes are over the drive's limit of {limit} for a value")]
    TooLarge { size: u64, limit: u64 },
    #[error("its key would have {size} bytes, and the drive's limit is {limit}")]
    KeyTooLong { size: usize, limit: usize },
    #[error("a symbolic link")]
    Link,
    #[error("{0}, not a regular file")]
    Special(&'static str),
    #[error("an empty directory")]
    EmptyDirectory,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl Plan {
    /// Looks at everything below a directory.
    ///
    /// # Errors
    /// The directory itself cannot be read; what cannot be read below it is left out.
    pub(super) fn of(directory: &Path, prefix: &[u8], bounds: Bounds) -> io::Result<Self> {
        let mut plan = Self::default();
        // Directories still to be read, the next one last.
        let mut open = vec![(directory.to_path_buf(), prefix.to_vec())];
        let mut is_root = true;
        while let Some((path, key)) = open.pop() {
            let mut entries = match sorted_entries(&path) {
                Ok(entries) => entries,
                Err(error) if is_root => return Err(error),
                Err(error) => {
                    plan.leave_out(path, error.into());
                    continue;
                }
            };
            if entries.is_empty() && !is_root {
                plan.leave_out(path, Reason::EmptyDirectory);
            }
            is_root = false;
            let mut below = Vec::new();
            for entry in entries.drain(..) {
                let mut key = key.clone();
                key.extend_from_slice(entry.file_name().as_bytes());
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => {
                        key.push(b'/');
                        below.push((entry.path(), key));
                    }
                    Ok(kind) => plan.take_in(&entry, kind, (key, bounds)),
                    Err(error) => plan.leave_out(entry.path(), error.into()),
                }
            }
            open.extend(below.into_iter().rev());
        }
        Ok(plan)
    }

    fn take_in(&mut self, entry: &DirEntry, kind: FileType, (key, bounds): (Vec<u8>, Bounds)) {
        let path = entry.path();
        match file_size(entry, kind, (&key, bounds)) {
            Ok(size) => {
                self.total_bytes += size;
                self.files.push(PlannedFile { path, key });
            }
            Err(reason) => self.leave_out(path, reason),
        }
    }

    fn leave_out(&mut self, path: PathBuf, reason: Reason) {
        self.left_out.push(LeftOut { path, reason });
    }
}

fn sorted_entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

fn file_size(
    entry: &DirEntry,
    kind: FileType,
    (key, bounds): (&[u8], Bounds),
) -> Result<u64, Reason> {
    if kind.is_symlink() {
        return Err(Reason::Link);
    }
    if let Some(name) = special_name(kind) {
        return Err(Reason::Special(name));
    }
    if key.len() > bounds.key_bytes {
        let (size, limit) = (key.len(), bounds.key_bytes);
        return Err(Reason::KeyTooLong { size, limit });
    }
    let size = entry.metadata()?.len();
    if size > bounds.value_bytes {
        let limit = bounds.value_bytes;
        return Err(Reason::TooLarge { size, limit });
    }
    Ok(size)
}

fn special_name(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        Some("of an unknown kind")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    const BOUNDS: Bounds = Bounds {
        key_bytes: 20,
        value_bytes: 10,
    };

    fn keys(plan: &Plan) -> Vec<&[u8]> {
        plan.files.iter().map(|file| file.key.as_slice()).collect()
    }

    fn reasons(plan: &Plan) -> Vec<String> {
        let text = |left: &LeftOut| {
            let name = left.path.file_name().unwrap().to_string_lossy();
            format!("{name}: {}", left.reason)
        };
        plan.left_out.iter().map(text).collect()
    }

    #[test]
    fn every_file_gets_the_prefix_and_its_path_as_key() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/c")).unwrap();
        fs::write(folder.path().join("b/c/2"), "22").unwrap();
        fs::write(folder.path().join("b/1"), "1").unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let plan = Plan::of(folder.path(), b"p/", BOUNDS).unwrap();
        assert_eq!(keys(&plan), [&b"p/a"[..], b"p/b/1", b"p/b/c/2"]);
        assert_eq!(plan.total_bytes, 3);
        assert!(plan.left_out.is_empty());
    }

    #[test]
    fn a_name_that_is_no_text_is_a_key_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"\xff\xfe");
        if fs::write(folder.path().join(name), "x").is_err() {
            return; // A file system that has text names only.
        }
        let plan = Plan::of(folder.path(), b"", BOUNDS).unwrap();
        assert_eq!(keys(&plan), [b"\xff\xfe"]);
    }

    #[test]
    fn what_cannot_be_stored_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("1-large"), [0; 11]).unwrap();
        fs::write(at("2-a-name-that-is-too-long"), "").unwrap();
        symlink("1-large", at("3-link")).unwrap();
        symlink("/", at("4-up")).unwrap();
        fs::create_dir(at("5-empty")).unwrap();
        let _socket = UnixListener::bind(at("6-socket")).unwrap();
        fs::write(at("7-fits"), [0; 10]).unwrap();
        let plan = Plan::of(folder.path(), b"", BOUNDS).unwrap();
        assert_eq!(keys(&plan), [b"7-fits"]);
        let mut reasons = reasons(&plan);
        reasons.sort();
        assert_eq!(
            reasons,
            [
                "1-large: its 11 bytes are over the drive's limit of 10 for a value",
                "2-a-name-that-is-too-long: its key would have 25 bytes, and the drive's limit \
                 is 20",
                "3-link: a symbolic link",
                "4-up: a symbolic link",
                "5-empty: an empty directory",
                "6-socket: a socket, not a regular file",
            ]
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Plan::of(&folder.path().join("absent"), b"", BOUNDS).is_err());
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(Plan::of(&folder.path().join("file"), b"", BOUNDS).is_err());
    }
}
