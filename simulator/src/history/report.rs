//! What histories did and which situations they reached, in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A situation that only some histories reach; a check that none reaches checks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Power failed while no call was under way.
    CutBetweenCalls,
    /// Power failed in a write of a commit group.
    CutInGroup,
    /// Power failed in the first group of a zone, or right behind it.
    CutAtZoneSwitch,
    /// Power failed in a write of a group of a cold zone.
    CutInCold,
    /// Power failed in a write of a run.
    CutInRun,
    /// Power failed in a write of a frame of the manifest.
    CutInFrame,
    /// Power failed in a write of a zone header.
    CutInZoneHeader,
    /// Power failed in a write of the first superblock slot.
    CutInFirstSlot,
    /// Power failed in a write of the second superblock slot.
    CutInSecondSlot,
    /// Power failed in the sync of a superblock slot.
    CutInSlotSync,
    /// Power failed in another sync.
    CutInSync,
    /// Power failed while the disk was formatted.
    CutInFormat,
    /// Power failed while the drive was opened.
    CutInRecovery,
    /// Power failed while the drive was opened after such a cut.
    CutInRecoveryAgain,
    /// Power failed while recovery wrote the end of the log again.
    CutInRewrite,
    /// Power failed before the second write after recovery.
    CutRightAfterRecovery,
    /// Power failed with a flush under way.
    CutDuringFlush,
    /// Power failed with a merge under way.
    CutDuringMerge,
    /// Power failed with a round of reclaim under way.
    CutDuringReclaim,
    /// Power failed while the manifest moved to another zone.
    CutDuringManifestMove,
    /// The process was killed.
    Killed,
    /// The process was killed, and power failed before the next start was through.
    KilledThenCut,
    /// The machine stopped in a write of settings or a change of the lock PIN.
    StoppedInSecrets,
    /// The drive was erased.
    Erased,
    /// An erase was cut short.
    StoppedInErase,
    /// A group ended exactly where its zone does.
    ZoneFilled,
    /// A sync failed while the drive served.
    SyncFailed,
    /// A sync failed while the drive was opened.
    SyncFailedInRecovery,
    /// The host did not take a commit group.
    WriteFailed,
    /// The host did not take a write while the drive was opened.
    WriteFailedInRecovery,
    /// A read met a sector that cannot be read, or rot.
    Unreadable,
    /// A drive with rot refused to open.
    RefusedToOpen,
    /// The drive was full.
    Full,
    /// A commit that was visible but not acknowledged as durable was lost.
    LostSuffix,
    /// All that was visible survived a power cut.
    SurvivedWhole,
    /// A commit that nobody was told of survived.
    SurvivedUnacknowledged,
    /// A memtable was flushed.
    Flushed,
    /// Runs were merged.
    Merged,
    /// Values were moved by reclaim.
    Moved,
    /// The manifest moved while the drive served.
    ManifestMoved,
}

/// Figures of one or more histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Histories.
    pub histories: u64,
    /// Steps of workers, commits and checks.
    pub actions: u64,
    /// Commits that were answered or became visible.
    pub commits: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Kills and clean ends of the process.
    pub kills: u64,
    /// Successful openings.
    pub starts: u64,
    /// Calls to the simulated disks.
    pub disk_calls: u64,
    /// Hash of everything that happened; the sum over histories.
    pub trace_hash: u64,
    /// How many histories reached each situation.
    pub marks: BTreeMap<Mark, u64>,
}

impl Report {
    /// Adds the figures of other histories.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.actions += other.actions;
        self.commits += other.commits;
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.starts += other.starts;
        self.disk_calls += other.disk_calls;
        self.trace_hash = self.trace_hash.wrapping_add(other.trace_hash);
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
    }

    /// Counts the situations that one history reached.
    pub(super) fn reached(&mut self, marks: &BTreeSet<Mark>) {
        for mark in marks {
            *self.marks.entry(*mark).or_default() += 1;
        }
    }

    /// In how many histories a situation was reached.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.marks.get(&mark).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} histories, {} actions, {} commits, {} power cuts, {} kills, {} starts, \
             {} disk calls, trace {:016x}",
            self.histories,
            self.actions,
            self.commits,
            self.cuts,
            self.kills,
            self.starts,
            self.disk_calls,
            self.trace_hash,
        )?;
        for (mark, count) in &self.marks {
            writeln!(formatter, "  {mark:?} in {count}")?;
        }
        Ok(())
    }
}
