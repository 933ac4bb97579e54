//! From a command on the wire to a request that can be done, or the reason why it cannot.
//!
//! Guarantee: below this file no optional field of the wire is seen, and every size is in bounds.

use kinetic_proto::{CommandView, KeyValueView, MessageType};

use super::delete::Delete;
use super::entry::Source;
use super::get::Get;
use super::get_log::Logs;
use super::get_version::GetVersion;
use super::invalid::Invalid;
use super::neighbour::{Neighbour, Side};
use super::put::Put;
use super::range::KeysInRange;
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
    /// Makes everything durable.
    Flush,
    /// Reads logs.
    Logs(Logs),
    /// Opens, commits or forgets the batch that its header names.
    Batch(Control),
    /// Changes identities or PINs.
    Security(Security),
    /// Changes cluster version or firmware.
    Setup(Setup),
}

impl Request {
    /// Reads a command of this type.
    pub fn parse(
        kind: MessageType,
        command: &CommandView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
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
                let side = match kind {
                    MessageType::GETNEXT => Side::Next,
                    _ => Side::Previous,
                };
                Neighbour::parse(side, &entry, source).map(Self::Neighbour)
            }
            MessageType::GETKEYRANGE => {
                let range = body_of(kind, command, source)?.range;
                KeysInRange::parse(range, source.limits).map(Self::Range)
            }
            MessageType::GETLOG => {
                let logs = body_of(kind, command, source)?.get_log;
                Logs::parse(logs).map(Self::Logs)
            }
            MessageType::START_BATCH => Ok(Self::Batch(Control::Start)),
            MessageType::END_BATCH => Ok(Self::Batch(Control::End)),
            MessageType::ABORT_BATCH => Ok(Self::Batch(Control::Abort)),
            MessageType::SECURITY => {
                let security = body_of(kind, command, source)?.security;
                Security::parse(security, source.limits).map(Self::Security)
            }
            MessageType::SETUP => {
                let setup = body_of(kind, command, source)?.setup;
                Setup::parse(setup, source).map(Self::Setup)
            }
            MessageType::PINOP => Err(Invalid::NeedsPin(kind)),
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

/// Decodes the body, which the rarer requests have.
pub fn body_of(
    kind: MessageType,
    command: &CommandView<'_>,
    source: &Source<'_>,
) -> Result<kinetic_proto::schema::command::Body, Invalid> {
    let body = command
        .decode_body(source.message)
        .map_err(|_why| Invalid::Malformed(kind))?;
    Ok(body.unwrap_or_default())
}
