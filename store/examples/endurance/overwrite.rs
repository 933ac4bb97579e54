//! Overwrites at a given fill, and fills of a drive again and again.

use std::error::Error;
use std::time::Instant;

use bytes::Bytes;

use crate::Outcome;
use crate::drive::{Drive, key, scrambled};

/// Values of one size, or of many.
struct Values {
    bytes: Bytes,
    fixed: usize,
}

impl Values {
    fn new(fixed: usize) -> Self {
        let bytes: Vec<u8> = (0..(1_u64 << 20) / 8)
            .flat_map(|number| scrambled(number).to_le_bytes())
            .collect();
        Self {
            bytes: bytes.into(),
            fixed,
        }
    }

    /// The value for a random number. The mix has 256 bytes to 1 MiB, most of them short.
    fn of(&self, random: u64) -> Bytes {
        let length = if self.fixed > 0 {
            self.fixed
        } else {
            let least = 1_u64 << (8 + (random >> 32) % 13);
            let length = least + (random & (least - 1));
            usize::try_from(length).map_or(usize::MAX, |length| length.min(self.bytes.len()))
        };
        self.bytes.slice(..length)
    }

    fn mean(&self) -> u64 {
        if self.fixed > 0 {
            return self.fixed as u64;
        }
        (0..10_000)
            .map(|number| self.of(scrambled(number)).len() as u64)
            .sum::<u64>()
            / 10_000
    }
}

/// What is measured of a stretch of work.
struct Meter<'a> {
    drive: &'a Drive,
    start: Instant,
    written: u64,
    status: kinetic_store::Status,
}

impl<'a> Meter<'a> {
    fn start(drive: &'a Drive) -> (Instant, u64, kinetic_store::Status) {
        (Instant::now(), drive.disk.written(), drive.store.status())
    }

    fn of(
        drive: &'a Drive,
        (start, written, status): (Instant, u64, kinetic_store::Status),
    ) -> Self {
        Self {
            drive,
            start,
            written,
            status,
        }
    }

    fn print(&self, what: &str, puts: u64, put_bytes: u64) {
        let seconds = self.start.elapsed().as_secs_f64();
        let after = self.drive.store.status();
        let share = |bytes: u64| bytes as f64 / put_bytes.max(1) as f64;
        let before = &self.status;
        println!(
            "{what}: {seconds:.1} s, {:.0} puts/s, {:.1} MB/s, written {:.3} (log {:.3}, moved \
             {:.3}, index {:.3}), used {:.1} %, live {:.1} %, {} runs, {} moves",
            puts as f64 / seconds,
            put_bytes as f64 / seconds / 1e6,
            share(self.drive.disk.written() - self.written),
            share(after.group_bytes - before.group_bytes),
            share(after.moved_bytes - before.moved_bytes),
            share(after.index_bytes - before.index_bytes),
            100.0 * after.used_bytes as f64 / after.capacity_bytes as f64,
            100.0 * after.live_bytes as f64 / after.capacity_bytes as f64,
            after.runs,
            after.moves - before.moves,
        );
    }
}

/// Fills to a share of the drive, then overwrites random keys.
pub(crate) fn overwrite(
    file: &str,
    gib: u64,
    value: usize,
    (percent, times): (u64, u64),
) -> Outcome {
    let values = Values::new(value);
    let mut drive = Drive::create(file, gib)?;
    let room = drive.store.status().capacity_bytes / 100 * percent;
    let mean = values.mean();
    let count = room / (mean + mean / 50 + 100);
    let mut random = 1;
    let before = Meter::start(&drive);
    let mut bytes = 0;
    for number in 0..count {
        random = scrambled(random);
        let value = values.of(random);
        bytes += value.len() as u64;
        drive.put(key(number), value)?;
    }
    let refused = drive.settle();
    Meter::of(&drive, before).print("fill", count, bytes);
    let (goal, mut all) = (gib << 30, (Instant::now(), 0, 0));
    let whole = Meter::start(&drive);
    for time in 1..=times {
        let before = Meter::start(&drive);
        let (mut puts, mut bytes) = (0, 0);
        while bytes < goal {
            random = scrambled(random);
            let value = values.of(scrambled(random));
            bytes += value.len() as u64;
            puts += 1;
            drive.put(key(random % count), value)?;
        }
        let refused = drive.settle();
        Meter::of(&drive, before).print(&format!("overwrite {time}"), puts, bytes);
        if refused > 0 {
            println!("refused as full: {refused}");
        }
        all = (all.0, all.1 + puts, all.2 + bytes);
    }
    Meter::of(&drive, whole).print("all overwrites", all.1, all.2);
    if refused > 0 {
        println!("refused as full during the fill: {refused}");
    }
    drive.stop()
}

/// Fills a drive until it refuses, deletes every other key, and does it again.
pub(crate) fn fills(file: &str, gib: u64, value: usize, times: u64) -> Outcome {
    let values = Values::new(value);
    let mut drive = Drive::create(file, gib)?;
    let mut present: Vec<u64> = Vec::new();
    let mut number = 0;
    for time in 1..=times {
        let before = Meter::start(&drive);
        let filled = fill(&mut drive, &values, &mut number)?;
        let bytes = filled.len() as u64 * values.mean();
        Meter::of(&drive, before).print(&format!("fill {time}"), filled.len() as u64, bytes);
        present.extend(filled);
        let start = Instant::now();
        let (gone, left): (Vec<u64>, Vec<u64>) = present
            .iter()
            .partition(|number| (scrambled(**number) >> time) & 1 == 0);
        for number in &gone {
            drive.delete(key(*number))?;
        }
        drive.settle();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "  held {}, deleted {} in {seconds:.1} s",
            present.len(),
            gone.len()
        );
        present = left;
    }
    drive.stop()
}

/// Puts new keys until the drive refuses; gives those that it took, give or take the last few.
fn fill(drive: &mut Drive, values: &Values, number: &mut u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut filled = Vec::new();
    while drive.refused() < 64 {
        drive.put(key(*number), values.of(scrambled(*number)))?;
        filled.push(*number);
        *number += 1;
    }
    drive.settle();
    Ok(filled)
}
