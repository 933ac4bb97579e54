//! From a command on the wire to a request that can be done, or the reason why it cannot.
//!
//! Guarantee: below this file no optional field of the wire is seen, and every size is in bounds.

use kinetic_proto::{CommandView, KeyValueView, MessageType};
use kinetic_store::Direction;
use prost::Message;

use super::delete::Delete;
use super::entry::Source;
use super::extended::Extended;
use super::get::Get;
use super::get_log::Logs;
use super::get_version::GetVersion;
use super::invalid::Invalid;
use super::media_optimize::MediaOptimize;
use super::media_scan::MediaScan;
use super::neighbour::Neighbour;
use super::power::SetPower;
use super::push::Push;
use super::put::Put;
use super::range::KeysInRange;
use super::repeats;
use super::security::Security;
use super::setup::Setup;

/// What a request does to a batch as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// START_BATCH.
    Start,
    /// END_BATCH. Its count of operations is not compared: clients disagree about it.
    End,
    /// ABORT_BATCH.
    Abort,
}

/// A request that keeps all limits; nobody has looked at permissions yet.
#[derive(Debug, Clone)]
pub enum Request {
    /// Is anybody there?
    Noop,
    /// Stores an entry.
    Put(Put),
    /// Removes an entry.
    Delete(Delete),
    /// Reads an entry.
    Get(Get),
    /// Reads an entry's version.
    GetVersion(GetVersion),
    /// Reads the entry after or before a key.
    Neighbour(Neighbour),
    /// Lists keys.
    Range(KeysInRange),
    /// Looks for values that are not sound.
    MediaScan(Box<MediaScan>),
    /// Puts the index in order.
    MediaOptimize(MediaOptimize),
    /// Makes everything durable.
    Flush,
    /// Reads logs.
    Logs(Logs),
    /// Stores entries of this drive on another one.
    Push(Push),
    /// Opens, commits or forgets the batch that its header names.
    Batch(Control),
    /// Something beyond the protocol.
    Extended(Box<Extended>),
    /// Changes identities or PINs.
    Security(Security),
    /// Changes cluster version or firmware.
    Setup(Setup),
    /// Sends the drive to sleep, wakes it, or ends it.
    Power(SetPower),
}

impl Request {
    /// Reads a command of this type.
    pub fn parse(
        kind: MessageType,
        command: &CommandView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
        repeats::check(kind, command)?;
        match kind {
            MessageType::NOOP => Ok(Self::Noop),
            MessageType::FLUSHALLDATA => Ok(Self::Flush),
            MessageType::PUT => {
                let entry = entry_of(kind, command)?.ok_or(Invalid::NoEntry(kind))?;
                Put::parse(&entry, source).map(Self::Put)
            }
            MessageType::DELETE => {
                let entry = entry_of(kind, command)?.ok_or(Invalid::NoEntry(kind))?;
                Delete::parse(&entry, source).map(Self::Delete)
            }
            MessageType::GET => {
                let entry = entry_of(kind, command)?.unwrap_or_default();
                Get::parse(&entry, source).map(Self::Get)
            }
            MessageType::GETVERSION => {
                let entry = entry_of(kind, command)?.unwrap_or_default();
                GetVersion::parse(&entry, source).map(Self::GetVersion)
            }
            MessageType::GETNEXT | MessageType::GETPREVIOUS => {
                let entry = entry_of(kind, command)?.unwrap_or_default();
                let direction = match kind {
                    MessageType::GETNEXT => Direction::Forward,
                    _ => Direction::Backward,
                };
                Neighbour::parse(direction, &entry, source).map(Self::Neighbour)
            }
            MessageType::GETKEYRANGE => {
                let range = part_of(RANGE, kind, (command, source))?;
                KeysInRange::parse(range, source.limits).map(Self::Range)
            }
            MessageType::MEDIASCAN => {
                let range = part_of(RANGE, kind, (command, source))?;
                let scan = MediaScan::parse(range, source.limits)?;
                Ok(Self::MediaScan(Box::new(scan)))
            }
            MessageType::MEDIAOPTIMIZE => {
                let range = part_of(RANGE, kind, (command, source))?;
                MediaOptimize::parse(range).map(Self::MediaOptimize)
            }
            _ => Self::of_the_drive(kind, command, source),
        }
    }

    /// The same, for requests that are about no entry of this drive, or about many.
    fn of_the_drive(
        kind: MessageType,
        command: &CommandView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
        match kind {
            MessageType::GETLOG => {
                let logs = part_of(GET_LOG, kind, (command, source))?;
                Logs::parse(logs).map(Self::Logs)
            }
            MessageType::PEER2PEERPUSH => {
                let push = part_of(PUSH, kind, (command, source))?;
                Push::parse(push, source.limits).map(Self::Push)
            }
            MessageType::START_BATCH => Ok(Self::Batch(Control::Start)),
            MessageType::END_BATCH => Ok(Self::Batch(Control::End)),
            MessageType::ABORT_BATCH => Ok(Self::Batch(Control::Abort)),
            MessageType::SECURITY => {
                let security = part_of(SECURITY, kind, (command, source))?;
                Security::parse(security, source.limits).map(Self::Security)
            }
            MessageType::SETUP => {
                let setup = part_of(SETUP, kind, (command, source))?;
                Setup::parse(setup, source).map(Self::Setup)
            }
            MessageType::SET_POWER_LEVEL => {
                let power = part_of(POWER, kind, (command, source))?;
                SetPower::parse(power).map(Self::Power)
            }
            MessageType::PINOP => Err(Invalid::NeedsPin(kind)),
            kind if kind.is_request() && kind.is_extension() => {
                let request = Extended::parse(kind, command, source)?;
                Ok(Self::Extended(Box::new(request)))
            }
            kind if !kind.is_request() => Err(Invalid::NotARequest(kind)),
            kind if kind.is_known() => Err(Invalid::Unsupported(kind)),
            kind => Err(Invalid::UnknownType(kind)),
        }
    }
}

/// Whether answers to this type carry an entry, if only an empty one.
#[must_use]
pub fn answers_with_entry(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::PUT
            | MessageType::DELETE
            | MessageType::GET
            | MessageType::GETVERSION
            | MessageType::GETNEXT
            | MessageType::GETPREVIOUS
    )
}

fn entry_of<'a>(
    kind: MessageType,
    command: &'a CommandView<'_>,
) -> Result<Option<KeyValueView<'a>>, Invalid> {
    command.key_value().map_err(|_why| Invalid::Malformed(kind))
}

// Field numbers of Body.
/// Of what PINOP is about.
pub const PIN_OPERATION: u32 = 8;
const RANGE: u32 = 2;
const SETUP: u32 = 3;
const PUSH: u32 = 4;
const GET_LOG: u32 = 6;
const SECURITY: u32 = 7;
const POWER: u32 = 10;

/// Decodes the one message of the body that a rarer request is about.
pub fn part_of<M: Message + Default>(
    number: u32,
    kind: MessageType,
    (command, source): (&CommandView<'_>, &Source<'_>),
) -> Result<Option<M>, Invalid> {
    command
        .decode_part(number, source.message)
        .map_err(|_why| Invalid::Malformed(kind))
}
