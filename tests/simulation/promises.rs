//! Thousands of histories in which nothing may be lost, and every situation occurs.

use kinetic_simulator::history::{Mark, Report, run_all};
use kinetic_store::Sabotage;

/// Histories of the suite; the command `kinetic-sim engine --seeds N` runs any number.
const HISTORIES: u64 = 4000;
/// The suite runs beside others on small machines.
const THREADS: usize = 2;

/// Situations that a power cut must have met, and in how many of a thousand histories at least.
const SITUATIONS: [(Mark, u64); 40] = [
    (Mark::CutBetweenCalls, 500),
    (Mark::CutInGroup, 100),
    (Mark::CutAtZoneSwitch, 100),
    (Mark::CutInRun, 20),
    (Mark::CutInCold, 2),
    (Mark::CutInFrame, 100),
    (Mark::CutInZoneHeader, 100),
    (Mark::CutInFirstSlot, 100),
    (Mark::CutInSecondSlot, 100),
    (Mark::CutInSlotSync, 100),
    (Mark::CutInSync, 100),
    (Mark::CutInFormat, 20),
    (Mark::CutInRecovery, 500),
    (Mark::CutInRecoveryAgain, 200),
    (Mark::CutInRewrite, 50),
    (Mark::CutRightAfterRecovery, 100),
    (Mark::CutDuringFlush, 100),
    (Mark::CutDuringMerge, 50),
    (Mark::CutDuringReclaim, 100),
    (Mark::CutDuringManifestMove, 20),
    (Mark::Killed, 500),
    (Mark::KilledThenCut, 200),
    (Mark::ZoneFilled, 50),
    (Mark::SyncFailed, 20),
    (Mark::SyncFailedInRecovery, 50),
    (Mark::WriteFailed, 20),
    (Mark::WriteFailedInRecovery, 20),
    (Mark::Unreadable, 5),
    (Mark::RefusedToOpen, 5),
    (Mark::Full, 5),
    (Mark::LostSuffix, 100),
    (Mark::SurvivedWhole, 500),
    (Mark::SurvivedUnacknowledged, 10),
    (Mark::Flushed, 300),
    (Mark::Merged, 200),
    (Mark::Moved, 200),
    (Mark::ManifestMoved, 20),
    (Mark::StoppedInSecrets, 20),
    (Mark::Erased, 50),
    (Mark::StoppedInErase, 50),
];

#[test]
fn thousands_of_power_cuts_lose_nothing_that_was_acknowledged() {
    let report = run_all(0..HISTORIES, Sabotage::Off, THREADS);
    let report = report.unwrap_or_else(|violation| panic!("{violation}"));
    println!("{report}");
    assert_eq!(report.histories, HISTORIES);
    assert!(report.cuts > 3 * HISTORIES, "{} cuts", report.cuts);
    let missed: Vec<String> = SITUATIONS
        .iter()
        .filter(|(mark, per_thousand)| too_rare(&report, *mark, *per_thousand))
        .map(|(mark, wanted)| {
            format!(
                "{mark:?} in {}, wanted {wanted} of 1000",
                report.count(*mark)
            )
        })
        .collect();
    assert!(missed.is_empty(), "too rare to be tested: {missed:?}");
}

fn too_rare(report: &Report, mark: Mark, per_thousand: u64) -> bool {
    report.count(mark) * 1000 < per_thousand * report.histories
}
