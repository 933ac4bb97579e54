//! The arguments of `kinetic`: what can be said, and what it means.
//!
//! Guarantees: whatever clap lets through is within its bounds. Not here: doing it (`commands`,
//! `transfer`, `bench`).
//!
//! In layer order: `trust` (TLS), `entries` (single keys and batches), `transfer` (import, export),
//! `bench`, `admin` (locks, power, PINs, identities, setup), `disk` (offline), `peers` (drives that
//! push, and finding them), `shell` (completions, manual pages), and here the whole.

mod trust;

mod entries;

mod transfer;

mod bench;

mod admin;

mod disk;

mod peers;

mod shell;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use kinetic_client::Priority;

use crate::failure::EXIT_CODES;
use crate::output::Format;
use crate::units::parse_time;

pub(crate) use admin::{
    AclCommand, AclFileArgs, ClearPinArgs, ClusterVersionCommand, ConsentArgs, EraseArgs,
    FirmwareArgs, LockArgs, PinArgs, PinCommand, PinKindArg, PowerArg, PowerArgs, RevokeArgs,
    SetPinArgs,
};
pub(crate) use bench::{BenchArgs, Mix, Operation};
pub(crate) use disk::{
    CheckArgs, DebugCommand, DriveCommand, FormatArgs, GrowArgs, InspectArgs, PduArgs, RepairArgs,
};
pub(crate) use entries::algorithm;
pub(crate) use entries::{
    BatchArgs, CountArgs, DeleteArgs, DiffArgs, DigestArgs, ExistsArgs, GetArgs, KeyArg, ListArgs,
    LogArgs, LogKind, PutArgs, ScanArgs,
};
pub(crate) use peers::{DiscoverArgs, PushArgs, ReplicateArgs};
pub(crate) use shell::{CompletionsArgs, ManArgs};
pub(crate) use transfer::{ExportArgs, ImportArgs};
pub(crate) use trust::TrustArgs;

const KEY_FORMS: &str = "\
Keys, versions and tags are text as it is, hex:00ff, base64:AP8=, or text:... for text that
begins like one of these. They are printed the same way, so what is printed can be typed back.

";

/// Reads and writes a Kinetic drive.
#[derive(Debug, Parser)]
#[command(
    name = "kinetic",
    version,
    max_term_width = 100,
    after_help = format!("{KEY_FORMS}{EXIT_CODES}"),
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// What the program was started with; ends it where that makes no sense. A variable of the
    /// environment that is empty is as good as absent; an option that is empty is not.
    pub(crate) fn of_this_run() -> Self {
        let command = Self::command().mut_args(|argument| {
            let value = argument.get_env().and_then(std::env::var_os);
            match value {
                Some(value) if value.is_empty() => argument.env(None::<&'static str>),
                _ => argument,
            }
        });
        let mut matches = command.get_matches();
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
    }
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Drive and output")]
pub(crate) struct GlobalArgs {
    /// The drive's address; without a port, 8123, or 8443 under TLS
    ///
    /// Commands that change the drive itself take several, with commas between them or each with
    /// an option of its own.
    #[arg(
        long = "drive",
        global = true,
        env = "KINETIC_DRIVE",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1"
    )]
    pub(crate) drives: Vec<String>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,

    /// The identity that signs requests
    #[arg(
        long,
        global = true,
        env = "KINETIC_IDENTITY",
        default_value_t = 1,
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub(crate) identity: i64,

    /// A file with the identity's key: all its bytes but a newline at the end
    ///
    /// Without it, and without KINETIC_KEY and --ask-key, the key is the one drives leave the
    /// factory with, asdfasdf.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// The key; in the environment only, since arguments can be seen by others
    #[arg(skip = std::env::var_os("KINETIC_KEY"))]
    pub(crate) environment_key: Option<OsString>,

    /// Ask for the key on the terminal
    #[arg(long, global = true, conflicts_with = "key_file")]
    pub(crate) ask_key: bool,

    /// The cluster version that requests carry [default: the drive's own]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub(crate) cluster_version: Option<i64>,

    /// The longest wait for an answer, such as 500ms or 5s [default: 10s to connect, 30s each]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,

    /// How urgent the requests are to the drive, beside those of others: 1 the least, 9 the most
    /// [default: as the drive has it, 5]
    #[arg(long, global = true, value_name = "1..9", value_parser = priority)]
    pub(crate) priority: Option<Priority>,

    /// For people or for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a value, from a file or from standard input
    Put(PutArgs),
    /// Write a value to standard output, or to a file
    Get(GetArgs),
    /// Show a key's version, tag and algorithm
    Head(KeyArg),
    /// Remove a key
    Delete(DeleteArgs),
    /// List keys in order
    List(ListArgs),
    /// Count keys without listing them
    Count(CountArgs),
    /// Say which of these keys there are; fails if one is not there
    Exists(ExistsArgs),
    /// Show sums over keys and what belongs to them, which are equal where drives are
    Digest(DigestArgs),
    /// Show which keys differ between two drives; fails if any do
    Diff(DiffArgs),
    /// Show the key behind a key
    Next(KeyArg),
    /// Show the key before a key
    Prev(KeyArg),
    /// List the drives that announce themselves in the network
    Discover(DiscoverArgs),
    /// Ask for a sign of life, and how long it took
    Ping,
    /// Show names, versions, addresses, capacity and limits
    Info,
    /// Show one of the drive's logs
    Log(LogArgs),
    /// Wait until all that was stored is on the disk
    Flush,
    /// Have the drive read values again and name the keys whose values are damaged
    Scan(ScanArgs),
    /// Have the drive put its index in order and give back what space that frees
    Optimize,
    /// Have the drive store entries on another drive, and that one on the next
    Push(PushArgs),
    /// Have the drive store all entries, or those of a range, on other drives
    Replicate(ReplicateArgs),
    /// Do the puts and deletes of a file together or not at all
    Batch(BatchArgs),
    /// Show the drive's limits
    Limits,
    /// Lock drives: they answer nothing but unlock and erase until they are unlocked
    Lock(LockArgs),
    /// Unlock drives
    Unlock(PinArgs),
    /// Erase drives: all data, PINs, identities and the cluster version
    Erase(EraseArgs),
    /// Show or set the power level of drives: on, hibernating, shut down
    Power(PowerArgs),
    /// Set or clear the PINs for locking and erasing
    #[command(subcommand)]
    Pin(PinCommand),
    /// Say who may do what
    #[command(subcommand)]
    Acl(AclCommand),
    /// Show or set the number that requests must carry
    #[command(subcommand)]
    ClusterVersion(ClusterVersionCommand),
    /// Hand drives an image of their firmware
    Firmware(FirmwareArgs),
    /// Store a directory's files, a key for each
    Import(ImportArgs),
    /// Write keys to a directory, a file for each
    Export(ExportArgs),
    /// Measure throughput and latencies; writes keys of its own to the drive
    Bench(BenchArgs),
    /// Work on a drive's image or block device itself, without a server
    #[command(subcommand)]
    Drive(DriveCommand),
    /// Print a script by which a shell completes these commands
    Completions(CompletionsArgs),
    /// Write manual pages of kinetic and each of its commands to a directory
    Man(ManArgs),
    /// Find out why a client and a drive do not understand each other
    #[command(subcommand)]
    Debug(DebugCommand),
}

/// When a change is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityArg {
    /// Once the drive has it; a loss of power may take it back
    WriteBack,
    /// Once it is on the disk
    WriteThrough,
    /// Once it and all before it is on the disk
    Flush,
}

impl From<DurabilityArg> for kinetic_client::Durability {
    fn from(argument: DurabilityArg) -> Self {
        match argument {
            DurabilityArg::WriteBack => Self::WriteBack,
            DurabilityArg::WriteThrough => Self::WriteThrough,
            DurabilityArg::Flush => Self::Flush,
        }
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    let known = text.parse::<i32>().ok().map(Priority::try_from);
    known
        .and_then(Result::ok)
        .ok_or_else(|| "a priority is a whole number from 1 to 9".to_owned())
}

/// For bounded numbers of any unsigned kind.
fn bounded(text: &str, most: usize) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from 1 to {most} is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in ["kinetic --identity 7 ping", "kinetic ping --identity 7"] {
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(parsed.global.identity, 7);
        }
    }

    #[test]
    fn a_priority_is_one_of_nine() {
        let parsed = |text| Arguments::try_parse_from(["kinetic", "--priority", text, "ping"]);
        assert_eq!(
            parsed("9").unwrap().global.priority,
            Some(Priority::Highest)
        );
        for text in ["0", "10", "high", "-1"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_help_documents_the_exit_codes() {
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("  4  the stored version"));
    }
}
