//! The fault atlas: what may go wrong with a disk, and where a machine may stop.
//!
//! Guarantee: everything that a history lets go wrong is one of these kinds, and is counted when
//! it has really happened, not when it was asked for.
//! Not here: what a fault does to the bytes (`disk`), and what may be lost by it (`model`).

use std::fmt;

/// A kind of fault. Power cuts and kills are not among them: they are counted as crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A power cut took unsynced sectors along.
    LostSectors,
    /// A power cut left a write in part.
    TornWrite,
    /// A power cut left a write and took one before it.
    ReorderedWrites,
    /// A sync failed.
    FailedSync,
    /// Writes could not be written back, and nobody was told.
    SwallowedSync,
    /// A sync was said to be done and was not.
    LyingSync,
    /// A sector could not be read for as long as the process ran.
    LastingReadError,
    /// A read failed once.
    PassingReadError,
    /// The host had no room for a write.
    FullHost,
    /// A call took long.
    SlowCall,
    /// A bit of a value flipped.
    RotInValue,
    /// A bit of a block of a run flipped.
    RotInRun,
    /// A bit of a frame of the manifest flipped that another one follows.
    RotInFrame,
    /// A bit of a group of the log flipped that a later one says is durable.
    RotInGroup,
    /// A bit of one of two good superblocks flipped.
    RotInSuperblock,
    /// A bit of one of two good copies of the settings flipped.
    RotInSettings,
    /// A bit flipped anywhere, twice in the same place perhaps.
    RotAnywhere,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 17] = [
        Self::LostSectors,
        Self::TornWrite,
        Self::ReorderedWrites,
        Self::FailedSync,
        Self::SwallowedSync,
        Self::LyingSync,
        Self::LastingReadError,
        Self::PassingReadError,
        Self::FullHost,
        Self::SlowCall,
        Self::RotInValue,
        Self::RotInRun,
        Self::RotInFrame,
        Self::RotInGroup,
        Self::RotInSuperblock,
        Self::RotInSettings,
        Self::RotAnywhere,
    ];

    /// Kinds that a history can have beside power cuts without knowing less of what must be left.
    pub(super) const STRICT: [Self; 12] = [
        Self::FailedSync,
        Self::SwallowedSync,
        Self::LastingReadError,
        Self::PassingReadError,
        Self::FullHost,
        Self::SlowCall,
        Self::RotInValue,
        Self::RotInRun,
        Self::RotInFrame,
        Self::RotInGroup,
        Self::RotInSuperblock,
        Self::RotInSettings,
    ];
}

/// What a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The superblock in the first slot.
    FirstSlot,
    /// The superblock in the second slot.
    SecondSlot,
    /// A slot of settings.
    Settings,
    /// A frame of the manifest.
    Frame,
    /// A frame of the manifest that frees zones.
    FreeingFrame,
    /// The header of a zone.
    ZoneHeader,
    /// The first group of a zone of the log.
    FirstGroup,
    /// Another group of the log.
    Group,
    /// A group of the log with moves.
    Moves,
    /// A group of a cold zone.
    Cold,
    /// Blocks of a run that a flush makes.
    FlushedRun,
    /// Blocks of a run that a merge makes.
    MergedRun,
}

/// A call to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// A write.
    Write(Purpose),
    /// A sync behind such a write.
    Sync(Purpose),
}

/// What the process was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The disk was made a drive.
    #[default]
    Format,
    /// The drive was opened.
    Open,
    /// The drive was opened after it had stopped while it was opened.
    OpenAgain,
    /// It served.
    Serve,
    /// Its settings were written, or its lock PIN was changed.
    Secrets,
    /// It was erased.
    Erase,
}

/// When a machine stops at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// In its midst.
    Within,
    /// Once it is done, before anything else is.
    Behind,
}

/// Where a machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// What the process was about.
    pub phase: Phase,
    /// The call.
    pub call: Call,
    /// At which end of it.
    pub moment: Moment,
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            call,
            moment,
        } = self;
        write!(formatter, "{phase:?}: {moment:?} {call:?}")
    }
}
