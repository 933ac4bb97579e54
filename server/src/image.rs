//! The disk of a drive: an image file that is created when there is none, or what is there.
//!
//! Guarantees: formats only a file that it created itself, and removes it again if that fails;
//! anything that exists and is no drive is refused and left as it is. A new image has its name
//! only once it is a drive: whoever is killed in between leaves a hidden file beside it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use kinetic_store::disk::{DiskOpenError, FileDisk};
use kinetic_store::open::slots;
use kinetic_store::{FormatError, FormatOptions, Options, Probe, Seal};
use rustix::fs::{CWD, FileType, RenameFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::device::{Medium, MediumError};
use crate::entropy::{NoRandomness, random};

/// Size of a new image unless told otherwise, in bytes.
pub const DEFAULT_SIZE: ImageSize = ImageSize(16 << 30);

/// Major and minor number of the disk that this image or block device lies on.
#[must_use]
pub fn host_disk(path: &Path) -> Option<(u32, u32)> {
    let found = rustix::fs::stat(path).ok()?;
    let device = match FileType::from_raw_mode(found.st_mode) {
        FileType::BlockDevice => found.st_rdev,
        _ => found.st_dev,
    };
    Some((rustix::fs::major(device), rustix::fs::minor(device)))
}

/// Why there is no drive at a path.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The disk cannot be opened.
    #[error(transparent)]
    Disk(#[from] DiskOpenError),
    /// The disk cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// What the host reported.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{} exists and is not a drive; it was left as it is. Name another image, or, if its \
         content may be lost, make it a drive: kinetic drive format --force {}",
        .path.display(), .path.display()
    )]
    NotADrive {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A new image could not be formatted.
    #[error("{} cannot become a drive: {source}", .path.display())]
    Format {
        /// The path as it was given.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// It is a drive that cannot be opened.
    #[error("the drive {} cannot be opened: {source}", .path.display())]
    Open {
        /// The path as it was given.
        path: PathBuf,
        /// Why.
        source: MediumError,
    },
    /// It was to be a drive that is not sealed, and it is one that is.
    #[error(
        "the drive {} is sealed, and stays so: leave --unsealed out, or, if its content may be \
         lost, make it another drive: kinetic drive format --force --unsealed {}",
        .path.display(), .path.display()
    )]
    IsSealed {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A new image has nowhere to be.
    #[error(
        "{} cannot be created: its directory does not exist; create that first",
        .path.display()
    )]
    NoDirectory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A new image could not be given its name.
    #[error("{} cannot be created: {source}", .path.display())]
    NoName {
        /// The path as it was given.
        path: PathBuf,
        /// What the host reported.
        source: io::Error,
    },
    /// The host gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] NoRandomness),
}

/// Whether the drive was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was.
    Existing,
    /// It was created, with this many bytes.
    Created(ImageSize),
}

/// What an image is to be that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewImage {
    /// How large.
    pub size: ImageSize,
    /// Whether what it stores is encrypted. A drive that is there and sealed is refused where it
    /// is not to be.
    pub seal: Seal,
}

/// Opens the drive at a path, creating an image like this where there is nothing.
pub fn open_or_create(
    path: &Path,
    new: NewImage,
    options: Options,
) -> Result<(Medium, Origin), ImageError> {
    let (disk, origin) = disk_at(path, new)?;
    let opened = Medium::open(Arc::new(disk), options);
    let medium = opened.map_err(|source| {
        let path = path.to_path_buf();
        ImageError::Open { path, source }
    })?;
    Ok((medium, origin))
}

/// The disk of the drive at a path, created where there is nothing; for whoever opens the drive by
/// themselves.
pub fn disk_at(path: &Path, new: NewImage) -> Result<(FileDisk, Origin), ImageError> {
    match FileDisk::open(path) {
        Ok(disk) => {
            must_be_drive(&disk, path)?;
            must_agree(&disk, path, new.seal)?;
            Ok((disk, Origin::Existing))
        }
        Err(DiskOpenError::NotFound { .. }) => Ok((create(path, new)?, Origin::Created(new.size))),
        Err(error) => Err(error.into()),
    }
}

fn must_be_drive(disk: &FileDisk, path: &Path) -> Result<(), ImageError> {
    let path = path.to_path_buf();
    match kinetic_store::probe(disk) {
        Ok(Probe::Drive) => Ok(()),
        Ok(Probe::Blank | Probe::Foreign) => Err(ImageError::NotADrive { path }),
        Err(source) => Err(ImageError::Unreadable { path, source }),
    }
}

/// What is wrong with a drive that has no superblock is told when it is opened.
fn must_agree(disk: &FileDisk, path: &Path, wanted: Seal) -> Result<(), ImageError> {
    let path = path.to_path_buf();
    match slots::choose(disk) {
        Ok(found) if (found.seal, wanted) == (Seal::Sealed, Seal::Plain) => {
            Err(ImageError::IsSealed { path })
        }
        _ => Ok(()),
    }
}

fn create(path: &Path, new: NewImage) -> Result<FileDisk, ImageError> {
    let options = FormatOptions {
        uuid: random_uuid()?,
        entropy: random()?,
        zone_size: None,
    };
    let beside = hidden_beside(path)?;
    let disk = FileDisk::create_new(&beside, new.size.0).map_err(|error| match error {
        DiskOpenError::NotFound { .. } => {
            let path = path.to_path_buf();
            ImageError::NoDirectory { path }
        }
        error => error.into(),
    })?;
    let formatted = kinetic_store::format_as(&disk, &options, new.seal).map_err(|source| {
        let path = path.to_path_buf();
        ImageError::Format { path, source }
    });
    let named = formatted.and_then(|()| {
        give_name(&beside, path).map_err(|source| {
            let path = path.to_path_buf();
            ImageError::NoName { path, source }
        })
    });
    if let Err(error) = named {
        // The file is ours and of no use; what is told is why, not that it stayed.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    Ok(disk)
}

/// A name that nobody has, in the same directory.
fn hidden_beside(path: &Path) -> Result<PathBuf, ImageError> {
    let number = u64::from_le_bytes(random()?);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{number:016x}.new"));
    Ok(path.with_file_name(name))
}

/// Renames, durably, but never over something that has appeared meanwhile.
fn give_name(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // A file system that cannot: a second name refuses to replace, too.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)?;
        }
        Err(error) => return Err(error.into()),
    }
    let directory = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::File::open(directory)?.sync_all()
}

/// A random UUID, RFC 9562 version 4.
fn random_uuid() -> Result<[u8; 16], ImageError> {
    let mut uuid: [u8; 16] = random()?;
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(uuid)
}

/// A size in bytes, written as `16GiB`, `500MB` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize(pub u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a size: write a number with KiB, MiB, GiB, TiB, KB, MB, GB or TB")]
pub struct BadSize(String);

const UNITS: [(&str, u64); 13] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("b", 1),
];

impl FromStr for ImageSize {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let lower = text.trim().to_ascii_lowercase();
        let unit = UNITS.iter().find(|(name, _)| lower.ends_with(name));
        let (number, factor) = match unit {
            Some((name, factor)) => (lower.trim_end_matches(name), *factor),
            None => (lower.as_str(), 1),
        };
        let bytes = number.trim().parse::<u64>().ok();
        let bytes = bytes.and_then(|number| number.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| BadSize(text.to_owned()))
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let binary = UNITS.iter().take(4).rev();
        for ((_, factor), name) in binary.zip(["TiB", "GiB", "MiB", "KiB"]) {
            if self.0 >= *factor && self.0.is_multiple_of(*factor) {
                return write!(out, "{} {name}", self.0 / factor);
            }
        }
        write!(out, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let size = |text: &str| text.parse::<ImageSize>().map(|size| size.0);
        assert_eq!(size("16GiB"), Ok(16 << 30));
        assert_eq!(size("500 MB"), Ok(500_000_000));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("2g"), Ok(2 << 30));
        assert!(size("lots").is_err() && size("").is_err() && size("-1").is_err());
        assert!(size("99999999999TiB").is_err());
        assert_eq!(ImageSize(16 << 30).to_string(), "16 GiB");
    }

    fn sealed(size: ImageSize) -> NewImage {
        let seal = Seal::Sealed;
        NewImage { size, seal }
    }

    #[test]
    fn a_new_image_is_sealed_or_not_and_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let open = |name: &str, seal| {
            let size = ImageSize(256 << 20);
            let opened = open_or_create(&path(name), NewImage { size, seal }, Options::default());
            opened.map(|(medium, _)| medium.is_sealed())
        };
        assert!(open("sealed", Seal::Sealed).unwrap());
        let refused = open("sealed", Seal::Plain).unwrap_err().to_string();
        assert!(refused.contains("--force --unsealed"), "{refused}");
        assert!(open("sealed", Seal::Sealed).unwrap());
        for seal in [Seal::Plain, Seal::Plain, Seal::Sealed] {
            assert!(!open("unsealed", seal).unwrap());
        }
    }

    #[test]
    fn a_new_image_is_a_drive_and_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drive.img");
        let size = ImageSize(256 << 20);
        let open = || open_or_create(&path, sealed(size), Options::default());
        let (medium, origin) = open().unwrap();
        assert_eq!(origin, Origin::Created(size));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let busy = open().unwrap_err().to_string();
        assert!(busy.contains("in use"), "{busy}");
        let uuid = medium.uuid();
        drop(medium);
        let (medium, origin) = open().unwrap();
        assert_eq!((medium.uuid(), origin), (uuid, Origin::Existing));
    }

    #[test]
    fn what_is_no_drive_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for content in [vec![b'x'; 1 << 20], vec![0; 1 << 20], Vec::new()] {
            let path = folder.path().join("notes.txt");
            fs::write(&path, &content).unwrap();
            let size = ImageSize(256 << 20);
            let refused = open_or_create(&path, sealed(size), Options::default()).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains("kinetic drive format --force"), "{text}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn an_image_that_cannot_be_formatted_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.img");
        let refused = open_or_create(&path, sealed(ImageSize(1 << 20)), Options::default());
        assert!(matches!(refused, Err(ImageError::Format { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_is_never_taken_from_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let (new, taken) = (folder.path().join("new"), folder.path().join("taken"));
        fs::write(&new, "new").unwrap();
        fs::write(&taken, "precious").unwrap();
        let refused = give_name(&new, &taken).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&taken).unwrap(), b"precious");
        fs::remove_file(&taken).unwrap();
        give_name(&new, &taken).unwrap();
        assert!(!new.exists() && taken.exists());
    }
}
