//! What scrub has counted and found.
//!
//! Guarantee: bounded; each finding is told once, however many rounds meet it.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::Damage;
use crate::limits::SCRUB_FINDINGS;
use crate::run::Gap;

/// Counts of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubCounts {
    /// When it began, in microseconds of the clock by which scrub is stepped.
    pub started_us: u64,
    /// When it ended, by the same clock; 0 while it goes on.
    pub finished_us: u64,
    /// Blocks of runs that were read.
    pub blocks: u64,
    /// Values that were read.
    pub values: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Blocks that are damaged; what lies below them was not read.
    pub damaged_blocks: u64,
    /// Values that are damaged and that keys still have.
    pub damaged_values: u64,
    /// Blocks and values that the disk did not give at all.
    pub read_errors: u64,
    /// Superblock and settings slots, and manifests, that were lost and written again.
    pub repaired: u64,
}

/// What is damaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damaged {
    /// The value of this key.
    Value(Vec<u8>),
    /// A block of a run, with the smallest key that it may hold and the smallest one behind it.
    Block(Vec<u8>, Option<Vec<u8>>),
    /// A slot of the superblock; it was written again.
    Superblock,
    /// A slot of the settings; it was written again.
    Settings,
    /// Both slots of the settings.
    AllSettings,
    /// The manifest; it was written again elsewhere.
    Manifest,
}

/// Something damaged, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScrubFinding {
    /// What.
    pub what: Damaged,
    /// In this zone.
    pub zone: u32,
    /// At this offset in it.
    pub offset: u32,
    /// In what way.
    pub how: String,
}

impl ScrubFinding {
    pub(super) fn block(gap: &Gap, (zone, offset): (u32, u32), how: &impl fmt::Display) -> Self {
        Self {
            what: Damaged::Block(gap.start.clone(), gap.end.clone()),
            zone,
            offset,
            how: how.to_string(),
        }
    }

    pub(super) fn value(key: &[u8], (zone, offset): (u32, u32), how: Damage) -> Self {
        Self {
            what: Damaged::Value(key.to_vec()),
            zone,
            offset,
            how: how.to_string(),
        }
    }

    pub(super) fn slot(what: Damaged) -> Self {
        let how = match what {
            Damaged::AllSettings => "nothing is left to repair them from",
            _ => "it was repaired from what is left",
        };
        Self {
            what,
            zone: 0,
            offset: 0,
            how: how.to_owned(),
        }
    }
}

/// A key as it may stand in a sentence.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}

impl fmt::Display for ScrubFinding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Damaged::Value(key) => write!(out, "the value of key \"{}\"", shown(key))?,
            Damaged::Block(start, Some(end)) => {
                let (start, end) = (shown(start), shown(end));
                write!(out, "the index from key \"{start}\" to before \"{end}\"")?;
            }
            Damaged::Block(start, None) => {
                write!(out, "the index from key \"{}\" on", shown(start))?;
            }
            Damaged::Superblock => out.write_str("a superblock")?,
            Damaged::Settings => out.write_str("a copy of the settings")?,
            Damaged::AllSettings => out.write_str("both copies of the settings")?,
            Damaged::Manifest => out.write_str("the manifest")?,
        }
        write!(out, " is damaged: {}", self.how)?;
        match self.what {
            Damaged::Value(_) | Damaged::Block(..) => {
                write!(out, " (zone {}, offset {})", self.zone, self.offset)
            }
            _ => Ok(()),
        }
    }
}

/// What is known of all rounds since the drive was opened.
#[derive(Debug, Default)]
pub struct ScrubReport {
    wanted: bool,
    now: u64,
    current: Option<ScrubCounts>,
    last: Option<ScrubCounts>,
    rounds: u64,
    /// What the round before this one found.
    before: BTreeSet<ScrubFinding>,
    found: BTreeSet<ScrubFinding>,
    untold: Vec<ScrubFinding>,
}

/// The same at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubStatus {
    /// When scrub was stepped last, by its clock.
    pub now_us: u64,
    /// Rounds that were finished.
    pub rounds: u64,
    /// The round that is under way.
    pub current: Option<ScrubCounts>,
    /// The last one that was finished.
    pub last: Option<ScrubCounts>,
}

impl ScrubReport {
    /// What is known now.
    #[must_use]
    pub fn status(&self) -> ScrubStatus {
        ScrubStatus {
            now_us: self.now,
            rounds: self.rounds,
            current: self.current,
            last: self.last,
        }
    }

    /// What the last round and the one under way have found.
    #[must_use]
    pub fn findings(&self) -> Vec<ScrubFinding> {
        self.before.union(&self.found).cloned().collect()
    }

    /// What was found since the last call, and in no round before.
    pub fn take_findings(&mut self) -> Vec<ScrubFinding> {
        std::mem::take(&mut self.untold)
    }

    /// Asks for a round now.
    pub fn ask(&mut self) {
        self.wanted = true;
    }

    pub(super) fn look(&mut self, now: u64) {
        self.now = now;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn begin(&mut self, now: u64) {
        self.wanted = false;
        self.current = Some(ScrubCounts {
            started_us: now,
            ..ScrubCounts::default()
        });
    }

    pub(super) fn count(&mut self, change: impl FnOnce(&mut ScrubCounts)) {
        if let Some(current) = &mut self.current {
            change(current);
        }
    }

    /// Beyond the bound findings are only counted.
    pub(super) fn find(&mut self, finding: ScrubFinding) {
        if self.found.len() >= SCRUB_FINDINGS || self.found.contains(&finding) {
            return;
        }
        if !self.before.contains(&finding) && self.untold.len() < SCRUB_FINDINGS {
            self.untold.push(finding.clone());
        }
        self.found.insert(finding);
    }

    pub(super) fn finish(&mut self, now: u64) {
        self.before = std::mem::take(&mut self.found);
        self.rounds += 1;
        self.last = self.current.take().map(|counts| ScrubCounts {
            finished_us: now,
            ..counts
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &[u8]) -> ScrubFinding {
        ScrubFinding::value(key, (7, 4096), Damage::Checksum)
    }

    #[test]
    fn a_finding_is_told_once_until_a_round_does_not_meet_it() {
        let mut report = ScrubReport::default();
        for (met, told) in [(true, 1), (true, 0), (false, 0), (true, 1)] {
            report.begin(0);
            if met {
                report.find(value(b"key"));
                report.find(value(b"key"));
            }
            report.finish(1);
            assert_eq!(report.take_findings().len(), told);
        }
    }

    #[test]
    fn there_is_a_bound_to_what_is_kept() {
        let mut report = ScrubReport::default();
        report.begin(0);
        for number in 0..2 * SCRUB_FINDINGS {
            report.find(value(&number.to_be_bytes()));
        }
        assert_eq!(report.found.len(), SCRUB_FINDINGS);
        assert_eq!(report.take_findings().len(), SCRUB_FINDINGS);
    }

    #[test]
    fn a_finding_is_a_sentence_with_key_and_place() {
        let text = value(b"a\nb").to_string();
        assert!(text.contains("a\\nb") && text.contains("zone 7, offset 4096"));
        let block = ScrubFinding::block(&Gap::default(), (1, 2), &Damage::Misplaced);
        assert!(block.to_string().contains("on is damaged"), "{block}");
    }
}
