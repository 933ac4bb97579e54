//! Opening a drive to look at it: for reading only, and with its lock PIN where that is known.
//!
//! Guarantees: nothing is written; a PIN is asked for only where the drive has one.
//! Not here: what is looked at.

use std::path::Path;
use std::sync::Arc;

use kinetic_store::disk::FileDisk;
use kinetic_store::{PinKey, SlotsError, Survey, kdf_of};

use crate::args::PinArgs;
use crate::failure::Failure;
use crate::secrets::{ask, given_pin};

/// Whether a drive with a lock PIN is of use without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// As far as it shows.
    Useful,
    /// Not at all.
    Useless,
}

/// Looks at a drive.
pub(super) fn look(file: &Path, pin: &PinArgs, without: Without) -> Result<Survey, Failure> {
    let disk = Arc::new(FileDisk::open_read_only(file)?);
    disk.forget_cached();
    let pin = pin_key(&disk, pin, without)?;
    Survey::of(disk, pin.as_ref()).map_err(|source| Failure::Survey {
        path: file.to_path_buf(),
        source,
    })
}

/// The key of the lock PIN, where one is set and given.
fn pin_key(disk: &FileDisk, args: &PinArgs, without: Without) -> Result<Option<PinKey>, Failure> {
    let kdf = match kdf_of(disk) {
        Ok(Some(kdf)) => kdf,
        // What is wrong with it is told by whoever looks at it.
        Ok(None) | Err(_) => return Ok(None),
    };
    let prompt = match without {
        Without::Useful => "Lock PIN, empty to see what shows without it: ",
        Without::Useless => "Lock PIN: ",
    };
    let pin = match given_pin(args.pin_file.as_ref(), args.environment_pin.as_ref())? {
        Some(pin) => Some(pin),
        None => ask(prompt).transpose()?,
    };
    let pin = pin.filter(|pin| !pin.is_empty());
    Ok(pin.map(|pin| kdf.key_of(&pin)))
}

/// What is wrong with a drive's slots, with the path in front.
pub(super) fn of_slots(file: &Path) -> impl FnOnce(SlotsError) -> Failure {
    let path = file.to_path_buf();
    move |source| Failure::Survey {
        path,
        source: source.into(),
    }
}
