//! Durability of the real process: `kill -9` under load, restart, verification.
//!
//! Guarantee: what `kineticd` acknowledged is there after a kill, WRITEBACK included, since the
//! page cache outlives the process; what it did not acknowledge is there whole or not at all.
//! Not here: power cuts, which a kill says nothing about (`simulation`).

mod writer;

mod nearly_full;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kinetic_client::{Client, Config};
use kinetic_simulator::Rng;
use kinetic_tests::drive::Drive;
use tokio::task::JoinSet;

use writer::{Countdown, Load, Writer};

const ROUNDS: u64 = 50;
const WRITERS: u64 = 16;
/// A drive that takes no writes for so long hangs.
const PATIENCE: Duration = Duration::from_mins(5);
/// Small values, so that kills come in the midst of groups.
const LOAD: Load = Load {
    keys: 40,
    lengths: &[6000],
};
/// Acknowledgements after which a kill comes, at most.
const MAX_ACKNOWLEDGED: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_under_load_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder for the image");
    let image = folder.path().join("drive.img");
    let mut rng = Rng::new(9);
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::new(number, LOAD))
        .collect();
    let (mut acknowledged, mut unsure) = (0, 0);
    for round in 0..ROUNDS {
        let drive = start(&image);
        let client = connect(&drive).await;
        for writer in &mut writers {
            writer.verify(&client, round).await;
        }
        // Some kills come right behind recovery.
        let most = if rng.chance(1, 5) {
            8
        } else {
            MAX_ACKNOWLEDGED
        };
        let countdown = Arc::new(Countdown::new(1 + rng.below(most)));
        writers = load_and_kill(drive, writers, &countdown).await;
        acknowledged += countdown.counted();
        unsure += writers.iter().map(Writer::unsure).sum::<u64>();
    }
    let drive = start(&image);
    let client = connect(&drive).await;
    for writer in &mut writers {
        writer.verify(&client, ROUNDS).await;
    }
    assert!(drive.stop().expect("a clean stop").success());
    println!("{ROUNDS} kills, {acknowledged} writes acknowledged, {unsure} cut short by a kill");
    assert!(
        acknowledged > ROUNDS * 20 && unsure > ROUNDS,
        "the load was none"
    );
}

fn start(image: &Path) -> Drive {
    Drive::start(image, &["--size", "256MiB"]).expect("the drive opens after a kill")
}

async fn connect(drive: &Drive) -> Client {
    let connected = Client::connect(drive.plain(), Config::default()).await;
    connected.expect("the drive serves once it says so")
}

/// Lets all writers write until the countdown is through, then kills the drive under them.
async fn load_and_kill(
    drive: Drive,
    writers: Vec<Writer>,
    countdown: &Arc<Countdown>,
) -> Vec<Writer> {
    let mut running = JoinSet::new();
    for writer in writers {
        let client = connect(&drive).await;
        running.spawn(writer.write_until_killed(client, Arc::clone(countdown)));
    }
    let enough = tokio::time::timeout(PATIENCE, countdown.through()).await;
    enough.expect("the drive takes writes");
    drive.kill().expect("the drive can be killed");
    running.join_all().await
}
