//! `drive grow`: a larger drive, with all its data.
//!
//! Guarantees: the image is made longer before the drive says that it is, so that whatever ends
//! the command, the drive opens with its old size or its new one; nothing else is written. Not
//! here: what sizes there are (`kinetic-store`).

use kinetic_store::disk::{Disk as _, FileDisk, refuse_if_mounted_or_open};
use kinetic_store::{GrowError, Growth};

use crate::args::GrowArgs;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::units::size_text;

pub(super) fn grow(args: &GrowArgs, output: &mut Output) -> Result<(), Failure> {
    let path = args.file.as_path();
    let name = path.display();
    refuse_if_mounted_or_open(path)?;
    let mut disk = FileDisk::open(path)?;
    let is_device = disk.is_device().map_err(of_file(args))?;
    let wanted = match args.size {
        Some(size) => size,
        None if is_device => disk.capacity(),
        None => {
            return Err(Failure::Usage(format!(
                "{name} is an image: --size says how large it is to be, such as --size 64GiB"
            )));
        }
    };
    let failed = |source| Failure::Grow {
        path: path.to_path_buf(),
        source,
    };
    // What is refused leaves the image as long as it was.
    kinetic_store::growth(&disk, wanted).map_err(failed)?;
    if is_device && disk.capacity() < wanted {
        let found = disk.capacity();
        return Err(failed(GrowError::Disk { found, wanted }));
    }
    let length = disk.capacity().max(wanted);
    disk.lengthen(length).map_err(of_file(args))?;
    let growth = kinetic_store::grow(&disk, wanted).map_err(failed)?;
    report(args, &growth, output)
}

fn of_file(args: &GrowArgs) -> impl Fn(std::io::Error) -> Failure {
    let path = args.file.clone();
    move |source| Failure::File {
        path: path.clone(),
        source,
    }
}

fn report(args: &GrowArgs, growth: &Growth, output: &mut Output) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    match output.format() {
        Format::Json => output.record(vec![
            ("file", name.into()),
            ("capacity_bytes", growth.after.into()),
            ("before_bytes", growth.before.into()),
            ("zones", growth.new.zones.into()),
            ("zones_before", growth.old.zones.into()),
        ]),
        Format::Table => output.line(&format!(
            "{name} is a drive of {} now, and was one of {}",
            size_text(growth.after),
            size_text(growth.before)
        )),
    }
}
