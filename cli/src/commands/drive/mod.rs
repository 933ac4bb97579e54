//! Commands on a drive's own image or block device, without a server.
//!
//! Guarantees: a drive that somebody serves is refused; `inspect`, `check` and a salvage write
//! nothing to it; `repair` and `format` do what cannot be taken back after consent only. Not here:
//! the layout of drives, and what is damage (`kinetic-store`).
//!
//! In layer order: `look` (opening for reading, with a PIN), `words` (what is wrong, what it costs,
//! what to do), then the commands; `salvage` is a part of `repair`.

mod look;

mod words;

mod format;
mod grow;
mod inspect;

mod check;

mod salvage;

mod repair;

use crate::args::DriveCommand;
use crate::failure::Failure;
use crate::output::Output;

/// Does what the arguments say.
pub(super) fn drive(command: DriveCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        DriveCommand::Format(args) => format::format(args, output),
        DriveCommand::Inspect(args) => inspect::inspect(&args, output),
        DriveCommand::Check(args) => check::check(&args, output),
        DriveCommand::Repair(args) => repair::repair(&args, output),
        DriveCommand::Grow(args) => grow::grow(&args, output),
    }
}
