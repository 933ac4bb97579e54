//! Arguments of the commands that work without a server: on an image, a disk, or a capture.
//!
//! Not here: doing it (`commands::format`, `commands::pdu`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::units::parse_size;

#[derive(Debug, Subcommand)]
pub(crate) enum DriveCommand {
    /// Make an empty drive
    Format(FormatArgs),
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
Without --force only a new file is made. With it, an existing image, file or block device is
formatted and all that is on it is lost; one that is mounted or open is refused all the same.")]
pub(crate) struct FormatArgs {
    /// The image to make, or with --force the image or block device to erase
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
