//! Status codes: an open set of numbers, the known ones with names, and building a Status.
//!
//! Guarantees: any number a drive sends survives as it came. Not here: which error becomes
//! which code.

use std::fmt;

use crate::schema::command::{Status, status::StatusCode as Known};

/// The number in `status.code`. The constants can be matched on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub i32);

macro_rules! codes {
    ($($name:ident = $known:ident,)*) => {
        impl StatusCode {
            $(
                #[doc = concat!("The status `", stringify!($name), "`.")]
                pub const $name: Self = Self(Known::$known as i32);
            )*

            /// Every code of protocol 4.0.1.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    NOT_ATTEMPTED = NotAttempted,
    SUCCESS = Success,
    HMAC_FAILURE = HmacFailure,
    NOT_AUTHORIZED = NotAuthorized,
    VERSION_FAILURE = VersionFailure,
    INTERNAL_ERROR = InternalError,
    HEADER_REQUIRED = HeaderRequired,
    NOT_FOUND = NotFound,
    VERSION_MISMATCH = VersionMismatch,
    SERVICE_BUSY = ServiceBusy,
    EXPIRED = Expired,
    DATA_ERROR = DataError,
    PERM_DATA_ERROR = PermDataError,
    REMOTE_CONNECTION_ERROR = RemoteConnectionError,
    NO_SPACE = NoSpace,
    NO_SUCH_HMAC_ALGORITHM = NoSuchHmacAlgorithm,
    INVALID_REQUEST = InvalidRequest,
    NESTED_OPERATION_ERRORS = NestedOperationErrors,
    DEVICE_LOCKED = DeviceLocked,
    DEVICE_ALREADY_UNLOCKED = DeviceAlreadyUnlocked,
    CONNECTION_TERMINATED = ConnectionTerminated,
    INVALID_BATCH = InvalidBatch,
    HIBERNATE = Hibernate,
    SHUTDOWN = Shutdown,
}

impl StatusCode {
    /// The name in the protocol, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Known::try_from(self.0)
            .ok()
            .map(|known| known.as_str_name())
    }

    /// A Status with this code and no message.
    pub fn to_message(self) -> Status {
        Status {
            code: Some(self.0),
            status_message: None,
            detailed_message: None,
        }
    }

    /// A Status with this code and a message for people.
    pub fn with_text(self, text: impl Into<String>) -> Status {
        Status {
            status_message: Some(text.into()),
            ..self.to_message()
        }
    }

    /// The code of a Status; an absent one reads as `INVALID_STATUS_CODE`, -1.
    pub fn of(status: &Status) -> Self {
        Self(status.code.unwrap_or(Known::InvalidStatusCode as i32))
    }
}

impl From<StatusCode> for i32 {
    fn from(code: StatusCode) -> Self {
        code.0
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "status {}", self.0),
        }
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_run_from_0_to_23_without_a_gap() {
        let numbers: Vec<i32> = StatusCode::ALL.iter().map(|code| code.0).collect();
        assert_eq!(numbers, (0..24).collect::<Vec<i32>>());
    }

    #[test]
    fn an_absent_code_is_neither_success_nor_not_attempted() {
        assert_eq!(
            StatusCode::of(&Status::default()).name(),
            Some("INVALID_STATUS_CODE")
        );
        assert_eq!(
            StatusCode::of(&StatusCode::NOT_ATTEMPTED.to_message()),
            StatusCode(0)
        );
    }

    #[test]
    fn an_unknown_code_prints_its_number() {
        assert_eq!(StatusCode(77).to_string(), "status 77");
    }
}
