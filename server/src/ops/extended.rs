//! The operations beyond the protocol, and the log that lists them.
//!
//! Guarantees: what the log lists can be done, and what can be done is listed; a client that never
//! asks for the log never meets any of it. Not here: the operations, each in a file of its own.

use bytes::Bytes;
use kinetic_proto::limits::{
    MAX_DIGEST_PARTS, MAX_FOUND_SIZE, MAX_KEYS_PER_REQUEST, MAX_PUSH_DEPTH,
};
use kinetic_proto::{CommandView, MessageType};
use kinetic_store::Effort;
use prost::Message;
use serde_json::json;

use super::acl_log::ACL_LOG;
use super::answer::Answer;
use super::count::{self, Count};
use super::entry::Source;
use super::exists::{self, Exists};
use super::get_part::{self, GetPart};
use super::invalid::Invalid;
use super::messages_log::MESSAGES_LOG;
use super::multi_get::{self, MultiGet};
use super::range_digest::{self, RangeDigest};
use super::range_metadata::{self, RangeMetadata};
use super::scrub_log::SCRUB_LOG;
use super::status::Unfinished;
use crate::auth::{Access, Denied, grant};
use crate::device::Device;

/// The device log that lists what this drive can beyond the protocol. A client asks for it first.
pub const CAPABILITIES_LOG: &[u8] = b"org.kinetic.capabilities";

/// A request beyond the protocol that keeps all limits.
#[derive(Debug, Clone)]
pub enum Extended {
    /// How many keys a range has.
    Count(Count),
    /// Which keys are there.
    Exists(Exists),
    /// A part of a value.
    GetPart(GetPart),
    /// Several entries.
    MultiGet(MultiGet),
    /// The entries of a range without their values.
    RangeMetadata(RangeMetadata),
    /// Sums over the entries of a range.
    RangeDigest(RangeDigest),
}

impl Extended {
    /// Reads a command of this type.
    pub fn parse(
        kind: MessageType,
        command: &CommandView<'_>,
        source: &Source<'_>,
    ) -> Result<Self, Invalid> {
        match kind {
            MessageType::COUNT => {
                let range = part(RANGE, kind, (command, source))?;
                Count::parse(range).map(Self::Count)
            }
            MessageType::EXISTS => {
                let list = part(KEY_LIST, kind, (command, source))?;
                Exists::parse(list, source).map(Self::Exists)
            }
            MessageType::GET_PART => {
                let entry = part(KEY_VALUE, kind, (command, source))?;
                GetPart::parse(entry, source).map(Self::GetPart)
            }
            MessageType::MULTI_GET => {
                let list = part(KEY_LIST, kind, (command, source))?;
                MultiGet::parse(list, source).map(Self::MultiGet)
            }
            MessageType::RANGE_METADATA => {
                let range = part(RANGE, kind, (command, source))?;
                RangeMetadata::parse(range, source.limits).map(Self::RangeMetadata)
            }
            MessageType::RANGE_DIGEST => {
                let range = part(RANGE, kind, (command, source))?;
                RangeDigest::parse(range, source.limits).map(Self::RangeDigest)
            }
            kind => Err(Invalid::UnknownType(kind)),
        }
    }

    /// Does it, as far as one turn goes.
    pub fn run(
        &mut self,
        access: &Access,
        device: &Device,
        effort: Effort,
    ) -> Result<Answer, Unfinished> {
        match self {
            Self::Count(request) => count::run(access, request, device, effort),
            Self::Exists(request) => exists::run(access, request, device, effort),
            Self::GetPart(request) => get_part::run(access, request, device, effort),
            Self::MultiGet(request) => multi_get::run(access, request, device, effort),
            Self::RangeMetadata(request) => range_metadata::run(access, request, device, effort),
            Self::RangeDigest(request) => range_digest::run(access, request, device, effort),
        }
    }

    /// Bytes of the keys that it names, where they may be many.
    pub fn bytes(&self) -> usize {
        let keys = match self {
            Self::Exists(request) => request.keys(),
            Self::MultiGet(request) => request.keys(),
            Self::Count(_) | Self::GetPart(_) | Self::RangeMetadata(_) | Self::RangeDigest(_) => {
                &[]
            }
        };
        keys.iter().map(|key| size_of::<Bytes>() + key.len()).sum()
    }

    /// The answer where the time is up, where it is of a kind that then answers what it has.
    pub fn cut_short(&mut self) -> Option<Answer> {
        match self {
            Self::Count(request) => request.cut_short(),
            Self::RangeDigest(request) => request.cut_short(),
            Self::Exists(_) | Self::GetPart(_) | Self::MultiGet(_) | Self::RangeMetadata(_) => None,
        }
    }
}

/// Whether an identity may ask for this at all, before it is read.
pub fn admit(kind: MessageType, access: &Access) -> Result<(), Denied> {
    match kind {
        MessageType::COUNT | MessageType::EXISTS => access.to_drive::<grant::Range>().map(drop),
        MessageType::GET_PART | MessageType::MULTI_GET => {
            access.to_drive::<grant::Read>().map(drop)
        }
        MessageType::RANGE_METADATA | MessageType::RANGE_DIGEST => {
            access.to_drive::<grant::Range>()?;
            access.to_drive::<grant::Read>().map(drop)
        }
        _ => Ok(()),
    }
}

/// The content of the log, as JSON.
#[must_use]
pub fn capabilities() -> Bytes {
    let extension = |kind: &MessageType| json!({ "name": kind.to_string(), "number": kind.0 });
    let extensions: Vec<_> = MessageType::EXTENSIONS.iter().map(extension).collect();
    let list = json!({
        "extensions": extensions,
        "limits": {
            "maxKeysPerRequest": MAX_KEYS_PER_REQUEST,
            "maxFoundSize": MAX_FOUND_SIZE,
            "maxDigestParts": MAX_DIGEST_PARTS,
            "maxNestedPushes": MAX_PUSH_DEPTH,
        },
        "logs": [ACL_LOG, MESSAGES_LOG, SCRUB_LOG],
    });
    list.to_string().into()
}

// Field numbers of Body.
const KEY_VALUE: u32 = 1;
const RANGE: u32 = 2;
const KEY_LIST: u32 = 1000;

/// Decodes the one message of the body that a request is about.
fn part<M: Message + Default>(
    number: u32,
    kind: MessageType,
    (command, source): (&CommandView<'_>, &Source<'_>),
) -> Result<Option<M>, Invalid> {
    let decoded = command.decode_part(number, source.message);
    decoded.map_err(|_why| Invalid::Malformed(kind))
}
