//! `kinetic`: the command for Kinetic drives.
//!
//! Guarantees: values go through byte for byte; an error says what to do about it; the exit code
//! is the documented one. Not here: the protocol (`kinetic-client`) and the disk (`kinetic-store`).
//!
//! In layer order: bounds, bytes and units as text, failures, output, arguments, secrets,
//! connecting, and then the commands: import and export (`transfer`), the benchmark (`bench`), the
//! rest.

mod limits;

mod keys;
mod units;

mod failure;

mod output;

mod args;

mod secrets;

mod connect;

mod transfer;

mod bench;

mod commands;

use std::process::ExitCode;

/// Requests live a moment and are freed on other threads than made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = args::Arguments::of_this_run();
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure::Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kinetic: {failure}");
            if let Some(advice) = failure.advice() {
                eprintln!("  {advice}");
            }
            failure.exit_code()
        }
    }
}
