//! Many drives in one process: how long they take to start, their memory, their threads.
//!
//! ```sh
//! cargo run --release -p kinetic-simulator --no-default-features --example many -- 1000
//! ```

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use kinetic_client::{Client, Config};
use kinetic_simulator::Chassis;

fn main() -> Result<(), Box<dyn Error>> {
    let count = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1000,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut out = std::io::stdout().lock();
    let before = resident()?;
    let begun = now();
    let chassis = Chassis::of(count).start_blocking()?;
    let took = begun.elapsed();
    let idle = resident()?.saturating_sub(before);
    writeln!(
        out,
        "{count} drives started in {took:?}, {:?} each",
        took / u32::try_from(count)?
    )?;
    writeln!(
        out,
        "{} KB each, {} threads in all",
        idle / count as u64 / 1000,
        threads()?
    )?;
    let begun = now();
    runtime.block_on(async {
        for drive in chassis.iter() {
            let client = Client::connect(drive.addr(), Config::default()).await?;
            client.put("key", vec![7; 4096]).force().await?;
            let entry = client.get("key").await?.ok_or("nothing is there")?;
            assert_eq!(entry.value.len(), 4096);
        }
        Ok::<(), Box<dyn Error>>(())
    })?;
    let served = resident()?.saturating_sub(before);
    writeln!(
        out,
        "each has served a put and a get within {:?}",
        begun.elapsed()
    )?;
    writeln!(
        out,
        "{} KB each, {} threads in all",
        served / count as u64 / 1000,
        threads()?
    )?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "measures what a user waits for")]
fn now() -> Instant {
    Instant::now()
}

fn threads() -> std::io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Bytes of this process that are in memory.
fn resident() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm
        .split_whitespace()
        .nth(1)
        .ok_or("statm has no figures")?;
    Ok(pages.parse::<u64>()? * 4096)
}
