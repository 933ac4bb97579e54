//! What the index knows of a key: its newest record, or that it was deleted.
//!
//! Guarantee: an entry says where the value lies and what its checksum is, and holds version and
//! tag itself, so that metadata never costs a read of the log.
//! Not here: how entries are stored (`run::format::leaf`) or logged (`log::record`).

use smallvec::SmallVec;

use crate::layout::geometry::Location;
use crate::limits::INLINE_KEY;

/// A key in memory.
pub type Key = SmallVec<[u8; INLINE_KEY]>;

/// Number of a mutation; grows by one with each, over the drive's whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seqno(pub u64);

/// Where a value lies and how to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValueRef {
    /// First byte of the value.
    pub location: Location,
    /// Bytes of the value; an empty value is not stored at all.
    pub length: u32,
    /// CRC-32C of the value.
    pub checksum: u32,
}

/// Version, tag and algorithm, as the client gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    bytes: Box<[u8]>,
    version_length: u16,
    /// Algorithm of the tag, if one was given; private numbers are kept as they are.
    pub algorithm: Option<i32>,
}

impl Attributes {
    /// Copies version and tag. A version longer than the format holds is cut; callers check first.
    #[must_use]
    pub fn new(version: &[u8], tag: &[u8], algorithm: Option<i32>) -> Self {
        let version_length = u16::try_from(version.len()).unwrap_or(u16::MAX);
        Self {
            bytes: [version, tag].concat().into(),
            version_length,
            algorithm,
        }
    }

    /// The entry's version; empty when it has none.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.version_length))
            .unwrap_or_default()
    }

    /// The entry's tag; empty when it has none.
    #[must_use]
    pub fn tag(&self) -> &[u8] {
        self.bytes
            .get(usize::from(self.version_length)..)
            .unwrap_or_default()
    }

    /// Bytes of version and tag together.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// State of a key after a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The key holds a value.
    Live(Attributes, ValueRef),
    /// The key was deleted; older runs may still know it, so this must be kept (a tombstone).
    Deleted,
}

/// The newest that a memtable or a run knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number of the mutation that made it.
    pub seqno: Seqno,
    /// What it made of the key.
    pub state: State,
}

impl Entry {
    /// Value bytes that this entry keeps alive in the log, and where.
    #[must_use]
    pub fn live(&self) -> Option<ValueRef> {
        match &self.state {
            State::Live(_, value) if value.length > 0 => Some(*value),
            State::Live(..) | State::Deleted => None,
        }
    }
}
