//! The command `kinetic-sim`: what it prints of a violation shows that violation again.

use std::process::{Command, Output};

/// Runs the command with what stands behind `engine` in a line that it printed.
fn engine(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinetic-sim"));
    command.arg("engine").args(arguments.split_whitespace());
    command.output().expect("the command runs")
}

/// Lines of stderr that tell of a violation: what it is, and the arguments that replay it.
fn violations(output: &Output) -> Vec<(String, String)> {
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = err.lines().filter_map(|line| {
        let (what, command) = line.split_once("; replay: ")?;
        let (_, arguments) = command.split_once(" engine ")?;
        let what = what.trim_start_matches("shortest: ").to_owned();
        Some((what, arguments.to_owned()))
    });
    told.collect()
}

#[test]
fn the_printed_lines_replay_the_violations_that_they_tell_of() {
    let found = engine("--seeds 30 --jobs 1 --sabotage answer-early");
    assert!(!found.status.success());
    let told = violations(&found);
    assert_eq!(
        told.len(),
        2,
        "the violation and the shortest one: {found:?}"
    );
    assert!(told[1].1.contains("--operations"), "{told:?}");
    for (what, arguments) in told {
        let again = engine(&arguments);
        assert!(!again.status.success());
        assert_eq!(violations(&again)[0], (what, arguments));
    }
}

#[test]
fn a_run_without_a_violation_prints_its_figures() {
    let output = engine("--seeds 3 --jobs 2 --progress 0");
    assert!(output.status.success(), "{output:?}");
    let figures = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in [
        "3 histories",
        "operations",
        "power cuts",
        "TornWrite",
        "Within Write",
    ] {
        assert!(figures.contains(part), "{part} is missing: {figures}");
    }
}

#[test]
fn a_run_that_keeps_going_tells_all_violations_and_sums_up_the_rest() {
    let output = engine("--seeds 12 --jobs 1 --keep-going --sabotage answer-early");
    let told = violations(&output).len() as u64;
    let figures = String::from_utf8_lossy(&output.stdout).into_owned();
    let kept: u64 = figures.split(' ').next().unwrap().parse().unwrap();
    assert!(kept < 12, "{figures}");
    assert!(kept + told >= 12, "{figures} and {told} violations");
}
