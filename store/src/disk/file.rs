//! A disk that is a regular file or a block device.
//!
//! What it is: a buffered descriptor for reads, small writes and `fdatasync`, and where the host
//! grants it a direct one for large aligned writes.
//!
//! Guarantees: the exclusive advisory lock (`flock`) is held for life, so that a second process
//! that opens the same disk is refused; a block device is also claimed with `O_EXCL`, which a
//! mounted one refuses. A file that its permissions protect from writing is refused to root, too.
//!
//! Not here: whether the content is a drive. Reads never go through a memory map, under which a
//! media error is a signal that kills the process instead of a status code.

use std::fmt;
use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::io::{self, IoSlice, IoSliceMut, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::contract::Disk;
use super::direct::DirectWriter;
use super::error::{DiskOpenError, PastEnd};

/// A disk on a regular file or a block device. Its capacity is the file's length at opening, or
/// the device's.
pub struct FileDisk {
    path: PathBuf,
    file: File,
    direct: Option<DirectWriter>,
    capacity: u64,
    sector_size: u32,
    access: Access,
    no_wait_refused: AtomicBool,
}

/// What a disk was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
}

impl FileDisk {
    /// Creates an image of `size` bytes, sparse and readable by its owner only, durably entered
    /// in its directory, and opens it.
    ///
    /// # Errors
    /// `AlreadyExists` when anything is at `path`, which is then left alone; `NotFound` when its
    /// directory does not exist; `Io` when the file system cannot hold a file of that size.
    pub fn create_new(path: &Path, size: u64) -> Result<Self, DiskOpenError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| DiskOpenError::of(path, error))?;
        Self::grow_new(file, path, size).inspect_err(|_| {
            // The file is ours and empty; what is told is why, not that it could not be removed.
            let _ = fs::remove_file(path);
        })
    }

    fn grow_new(file: File, path: &Path, size: u64) -> Result<Self, DiskOpenError> {
        lock(&file, path, Access::ReadWrite)?;
        let grown = file.set_len(size).and_then(|()| file.sync_all());
        grown
            .and_then(|()| sync_directory_of(path))
            .map_err(|error| DiskOpenError::Io {
                path: path.to_path_buf(),
                source: error,
            })?;
        Self::from_locked(file, path, Access::ReadWrite)
    }

    /// Opens an existing image or block device for reading and writing.
    ///
    /// # Errors
    /// `InUse` when another process holds it, `ReadOnly` when it cannot be written, and the other
    /// variants of [`DiskOpenError`] by their names. Nothing is changed in any case.
    pub fn open(path: &Path) -> Result<Self, DiskOpenError> {
        Self::open_for(path, Access::ReadWrite)
    }

    /// Opens an existing image or block device for inspection only: writes and discards fail with
    /// `PermissionDenied`. Any number of readers may share an image, but not with a writer; a
    /// device is claimed by one of them, so that a mounted one is refused.
    ///
    /// # Errors
    /// As [`FileDisk::open`].
    pub fn open_read_only(path: &Path) -> Result<Self, DiskOpenError> {
        Self::open_for(path, Access::ReadOnly)
    }

    fn open_for(path: &Path, access: Access) -> Result<Self, DiskOpenError> {
        let metadata = fs::metadata(path).map_err(|error| DiskOpenError::of(path, error))?;
        must_be_disk(path, metadata.file_type())?;
        let mut options = OpenOptions::new();
        options.read(true);
        if access == Access::ReadWrite {
            must_be_writable(path, &metadata)?;
            options.write(true);
        }
        if metadata.file_type().is_block_device() {
            options.custom_flags(OFlags::EXCL.bits().cast_signed());
        }
        let file =
            options
                .open(path)
                .map_err(|error| match (DiskOpenError::of(path, error), access) {
                    (DiskOpenError::ReadOnly { path }, Access::ReadOnly) => {
                        DiskOpenError::Unreadable { path }
                    }
                    (error, _) => error,
                })?;
        lock(&file, path, access)?;
        Self::from_locked(file, path, access)
    }

    fn from_locked(mut file: File, path: &Path, access: Access) -> Result<Self, DiskOpenError> {
        let io = |error| DiskOpenError::Io {
            path: path.to_path_buf(),
            source: error,
        };
        let kind = file.metadata().map_err(io)?.file_type();
        must_be_disk(path, kind)?;
        let capacity = file.seek(SeekFrom::End(0)).map_err(io)?;
        let sector_size = if kind.is_block_device() {
            device_sector_size(&file)
        } else {
            512
        };
        let direct = match access {
            Access::ReadWrite => DirectWriter::open(path, &file),
            Access::ReadOnly => None,
        };
        Ok(Self {
            path: path.to_path_buf(),
            file,
            direct,
            capacity,
            sector_size,
            access,
            no_wait_refused: AtomicBool::new(false),
        })
    }

    /// Makes an image longer, sparse and durably. A device is as long as it is.
    ///
    /// # Errors
    /// `InvalidInput` where it would become shorter or is a device that is; otherwise what the host
    /// reports.
    pub fn lengthen(&mut self, capacity: u64) -> io::Result<()> {
        if capacity == self.capacity {
            return Ok(());
        }
        let is_device = self.is_device()?;
        if is_device || capacity < self.capacity {
            let found = self.capacity;
            let what = if is_device { "device" } else { "image" };
            let text =
                format!("the {what} has {found} bytes and cannot be made to have {capacity}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.must_write(0, 0)?;
        self.file.set_len(capacity)?;
        self.file.sync_all()?;
        self.capacity = capacity;
        Ok(())
    }

    /// Asks the host to drop what it has of this disk in its page cache, so that reads come from
    /// the medium. Advice: a host may keep what it likes.
    pub fn forget_cached(&self) {
        let _advice = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
    }

    /// Whether it is a block device.
    ///
    /// # Errors
    /// What the host reports.
    pub fn is_device(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.file_type().is_block_device())
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn must_write(&self, offset: u64, length: u64) -> io::Result<()> {
        if self.access == Access::ReadOnly {
            let text = "this disk was opened for inspection only";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        PastEnd::check(offset, length, self.capacity).map_err(PastEnd::on_write)
    }
}

impl Disk for FileDisk {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn sector_size(&self) -> u32 {
        self.sector_size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        PastEnd::check(offset, buffer.len() as u64, self.capacity).map_err(PastEnd::on_read)?;
        self.file.read_exact_at(buffer, offset)
    }

    fn read_medium_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        PastEnd::check(offset, buffer.len() as u64, self.capacity).map_err(PastEnd::on_read)?;
        match &self.direct {
            Some(direct) if direct.read(offset, buffer)? => Ok(()),
            _ => self.file.read_exact_at(buffer, offset),
        }
    }

    fn try_read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<bool> {
        PastEnd::check(offset, buffer.len() as u64, self.capacity).map_err(PastEnd::on_read)?;
        if self.no_wait_refused.load(Ordering::Relaxed) {
            return Ok(buffer.is_empty());
        }
        while !buffer.is_empty() {
            let mut into = [IoSliceMut::new(buffer)];
            match rustix::io::preadv2(&self.file, &mut into, offset, ReadWriteFlags::NOWAIT) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    offset += count as u64;
                    buffer = buffer.get_mut(count..).unwrap_or_default();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.no_wait_refused.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn write_at(&self, mut offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        self.must_write(offset, length as u64)?;
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        if let Some(direct) = self
            .direct
            .as_ref()
            .filter(|direct| direct.takes(offset, length))
        {
            offset = direct.write(offset, &mut rest)?;
        }
        while !rest.is_empty() {
            // rustix hands the kernel at most IOV_MAX parts at a time.
            match rustix::io::pwritev(&self.file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut rest, written);
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.must_write(offset, length)?;
        if length == 0 {
            return Ok(());
        }
        let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, mode, offset, length) {
            // A device also calls a range invalid that is not of whole blocks.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for FileDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileDisk")
            .field("path", &self.path)
            .field("capacity", &self.capacity)
            .field("sector_size", &self.sector_size)
            .field("access", &self.access)
            .field("direct", &self.direct.is_some())
            .finish_non_exhaustive()
    }
}

fn must_be_disk(path: &Path, kind: FileType) -> Result<(), DiskOpenError> {
    let path = path.to_path_buf();
    let found = if kind.is_file() || kind.is_block_device() {
        return Ok(());
    } else if kind.is_dir() {
        return Err(DiskOpenError::IsDirectory { path });
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() {
        "a character device"
    } else {
        "of an unknown kind"
    };
    Err(DiskOpenError::NotADisk { path, found })
}

/// Root may write what nobody may; who took away every write permission meant it.
fn must_be_writable(path: &Path, metadata: &Metadata) -> Result<(), DiskOpenError> {
    if metadata.is_file() && metadata.permissions().mode() & 0o222 == 0 {
        return Err(DiskOpenError::ReadOnly {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

fn lock(file: &File, path: &Path, access: Access) -> Result<(), DiskOpenError> {
    let locked = match access {
        Access::ReadWrite => file.try_lock(),
        Access::ReadOnly => file.try_lock_shared(),
    };
    locked.map_err(|refusal| match refusal {
        TryLockError::WouldBlock => DiskOpenError::InUse {
            path: path.to_path_buf(),
        },
        TryLockError::Error(error) => DiskOpenError::Io {
            path: path.to_path_buf(),
            source: error,
        },
    })
}

/// The device's logical sector, which is the least it writes whole.
fn device_sector_size(file: &File) -> u32 {
    match rustix::fs::ioctl_blksszget(file) {
        Ok(size) if size >= 4096 => 4096,
        _ => 512,
    }
}

/// A new file's name is durable only when its directory is.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}
