//! Arguments of import and export.
//!
//! Not here: what becomes of files and keys (`transfer`).

use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};

use super::bounded;
use crate::keys::ByteText;
use crate::limits::{DEFAULT_JOBS, MAX_JOBS};

fn jobs(text: &str) -> Result<usize, String> {
    bounded(text, MAX_JOBS)
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each regular file below DIR becomes the key PREFIX followed by its path within DIR, so a prefix
is best given with its slash: photos/. What cannot be stored (links, special files, empty
directories, files over the drive's value limit, keys over its key limit) is listed before
anything is stored, and without --skip nothing is. Keys that exist without a version are
replaced. When the command is done, everything is on the disk.")]
pub(crate) struct ImportArgs {
    /// The directory to read
    pub(crate) directory: PathBuf,

    /// What every key begins with
    #[arg(value_parser = OsStringValueParser::new().try_map(ByteText::parse))]
    pub(crate) prefix: ByteText,

    /// Store the rest when something cannot be stored
    #[arg(long)]
    pub(crate) skip: bool,

    /// Replace entries whatever version they have
    #[arg(long)]
    pub(crate) force: bool,

    /// Files in flight at a time
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS, value_parser = jobs)]
    pub(crate) jobs: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each key that begins with PREFIX becomes a file in DIR whose path is the rest of the key, so a
prefix is best given with its slash: photos/. Nothing is ever written outside DIR, nor through
links in it: a key whose rest is no safe path is reported, left out, and makes the command fail
at its end. Each file appears whole or not at all.")]
pub(crate) struct ExportArgs {
    /// What the keys begin with; text: for all keys
    #[arg(value_parser = OsStringValueParser::new().try_map(ByteText::parse))]
    pub(crate) prefix: ByteText,

    /// The directory to write to; made if there is none
    pub(crate) directory: PathBuf,

    /// Replace files that exist
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Keys in flight at a time
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS, value_parser = jobs)]
    pub(crate) jobs: usize,
}
