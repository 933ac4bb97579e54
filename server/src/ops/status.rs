//! From errors to statuses: the one place where it is decided who is told what.
//!
//! Guarantee: exhaustive, so that a new error of the store does not build until it has a status.

use std::io::ErrorKind;

use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::Status;
use kinetic_store::error::Damage;
use kinetic_store::{CommitFailure, Kept, ReadError, SettingsError};

use super::acl::InvalidAcl;
use super::invalid::Invalid;
use crate::auth::Denied;
use crate::device::{LockError, Unchanged};

/// The answer is on the disk, and the read was not allowed to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCached;

/// Why a read has no answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// It needs the disk.
    NotCached,
    /// It has had its share of the thread and goes on from where it was.
    OutOfTurn,
    /// Others are at it; it is to look again later.
    Waiting,
}

impl From<NotCached> for Unfinished {
    fn from(_needs_disk: NotCached) -> Self {
        Self::NotCached
    }
}

/// The status of a read that has no result. Clients of entries expect an empty message, not an
/// absent one, where an entry is missing.
pub fn of_read(error: ReadError) -> Result<Status, NotCached> {
    Ok(match error {
        ReadError::NotFound => StatusCode::NOT_FOUND.with_text(""),
        ReadError::NotCached => return Err(NotCached),
        ReadError::Unreadable(Damage::DiskOnce(_)) => {
            StatusCode::DATA_ERROR.with_text(error.to_string())
        }
        ReadError::Unreadable(_) => StatusCode::PERM_DATA_ERROR.with_text(error.to_string()),
    })
}

/// The status of a write that was not done.
#[must_use]
pub fn of_commit(failure: CommitFailure) -> Status {
    let code = match failure {
        CommitFailure::NotFound => return StatusCode::NOT_FOUND.with_text(""),
        CommitFailure::VersionMismatch => return StatusCode::VERSION_MISMATCH.with_text(""),
        CommitFailure::NoSpace => StatusCode::NO_SPACE,
        CommitFailure::ReadOnly => StatusCode::INTERNAL_ERROR,
        CommitFailure::Unreadable(_) => StatusCode::PERM_DATA_ERROR,
        CommitFailure::TooLarge(..) => StatusCode::INVALID_REQUEST,
        CommitFailure::WriteFailed(kind) if is_full(kind) => StatusCode::NO_SPACE,
        CommitFailure::WriteFailed(_) => StatusCode::INTERNAL_ERROR,
        CommitFailure::Closed => {
            let text =
                "the drive is stopping, and nothing was done: try again when it serves again";
            return StatusCode::SERVICE_BUSY.with_text(text);
        }
    };
    code.with_text(failure.to_string())
}

/// The status of whatever needs the store of a locked drive.
#[must_use]
pub fn locked() -> Status {
    let text = "the drive is locked: only PIN operations over TLS are served until it is unlocked";
    StatusCode::DEVICE_LOCKED.with_text(text)
}

/// The status of what was not begun when its time was over.
#[must_use]
pub fn out_of_time() -> Status {
    let text = "the request waited until its timeout was over, and was not done: try again later, \
                with fewer requests under way, or with a longer timeout";
    StatusCode::SERVICE_BUSY.with_text(text)
}

/// The status of what was begun and not done when its time was over.
#[must_use]
pub fn expired() -> Status {
    let text = "the timeout was over before the request was done: try again with a longer one";
    StatusCode::EXPIRED.with_text(text)
}

/// The status of whatever is asked of a drive that hibernates.
#[must_use]
pub fn asleep() -> Status {
    let text = "the drive hibernates: only SET_POWER_LEVEL is served until that wakes it";
    StatusCode::HIBERNATE.with_text(text)
}

/// The status of whatever is asked of a drive that was told to shut down.
#[must_use]
pub fn going_down() -> Status {
    StatusCode::SHUTDOWN.with_text("the drive was told to shut down")
}

/// The status of a lock, unlock, erase or change of a PIN that was not done.
#[must_use]
pub fn of_lock(error: &LockError) -> Status {
    let code = match error {
        LockError::WrongPin => StatusCode::NOT_AUTHORIZED,
        LockError::Locked => return locked(),
        LockError::NoSealForPin | LockError::NoSealForErase => StatusCode::INVALID_REQUEST,
        LockError::Settings(error) => return of_settings(error),
        LockError::Slots(_)
        | LockError::Open(_)
        | LockError::Encode(_)
        | LockError::Protect(_)
        | LockError::Entropy(_)
        | LockError::InUse
        | LockError::NotFlushed
        | LockError::NotNoted
        | LockError::Erase(_) => StatusCode::INTERNAL_ERROR,
    };
    code.with_text(error.to_string())
}

/// The status of a change of the settings that was done.
#[must_use]
pub fn of_kept(kept: &Kept) -> Status {
    match kept {
        Kept::Twice => StatusCode::SUCCESS.to_message(),
        Kept::Once(error) => StatusCode::INTERNAL_ERROR.with_text(format!(
            "the change is in force, but only one of its two copies is on the disk ({error}): copy \
             the data off before the drive is stopped, and replace the disk"
        )),
    }
}

/// The status of settings that are as they were; `refused` says what the edit's own reason is.
pub fn unchanged<R>(error: Unchanged<R>, refused: impl FnOnce(R) -> Status) -> Status {
    match error {
        Unchanged::Refused(reason) => refused(reason),
        Unchanged::Encode(error) => StatusCode::INTERNAL_ERROR.with_text(error.to_string()),
        Unchanged::Write(error) => of_settings(&error),
    }
}

fn of_settings(error: &SettingsError) -> Status {
    let code = match error {
        SettingsError::TooLarge { .. } => StatusCode::NO_SPACE,
        SettingsError::Disk(error) if is_full(error.kind()) => StatusCode::NO_SPACE,
        SettingsError::Disk(_)
        | SettingsError::Slots(_)
        | SettingsError::Damaged
        | SettingsError::ReadOnly
        | SettingsError::Erasing => StatusCode::INTERNAL_ERROR,
    };
    code.with_text(error.to_string())
}

/// Whether the host refused a write for want of room.
fn is_full(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        StatusCode::NOT_AUTHORIZED.with_text(denied.to_string())
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        let code = match invalid {
            Invalid::Acl(InvalidAcl::Algorithm(_)) => StatusCode::NO_SUCH_HMAC_ALGORITHM,
            _ => StatusCode::INVALID_REQUEST,
        };
        code.with_text(invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_host_is_no_space_and_any_other_failure_is_not() {
        let code = |kind| StatusCode::of(&of_commit(CommitFailure::WriteFailed(kind)));
        assert_eq!(code(ErrorKind::StorageFull), StatusCode::NO_SPACE);
        assert_eq!(
            code(ErrorKind::PermissionDenied),
            StatusCode::INTERNAL_ERROR
        );
    }

    #[test]
    fn who_is_told_that_the_drive_is_busy_is_told_to_try_again() {
        for status in [out_of_time(), of_commit(CommitFailure::Closed)] {
            assert_eq!(StatusCode::of(&status), StatusCode::SERVICE_BUSY);
            let text = status.status_message.unwrap_or_default();
            assert!(text.contains("try again"), "{text}");
        }
    }

    #[test]
    fn a_version_mismatch_has_an_empty_message() {
        let status = of_commit(CommitFailure::VersionMismatch);
        assert_eq!(status.status_message.as_deref(), Some(""));
    }
}
