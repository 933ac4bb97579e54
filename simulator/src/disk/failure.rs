//! What calls to a simulated disk fail with.
//!
//! Guarantee: what a real host would report comes as the same `errno`, so that the engine's
//! classification is tested and not our naming; what no host would report (the machine is gone)
//! is a [`Stopped`] inside the `io::Error`, found again by [`stopped_by`].

use std::io;

use kinetic_store::disk::PastEnd;

/// Linux: input/output error.
const EIO: i32 = 5;
/// Linux: no space left on device.
const ENOSPC: i32 = 28;

/// Why every call fails until the disk is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Power is off; unsynced writes may be lost.
    #[error("the power of this simulated disk is cut")]
    PowerCut,
    /// The process that used the disk is dead; nothing is lost.
    #[error("the process that used this simulated disk was killed")]
    Killed,
}

/// The reason when an error means that the simulated machine stopped, `None` for errors that a
/// running engine would see.
#[must_use]
pub fn stopped_by(error: &io::Error) -> Option<Stopped> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Stopped>())
        .copied()
}

/// Outcome of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    ReadPastEnd(PastEnd),
    WritePastEnd(PastEnd),
    Stopped(Stopped),
    HostFull,
    Unreadable,
    SyncFailed,
}

impl Failure {
    /// How this outcome goes into the trace; 0 is success.
    pub(super) fn code(self) -> u64 {
        match self {
            Self::ReadPastEnd(_) => 1,
            Self::WritePastEnd(_) => 2,
            Self::Stopped(Stopped::PowerCut) => 3,
            Self::Stopped(Stopped::Killed) => 4,
            Self::HostFull => 5,
            Self::Unreadable => 6,
            Self::SyncFailed => 7,
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ReadPastEnd(range) => range.on_read(),
            Failure::WritePastEnd(range) => range.on_write(),
            Failure::Stopped(reason) => Self::new(io::ErrorKind::NotConnected, reason),
            Failure::HostFull => Self::from_raw_os_error(ENOSPC),
            Failure::Unreadable | Failure::SyncFailed => Self::from_raw_os_error(EIO),
        }
    }
}
