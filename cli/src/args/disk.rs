//! Arguments of the commands that work without a server: on an image, a disk, or a capture.
//!
//! Not here: doing it (`commands::drive`, `commands::pdu`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::admin::{ConsentArgs, PinArgs};
use crate::units::parse_size;

#[derive(Debug, Subcommand)]
pub(crate) enum DriveCommand {
    /// Make an empty drive
    Format(FormatArgs),
    /// Show what is on a drive: superblocks, zones, runs, log, reserve; writes nothing
    Inspect(InspectArgs),
    /// Read everything on a drive and say what is wrong; writes nothing
    Check(CheckArgs),
    /// Repair what can be repaired safely, or save what can be read
    Repair(RepairArgs),
    /// Make a drive larger; its data stays
    Grow(GrowArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Show a captured PDU as JSON, and say whether its HMAC is right and if not, why
    Pdu(PduArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PduArgs {
    /// The file with the PDU, as it is or as hexadecimal digits; - for standard input
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without --force only a new file is made, or a block device taken on which nothing is. With it, an
existing image, file or block device is formatted and all that is on it is lost; one that is
mounted or open is refused all the same.

Examples:
  kinetic drive format drive.img --size 64GiB
  kinetic drive format /dev/sdx
  kinetic drive format /dev/sdx --force    # something is on it, and may be lost")]
pub(crate) struct FormatArgs {
    /// The image to make, or the block device to take
    pub(crate) file: PathBuf,

    /// Bytes of a new image, such as 16GiB [default: 16GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) size: Option<u64>,

    /// Do not encrypt what the drive stores: whoever has the disk reads it, an erase leaves it
    /// readable, and there is no lock PIN
    #[arg(long)]
    pub(crate) unsealed: bool,

    /// Erase what is there
    #[arg(long)]
    pub(crate) force: bool,

    /// Do not ask before erasing
    #[arg(long, requires = "force")]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A drive that kineticd serves is refused: stop it first. Of a drive with a lock PIN, superblocks and
settings show without it; the PIN comes from --pin-file, else from KINETIC_PIN, else it is asked for
on the terminal.

Examples:
  kinetic drive inspect drive.img
  kinetic drive inspect /dev/sdx --output json")]
pub(crate) struct InspectArgs {
    /// The image or block device
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) pin: PinArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each thing that is wrong is one line: what, what it costs, and what to do. The exit code is 0 where
nothing is wrong, and 10 where something is. A drive that kineticd serves is refused: stop it first.
The lock PIN, where one is set, comes from --pin-file, else from KINETIC_PIN, else it is asked for
on the terminal.

Examples:
  kinetic drive check drive.img
  kinetic drive check drive.img --quick    # the index and the log, without the values")]
pub(crate) struct CheckArgs {
    /// The image or block device
    pub(crate) file: PathBuf,

    /// Leave the values out
    #[arg(long)]
    pub(crate) quick: bool,

    #[command(flatten)]
    pub(crate) pin: PinArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without --salvage, what can be written again from a second copy is listed, and done after consent:
a superblock or settings of which one of the two copies is lost. Nothing else can be repaired
without losing something, and nothing else is touched.

With --salvage DIR, every value that can be read is written below DIR, and nothing to the drive:
  DIR/keys              a file for each key, by its path, as `kinetic export` writes them
  DIR/keys-hex          the same for keys that are no path: their bytes in hexadecimal digits
  DIR/uncertain[-hex]   values that may have been replaced or deleted by what cannot be read
  DIR/unreadable.txt    what could not be read, a line for each key or range of keys
Files hold values alone: versions and tags are not saved.

Examples:
  kinetic drive repair drive.img
  kinetic drive repair drive.img --salvage saved
  kinetic import saved/keys \"\"             # into a new drive")]
pub(crate) struct RepairArgs {
    /// The image or block device
    pub(crate) file: PathBuf,

    /// Save what can be read in this directory instead; it is made, or must be empty
    #[arg(long, value_name = "DIR", conflicts_with = "yes")]
    pub(crate) salvage: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,

    #[command(flatten)]
    pub(crate) pin: PinArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The image is made longer, without taking room on its host for that; of a block device that became
larger, all is taken. Then both superblocks say so, which takes no PIN. Whatever happens on the way,
the drive has its old size or its new one, and all its data. Drives do not shrink.

Examples:
  kinetic drive grow drive.img --size 64GiB
  kinetic drive grow /dev/sdx")]
pub(crate) struct GrowArgs {
    /// The image or block device
    pub(crate) file: PathBuf,

    /// Bytes of the drive then, such as 64GiB [default for a device: all of it]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) size: Option<u64>,
}
