//! Histories in which nothing may be lost, and everything that can go wrong does.

use kinetic_simulator::history::{
    Call, Fault, Mark, Moment, Phase, Purpose, Report, Site, Stops, run, run_all,
};
use kinetic_store::Sabotage;

/// Histories of the suite; the command `kinetic-sim engine --seeds N` runs any number.
const HISTORIES: u64 = 1500;
/// The suite runs beside others on small machines.
const THREADS: usize = 2;

/// In how many of a thousand histories a situation must have come at least.
const SITUATIONS: [(Mark, u64); 31] = [
    (Mark::CutBetweenCalls, 700),
    (Mark::CutAtZoneSwitch, 200),
    (Mark::CutRightAfterRecovery, 300),
    (Mark::CutDuringFlush, 250),
    (Mark::CutDuringMerge, 150),
    (Mark::CutDuringReclaim, 150),
    (Mark::CutDuringReclaimsFlush, 50),
    (Mark::CutDuringReclaimsMerge, 50),
    (Mark::CutDuringManifestMove, 40),
    (Mark::KilledThenCut, 400),
    (Mark::FailedSyncThenCut, 30),
    (Mark::Erased, 80),
    (Mark::StoppedInErase, 80),
    (Mark::ZoneFilled, 150),
    (Mark::SyncFailed, 100),
    (Mark::SyncFailedInRecovery, 200),
    (Mark::WriteFailed, 70),
    (Mark::WriteFailedInRecovery, 150),
    (Mark::Unreadable, 80),
    (Mark::RefusedToOpen, 20),
    (Mark::Overtook, 300),
    (Mark::Optimized, 100),
    (Mark::Full, 20),
    (Mark::Refilled, 20),
    (Mark::LostSuffix, 300),
    (Mark::SurvivedWhole, 700),
    (Mark::SurvivedUnacknowledged, 50),
    (Mark::Flushed, 500),
    (Mark::Merged, 400),
    (Mark::Moved, 200),
    (Mark::ManifestMoved, 150),
];

/// Kinds of faults, and how often each must have happened in a thousand histories at least.
const FAULTS: [(Fault, u64); 17] = [
    (Fault::LostSectors, 4000),
    (Fault::TornWrite, 800),
    (Fault::ReorderedWrites, 600),
    (Fault::FailedSync, 700),
    (Fault::SwallowedSync, 400),
    (Fault::LyingSync, 200),
    (Fault::LastingReadError, 800),
    (Fault::PassingReadError, 800),
    (Fault::FullHost, 600),
    (Fault::SlowCall, 20_000),
    (Fault::RotInValue, 1000),
    (Fault::RotInRun, 60),
    (Fault::RotInFrame, 200),
    (Fault::RotInGroup, 60),
    (Fault::RotInSuperblock, 500),
    (Fault::RotInSettings, 500),
    (Fault::RotAnywhere, 150),
];

/// Calls in and behind which power must have failed while the drive served, and how often in a
/// thousand histories at least, both together.
const SERVING: [(Call, u64); 21] = [
    (Call::Write(Purpose::FirstGroup), 30),
    (Call::Write(Purpose::Group), 80),
    (Call::Write(Purpose::Moves), 15),
    (Call::Write(Purpose::Cold), 15),
    (Call::Write(Purpose::FlushedRun), 30),
    (Call::Write(Purpose::MergedRun), 15),
    (Call::Write(Purpose::Frame), 100),
    (Call::Write(Purpose::FreeingFrame), 10),
    (Call::Write(Purpose::ZoneHeader), 100),
    (Call::Write(Purpose::FirstSlot), 4),
    (Call::Write(Purpose::SecondSlot), 2),
    (Call::Sync(Purpose::Group), 40),
    (Call::Sync(Purpose::Moves), 2),
    (Call::Sync(Purpose::Cold), 8),
    (Call::Sync(Purpose::FlushedRun), 25),
    (Call::Sync(Purpose::MergedRun), 12),
    (Call::Sync(Purpose::Frame), 100),
    (Call::Sync(Purpose::FreeingFrame), 5),
    (Call::Sync(Purpose::ZoneHeader), 3),
    (Call::Sync(Purpose::FirstSlot), 4),
    (Call::Sync(Purpose::SecondSlot), 4),
];

/// Calls in other phases, counted like those.
const ELSEWHERE: [(Phase, Call, u64); 29] = [
    (Phase::Format, Call::Write(Purpose::FirstSlot), 5),
    (Phase::Format, Call::Write(Purpose::Settings), 5),
    (Phase::Format, Call::Sync(Purpose::Settings), 10),
    (Phase::Open, Call::Write(Purpose::FirstSlot), 100),
    (Phase::Open, Call::Write(Purpose::SecondSlot), 100),
    (Phase::Open, Call::Write(Purpose::Settings), 60),
    (Phase::Open, Call::Write(Purpose::Frame), 100),
    (Phase::Open, Call::Write(Purpose::ZoneHeader), 50),
    (Phase::Open, Call::Write(Purpose::Group), 80),
    (Phase::Open, Call::Sync(Purpose::FirstSlot), 100),
    (Phase::Open, Call::Sync(Purpose::SecondSlot), 100),
    (Phase::Open, Call::Sync(Purpose::Settings), 10),
    (Phase::Open, Call::Sync(Purpose::Frame), 70),
    (Phase::Open, Call::Sync(Purpose::Group), 25),
    (Phase::OpenAgain, Call::Write(Purpose::FirstSlot), 100),
    (Phase::OpenAgain, Call::Write(Purpose::Frame), 100),
    (Phase::OpenAgain, Call::Write(Purpose::Group), 80),
    (Phase::OpenAgain, Call::Sync(Purpose::Group), 20),
    (Phase::Secrets, Call::Write(Purpose::FirstSlot), 50),
    (Phase::Secrets, Call::Write(Purpose::SecondSlot), 50),
    (Phase::Secrets, Call::Write(Purpose::Settings), 50),
    (Phase::Secrets, Call::Sync(Purpose::FirstSlot), 40),
    (Phase::Secrets, Call::Sync(Purpose::SecondSlot), 50),
    (Phase::Secrets, Call::Sync(Purpose::Settings), 40),
    (Phase::Erase, Call::Write(Purpose::FirstSlot), 5),
    (Phase::Erase, Call::Write(Purpose::SecondSlot), 5),
    (Phase::Erase, Call::Write(Purpose::Settings), 3),
    (Phase::Erase, Call::Sync(Purpose::FirstSlot), 3),
    (Phase::Erase, Call::Sync(Purpose::Settings), 4),
];

#[test]
fn histories_keep_every_promise_and_meet_every_fault_of_the_atlas_at_every_site() {
    let report = run_all(0..HISTORIES, Sabotage::Off, THREADS);
    let report = report.unwrap_or_else(|violation| panic!("{violation}"));
    println!("{report}");
    assert_eq!(report.histories, HISTORIES);
    let least = report.least.expect("there were histories");
    assert!(
        least.operations >= 500 && least.crashes >= 3 && least.kinds >= 5,
        "{least:?}"
    );
    let missed = missed(&report);
    assert!(missed.is_empty(), "too rare to be tested: {missed:#?}");
}

/// Everything that came too seldom.
fn missed(report: &Report) -> Vec<String> {
    let marks = SITUATIONS.map(|(mark, wanted)| (format!("{mark:?}"), report.count(mark), wanted));
    let faults = FAULTS.map(|(fault, wanted)| {
        let times = report.fault(fault).times;
        (format!("{fault:?}"), times, wanted)
    });
    let serving = SERVING.map(|(call, wanted)| (Phase::Serve, call, wanted));
    let sites = serving.into_iter().chain(ELSEWHERE);
    let sites = sites.map(|(phase, call, wanted)| {
        let cuts = [Moment::Within, Moment::Behind].map(|moment| {
            let site = Site {
                phase,
                call,
                moment,
            };
            let stops = report.sites.get(&site).copied();
            stops.unwrap_or(Stops::default()).cuts
        });
        (format!("{phase:?}, {call:?}"), cuts.iter().sum(), wanted)
    });
    let all = marks.into_iter().chain(faults).chain(sites);
    all.filter(|(_, count, wanted)| count * 1000 < wanted * report.histories)
        .map(|(what, count, wanted)| format!("{what}: {count}, wanted {wanted} of 1000"))
        .collect()
}

#[test]
fn every_kind_of_fault_has_its_least_number() {
    let listed = FAULTS.map(|(fault, _)| fault);
    assert_eq!(listed, Fault::ALL);
}

#[test]
fn seeds_that_have_found_a_bug_find_none_any_more() {
    // Zones were emptied twice in a round; were given up while moves were still to be handed in,
    // because the last value to be looked at was overwritten meanwhile. What a seed plays changes
    // with what histories are made of: these are where such bugs were found, no proof of each.
    for seed in [42, 104_549, 104_831, 107_445] {
        if let Err(violation) = run(seed, Sabotage::Off, None) {
            panic!("{violation}");
        }
    }
}
