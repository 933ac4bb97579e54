//! Why a disk could not be opened, and the one error that every disk raises itself.
//!
//! Guarantees: every variant has one meaning, and its text tells a person what to do.
//! Not here: errors of reading and writing, which are the host's own `io::Error`.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why a file or block device could not be opened or created as a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskOpenError {
    /// Nothing exists at this path.
    #[error("{} does not exist", .path.display())]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path was to be created, and something is there already.
    #[error("{} exists already and was left as it is", .path.display())]
    AlreadyExists {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The file, or the file system it lies on, does not allow writing.
    #[error(
        "{} is read-only: a drive has to write; give its owner write permission (chmod u+w), \
         run as that owner, or remount its file system read-write",
        .path.display()
    )]
    ReadOnly {
        /// The path as it was given.
        path: PathBuf,
    },
    /// It was to be read only, and its permissions do not allow even that.
    #[error("{} may not be read: run the command as its owner, or as root", .path.display())]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
    },
    /// Another process has it open as a disk, or the kernel has (a mounted device).
    #[error(
        "{} is in use by another process or mounted: one disk serves one drive; stop the other \
         one first",
        .path.display()
    )]
    InUse {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a directory.
    #[error("{} is a directory: a disk is an image file or a block device", .path.display())]
    IsDirectory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a pipe, a socket, a character device.
    #[error(
        "{} is {found}: a disk is an image file or a block device",
        .path.display()
    )]
    NotADisk {
        /// The path as it was given.
        path: PathBuf,
        /// What it is, with its article.
        found: &'static str,
    },
    /// Any other refusal of the host.
    #[error("{} cannot be opened as a disk: {source}", .path.display())]
    Io {
        /// The path as it was given.
        path: PathBuf,
        /// What the host reported.
        source: io::Error,
    },
}

impl DiskOpenError {
    /// Names what the host's error means for the person who gave this path.
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT) => Self::NotFound { path },
            Some(Errno::EXIST) => Self::AlreadyExists { path },
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Self::ReadOnly { path },
            Some(Errno::BUSY | Errno::TXTBSY) => Self::InUse { path },
            Some(Errno::ISDIR) => Self::IsDirectory { path },
            Some(Errno::NXIO) => Self::NotADisk {
                path,
                found: "a pipe, socket or absent device",
            },
            _ => Self::Io { path, source },
        }
    }
}

/// A range that reaches past the end of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at offset {offset} reach past the disk's end at {capacity}")]
pub struct PastEnd {
    /// First byte of the range.
    pub offset: u64,
    /// Bytes in the range.
    pub length: u64,
    /// Bytes on the disk.
    pub capacity: u64,
}

impl PastEnd {
    /// Passes a range that ends at or before `capacity`.
    ///
    /// # Errors
    /// The range itself, when it reaches further.
    pub fn check(offset: u64, length: u64, capacity: u64) -> Result<(), Self> {
        match offset.checked_add(length) {
            Some(end) if end <= capacity => Ok(()),
            _ => Err(Self {
                offset,
                length,
                capacity,
            }),
        }
    }

    /// As the error of a read.
    #[must_use]
    pub fn on_read(self) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, self)
    }

    /// As the error of a write or discard.
    #[must_use]
    pub fn on_write(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, self)
    }
}
