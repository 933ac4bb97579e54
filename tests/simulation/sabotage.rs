//! The check bites: an engine with a deliberate bug fails it.
//!
//! Guarantee: each of the eleven bugs is noticed within a stated number of seeds, several times
//! what it took when this was written, by a promise that it breaks.

use kinetic_simulator::history::{BUGS, Promise, Violation, run};
use kinetic_store::Sabotage;

/// The first seed that notices a bug, and what it saw.
fn first_to_notice(sabotage: Sabotage, seeds: u64) -> Violation {
    let found = (0..seeds).find_map(|seed| run(seed, sabotage, None).err());
    found.unwrap_or_else(|| panic!("{sabotage:?} stays unnoticed for {seeds} seeds"))
}

#[track_caller]
fn assert_noticed(sabotage: Sabotage, seeds: u64, promises: &[Promise]) {
    let found = first_to_notice(sabotage, seeds);
    assert!(promises.contains(&found.promise), "{found}");
}

#[test]
fn there_is_a_test_here_for_each_deliberate_bug() {
    let source = include_str!("sabotage.rs");
    for (_, bug) in BUGS {
        let tested = format!("Sabotage::{bug:?}");
        assert!(source.contains(&tested), "{tested} has no test");
    }
}

#[test]
fn an_engine_that_skips_its_syncs_is_noticed_within_ten_seeds() {
    let promises = [Promise::Durability, Promise::Opening, Promise::Contents];
    assert_noticed(Sabotage::SkipSync, 10, &promises);
}

#[test]
fn an_engine_that_answers_before_its_sync_is_noticed_within_ten_seeds() {
    assert_noticed(Sabotage::AnswerEarly, 10, &[Promise::Durability]);
}

#[test]
fn an_engine_that_swallows_an_error_of_a_sync_is_noticed_within_a_hundred_seeds() {
    assert_noticed(Sabotage::SwallowSyncError, 100, &[Promise::ReadOnly]);
}

#[test]
fn an_engine_that_ignores_checksums_is_noticed_within_twenty_seeds() {
    let promises = [Promise::Contents, Promise::Damage];
    assert_noticed(Sabotage::IgnoreChecksums, 20, &promises);
}

#[test]
fn an_engine_that_frees_zones_early_is_noticed_within_ten_seeds() {
    let promises = [Promise::Opening, Promise::Reads, Promise::Durability];
    assert_noticed(Sabotage::FreeEarly, 10, &promises);
}

#[test]
fn an_engine_that_drops_tombstones_early_is_noticed_within_twenty_seeds() {
    let promises = [Promise::Reads, Promise::Answers, Promise::Durability];
    assert_noticed(Sabotage::DropTombstones, 20, &promises);
}

#[test]
fn an_engine_that_falls_through_to_older_runs_is_noticed_within_two_hundred_seeds() {
    let promises = [Promise::Reads, Promise::Answers, Promise::Durability];
    assert_noticed(Sabotage::FallThrough, 200, &promises);
}

#[test]
fn an_engine_that_moves_values_unconditionally_is_noticed_within_four_hundred_seeds() {
    let promises = [Promise::Reads, Promise::Answers, Promise::Durability];
    assert_noticed(Sabotage::MoveAlways, 400, &promises);
}

#[test]
fn an_engine_that_appends_to_the_zone_of_another_boot_is_noticed_within_ten_seeds() {
    // Under another key in a zone it can never be read, and so it looks like damage that stays.
    let promises = [
        Promise::Reads,
        Promise::Durability,
        Promise::Opening,
        Promise::Damage,
    ];
    assert_noticed(Sabotage::AppendToOldZone, 10, &promises);
}

#[test]
fn an_engine_that_uses_a_nonce_twice_is_noticed_within_twenty_seeds() {
    assert_noticed(Sabotage::ReuseNonce, 20, &[Promise::Panic]);
}

#[test]
fn an_engine_that_splits_a_batch_is_noticed_within_ten_seeds() {
    let promises = [Promise::Durability, Promise::Reads, Promise::Answers];
    assert_noticed(Sabotage::SplitBatch, 10, &promises);
}
