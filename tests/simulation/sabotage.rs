//! The check bites: an engine with a deliberate bug fails it.

use kinetic_simulator::history::{Promise, Violation, run};
use kinetic_store::Sabotage;

/// The first seed that notices a bug, and what it saw.
fn first_to_notice(sabotage: Sabotage, seeds: u64) -> Violation {
    let found = (0..seeds).find_map(|seed| run(seed, sabotage).err());
    found.unwrap_or_else(|| panic!("{sabotage:?} stays unnoticed for {seeds} seeds"))
}

#[test]
fn an_engine_that_skips_its_syncs_is_noticed_within_twenty_seeds() {
    let found = first_to_notice(Sabotage::SkipSync, 20);
    println!("noticed at seed {}: {}", found.seed, found.promise);
    assert!(
        matches!(found.promise, Promise::Durability | Promise::Opening),
        "{found}"
    );
}

#[test]
fn an_engine_that_answers_before_its_sync_is_noticed_within_twenty_seeds() {
    let found = first_to_notice(Sabotage::AnswerEarly, 20);
    println!("noticed at seed {}: {}", found.seed, found.promise);
    assert_eq!(found.promise, Promise::Durability, "{found}");
}

#[test]
fn an_engine_that_ignores_checksums_is_noticed_within_a_hundred_seeds() {
    let found = first_to_notice(Sabotage::IgnoreChecksums, 100);
    println!("noticed at seed {}: {}", found.seed, found.promise);
    assert_eq!(found.promise, Promise::Contents, "{found}");
}

#[test]
fn an_engine_that_moves_values_unconditionally_is_noticed_within_a_thousand_seeds() {
    let found = first_to_notice(Sabotage::MoveAlways, 1000);
    println!("noticed at seed {}: {}", found.seed, found.promise);
    assert!(
        matches!(
            found.promise,
            Promise::Durability | Promise::Reads | Promise::Answers
        ),
        "{found}"
    );
}

#[test]
fn an_engine_that_frees_zones_early_is_noticed_within_a_hundred_seeds() {
    let found = first_to_notice(Sabotage::FreeEarly, 100);
    println!("noticed at seed {}: {}", found.seed, found.promise);
}
