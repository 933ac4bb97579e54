//! What histories did and which situations they reached, in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::atlas::{Fault, Site};

/// A situation that only some histories reach; a check that none reaches checks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Power failed while no call was under way.
    CutBetweenCalls,
    /// Power failed in the first group of a zone, or right behind it.
    CutAtZoneSwitch,
    /// Power failed before the second write after recovery.
    CutRightAfterRecovery,
    /// Power failed with a flush under way.
    CutDuringFlush,
    /// Power failed with a merge under way.
    CutDuringMerge,
    /// Power failed with a round of reclaim under way.
    CutDuringReclaim,
    /// Power failed with a flush under way that a round of reclaim waited for.
    CutDuringReclaimsFlush,
    /// Power failed with a merge under way that a round of reclaim waited for.
    CutDuringReclaimsMerge,
    /// Power failed while the manifest moved to another zone.
    CutDuringManifestMove,
    /// The process was killed, and power failed before the next start was through.
    KilledThenCut,
    /// A sync had failed, the process was killed, and power failed in the next one.
    FailedSyncThenCut,
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
    /// A full drive was emptied and filled again.
    Refilled,
    /// A commit that was visible but not acknowledged as durable was lost.
    LostSuffix,
    /// All that was visible survived a power cut.
    SurvivedWhole,
    /// A commit that nobody was told of survived.
    SurvivedUnacknowledged,
    /// A commit took effect before one of another lane that was queued earlier.
    Overtook,
    /// The drive was put in order on demand, to the end.
    Optimized,
    /// A memtable was flushed.
    Flushed,
    /// Runs were merged.
    Merged,
    /// Values were moved by reclaim.
    Moved,
    /// The manifest moved while the drive served.
    ManifestMoved,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In so many histories.
    pub histories: u64,
    /// So often.
    pub times: u64,
}

/// How often machines stopped at a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// Power failed.
    pub cuts: u64,
    /// The process was killed.
    pub kills: u64,
}

/// What the shortest of some histories did; each figure may be another one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    /// Operations.
    pub operations: u64,
    /// Power cuts and kills.
    pub crashes: u64,
    /// Kinds of faults.
    pub kinds: u64,
}

/// Figures of one or more histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Histories.
    pub histories: u64,
    /// What clients asked for: mutations, flushes, reads, changes of settings and PINs.
    pub operations: u64,
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
    /// What the shortest of them did.
    pub least: Option<Least>,
    /// Faults that happened.
    pub faults: BTreeMap<Fault, Tally>,
    /// Where machines stopped in or right behind a call.
    pub sites: BTreeMap<Site, Stops>,
    /// How many histories reached each situation.
    pub marks: BTreeMap<Mark, u64>,
}

impl Report {
    /// Adds the figures of other histories.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.operations += other.operations;
        self.actions += other.actions;
        self.commits += other.commits;
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.starts += other.starts;
        self.disk_calls += other.disk_calls;
        self.trace_hash = self.trace_hash.wrapping_add(other.trace_hash);
        self.least = match (self.least, other.least) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        for (fault, tally) in &other.faults {
            let sum = self.faults.entry(*fault).or_default();
            sum.histories += tally.histories;
            sum.times += tally.times;
        }
        for (site, stops) in &other.sites {
            let sum = self.sites.entry(*site).or_default();
            sum.cuts += stops.cuts;
            sum.kills += stops.kills;
        }
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
    }

    /// Ends the report of one history: which situations it reached, and what went wrong how often.
    pub(super) fn end(&mut self, marks: &BTreeSet<Mark>, faults: &BTreeMap<Fault, u64>) {
        self.histories = 1;
        self.marks = marks.iter().map(|mark| (*mark, 1)).collect();
        let tally = |times| Tally {
            histories: 1,
            times,
        };
        let happened = faults.iter().filter(|(_, times)| **times > 0);
        self.faults = happened
            .map(|(fault, times)| (*fault, tally(*times)))
            .collect();
        self.least = Some(Least {
            operations: self.operations,
            crashes: self.cuts + self.kills,
            kinds: self.faults.len() as u64,
        });
    }

    /// In how many histories a situation was reached.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.marks.get(&mark).copied().unwrap_or_default()
    }

    /// How often a kind of fault happened.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> Tally {
        self.faults.get(&fault).copied().unwrap_or_default()
    }
}

impl Least {
    fn min(self, other: Self) -> Self {
        Self {
            operations: self.operations.min(other.operations),
            crashes: self.crashes.min(other.crashes),
            kinds: self.kinds.min(other.kinds),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} histories, {} operations, {} actions, {} commits, {} power cuts, {} kills, \
             {} starts, {} disk calls, trace {:016x}",
            self.histories,
            self.operations,
            self.actions,
            self.commits,
            self.cuts,
            self.kills,
            self.starts,
            self.disk_calls,
            self.trace_hash,
        )?;
        if let Some(least) = self.least {
            writeln!(
                formatter,
                "each of them at least {} operations, {} crashes, {} kinds of faults",
                least.operations, least.crashes, least.kinds,
            )?;
        }
        writeln!(formatter, "faults that happened:")?;
        for (fault, Tally { histories, times }) in &self.faults {
            writeln!(formatter, "  {fault:?} {times} times, in {histories}")?;
        }
        writeln!(formatter, "where power failed, and the process was killed:")?;
        for (site, Stops { cuts, kills }) in &self.sites {
            writeln!(formatter, "  {site}: {cuts}, {kills}")?;
        }
        writeln!(formatter, "situations:")?;
        for (mark, count) in &self.marks {
            writeln!(formatter, "  {mark:?} in {count}")?;
        }
        Ok(())
    }
}
