//! Kills of a drive that is nearly full and overwritten all the time: zones are emptied and runs
//! are merged while the kill comes.
//!
//! Six kills in the suite. For more of them, as CONTRIBUTING.md tells: `KINETIC_KILLS=200 cargo
//! test --release -p kinetic-tests --test durability nearly_full -- --nocapture`

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use kinetic_simulator::Rng;
use kinetic_tests::program::Program;
use serde_json::Value;

use super::writer::{Countdown, Load, Writer};
use super::{connect, load_and_kill, start};

const WRITERS: u64 = 16;
/// 63 kB on average: 145 MB of five keys in six, on a drive with room for 190.
const LOAD: Load = Load {
    keys: 170,
    lengths: &[300, 5000, 100_000, 400_000],
};
/// Acknowledgements after which a kill comes, at most: some hundred megabytes.
const MAX_ACKNOWLEDGED: u64 = 3000;
const KILLS_IN_SUITE: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_zones_are_emptied_and_runs_are_merged_lose_nothing() {
    let kills = std::env::var("KINETIC_KILLS").map_or(KILLS_IN_SUITE, |number| {
        number.parse().expect("KINETIC_KILLS is a number")
    });
    let folder = tempfile::tempdir().expect("a folder for the image");
    let image = folder.path().join("drive.img");
    let mut rng = Rng::new(kills);
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::new(number, LOAD))
        .collect();
    let mut seen = Seen::default();
    let mut acknowledged = 0;
    for round in 0..kills {
        let drive = start(&image);
        let client = connect(&drive).await;
        for writer in &mut writers {
            writer.verify(&client, round).await;
        }
        let countdown = Arc::new(Countdown::new(1 + rng.below(MAX_ACKNOWLEDGED)));
        writers = load_and_kill(drive, writers, &countdown).await;
        acknowledged += countdown.counted();
        seen.look_at(&image);
    }
    let drive = start(&image);
    let client = connect(&drive).await;
    for writer in &mut writers {
        writer.verify(&client, kills).await;
    }
    assert!(drive.stop().expect("a clean stop").success());
    println!("{kills} kills, {acknowledged} writes acknowledged, {seen:?}");
    assert!(
        seen.kills_after_moves * 2 > kills && seen.kills_after_merges * 4 > kills,
        "upkeep had nothing to do: {seen:?}"
    );
}

/// What upkeep did before the kills, as the killed drives tell it.
#[derive(Debug, Default)]
struct Seen {
    /// Kills that left values in cold zones.
    kills_after_moves: u64,
    /// Kills that left merged runs which were not there before.
    kills_after_merges: u64,
    merged: BTreeSet<u64>,
}

impl Seen {
    fn look_at(&mut self, image: &Path) {
        let mut inspect = Command::new(Program::Command.path().expect("the command's program"));
        inspect
            .args(["drive", "inspect", "--output", "json"])
            .arg(image);
        let told = inspect.output().expect("the command runs").stdout;
        let told: Value = serde_json::from_slice(&told).expect("it tells JSON");
        let rows = |name: &str| told.get(name)?.as_array().cloned();
        let number = |row: &Value, name: &str| row.get(name)?.as_u64();
        let is_cold = |zones: &Value| {
            zones.get("kind").is_some_and(|kind| kind == "cold")
                && number(zones, "written") > Some(0)
        };
        let runs = rows("runs").expect("it lists runs");
        let merged: BTreeSet<u64> = runs
            .iter()
            .filter(|run| number(run, "level") > Some(0))
            .filter_map(|run| number(run, "run"))
            .collect();
        let zones = rows("zones").expect("it lists zones");
        self.kills_after_moves += u64::from(zones.iter().any(is_cold));
        self.kills_after_merges += u64::from(!merged.is_subset(&self.merged));
        self.merged.extend(merged);
    }
}
