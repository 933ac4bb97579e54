//! Arguments of the commands that find drives and have them push to each other.
//!
//! Not here: which drives a drive may push to, and as whom; `kineticd --help` tells.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use kinetic_client::Peer;

use super::bounded;
use super::entries::KeysArgs;
use crate::keys::ByteText;
use crate::limits::{MAX_DISCOVERED, MAX_PUSHED_KEYS, MAX_PUSHES};
use crate::units::parse_time;

fn pushed_keys(text: &str) -> Result<usize, String> {
    bounded(text, MAX_PUSHED_KEYS)
}

fn drives(text: &str) -> Result<usize, String> {
    bounded(text, MAX_DISCOVERED)
}

fn pushes(text: &str) -> Result<usize, String> {
    bounded(text, MAX_PUSHES)
}

#[derive(Debug, Args)]
#[command(after_help = "\
The drive sends the entries itself, with their versions and tags, and answers when its peers have
them on the disk. Peers are written as the drive reaches them: HOST, HOST:PORT, or tls://HOST:PORT.
With several, each peer sends on to the next: from the drive to the first, from there to the second.

Without --force a peer takes an entry that it does not have, or has without a version.")]
pub(crate) struct PushArgs {
    /// The keys: text, hex:.. or base64:..
    #[arg(required = true, value_parser = OsStringValueParser::new().try_map(ByteText::parse))]
    pub(crate) keys: Vec<ByteText>,

    /// The peer; given several times, a pipeline
    #[arg(
        long = "to",
        required = true,
        value_name = "PEER",
        value_delimiter = ','
    )]
    pub(crate) peers: Vec<Peer>,

    /// The key that the entry gets at the peers; with one key only
    #[arg(
        long,
        value_name = "KEY",
        value_parser = OsStringValueParser::new().try_map(ByteText::parse)
    )]
    pub(crate) to_key: Option<ByteText>,

    /// The version that the first peer's entry must have now
    #[arg(
        long,
        value_name = "VERSION",
        value_parser = OsStringValueParser::new().try_map(ByteText::parse)
    )]
    pub(crate) expected_version: Option<ByteText>,

    /// Store it whatever version the peers' entries have
    #[arg(long, conflicts_with = "expected_version")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The drive pushes the entries itself, past this command. Peers are written as the drive reaches
them: HOST, HOST:PORT, or tls://HOST:PORT. They get what the drive has, whatever they had under
these keys; other keys of theirs are left alone. Each key that does not arrive is told with the
reason; running it again tries all keys again. What was interrupted goes on with --start.

With --differing the drive and each peer are compared by digests first, and only what a peer lacks
or has otherwise is sent, to one peer after the other. Peers are asked from here, too, so their
addresses must mean the same here, and the identity is the same for all.")]
pub(crate) struct ReplicateArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// A peer; may be given several times
    #[arg(
        long = "to",
        required = true,
        value_name = "PEER",
        value_delimiter = ','
    )]
    pub(crate) peers: Vec<Peer>,

    /// Send to each peer from the drive, instead of from peer to peer
    #[arg(long)]
    pub(crate) side_by_side: bool,

    /// Leave alone what a peer has with a version
    #[arg(long)]
    pub(crate) keep_versioned: bool,

    /// Only what a peer lacks or has otherwise: by version, tag, algorithm and length of the value
    #[arg(long, conflicts_with_all = ["side_by_side", "keep_versioned", "pushes"])]
    pub(crate) differing: bool,

    /// Compare the values, too, all of which the drives read
    #[arg(long, requires = "differing")]
    pub(crate) values: bool,

    /// Keys in one request
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = pushed_keys)]
    pub(crate) keys_per_push: usize,

    /// Requests under way at a time, for each peer where they go side by side
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = pushes)]
    pub(crate) pushes: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Drives announce themselves every five seconds when they are started with --heartbeat, within their
own network. Heartbeats are not signed: what is listed is what somebody said. A drive that is
reached by several networks is listed once for each.")]
pub(crate) struct DiscoverArgs {
    /// How long to listen
    #[arg(long = "for", default_value = "6s", value_parser = parse_time, value_name = "TIME")]
    pub(crate) time: Duration,

    /// Stop after so many drives
    #[arg(long, value_name = "N", value_parser = drives)]
    pub(crate) count: Option<usize>,

    /// Listen on the network of the interface with this address; may be given several times
    /// [default: the host's choice, and loopback]
    #[arg(long = "interface", value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) interfaces: Vec<Ipv4Addr>,
}
