//! How hard a read may try.

/// How far a read may go for bytes that are not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Only what is in memory, the host's page cache included; else the read says so and stops.
    Cached,
    /// Wait for the disk, and for one try only: what it fails is not asked for again.
    Once,
    /// Wait for the disk.
    Disk,
    /// Wait for the disk, and look into no memory on the way to it: for checks of the medium.
    Medium,
}
