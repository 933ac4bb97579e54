//! What a history found wrong with the engine: one sentence, and the command that shows it again.

use std::fmt;

use kinetic_store::Sabotage;
use thiserror::Error;

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
    /// A sound disk opens.
    #[error("the drive does not open")]
    Opening,
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

/// A broken promise and the seed that breaks it.
#[derive(Clone, Debug, Error)]
pub struct Violation {
    /// The seed of the history.
    pub seed: u64,
    /// Which promise was broken.
    pub promise: Promise,
    /// What was seen instead.
    pub detail: String,
    /// The deliberate bug that was switched on.
    pub sabotage: Sabotage,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            promise,
            detail,
            sabotage,
        } = self;
        let bug = match sabotage {
            Sabotage::Off => "",
            Sabotage::SkipSync => " --sabotage skip-sync",
            Sabotage::AnswerEarly => " --sabotage answer-early",
            Sabotage::IgnoreChecksums => " --sabotage ignore-checksums",
            Sabotage::MoveAlways => " --sabotage move-always",
            Sabotage::FreeEarly => " --sabotage free-early",
        };
        write!(
            formatter,
            "seed {seed}: {promise}: {detail}; replay: \
             cargo run --release -p kinetic-simulator -- engine --seed {seed}{bug}"
        )
    }
}
