//! What a history found wrong with the engine: one sentence, and the command that shows it again.

use std::fmt;

use kinetic_store::Sabotage;
use thiserror::Error;

/// Deliberate bugs, by the names that the command takes.
pub const BUGS: [(&str, Sabotage); 11] = [
    ("skip-sync", Sabotage::SkipSync),
    ("answer-early", Sabotage::AnswerEarly),
    ("swallow-sync-error", Sabotage::SwallowSyncError),
    ("ignore-checksums", Sabotage::IgnoreChecksums),
    ("free-early", Sabotage::FreeEarly),
    ("drop-tombstones", Sabotage::DropTombstones),
    ("fall-through", Sabotage::FallThrough),
    ("move-always", Sabotage::MoveAlways),
    ("append-to-old-zone", Sabotage::AppendToOldZone),
    ("reuse-nonce", Sabotage::ReuseNonce),
    ("split-batch", Sabotage::SplitBatch),
];

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Promise {
    /// What was acknowledged as durable survives; what is lost is a suffix of whole commits.
    #[error("what survived is no prefix of the commits that holds all acknowledged ones")]
    Durability,
    /// Nothing is served that was not written under that key.
    #[error("bytes were served that nobody wrote there")]
    Contents,
    /// Point reads, neighbours and ranges show exactly what was committed.
    #[error("a read does not show what was committed")]
    Reads,
    /// A commit is answered as the store's state demands, once.
    #[error("a commit was answered wrongly")]
    Answers,
    /// Live bytes are accounted for without drift.
    #[error("the accounting of live bytes differs from a scan")]
    Accounting,
    /// A drive that was emptied can be filled again.
    #[error("space is lost")]
    Space,
    /// A sound disk opens.
    #[error("the drive does not open")]
    Opening,
    /// A damaged disk that is refused is left as it is.
    #[error("a drive that was refused was written to")]
    LeftAlone,
    /// Damage costs what it hits, and that is noticed.
    #[error("damage was not noticed, or cost more than it hit")]
    Damage,
    /// Workers come to rest and everything is answered in the end.
    #[error("the drive does not come to rest")]
    Liveness,
    /// A failed sync makes the drive read-only, and it says so.
    #[error("a failed sync did not make the drive read-only")]
    ReadOnly,
    /// The engine does not panic.
    #[error("the engine panicked")]
    Panic,
}

/// A broken promise, without the seed.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) detail: String,
}

impl Broken {
    /// A broken promise as a result.
    pub(super) fn found<T>(promise: Promise, detail: impl Into<String>) -> Result<T, Self> {
        let detail = detail.into();
        Err(Self { promise, detail })
    }
}

/// A broken promise and the history that breaks it.
#[derive(Clone, Debug, Error)]
pub struct Violation {
    /// The seed of the history.
    pub seed: u64,
    /// After so many operations the history was ended, if it was cut short.
    pub operations: Option<u64>,
    /// Which promise was broken.
    pub promise: Promise,
    /// What was seen instead.
    pub detail: String,
    /// The deliberate bug that was switched on.
    pub sabotage: Sabotage,
}

impl Violation {
    /// The command that shows it again.
    #[must_use]
    pub fn command(&self) -> String {
        let seed = self.seed;
        let mut command =
            format!("cargo run --release -p kinetic-simulator -- engine --seed {seed}");
        if let Some(operations) = self.operations {
            command.push_str(&format!(" --operations {operations}"));
        }
        if let Some((name, _)) = BUGS.iter().find(|(_, bug)| *bug == self.sabotage) {
            command.push_str(&format!(" --sabotage {name}"));
        }
        command
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            promise,
            detail,
            ..
        } = self;
        let command = self.command();
        write!(
            formatter,
            "seed {seed}: {promise}: {detail}; replay: {command}"
        )
    }
}
