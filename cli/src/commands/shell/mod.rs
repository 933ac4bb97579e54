//! `completions` and `man`: what helps whoever types commands.
//!
//! Guarantee: both are made of the arguments as they are, so that they cannot be out of date.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output::Output;

/// Prints the script for a shell.
pub(super) fn completions(args: &CompletionsArgs, output: &mut Output) -> Result<(), Failure> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output.bytes(&script)
}

/// Writes a page for each command; those of subcommands are called `kinetic-acl-set.1`.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        path: args.directory.clone(),
        source,
    };
    std::fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), &args.directory).map_err(failed)
}
