//! What helps whoever types commands: completions and manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory, such as ~/.local/share/man/man1; it is made where it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
