//! A rough figure, for people; run with `--ignored --nocapture` in a release build.

use super::{Bench, Dice, small};
use crate::effort::Effort;
use crate::run::{Direction, RunCursor};
use std::ops::Bound;

#[test]
#[ignore = "prints figures and proves nothing"]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn building_and_reading_a_million_entries() {
    use std::time::Instant;
    let mut bench = Bench::new(16 << 20, 64);
    let model = small(1_000_000);
    let start = Instant::now();
    let run = bench.build_model(8192, &model);
    let meta = run.meta();
    println!(
        "build {:?}, {} bytes, height {}",
        start.elapsed(),
        meta.bytes,
        meta.height
    );
    let mut dice = Dice(3);
    for (name, odd) in [("hits", 0), ("misses", 1)] {
        let start = Instant::now();
        for _ in 0..1_000_000 {
            let key = format!("key{:08}", dice.roll(1_000_000) * 2 + odd);
            let _found = run
                .get(&bench.reader, key.as_bytes(), Effort::Disk)
                .unwrap();
        }
        println!("1 M {name} {:?}", start.elapsed());
    }
    let start = Instant::now();
    let mut cursor = RunCursor::new(run.clone(), Direction::Forward);
    cursor
        .seek(&bench.reader, Bound::Unbounded, Effort::Disk)
        .unwrap();
    while cursor.current().is_some() {
        cursor.advance(&bench.reader, Effort::Disk).unwrap();
    }
    println!("scan {:?}", start.elapsed());
    let cache = bench.reader.cache();
    println!(
        "hits {} misses {} weight {}",
        cache.hits(),
        cache.misses(),
        cache.weight()
    );
}
