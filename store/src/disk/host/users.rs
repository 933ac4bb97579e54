//! Is somebody else using this file or device? Asked before anything destructive.
//!
//! Guarantees: looks and never changes anything. Reads `/proc` and `/sys`; where those are absent
//! the exclusive open of the device and the lock of the file still speak.
//!
//! Not here: the lock of a running drive, which [`FileDisk`] holds for life. Between this check
//! and an opening something may change, so the opening must hold its own lock all the same.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::disk::error::DiskOpenError;
use crate::disk::file::FileDisk;

/// Why a file or device must not be overwritten.
#[derive(Debug, thiserror::Error)]
pub enum HostRefusal {
    /// A file system on this device is mounted.
    #[error("{} is mounted at {}: unmount it first", .path.display(), .mount_point.display())]
    Mounted {
        /// The path as it was given.
        path: PathBuf,
        /// Where it is mounted.
        mount_point: PathBuf,
    },
    /// The kernel swaps to it.
    #[error("{} is in use as swap space: swapoff it first", .path.display())]
    Swap {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A loop device is backed by this file.
    #[error(
        "{} backs the loop device {}: detach it first (losetup -d)",
        .path.display(), .device.display()
    )]
    LoopDevice {
        /// The path as it was given.
        path: PathBuf,
        /// The loop device.
        device: PathBuf,
    },
    /// It could not be opened exclusively.
    #[error(transparent)]
    Open(#[from] DiskOpenError),
}

/// Passes a path that nobody uses: not mounted, not swap, not behind a loop device, not open in
/// another drive, and openable for writing.
///
/// # Errors
/// [`HostRefusal`], each variant with its remedy.
pub fn refuse_if_mounted_or_open(path: &Path) -> Result<(), HostRefusal> {
    let open = |error: io::Error| DiskOpenError::of(path, error);
    let metadata = fs::metadata(path).map_err(open)?;
    let real = fs::canonicalize(path).map_err(open)?;
    let path_buf = || path.to_path_buf();
    if swaps_to(&proc_text("/proc/swaps"), &real) {
        return Err(HostRefusal::Swap { path: path_buf() });
    }
    if metadata.file_type().is_block_device() {
        let device = format!(
            "{}:{}",
            rustix::fs::major(metadata.rdev()),
            rustix::fs::minor(metadata.rdev())
        );
        if let Some(mount_point) = mounted_at(&proc_text("/proc/self/mountinfo"), &device, &real) {
            return Err(HostRefusal::Mounted {
                path: path_buf(),
                mount_point,
            });
        }
    } else if let Some(device) = loop_device_of(Path::new("/sys/block"), &real) {
        return Err(HostRefusal::LoopDevice {
            path: path_buf(),
            device,
        });
    }
    drop(FileDisk::open(path)?);
    Ok(())
}

/// The text of a kernel file, empty where there is none.
fn proc_text(path: &str) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The mount point of a device in the text of `mountinfo`: by its number, or by its name, since
/// some file systems show a number of their own.
fn mounted_at(mountinfo: &str, device: &str, real: &Path) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let number = fields.nth(2)?;
        let mount_point = fields.nth(1)?;
        let source = file_system.split(' ').nth(1)?;
        (number == device || unescaped(source) == real).then(|| unescaped(mount_point))
    })
}

/// Whether the text of `/proc/swaps` names this path.
fn swaps_to(swaps: &str, real: &Path) -> bool {
    let mut names = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names.any(|name| unescaped(name) == real)
}

/// The kernel writes blanks and backslashes in paths as a backslash and three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = tail.get(..3).filter(|_| first == b'\\').and_then(octal);
        bytes.push(escape.unwrap_or(first));
        rest = if escape.is_some() {
            tail.get(3..).unwrap_or_default()
        } else {
            tail
        };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The loop device whose backing file is `real`, from a directory like `/sys/block`.
fn loop_device_of(sys_block: &Path, real: &Path) -> Option<PathBuf> {
    fs::read_dir(sys_block).ok()?.flatten().find_map(|entry| {
        let backing = fs::read(entry.path().join("loop/backing_file")).ok()?;
        let backing = backing.strip_suffix(b"\n").unwrap_or(&backing);
        let same = Path::new(&OsString::from_vec(backing.to_vec())) == real;
        same.then(|| Path::new("/dev").join(entry.file_name()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
40 22 0:36 / /mnt/two\\040words rw - btrfs /dev/vdb rw\n";

    #[test]
    fn a_mount_is_found_by_its_device_number() {
        let found = mounted_at(MOUNTINFO, "253:1", Path::new("/dev/other"));
        assert_eq!(found, Some(PathBuf::from("/")));
    }

    #[test]
    fn a_mount_with_a_number_of_its_own_is_found_by_its_source() {
        let found = mounted_at(MOUNTINFO, "253:16", Path::new("/dev/vdb"));
        assert_eq!(found, Some(PathBuf::from("/mnt/two words")));
    }

    #[test]
    fn a_device_that_is_not_mounted_is_not_found() {
        assert_eq!(mounted_at(MOUNTINFO, "253:32", Path::new("/dev/vdc")), None);
        assert_eq!(
            mounted_at("garbage\n\n - \n", "253:32", Path::new("/dev/vdc")),
            None
        );
    }

    #[test]
    fn a_swap_file_is_found() {
        let swaps = "Filename Type Size Used Priority\n/swap\\040file file 1 0 -2\n";
        assert!(swaps_to(swaps, Path::new("/swap file")));
        assert!(!swaps_to(swaps, Path::new("Filename")));
    }

    #[test]
    fn a_backing_file_is_found_with_its_loop_device() {
        let sys = tempfile::tempdir().unwrap();
        fs::create_dir_all(sys.path().join("vda")).unwrap();
        fs::create_dir_all(sys.path().join("loop3/loop")).unwrap();
        fs::write(
            sys.path().join("loop3/loop/backing_file"),
            "/images/a b.img\n",
        )
        .unwrap();
        let found = loop_device_of(sys.path(), Path::new("/images/a b.img"));
        assert_eq!(found, Some(PathBuf::from("/dev/loop3")));
        assert_eq!(loop_device_of(sys.path(), Path::new("/images/a")), None);
    }

    #[test]
    fn a_free_image_passes_and_an_open_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drive.img");
        let disk = FileDisk::create_new(&path, 8192).unwrap();
        let refusal = refuse_if_mounted_or_open(&path).unwrap_err();
        assert!(
            matches!(refusal, HostRefusal::Open(DiskOpenError::InUse { .. })),
            "{refusal}"
        );
        drop(disk);
        refuse_if_mounted_or_open(&path).unwrap();
    }

    #[test]
    fn the_device_of_the_root_file_system_is_refused() {
        let info = proc_text("/proc/self/mountinfo");
        let source = info
            .lines()
            .find(|line| line.split(' ').nth(4) == Some("/"));
        let device = source.and_then(|line| line.split_once(" - ")?.1.split(' ').nth(1));
        // In a container the root may be an overlay without a device to look at.
        let Some(device) = device.filter(|device| Path::new(device).exists()) else {
            return;
        };
        let is_block = fs::metadata(device).is_ok_and(|m| m.file_type().is_block_device());
        assert!(!is_block || refuse_if_mounted_or_open(Path::new(device)).is_err());
    }
}
