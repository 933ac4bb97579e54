//! Millions of small keys: what the index costs and gives.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use kinetic_store::{Direction, Effort, KeyRange, ReadError, Store};

use crate::Outcome;
use crate::drive::{Drive, key, resident, scrambled};

const READS: u64 = 200_000;

/// Puts keys with values of 16 bytes, reads some, and ends as a killed process does.
pub(crate) fn put(file: &str, gib: u64, count: u64) -> Outcome {
    let mut drive = Drive::create(file, gib)?;
    let value = Bytes::from_static(b"sixteen bytes...");
    let start = Instant::now();
    for number in 0..count {
        drive.put(key(number), value.clone())?;
        if (number + 1) % (count / 10).max(1) == 0 {
            let rate = (number + 1) as f64 / start.elapsed().as_secs_f64();
            let status = drive.store.status();
            println!(
                "{} keys: {rate:.0} puts/s so far, {} runs, {:.1} bytes of index written a key, \
                 {} MB resident",
                number + 1,
                status.runs,
                status.index_bytes as f64 / (number + 1) as f64,
                resident() / 1_000_000,
            );
        }
    }
    drive.settle();
    read(&drive.store, count)?;
    println!("{:?}", drive.store.status());
    // No stop and no last flush: what `open` finds is what a kill leaves.
    std::process::exit(0);
}

/// Opens and reads.
pub(crate) fn open(file: &str, count: u64) -> Outcome {
    let start = Instant::now();
    let drive = Drive::open(file)?;
    println!(
        "open: {:.0} ms, {} MB resident",
        start.elapsed().as_secs_f64() * 1e3,
        resident() / 1_000_000
    );
    read(&drive.store, count)?;
    drive.stop()
}

fn read(store: &Store, count: u64) -> Outcome {
    let rate = |what: &str, times: u64, start: Instant| {
        println!(
            "{what}: {:.0} a second",
            times as f64 / start.elapsed().as_secs_f64()
        );
    };
    for turn in ["first", "again"] {
        let start = Instant::now();
        for number in 0..READS {
            let number = scrambled(number) % count;
            store.metadata(&key(number), Effort::Disk)?;
        }
        rate(&format!("hits of metadata, {turn}"), READS, start);
    }
    let start = Instant::now();
    for number in 0..READS {
        let missing = Bytes::from(format!("{:016x}missing.", scrambled(number ^ (1 << 50))));
        match store.metadata(&missing, Effort::Disk) {
            Err(ReadError::NotFound) => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    rate("misses", READS, start);
    let (start, mut keys, mut from) = (Instant::now(), 0, Bound::Unbounded);
    while keys < 10 * READS.min(count / 10) {
        let range = KeyRange {
            start: from,
            end: Bound::Unbounded,
            direction: Direction::Forward,
        };
        let found = store.range(&range, 1000, Effort::Disk)?;
        let Some(last) = found.last() else {
            break;
        };
        keys += found.len() as u64;
        from = Bound::Excluded(Bytes::clone(last));
    }
    rate("keys of ranges", keys, start);
    println!("{} MB resident after reads", resident() / 1_000_000);
    Ok(())
}

/// Puts and deletes keys, then asks for the next one across where they were.
pub(crate) fn deletes(file: &str, gib: u64, count: u64) -> Outcome {
    let mut drive = Drive::create(file, gib)?;
    let name = |number: u64| Bytes::from(format!("{number:024}"));
    let value = Bytes::from_static(b"v");
    for number in 0..count + 2 {
        drive.put(name(number), value.clone())?;
    }
    drive.settle();
    let start = Instant::now();
    for number in 1..=count {
        drive.delete(name(number))?;
    }
    drive.settle();
    println!(
        "deletes: {:.0} a second",
        count as f64 / start.elapsed().as_secs_f64()
    );
    let ended = Instant::now();
    let look = |moment: &str| -> Outcome {
        let start = Instant::now();
        let (next, _) = drive.store.next(&name(0), Effort::Disk)?;
        let took = start.elapsed();
        assert_eq!(next, name(count + 1), "what was deleted is gone");
        let start = Instant::now();
        let (previous, _) = drive.store.previous(&name(count + 1), Effort::Disk)?;
        assert_eq!(previous, name(0), "what was deleted is gone");
        println!(
            "{moment}: next {:.3} ms, previous {:.3} ms, {} runs",
            took.as_secs_f64() * 1e3,
            start.elapsed().as_secs_f64() * 1e3,
            drive.store.status().runs,
        );
        Ok(())
    };
    look("right after")?;
    let mut quiet = 0;
    for second in 1.. {
        std::thread::sleep(std::time::Duration::from_secs(1));
        if second <= 5 {
            look(&format!("{second} s after"))?;
        }
        let now = drive.store.under_way();
        let rests = !(now.flush || now.merge || now.reclaim || now.change);
        quiet = if rests { quiet + 1 } else { 0 };
        if second >= 5 && quiet >= 3 {
            let seconds = ended.elapsed().as_secs() - quiet;
            println!("upkeep rests after {seconds} s at most");
            break;
        }
    }
    look("then")?;
    drive.stop()
}

/// Overwrites one key, and looks for it all the time.
pub(crate) fn one_key(file: &str, gib: u64, count: u64) -> Outcome {
    let mut drive = Drive::create(file, gib)?;
    let name = Bytes::from_static(b"the one key");
    drive.put(name.clone(), Bytes::from_static(b"0"))?;
    drive.settle();
    let stop = Arc::new(AtomicBool::new(false));
    let looks = |store: Store, stop: Arc<AtomicBool>, name: Bytes| {
        let range = KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            direction: Direction::Forward,
        };
        let (mut looked, mut missed) = (0_u64, 0_u64);
        while !stop.load(Ordering::Relaxed) {
            looked += 2;
            missed += u64::from(store.get(&name, Effort::Disk).is_err());
            let found = store.range(&range, 10, Effort::Disk);
            missed += u64::from(found.map_or(0, |found| found.len()) != 1);
        }
        (looked, missed)
    };
    let (store, stopped, looked_for) = (drive.store.clone(), Arc::clone(&stop), name.clone());
    let looking = std::thread::spawn(move || looks(store, stopped, looked_for));
    let start = Instant::now();
    for number in 0..count {
        drive.put(name.clone(), Bytes::from(number.to_string()))?;
    }
    drive.settle();
    let seconds = start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let (looked, missed) = looking
        .join()
        .map_err(|panic| format!("looking failed: {panic:?}"))?;
    println!("{count} overwrites in {seconds:.1} s; looked {looked} times, missed {missed} times");
    drive.stop()
}
