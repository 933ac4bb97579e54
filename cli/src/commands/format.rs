//! `drive format`: makes an empty drive of a new image, or on demand of what is there.
//!
//! Guarantees: without `--force` nothing that exists is touched; with it, what is mounted, open or
//! otherwise in use is refused, and nothing is erased before somebody agreed. A new image that
//! could not be formatted is removed again. Not here: the layout (`kinetic-store`).

use std::fs;
use std::io;

use kinetic_store::disk::{Disk, FileDisk, refuse_if_mounted_or_open};
use kinetic_store::{FormatOptions, Probe, Seal};

use super::consent::confirm;
use crate::args::FormatArgs;
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
    if !args.force {
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
    let found = kinetic_store::probe(&disk).map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })?;
    let content = match found {
        Probe::Drive => "a drive with all its keys",
        Probe::Blank => "blank where a drive begins",
        Probe::Foreign => "something that is no drive",
    };
    if !args.yes {
        let size = size_text(disk.capacity());
        let question = format!("{name} ({size}) is {content}. Erase it?");
        confirm(&question, "nothing was erased")?;
    }
    make_drive(&disk, seal(args))?;
    Ok(disk.capacity())
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
    Ok(kinetic_store::format_as(disk, &options, seal)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
