//! `drive format`: makes an empty drive of a new image, or on demand of what is there.
//!
//! Guarantees: without `--force` nothing that exists is touched, but for a block device on which
//! nothing is; with it, what is mounted, open or
//! otherwise in use is refused, and nothing is erased before somebody agreed. A new image that
//! could not be formatted is removed again. Not here: the layout (`kinetic-store`).

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use kinetic_store::disk::{
    Disk, FileDisk, Occupant, occupant, refuse_if_mounted_or_open, wipe_signatures,
};
use kinetic_store::layout::geometry::Geometry;
use kinetic_store::{FormatOptions, Probe, Seal};

use crate::args::FormatArgs;
use crate::commands::consent::confirm;
use crate::failure::Failure;
use crate::limits::DEFAULT_IMAGE_BYTES;
use crate::output::{Format, Output};
use crate::secrets::random;
use crate::units::size_text;

pub(super) fn format(args: FormatArgs, output: &mut Output) -> Result<(), Failure> {
    let path = args.file.as_path();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        return Err(Failure::File {
            path: folder.to_path_buf(),
            source: io::Error::new(io::ErrorKind::NotFound, "there is no such directory"),
        });
    }
    // Also a link that leads nowhere is something.
    let exists = fs::symlink_metadata(path).is_ok();
    let capacity = if exists {
        erase(&args)?
    } else {
        create(&args)?
    };
    let name = path.display().to_string();
    let sealed = match seal(&args) {
        Seal::Sealed => "sealed",
        Seal::Plain => "not sealed",
    };
    match output.format() {
        Format::Table => output.line(&format!(
            "{name} is an empty drive of {}, {sealed}; `kineticd {name}` serves it",
            size_text(capacity)
        )),
        Format::Json => output.record(vec![
            ("file", name.into()),
            ("capacity_bytes", capacity.into()),
            ("sealed", (seal(&args) == Seal::Sealed).into()),
        ]),
    }
}

fn seal(args: &FormatArgs) -> Seal {
    if args.unsealed {
        Seal::Plain
    } else {
        Seal::Sealed
    }
}

fn create(args: &FormatArgs) -> Result<u64, Failure> {
    let path = args.file.as_path();
    let disk = FileDisk::create_new(path, args.size.unwrap_or(DEFAULT_IMAGE_BYTES))?;
    let formatted = make_drive(&disk, seal(args));
    if formatted.is_err() {
        // The file is ours and of no use; what is told is why.
        let _ = fs::remove_file(path);
    }
    formatted?;
    Ok(disk.capacity())
}

fn erase(args: &FormatArgs) -> Result<u64, Failure> {
    let path = args.file.as_path();
    let name = path.display();
    let is_device = fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device());
    if !args.force && !is_device {
        return Err(Failure::Usage(format!(
            "{name} exists; --force makes an empty drive of it, and all that is on it is lost"
        )));
    }
    if args.size.is_some() {
        return Err(Failure::Usage(format!(
            "{name} exists and keeps its size; --size is for new images"
        )));
    }
    refuse_if_mounted_or_open(path)?;
    let disk = FileDisk::open(path)?;
    let content = content(&disk).map_err(of_file(path))?;
    if let Some(content) = content.filter(|_| !args.force) {
        return Err(Failure::Usage(format!(
            "{name} holds {content}; --force makes an empty drive of it, and all that is on it \
             is lost"
        )));
    }
    if args.force && !args.yes {
        let size = size_text(disk.capacity());
        let content = content.map_or("is blank".to_owned(), |content| format!("holds {content}"));
        let question = format!("{name} ({size}) {content}. Erase it?");
        confirm(&question, "nothing was erased")?;
    }
    make_drive(&disk, seal(args))?;
    Ok(disk.capacity())
}

/// What is on a disk, with its article; nothing where it is blank.
fn content(disk: &FileDisk) -> io::Result<Option<&'static str>> {
    if kinetic_store::probe(disk)? == Probe::Drive {
        return Ok(Some("a drive with all its keys"));
    }
    Ok(match occupant(disk)? {
        Occupant::Nothing => None,
        Occupant::Known(name) => Some(name),
        Occupant::Unknown => Some("something that is no drive"),
    })
}

fn of_file(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_path_buf();
    move |source| Failure::File {
        path: path.clone(),
        source,
    }
}

fn make_drive(disk: &FileDisk, seal: Seal) -> Result<(), Failure> {
    let mut uuid: [u8; 16] = random()?;
    // A random UUID, RFC 9562 version 4.
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let options = FormatOptions {
        uuid,
        entropy: random()?,
        zone_size: None,
    };
    // No host is to take the drive for what was there before it; what is too small for a drive is
    // left as it is.
    if Geometry::for_capacity(disk.capacity()).is_some() {
        wipe_signatures(disk).map_err(of_file(disk.path()))?;
    }
    Ok(kinetic_store::format_as(disk, &options, seal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(file: &Path) -> FormatArgs {
        FormatArgs {
            file: file.to_path_buf(),
            size: None,
            unsealed: false,
            force: false,
            yes: false,
        }
    }

    #[test]
    fn what_exists_is_not_touched_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("precious");
        fs::write(&file, "data").unwrap();
        let refused = erase(&args(&file)).unwrap_err();
        assert!(refused.to_string().contains("--force"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), b"data");
    }

    #[test]
    fn a_new_image_is_a_drive_and_erasing_it_needs_consent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drive.img");
        let new = FormatArgs {
            size: Some(256 << 20),
            ..args(&file)
        };
        assert_eq!(create(&new).unwrap(), 256 << 20);
        let disk = FileDisk::open(&file).unwrap();
        assert_eq!(kinetic_store::probe(&disk).unwrap(), Probe::Drive);
        let forced = FormatArgs {
            force: true,
            yes: true,
            ..args(&file)
        };
        let in_use = erase(&forced).unwrap_err();
        assert!(matches!(in_use, Failure::InUse(_)), "{in_use}");
        drop(disk);
        erase(&forced).unwrap();
    }

    #[test]
    fn an_image_that_is_too_small_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drive.img");
        let small = FormatArgs {
            size: Some(4096),
            ..args(&file)
        };
        assert!(create(&small).is_err());
        assert!(!file.exists());
    }
}
