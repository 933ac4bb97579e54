//! What reads and commits can answer other than success.
//!
//! Guarantee: each variant has one meaning, and says for whom it is: the client that asked, the
//! drive that is full, or the disk that failed. Errors of opening and formatting are with `open`.

use thiserror::Error;

use crate::disk::may_be_passing;
use crate::effort::Effort;

/// Why a read has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadError {
    /// There is no such key.
    #[error("the key is not stored")]
    NotFound,
    /// The answer is on the disk, and the read was not allowed to wait for it.
    #[error("the answer is not in memory")]
    NotCached,
    /// What the disk gave is not what was written, or the disk gave nothing.
    #[error("the stored data cannot be read any more: {0}")]
    Unreadable(Damage),
}

impl ReadError {
    /// The same, of a read with this effort: after one try, an error of the disk may be passing.
    #[must_use]
    pub(crate) fn after(self, effort: Effort) -> Self {
        match self {
            Self::Unreadable(Damage::Disk(kind))
                if effort == Effort::Once && may_be_passing(kind) =>
            {
                Self::Unreadable(Damage::DiskOnce(kind))
            }
            other => other,
        }
    }
}

/// What is wrong with stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// The disk reported an error.
    #[error("the disk reported an error ({0})")]
    Disk(std::io::ErrorKind),
    /// The disk reported an error, and was not asked again; another try may help.
    #[error("the disk reported an error ({0}), and was not asked again")]
    DiskOnce(std::io::ErrorKind),
    /// The bytes do not match their checksum.
    #[error("the bytes do not match their checksum")]
    Checksum,
    /// The bytes match their checksum but are not what belongs there.
    #[error("another structure lies in its place")]
    Misplaced,
}

/// Why a mutation was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommitFailure {
    /// A delete of a key that is not stored.
    #[error("the key is not stored")]
    NotFound,
    /// The stored version is not the expected one.
    #[error("the stored version is not the expected one")]
    VersionMismatch,
    /// The drive is full.
    #[error("the drive is full; delete something, then try again")]
    NoSpace,
    /// A sync failed earlier: the drive does not accept writes any more.
    #[error(
        "the drive is read-only since its disk failed to sync; copy the data off and replace it"
    )]
    ReadOnly,
    /// The old entry, which the version check needs, cannot be read.
    #[error("the stored entry cannot be read any more: {0}")]
    Unreadable(Damage),
    /// Key, version, tag, value or the whole commit is larger than the formats hold.
    #[error("the {0} is too large: {1} bytes where {2} are the most")]
    TooLarge(Part, u64, u64),
    /// The disk did not take the write; the drive goes on.
    #[error("the disk did not take the write ({0}); make room on the host or check the disk")]
    WriteFailed(std::io::ErrorKind),
    /// The store is being closed.
    #[error("the drive is stopping")]
    Closed,
}

/// Part of a mutation, for [`CommitFailure::TooLarge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Part {
    /// The key.
    #[error("key")]
    Key,
    /// The version.
    #[error("version")]
    Version,
    /// The tag.
    #[error("tag")]
    Tag,
    /// The value.
    #[error("value")]
    Value,
    /// All mutations of a batch together, in bytes.
    #[error("batch")]
    Batch,
    /// The number of mutations of a batch.
    #[error("number of operations of the batch")]
    Count,
}

/// Why a commit failed, and at which of its mutations; nothing of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("operation {index}: {failure}")]
pub struct CommitError {
    /// The first mutation that could not be done, counted from 0.
    pub index: usize,
    /// Why.
    pub failure: CommitFailure,
}
