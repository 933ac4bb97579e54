//! Arguments of the commands about single keys and lists of them.
//!
//! Not here: what every command understands.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use kinetic_client::{Algorithm, Client, LogType, Range};

use super::DurabilityArg;
use crate::keys::ByteText;

/// A parser for keys, versions and tags.
fn byte_text() -> impl TypedValueParser<Value = ByteText> {
    OsStringValueParser::new().try_map(ByteText::parse)
}

/// An algorithm by its name or number.
pub(crate) fn algorithm(text: &str) -> Result<Algorithm, String> {
    let named = Algorithm::ALL
        .iter()
        .find(|known| known.name() == Some(text));
    let numbered = || {
        text.parse()
            .ok()
            .filter(|number| *number >= 1)
            .map(Algorithm)
    };
    named.copied().or_else(numbered).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL
            .iter()
            .filter_map(|known| known.name())
            .collect();
        format!("it is one of {}, or a number from 1 up", names.join(", "))
    })
}

#[derive(Debug, Args)]
pub(crate) struct KeyArg {
    /// The key: text, hex:.. or base64:..
    #[arg(value_parser = byte_text())]
    pub(crate) key: ByteText,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The key: text, hex:.. or base64:..
    #[arg(value_parser = byte_text())]
    pub(crate) key: ByteText,

    /// The file with the value, - for standard input
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,

    /// The version that the entry gets
    #[arg(long, value_name = "VERSION", value_parser = byte_text())]
    pub(crate) version: Option<ByteText>,

    /// The version that the entry must have now [default: none]
    #[arg(long, value_name = "VERSION", value_parser = byte_text())]
    pub(crate) expected_version: Option<ByteText>,

    /// Store whatever version the entry has
    #[arg(long, conflicts_with = "expected_version")]
    pub(crate) force: bool,

    /// A checksum or signature of the value, kept with it
    #[arg(long, value_name = "TAG", value_parser = byte_text())]
    pub(crate) tag: Option<ByteText>,

    /// What the tag was made with: sha1, sha2, sha3, crc32c, crc64, crc32 or a number
    #[arg(long, value_name = "NAME", value_parser = algorithm, requires = "tag")]
    pub(crate) algorithm: Option<Algorithm>,

    /// When the drive answers
    #[arg(long, value_enum, default_value_t = DurabilityArg::WriteThrough, value_name = "WHEN")]
    pub(crate) durability: DurabilityArg,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The key: text, hex:.. or base64:..
    #[arg(value_parser = byte_text())]
    pub(crate) key: ByteText,

    /// The file to write, - for standard output; it appears whole or not at all
    #[arg(short = 'o', long = "out", value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,

    /// Only the part of the value from this byte on
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,

    /// Only so many bytes of the value
    #[arg(long, value_name = "N")]
    pub(crate) length: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The key: text, hex:.. or base64:..
    #[arg(value_parser = byte_text())]
    pub(crate) key: ByteText,

    /// The version that the entry must have now [default: none]
    #[arg(long, value_name = "VERSION", value_parser = byte_text())]
    pub(crate) expected_version: Option<ByteText>,

    /// Remove whatever version the entry has; an absent key is no error
    #[arg(long, conflicts_with = "expected_version")]
    pub(crate) force: bool,

    /// When the drive answers
    #[arg(long, value_enum, default_value_t = DurabilityArg::WriteThrough, value_name = "WHEN")]
    pub(crate) durability: DurabilityArg,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each line is one operation as JSON; keys, values, versions and tags are text, hex:.. or base64:..

    {\"put\": \"a\", \"value\": \"1\", \"version\": \"2\", \"expected_version\": \"1\"}
    {\"put\": \"b\", \"file\": \"photo.jpg\", \"tag\": \"..\", \"force\": true}
    {\"delete\": \"c\", \"force\": true}

Every operation sees the drive as it was before the batch.")]
pub(crate) struct BatchArgs {
    /// The file with the operations, - for standard input
    pub(crate) file: PathBuf,
}

/// Which keys a command is about.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Only keys that begin so
    #[arg(value_parser = byte_text(), default_value = "text:", hide_default_value = true)]
    pub(crate) prefix: ByteText,

    /// Only keys from this one on
    #[arg(long, value_name = "KEY", value_parser = byte_text())]
    pub(crate) start: Option<ByteText>,

    /// Only keys before this one
    #[arg(long, value_name = "KEY", value_parser = byte_text())]
    pub(crate) end: Option<ByteText>,
}

impl KeysArgs {
    /// These keys of a drive.
    pub(crate) fn of(&self, client: &Client) -> Range {
        let mut range = client.prefix(&self.prefix.0);
        if let Some(start) = &self.start {
            range = range.from(&start.0);
        }
        if let Some(end) = &self.end {
            range = range.until(&end.0);
        }
        range
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// At most so many keys
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// From the greatest key to the smallest
    #[arg(long)]
    pub(crate) reverse: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// Count no further than to this number
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ExistsArgs {
    /// The keys: text, hex:.. or base64:..
    #[arg(value_parser = byte_text(), value_name = "KEY", required = true)]
    pub(crate) keys: Vec<ByteText>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A line is a SHA-256, how many keys it is over, the bytes of their values, and the last key that it
may be over, - for the end. A drive that is given too little time makes several lines of one.")]
pub(crate) struct DigestArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// A line for so many keys each, instead of one for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) entries: Option<u32>,

    /// Over the values, too, all of which the drive reads
    #[arg(long)]
    pub(crate) values: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A line is only-first, only-second or differs, and the key. What belongs to a key is its version,
tag and algorithm and the length of its value; the value itself with --values.")]
pub(crate) struct DiffArgs {
    /// The address of one drive
    #[arg(value_name = "FIRST")]
    pub(crate) first: String,

    /// The address of the other drive
    #[arg(value_name = "SECOND")]
    pub(crate) second: String,

    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// Compare the values, too, all of which both drives read
    #[arg(long)]
    pub(crate) values: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Which log
    #[arg(value_enum, value_name = "TYPE")]
    pub(crate) kind: LogKind,

    /// For device: the name of the log; its content is written as it is
    #[arg(required_if_eq("kind", "device"), value_parser = byte_text())]
    pub(crate) name: Option<ByteText>,

    /// For messages: go on with those that come, until stopped
    #[arg(long)]
    pub(crate) follow: bool,
}

/// The kinds of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogKind {
    Utilizations,
    Temperatures,
    Capacities,
    Configuration,
    Statistics,
    Messages,
    Limits,
    Device,
}

impl From<LogKind> for LogType {
    fn from(kind: LogKind) -> Self {
        match kind {
            LogKind::Utilizations => Self::Utilizations,
            LogKind::Temperatures => Self::Temperatures,
            LogKind::Capacities => Self::Capacities,
            LogKind::Configuration => Self::Configuration,
            LogKind::Statistics => Self::Statistics,
            LogKind::Messages => Self::Messages,
            LogKind::Limits => Self::Limits,
            LogKind::Device => Self::Device,
        }
    }
}
