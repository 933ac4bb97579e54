//! What is wrong with a drive, in words: what, what it costs, and what to do.
//!
//! Guarantees: each finding names what it is about (a key, a range of keys, a slot), so that its
//! owner can act; keys are printed as they can be typed. Not here: finding.

use std::fmt;

use kinetic_store::layout::superblock::Slot;
use kinetic_store::log::scan::ScanError;
use kinetic_store::open::repair::Lost;
use kinetic_store::run::{BlockKind, Gap};
use kinetic_store::survey::Finding;
use kinetic_store::survey::walk::MissingBlock;
use kinetic_store::{Mend, Survey};

use crate::keys::Printed;

/// A finding in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// What is wrong.
    pub(super) what: String,
    /// What that costs.
    pub(super) costs: String,
    /// What to do.
    pub(super) advice: &'static str,
}

const REPAIR: &str = "`kinetic drive repair` writes it again; so does the next start of kineticd";
const SALVAGE: &str = "restore the keys from another copy, or save what can be read with `kinetic \
                       drive repair --salvage DIR` and import it into a new drive";
const REFUSED: &str = "kineticd does not open the drive; save what can be read with `kinetic drive \
                       repair --salvage DIR` and import it into a new drive";
const REPORT: &str = "no key is lost; keep the image and report it, since this is a mistake of the \
                      program and not of the disk";

impl fmt::Display for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            costs,
            advice,
        } = self;
        write!(out, "{what}; {costs}; {advice}")
    }
}

impl Words {
    fn new(what: impl Into<String>, costs: impl Into<String>, advice: &'static str) -> Self {
        Self {
            what: what.into(),
            costs: costs.into(),
            advice,
        }
    }

    /// Of something that was found.
    pub(super) fn of(finding: &Finding) -> Self {
        match finding {
            Finding::Mendable(mend) => Self::new(mend_words(mend), "it costs nothing yet", REPAIR),
            Finding::Settings(faults) => {
                let [first, second] = (**faults).each_ref().map(ToString::to_string);
                let second = Some(second).filter(|second| *second != first);
                let second = second.map_or_else(String::new, |second| format!("; {second}"));
                Self::new(
                    format!("both copies of the settings are lost: {first}{second}"),
                    "identities, PINs and the cluster version are gone",
                    REFUSED,
                )
            }
            Finding::MissingEnd { found, expected } => Self::new(
                format!("the disk has {found} bytes, and the drive on it {expected}"),
                "what lay in the missing end is gone",
                "copy the image again if it was cut short; else save what can be read with \
                 `kinetic drive repair --salvage DIR`",
            ),
            Finding::Books(fault) => Self::new(
                fault.to_string(),
                "the bookkeeping contradicts itself",
                REPORT,
            ),
            Finding::Log(error) => log_words(error),
            Finding::Block(missing) => block_words(missing),
            Finding::Filter(run, bad) => Self::new(
                format!("a filter of run {}: {bad}", run.0),
                "reads of keys that are not stored take longer",
                "the next merge of that run makes a new one",
            ),
            Finding::Counts(run) => Self::new(
                format!("run {} has other counts than the manifest says", run.0),
                "no key is known to be lost",
                REPORT,
            ),
            Finding::Value {
                key,
                location,
                length,
                damage,
            } => Self::new(
                format!(
                    "the value of key {} ({length} bytes at {} of zone {}): {damage}",
                    Printed(key),
                    location.offset,
                    location.zone.0
                ),
                "this value is lost, and no other one",
                "put the key again from another copy, or delete it",
            ),
            Finding::Live {
                zone,
                accounted,
                scanned,
            } => Self::new(
                format!("zone {zone} is said to hold {accounted} live bytes, and holds {scanned}"),
                "space is not given back, or too early",
                REPORT,
            ),
        }
    }

    /// Of a drive of which nothing, or not everything, can be checked.
    pub(super) fn of_hidden(survey: &Survey) -> Option<Self> {
        use kinetic_store::survey::Hidden;
        let costs = "no key can be read";
        match survey.hidden() {
            Some(Hidden::Locked) => None,
            Some(hidden @ Hidden::Erasing) => Some(Self::new(
                hidden.to_string(),
                "what was stored is gone, as was asked for",
                "start the drive with kineticd",
            )),
            Some(hidden @ Hidden::NoKey) => Some(Self::new(
                hidden.to_string(),
                costs,
                "restore the keys from another copy; `kinetic drive format --force` makes a new \
                 drive",
            )),
            Some(hidden @ Hidden::Manifest(_)) => Some(Self::new(
                hidden.to_string(),
                costs,
                "restore the keys from another copy",
            )),
            None => survey.damaged_manifest().map(|damage| {
                let costs = "what changed from there on is not known, and nothing behind it was \
                             checked";
                Self::new(damage.to_string(), costs, REFUSED)
            }),
        }
    }
}

fn block_words(missing: &MissingBlock) -> Words {
    let kind = match missing.kind {
        BlockKind::Node => "a node",
        BlockKind::Leaf | BlockKind::Filter => "a leaf",
    };
    let (run, bad) = (missing.run.0, &missing.bad);
    let costs = format!("{} cannot be read", span_words(&missing.keys));
    Words::new(format!("{kind} of run {run}: {bad}"), costs, SALVAGE)
}

fn log_words(error: &ScanError) -> Words {
    let costs = match error {
        ScanError::Corrupt { group, .. } | ScanError::Unknown(group) | ScanError::Sealed(group) => {
            format!("what was changed together in group {group} is lost")
        }
        ScanError::Disk(_) => "what was changed since the last flush may be lost".to_owned(),
    };
    Words::new(error.to_string(), costs, REFUSED)
}

/// What a slot has.
pub(super) fn mend_words(mend: &Mend) -> String {
    match mend {
        Mend::Superblock(slot, Lost::Fault(fault)) => {
            format!("the {} superblock is lost: {fault}", ordinal(*slot))
        }
        Mend::Superblock(slot, Lost::Lagging) => {
            format!(
                "the {} superblock is older than the other one",
                ordinal(*slot)
            )
        }
        Mend::Settings(slot, Lost::Fault(fault)) => {
            format!(
                "the {} copy of the settings is lost: {fault}",
                ordinal(*slot)
            )
        }
        Mend::Settings(slot, Lost::Lagging) => {
            format!(
                "the {} copy of the settings is older than the other one",
                ordinal(*slot)
            )
        }
    }
}

/// Which of two.
pub(super) fn ordinal(slot: Slot) -> &'static str {
    match slot {
        Slot::First => "first",
        Slot::Second => "second",
    }
}

/// A range of keys.
pub(super) fn span_words(gap: &Gap) -> String {
    match (gap.start.as_slice(), &gap.end) {
        ([], None) => "all keys of the run".to_owned(),
        ([], Some(until)) => format!("keys below {}", Printed(until)),
        (from, None) => format!("keys from {} on", Printed(from)),
        (from, Some(until)) => {
            format!(
                "keys from {} up to and without {}",
                Printed(from),
                Printed(until)
            )
        }
    }
}
