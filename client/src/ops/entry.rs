//! What a drive keeps of a key.
//!
//! Guarantees: absent and empty read the same, as drives treat them; an algorithm of any number
//! survives. Not here: whether a tag matches its value.

use std::fmt;

use bytes::Bytes;
use kinetic_proto::schema::command::{self, KeyValue, Synchronization};

use crate::core::Reply;
use crate::error::{AnswerProblem, Error};

/// A key with its value and all that belongs to it. The parts share the memory of the read
/// buffer: copy a small one that is to be kept for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, version, tag and algorithm.
    pub metadata: Metadata,
    /// The value.
    pub value: Bytes,
}

/// All that belongs to a key but for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The key.
    pub key: Bytes,
    /// The version, empty if it has none.
    pub version: Bytes,
    /// The tag, as a client made it; empty if it has none.
    pub tag: Bytes,
    /// What the tag was made with.
    pub algorithm: Option<Algorithm>,
}

/// What a tag was made with. Numbers from 100 up are private.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm(pub i32);

macro_rules! algorithms {
    ($($name:ident = $known:ident $text:literal,)*) => {
        impl Algorithm {
            $(
                #[doc = concat!("The algorithm ", $text, ".")]
                pub const $name: Self = Self(command::Algorithm::$known as i32);
            )*

            /// Those that the protocol names.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name, in lower case, if the protocol has one.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

algorithms! {
    SHA1 = Sha1 "sha1",
    SHA2 = Sha2 "sha2",
    SHA3 = Sha3 "sha3",
    CRC32C = Crc32c "crc32c",
    CRC64 = Crc64 "crc64",
    CRC32 = Crc32 "crc32",
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "{}", self.0),
        }
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Algorithm({self})")
    }
}

/// When a change is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once the drive has it; a loss of power may take it back.
    WriteBack,
    /// Once it is on the disk.
    #[default]
    WriteThrough,
    /// Once it and all that the drive was given before is on the disk.
    Flush,
}

impl Durability {
    pub(crate) fn to_wire(self) -> i32 {
        let wire = match self {
            Self::WriteBack => Synchronization::Writeback,
            Self::WriteThrough => Synchronization::Writethrough,
            Self::Flush => Synchronization::Flush,
        };
        wire.into()
    }
}

impl Metadata {
    /// From the body of an answer; `asked` where a drive leaves the key out.
    pub(crate) fn read(key_value: KeyValue, asked: Option<&Bytes>) -> Option<Self> {
        Some(Self {
            key: key_value.key.or_else(|| asked.cloned())?,
            version: key_value.db_version.unwrap_or_default(),
            tag: key_value.tag.unwrap_or_default(),
            algorithm: key_value.algorithm.map(Algorithm),
        })
    }
}

impl Entry {
    pub(crate) fn read(reply: Reply, asked: Option<&Bytes>) -> Result<Self, Error> {
        let key_value = reply.body.key_value.unwrap_or_default();
        let metadata = Metadata::read(key_value, asked).ok_or(Error::Unusable {
            request: reply.request,
            problem: AnswerProblem::Missing("key"),
        })?;
        Ok(Self {
            metadata,
            value: reply.value,
        })
    }
}
