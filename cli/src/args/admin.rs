//! Arguments of the commands that change the drive itself: locks, power, PINs, identities, setup.
//!
//! Guarantees: no secret is an argument, which others could see. Not here: asking for consent and
//! for PINs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// For what should not be done by mistake.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask before doing it
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The PIN that is in force.
#[derive(Debug, Args)]
#[command(after_help = PIN_HELP)]
pub(crate) struct PinArgs {
    /// A file with the PIN: all its bytes but a newline at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,

    /// The PIN; in the environment only, since arguments can be seen by others
    #[arg(skip = std::env::var_os("KINETIC_PIN"))]
    pub(crate) environment_pin: Option<OsString>,
}

const PIN_HELP: &str = "\
The PIN comes from --pin-file, else from KINETIC_PIN, else it is asked for on the terminal.";

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) pin: PinArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// Make what was stored unreadable on the disk, too
    #[arg(long)]
    pub(crate) secure: bool,

    #[command(flatten)]
    pub(crate) pin: PinArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PowerArgs {
    /// What to make of them; without it, what they are is shown
    #[arg(value_enum)]
    pub(crate) level: Option<PowerArg>,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// How awake a drive is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PowerArg {
    /// Awake: it serves
    On,
    /// Asleep: everything is on the disk, and nothing is served until it is on again
    Hibernate,
    /// Ended: its process stops, and only who can start it can have it back
    Shutdown,
}

impl From<PowerArg> for kinetic_client::PowerLevel {
    fn from(level: PowerArg) -> Self {
        match level {
            PowerArg::On => Self::Operational,
            PowerArg::Hibernate => Self::Hibernate,
            PowerArg::Shutdown => Self::Shutdown,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PinCommand {
    /// Set a PIN, or change it
    Set(SetPinArgs),
    /// Clear a PIN
    Clear(ClearPinArgs),
}

/// Which PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PinKindArg {
    /// For lock and unlock; a drive that has one starts locked
    Lock,
    /// For erase
    Erase,
}

impl From<PinKindArg> for kinetic_client::PinKind {
    fn from(kind: PinKindArg) -> Self {
        match kind {
            PinKindArg::Lock => Self::Lock,
            PinKindArg::Erase => Self::Erase,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The new PIN comes from --new-pin-file, else from KINETIC_NEW_PIN, else it is asked for on the
terminal. The PIN that is set now, if one is, comes from --pin-file, else from KINETIC_PIN.")]
pub(crate) struct SetPinArgs {
    /// Which PIN
    #[arg(value_enum)]
    pub(crate) kind: PinKindArg,

    /// A file with the new PIN: all its bytes but a newline at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) new_pin_file: Option<PathBuf>,

    /// The new PIN; in the environment only
    #[arg(skip = std::env::var_os("KINETIC_NEW_PIN"))]
    pub(crate) environment_new_pin: Option<OsString>,

    #[command(flatten)]
    pub(crate) current: PinArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ClearPinArgs {
    /// Which PIN
    #[arg(value_enum)]
    pub(crate) kind: PinKindArg,

    #[command(flatten)]
    pub(crate) current: PinArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AclCommand {
    /// Show the list, without keys, as a file that `acl set` takes once they are filled in
    ///
    /// Takes TLS and the permissions getlog and security. The protocol has no request that reads
    /// the list: drives other than kineticd may not tell it.
    Get,
    /// Replace the whole list by that of a file
    Set(AclFileArgs),
    /// Add the identities of a file, or replace those that are there
    Add(AclFileArgs),
    /// Take identities out of the list
    ///
    /// The identity is sent without permissions and with a random key that nobody knows, whereupon
    /// kineticd drops it. Drives other than kineticd may keep its number, which can do nothing.
    Remove(RevokeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file is TOML, or JSON of the same shape:

    [[identities]]
    identity = 7
    key_file = \"gallery.key\"      # or key = \"...\": text, hex:.. or base64:..
    max_priority = 5               # optional, 1 to 9
    [[identities.scopes]]
    permissions = [\"read\", \"range\"]
    value = \"photos/\"            # optional: only keys that have this
    offset = 0                     # at this place
    tls_required = true            # optional: only under TLS

Permissions: read, write, delete, range, setup, p2pop, getlog, security, power_management, and all
for all of them. Paths are relative to the file.")]
pub(crate) struct AclFileArgs {
    /// The file, - for standard input
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The identities
    #[arg(
        required = true,
        value_name = "IDENTITY",
        allow_negative_numbers = true
    )]
    pub(crate) identities: Vec<i64>,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVersionCommand {
    /// Show it
    Get,
    /// Set it: requests that carry another one are refused from then on
    Set(ClusterVersionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ClusterVersionArgs {
    /// The new version
    #[arg(allow_negative_numbers = true)]
    pub(crate) version: i64,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareArgs {
    /// The image
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
