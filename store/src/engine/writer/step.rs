//! What a step of a worker came to.
//!
//! Guarantee: a worker that is blocked says what it waits for, so that whoever drives it knows whom
//! to wake.

/// What came of a step of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more.
    Worked,
    /// There is nothing to do.
    Idle,
    /// There is something to do, but another worker has to do something first.
    Blocked(Need),
}

/// What a blocked worker needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A log zone from upkeep.
    Zone,
    /// A sync: too much is written and not durable.
    Sync,
    /// A flush: both memtables are full.
    Flush,
    /// A read of the disk, which this step was not allowed to wait for.
    Disk,
    /// Time: something failed and is tried again later.
    Time,
}
