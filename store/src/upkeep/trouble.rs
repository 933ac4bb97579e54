//! Why upkeep cannot go on, and what kind of trouble it is.

use std::io;

use super::flush::JobError;
use crate::manifest::state::Contradiction;

/// What a step of upkeep met.
pub(super) enum Trouble {
    /// The disk, an input or the entries of a flush or a merge.
    Job(JobError),
    /// The manifest contradicts what is in memory.
    Manifest,
}

impl<E: Into<JobError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

impl From<Contradiction> for Trouble {
    fn from(_: Contradiction) -> Self {
        Self::Manifest
    }
}

/// Whether a write may succeed once somebody makes room on the host.
pub(super) fn is_host_full(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

/// There is no free zone.
pub(super) fn no_zone() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}
