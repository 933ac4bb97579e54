//! Everything on a drive against everything else.
//!
//! Guarantee: where nothing is found, both slots of superblock and settings hold what counts, the
//! manifest and the log read whole, every block of every run verifies and lies in order between its
//! fences, every value that a key refers to verifies (unless they are left out), and the live bytes
//! of every zone are those that the runs refer to. Findings come one by one, so that memory does
//! not grow with damage.
//! Not here: values that newer entries hide, which nobody can read any more; what to do about
//! findings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::books::{self, ZoneFault};
use super::look::{Contents, Hidden, Survey};
use super::walk::{MissingBlock, Walk, Walked, WalkedKey};
use crate::effort::Effort;
use crate::entry::{State, ValueRef};
use crate::error::{Damage, ReadError};
use crate::index::values::{Checking, ValueReader};
use crate::layout::geometry::Location;
use crate::layout::zone_header::ZoneKind;
use crate::log::scan::ScanError;
use crate::open::repair::{self, Mend};
use crate::open::settings::SettingsFault;
use crate::run::RunId;
use crate::run::cache::Unreadable;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All but values.
    Quick,
    /// All.
    Full,
}

/// What is wrong. What the manifest itself is damaged by is with the survey.
#[derive(Debug)]
pub enum Finding {
    /// A slot does not hold what the other one does.
    Mendable(Mend),
    /// Both slots of settings are lost.
    Settings(Box<[SettingsFault; 2]>),
    /// The end of the disk is missing.
    MissingEnd {
        /// Bytes of the disk.
        found: u64,
        /// Bytes of the drive.
        expected: u64,
    },
    /// The bookkeeping contradicts itself.
    Books(ZoneFault),
    /// The log is damaged.
    Log(ScanError),
    /// A block of a run, and what lies below it, cannot be read.
    Block(MissingBlock),
    /// A filter cannot be read.
    Filter(RunId, Unreadable),
    /// A run has not as many entries as the manifest says.
    Counts(RunId),
    /// A value cannot be read.
    Value {
        /// Its key.
        key: Vec<u8>,
        /// Where it lies.
        location: Location,
        /// Its bytes.
        length: u32,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Live bytes of a zone are not what the runs refer to.
    Live {
        /// The zone.
        zone: u32,
        /// What the manifest says.
        accounted: u64,
        /// What the runs refer to.
        scanned: u64,
    },
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that are to be read.
    pub total: u64,
    /// Keys that are stored.
    pub keys: u64,
    /// Values that were read.
    pub values: u64,
    /// Things that are wrong.
    pub findings: u64,
}

/// What a check tells.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something is wrong.
    Finding(Finding),
    /// How far it is.
    Progress(&'a Tally),
}

/// To whom it is told.
type Tell<'a> = dyn FnMut(Told<'_>) + 'a;

/// Keys from one telling of progress to the next.
const PROGRESS_KEYS: u64 = 256;

impl Survey {
    /// Checks slots, settings and length: what shows without the data key.
    pub fn check_outside(&self, tell: &mut Tell<'_>) -> u64 {
        let mut findings = 0;
        let mut found = |finding| {
            findings += 1;
            tell(Told::Finding(finding));
        };
        if let Some((bytes, expected)) = self.missing_end() {
            found(Finding::MissingEnd {
                found: bytes,
                expected,
            });
        } else {
            let mends = repair::mendable(&*self.disk);
            for mend in mends.unwrap_or_default() {
                found(Finding::Mendable(mend));
            }
        }
        if !matches!(self.hidden(), Some(Hidden::Erasing))
            && let [Err(first), Err(second)] = self.settings()
        {
            found(Finding::Settings(Box::new([first, second])));
        }
        findings
    }

    /// Checks all that [`check_outside`](Self::check_outside) does not; nothing where the contents
    /// are hidden or the manifest is damaged.
    pub fn check_contents(&self, depth: Depth, tell: &mut Tell<'_>) -> Tally {
        match &self.contents {
            Ok(contents) if contents.remains.damage.is_none() => {
                Check::of(self, contents, depth).run(tell)
            }
            _ => Tally::default(),
        }
    }

    /// Reads values, each verified.
    pub(super) fn values(&self, contents: &Contents) -> ValueReader {
        let (disk, keys) = (Arc::clone(&self.disk), Arc::clone(&contents.keys));
        ValueReader::new(disk, self.superblock.geometry, Checking::On, keys)
    }
}

impl Contents {
    /// Whether a value lies where values lie, before the end of its zone.
    pub(super) fn holds(&self, value: &ValueRef) -> bool {
        let info = self.remains.state.zones.get(&value.location.zone);
        let Some(info) = info else {
            return false;
        };
        let stored = self.keys.of_boot(&info.boot_salt).stored32(value.length);
        let end = u64::from(value.location.offset) + u64::from(stored);
        matches!(info.kind, ZoneKind::Log | ZoneKind::Cold)
            && info.end.is_none_or(|bound| end <= u64::from(bound))
    }
}

/// A check under way.
struct Check<'a> {
    contents: &'a Contents,
    survey: &'a Survey,
    values: ValueReader,
    depth: Depth,
    tally: Tally,
    scanned: BTreeMap<u32, u64>,
    has_gaps: bool,
    value_bytes: u64,
}

impl<'a> Check<'a> {
    fn of(survey: &'a Survey, contents: &'a Contents, depth: Depth) -> Self {
        let state = &contents.remains.state;
        let blocks: u64 = state.runs.iter().map(|run| run.bytes).sum();
        let live: u64 = state.zones.values().map(|info| info.live).sum();
        let total = match depth {
            Depth::Quick => blocks,
            Depth::Full => blocks.saturating_add(live),
        };
        Self {
            contents,
            survey,
            values: survey.values(contents),
            depth,
            tally: Tally {
                total,
                ..Tally::default()
            },
            scanned: BTreeMap::new(),
            has_gaps: false,
            value_bytes: 0,
        }
    }

    fn run(mut self, tell: &mut Tell<'_>) -> Tally {
        let state = &self.contents.remains.state;
        for fault in books::faults(state, &self.survey.superblock) {
            self.found(Finding::Books(fault), tell);
        }
        let mut log = self.survey.log(self.contents);
        if let Some(damage) = log.damage.take() {
            self.found(Finding::Log(damage), tell);
        }
        let mut walk = self.survey.walk(self.contents, log);
        while let Some(walked) = walk.next() {
            self.see(walked, &walk, tell);
        }
        self.tally.bytes = walk.bytes().saturating_add(self.value_bytes);
        // Where blocks are missing, so is what they refer to.
        if !self.has_gaps {
            self.compare_live(tell);
        }
        self.tally
    }

    fn found(&mut self, finding: Finding, tell: &mut Tell<'_>) {
        self.tally.findings += 1;
        tell(Told::Finding(finding));
    }

    fn see(&mut self, walked: Walked, walk: &Walk, tell: &mut Tell<'_>) {
        match walked {
            Walked::Key(key) => self.key(key, tell),
            Walked::Missing(gap) => {
                self.has_gaps = true;
                self.found(Finding::Block(gap), tell);
            }
            Walked::Filter(run, bad) => self.found(Finding::Filter(run, bad), tell),
            Walked::Counts(run) => self.found(Finding::Counts(run), tell),
        }
        if self.tally.keys.is_multiple_of(PROGRESS_KEYS) {
            self.tally.bytes = walk.bytes().saturating_add(self.value_bytes);
            tell(Told::Progress(&self.tally));
        }
    }

    fn key(&mut self, walked: WalkedKey, tell: &mut Tell<'_>) {
        for entry in &walked.flushed {
            // What names an earlier life of a zone is hidden, and counts for nothing.
            if let Some((zone, _)) = self.contents.remains.state.life_of(entry) {
                let length = entry.live().map_or(0, |value| u64::from(value.length));
                *self.scanned.entry(zone.0).or_default() += length;
            }
        }
        let State::Live(_, value) = walked.entry.state else {
            return;
        };
        self.tally.keys += 1;
        if value.length == 0 {
            return;
        }
        let damage = if !self.contents.holds(&value) {
            Some(Damage::Misplaced)
        } else if self.depth == Depth::Quick {
            None
        } else {
            self.tally.values += 1;
            self.value_bytes += u64::from(value.length);
            match self.values.read(&value, Effort::Medium) {
                Err(ReadError::Unreadable(damage)) => Some(damage),
                Ok(_) | Err(ReadError::NotFound | ReadError::NotCached) => None,
            }
        };
        if let Some(damage) = damage {
            let finding = Finding::Value {
                key: walked.key,
                location: value.location,
                length: value.length,
                damage,
            };
            self.found(finding, tell);
        }
    }

    /// Live bytes of the manifest against those of the runs.
    fn compare_live(&mut self, tell: &mut Tell<'_>) {
        let mut wrong = Vec::new();
        for (zone, info) in &self.contents.remains.state.zones {
            let scanned = self.scanned.remove(&zone.0).unwrap_or_default();
            wrong.push((zone.0, info.live, scanned));
        }
        // What is left refers to zones that are not in use.
        let unused = std::mem::take(&mut self.scanned).into_iter();
        wrong.extend(unused.map(|(zone, scanned)| (zone, 0, scanned)));
        wrong.retain(|(_, accounted, scanned)| accounted != scanned);
        for (zone, accounted, scanned) in wrong {
            let finding = Finding::Live {
                zone,
                accounted,
                scanned,
            };
            self.found(finding, tell);
        }
    }
}
