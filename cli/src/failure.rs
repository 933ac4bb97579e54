//! What a command can fail with: a sentence, what to do about it, and the exit code.
//!
//! Guarantees: every failure has the exit code that `kinetic --help` documents. Not here: usage
//! errors, which clap reports with code 2.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use kinetic_client::{
    BatchError, ConnectError, Disconnected, Error, HelloError, StatusCode, TlsError,
};
use kinetic_store::disk::{DiskOpenError, HostRefusal};
use kinetic_store::{GrowError, RepairError, SlotsError, SurveyError};

use crate::units::counted;

/// The exit codes, as `--help` tells them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the drive refused, or something failed that has no code of its own
  2  wrong usage
  3  there is no such key, log or identity
  4  the stored version is not the expected one
  5  no connection, connection lost, or no answer in time
  6  identity, key or permissions are not sufficient; debug pdu: the HMAC is wrong
  7  a local file cannot be read or written
  8  import, export or salvage: something was left out
  9  the drive's certificate is not trusted
  10 scan, drive check, drive repair: something on the drive is damaged
diff: 1 if the drives differ. Of several drives that fail each in another way, the code is 1.
";

/// What kind of failure it is, by exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Refused = 1,
    Usage = 2,
    NotFound = 3,
    VersionMismatch = 4,
    Connection = 5,
    Permission = 6,
    LocalFile = 7,
    Incomplete = 8,
    Trust = 9,
    Damage = 10,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{action}: {source}")]
    Drive { action: String, source: Error },
    #[error("no key {key}")]
    NoSuchKey { key: String },
    #[error("delete {key}: there is no such key")]
    NothingToDelete { key: String },
    #[error("{absent} of {total} keys are not there")]
    NoSuchKeys { absent: usize, total: usize },
    #[error("{}", differ(*.0))]
    Differ(u64),
    #[error("the drive's messages cannot be read as such")]
    NoMessages,
    #[error("no key {direction} {key}")]
    NoNeighbour {
        direction: &'static str,
        key: String,
    },
    #[error("put {key}: its version is {found}, expected was {expected}")]
    Version {
        key: String,
        found: String,
        expected: String,
    },
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("heartbeats cannot be listened for: {source}")]
    Heartbeats { source: io::Error },
    #[error("standard {stream}: {source}")]
    Stream {
        stream: &'static str,
        source: io::Error,
    },
    #[error("{what} is larger than {limit} bytes, the most that the drive takes in one value")]
    ValueTooLong { what: String, limit: u64 },
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Incomplete(String),
    #[error("{0}")]
    Damaged(String),
    /// Something that is done by a PIN.
    #[error("{action}: {source}")]
    Pin { action: String, source: Error },
    #[error("{action}: {source}")]
    Batch {
        action: String,
        source: Box<BatchError>,
    },
    #[error("{failed} of {total} drives failed")]
    Drives {
        failed: usize,
        total: usize,
        /// What all of them failed with.
        kind: Option<Kind>,
    },
    #[error("the drive does not tell its access control list")]
    Unpublished,
    #[error("identity {0} is not in the drive's list; nothing was done")]
    NoSuchIdentity(i64),
    #[error("{count} of {total} operations failed, the first with: {first}")]
    Bench {
        count: u64,
        total: u64,
        first: Error,
    },
    #[error(transparent)]
    Disk(#[from] DiskOpenError),
    #[error(transparent)]
    InUse(#[from] HostRefusal),
    #[error(transparent)]
    Format(#[from] kinetic_store::FormatError),
    /// A drive's own file or device, looked at without a server.
    #[error("{}: {source}", .path.display())]
    Survey { path: PathBuf, source: SurveyError },
    /// It takes a PIN to go on.
    #[error("{}: {why}", .path.display())]
    Locked { path: PathBuf, why: String },
    /// Looked at without a server; what is wrong with it has been listed.
    #[error("{0}")]
    DamagedDrive(String),
    #[error("{}: {source}", .path.display())]
    Repair { path: PathBuf, source: RepairError },
    #[error("{}: {source}", .path.display())]
    Grow { path: PathBuf, source: GrowError },
    /// A capture's; why has been said where the capture was shown.
    #[error("{what}: the HMAC is wrong")]
    WrongHmac { what: String },
    #[error("standard output was closed")]
    BrokenPipe,
}

impl Failure {
    /// A drive's error, with what was tried.
    pub(crate) fn of(action: impl Into<String>) -> impl FnOnce(Error) -> Self {
        move |source| Self::Drive {
            action: action.into(),
            source,
        }
    }

    /// The same of what is done by a PIN, which may be the wrong one.
    pub(crate) fn of_pin(action: impl Into<String>) -> impl FnOnce(Error) -> Self {
        move |source| Self::Pin {
            action: action.into(),
            source,
        }
    }

    /// Whatever writing to standard output gave; a reader that has had enough is no failure.
    pub(crate) fn of_stdout(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Stream {
            stream: "output",
            source,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Connect(ConnectError::Hello {
                source: HelloError::Refused { .. },
                ..
            })
            | Self::Drives { kind: None, .. }
            | Self::Unpublished
            | Self::Differ(_)
            | Self::NoMessages
            | Self::Format(_)
            | Self::Repair { .. }
            | Self::Grow { .. }
            | Self::InUse(_)
            | Self::ValueTooLong { .. }
            | Self::BrokenPipe => Kind::Refused,
            Self::Connect(ConnectError::Tls { source, .. }) => match source {
                TlsError::WrongFingerprint { .. }
                | TlsError::Untrusted { .. }
                | TlsError::NoCertificate
                | TlsError::Name(_) => Kind::Trust,
                _ => Kind::Connection,
            },
            Self::Connect(_) | Self::Heartbeats { .. } => Kind::Connection,
            Self::Drives {
                kind: Some(kind), ..
            } => *kind,
            Self::Batch { source, .. } => kind_of_batch(source),
            Self::Drive { source, .. }
            | Self::Pin { source, .. }
            | Self::Bench { first: source, .. } => kind_of(source),
            Self::NoSuchKey { .. }
            | Self::NothingToDelete { .. }
            | Self::NoSuchKeys { .. }
            | Self::NoNeighbour { .. }
            | Self::NoSuchIdentity(_) => Kind::NotFound,
            Self::Version { .. } => Kind::VersionMismatch,
            Self::WrongHmac { .. } | Self::Locked { .. } => Kind::Permission,
            Self::Survey { source, .. } => match source {
                SurveyError::WrongPin => Kind::Permission,
                SurveyError::Slots(SlotsError::Corrupt) => Kind::Damage,
                SurveyError::Slots(_) => Kind::Refused,
            },
            Self::File { .. } | Self::Stream { .. } | Self::Disk(_) => Kind::LocalFile,
            Self::Usage(_) => Kind::Usage,
            Self::Incomplete(_) => Kind::Incomplete,
            Self::Damaged(_) | Self::DamagedDrive(_) => Kind::Damage,
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            // It is a drive, and it has said why.
            Self::Connect(ConnectError::Hello {
                source: HelloError::Refused { .. },
                ..
            }) => None,
            Self::Connect(ConnectError::Hello { .. }) => Some(
                "a drive listens for plain connections on port 8123 unless told otherwise; \
                 choose it with --drive HOST:PORT",
            ),
            Self::Connect(ConnectError::Tls { source, .. }) => Some(match source {
                TlsError::WrongFingerprint { .. } | TlsError::Untrusted { .. } => {
                    "kineticd prints the fingerprint of its certificate when it starts; if it is \
                     this one, --fingerprint HEX trusts it"
                }
                _ => {
                    "a drive listens for TLS on port 8443 unless told otherwise, and on 8123 \
                     without"
                }
            }),
            Self::Connect(ConnectError::Silent { .. }) => {
                Some("--fingerprint HEX, --ca FILE or --insecure-tls connect under TLS")
            }
            Self::Connect(_) => Some(
                "is the drive running, and is this its address? `kineticd drive.img` prints \
                 where it listens; choose it with --drive HOST:PORT or KINETIC_DRIVE",
            ),
            Self::Heartbeats { source } => Some(advice_of_heartbeats(source)),
            Self::Drive { source, .. } | Self::Bench { first: source, .. } => advice_of(source),
            Self::Batch { source, .. } => match &**source {
                BatchError::Request(error) => advice_of(error),
                BatchError::Operation { .. } => None,
                BatchError::OperationTooLarge { .. } | BatchError::TooMany { .. } => {
                    Some("`kinetic limits` shows the limits")
                }
            },
            Self::Pin { source, .. } if is_wrong_pin(source) => Some(
                "the PIN comes from --pin-file, KINETIC_PIN or the terminal; each wrong one makes \
                 the next wait longer",
            ),
            Self::Pin { source, .. } => advice_of(source),
            Self::Damaged(_) => Some(
                "a key that is stored anew is sound again; `kinetic log device org.kinetic.scrub` \
                 tells what the drive has found by itself",
            ),
            Self::Locked { .. } => {
                Some("its PIN comes from --pin-file FILE, KINETIC_PIN, or a terminal to ask on")
            }
            Self::Survey {
                source: SurveyError::Slots(SlotsError::Corrupt),
                ..
            } => Some(
                "nothing can be read without a superblock, since it holds the key; restore the \
                 image from another copy, or make a new drive: kinetic drive format --force",
            ),
            Self::NothingToDelete { .. } => {
                Some("where it only matters that it is gone, --force succeeds all the same")
            }
            Self::NoSuchIdentity(_) => Some("`kinetic acl get` shows the list"),
            Self::Unpublished => {
                Some("the protocol can set the list and not read it; keep the file that was set")
            }
            Self::Version { .. } => Some(OTHER_VERSION),
            Self::ValueTooLong { .. } => {
                Some("split it over several keys; `kinetic info` shows the limits")
            }
            _ => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::BrokenPipe => ExitCode::SUCCESS,
            other => ExitCode::from(other.kind() as u8),
        }
    }
}

fn advice_of_heartbeats(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "a program has UDP port 8123 of the group 239.1.2.3 for itself: stop it, or try \
             another time"
        }
        _ => {
            "--interface takes the IPv4 address of an interface of this machine that takes \
             multicast: see `ip address`"
        }
    }
}

fn kind_of(error: &Error) -> Kind {
    let by_status = error.status().map(kind_of_status);
    match (by_status, error) {
        (Some(kind), _) if kind != Kind::Refused => kind,
        (_, Error::Disconnected(Disconnected::BadSignature { .. })) => Kind::Permission,
        (_, Error::Timeout { .. } | Error::Disconnected(_)) => Kind::Connection,
        (_, Error::NeedsTls(_)) => Kind::Usage,
        _ => Kind::Refused,
    }
}

fn kind_of_status(status: StatusCode) -> Kind {
    match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::VERSION_MISMATCH => Kind::VersionMismatch,
        StatusCode::NOT_AUTHORIZED | StatusCode::HMAC_FAILURE => Kind::Permission,
        _ => Kind::Refused,
    }
}

fn kind_of_batch(error: &BatchError) -> Kind {
    match error {
        BatchError::Operation { status, .. } => kind_of_status(*status),
        BatchError::Request(error) => kind_of(error),
        BatchError::OperationTooLarge { .. } | BatchError::TooMany { .. } => Kind::Refused,
    }
}

fn advice_of(error: &Error) -> Option<&'static str> {
    let Some(status) = error.status() else {
        return match error {
            Error::Timeout { .. } => Some(
                "a change may have taken effect all the same; --timeout gives the drive longer",
            ),
            Error::Disconnected(Disconnected::BadSignature { .. }) => Some(WRONG_KEY),
            Error::NeedsTls(_) => Some(
                "connect under TLS with --fingerprint HEX, --ca FILE or --insecure-tls; drives \
                 listen for it on port 8443 unless told otherwise",
            ),
            Error::Disconnected(_) => Some("a change may have taken effect all the same"),
            _ => None,
        };
    };
    match status {
        StatusCode::HMAC_FAILURE => Some(WRONG_KEY),
        StatusCode::NOT_AUTHORIZED => {
            Some("this identity lacks the permission; choose another one with --identity")
        }
        StatusCode::VERSION_FAILURE => {
            Some("the drive has another cluster version; `kinetic info` shows it")
        }
        StatusCode::VERSION_MISMATCH => Some(
            "`kinetic head KEY` shows the stored version: give it as --expected-version, or \
             --force to act whatever it is",
        ),
        // Whether the drive or its host is full, and so what to do, is in what it says.
        StatusCode::NO_SPACE if says_nothing(error) => {
            Some("the drive is full; delete something first")
        }
        StatusCode::DEVICE_LOCKED => {
            Some("the drive is locked; `kinetic unlock` unlocks it with its PIN")
        }
        StatusCode::HIBERNATE => Some("the drive hibernates; `kinetic power on` wakes it"),
        StatusCode::SERVICE_BUSY => Some("the drive is busy; try again"),
        _ => None,
    }
}

fn differ(count: u64) -> String {
    let verb = if count == 1 { "differs" } else { "differ" };
    format!("{} {verb}", counted(count, "key"))
}

fn says_nothing(error: &Error) -> bool {
    matches!(error, Error::Refused { message, .. } if message.is_empty())
}

/// Drives answer a wrong PIN as they do a missing permission, with another text.
fn is_wrong_pin(error: &Error) -> bool {
    matches!(error, Error::Refused { status, message, .. }
        if *status == StatusCode::NOT_AUTHORIZED && !message.starts_with("permission denied"))
}

const OTHER_VERSION: &str = "a put replaces only the version that it expects, and without \
                             --expected-version only an entry without a version; give the version \
                             found as --expected-version, or --force to replace whatever is there";

const WRONG_KEY: &str = "the drive knows this identity with another key, or not at all; choose \
                         --identity, and the key with --key-file, KINETIC_KEY or --ask-key";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: StatusCode) -> Failure {
        Failure::of("get a")(Error::Refused {
            status,
            message: String::new(),
            cluster_version: None,
            failed_operation: None,
        })
    }

    #[test]
    fn refusals_have_the_documented_codes() {
        assert_eq!(refused(StatusCode::NO_SPACE).kind(), Kind::Refused);
        assert_eq!(refused(StatusCode::NOT_FOUND).kind(), Kind::NotFound);
        assert_eq!(
            refused(StatusCode::VERSION_MISMATCH).kind(),
            Kind::VersionMismatch
        );
        assert_eq!(refused(StatusCode::NOT_AUTHORIZED).kind(), Kind::Permission);
    }

    #[test]
    fn a_wrong_pin_is_told_apart_from_a_missing_permission() {
        let advice_to = |message: &str| {
            let failure = Failure::of_pin("pin")(Error::Refused {
                status: StatusCode::NOT_AUTHORIZED,
                message: message.to_owned(),
                cluster_version: None,
                failed_operation: None,
            });
            assert_eq!(failure.kind(), Kind::Permission);
            failure.advice().unwrap()
        };
        for wrong in ["the PIN is wrong", "Invalid old erase pin: <>", ""] {
            let advice = advice_to(wrong);
            assert!(advice.contains("--pin-file") && !advice.contains("identity"));
        }
        assert!(advice_to("permission denied").contains("--identity"));
        let advice = refused(StatusCode::NOT_AUTHORIZED).advice().unwrap();
        assert!(!advice.contains("PIN"), "{advice}");
    }

    #[test]
    fn what_the_drive_says_of_its_space_is_not_contradicted() {
        let advice_to = |message: &str| {
            let failure = Failure::of("put a")(Error::Refused {
                status: StatusCode::NO_SPACE,
                message: message.to_owned(),
                cluster_version: None,
                failed_operation: None,
            });
            failure.advice()
        };
        assert_eq!(advice_to("make room on the host"), None);
        assert!(advice_to("").is_some_and(|advice| advice.contains("delete")));
    }

    #[test]
    fn a_drive_that_refuses_a_connection_is_not_taken_for_another_port() {
        let source = HelloError::Refused {
            status: StatusCode::SERVICE_BUSY,
            message: "as many connections as it keeps".to_owned(),
        };
        let address = "drive-7:8123".to_owned();
        let failure = Failure::from(ConnectError::Hello { address, source });
        assert_eq!(failure.kind(), Kind::Refused);
        assert_eq!(failure.advice(), None);
    }

    #[test]
    fn every_code_is_documented() {
        let kinds = [
            Kind::Refused,
            Kind::Usage,
            Kind::NotFound,
            Kind::VersionMismatch,
            Kind::Connection,
            Kind::Permission,
            Kind::LocalFile,
            Kind::Incomplete,
            Kind::Trust,
            Kind::Damage,
        ];
        for kind in kinds {
            assert!(
                EXIT_CODES.contains(&format!("\n  {:<2} ", kind as u8)),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_wrong_key_says_where_keys_come_from() {
        let lost = Error::Disconnected(Disconnected::BadSignature { identity: 1 });
        let failure = Failure::of("ping")(lost);
        assert_eq!(failure.kind(), Kind::Permission);
        assert!(failure.advice().unwrap().contains("--key-file"));
    }
}
