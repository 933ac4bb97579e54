//! The same seed gives the same history to the last byte, and another seed another.

use kinetic_simulator::history::run;
use kinetic_store::Sabotage;

const SEEDS: u64 = 40;

#[test]
fn a_seed_repeats_its_trace_and_differs_from_all_others() {
    let trace = |seed| match run(seed, Sabotage::Off, None) {
        Ok(report) => report.trace_hash,
        Err(violation) => panic!("{violation}"),
    };
    let mut hashes: Vec<u64> = (0..SEEDS).map(trace).collect();
    for (hash, seed) in hashes.iter().zip(0..) {
        assert_eq!(trace(seed), *hash, "seed {seed} took another course");
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len() as u64, SEEDS);
}

#[test]
fn a_violation_repeats_too() {
    let violation = |seed| {
        run(seed, Sabotage::SkipSync, None)
            .err()
            .map(|found| found.to_string())
    };
    let found = (0..20).find_map(|seed| Some((seed, violation(seed)?)));
    let (seed, line) = found.expect("a skipped sync is noticed within 20 seeds");
    assert_eq!(violation(seed).as_ref(), Some(&line));
    let command = format!("cargo run --release -p kinetic-simulator -- engine --seed {seed}");
    assert!(line.contains(&command), "{line}");
}
