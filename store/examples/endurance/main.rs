//! The bare engine over a long time: fills, overwrites, millions of keys; figures for
//! docs/PERFORMANCE.md.
//!
//! `cargo run --release -p kinetic-store --example endurance -- MODE FILE ...` with one of
//! - `overwrite FILE SIZE VALUE_BYTES PERCENT TIMES`: fills a drive of SIZE GiB to PERCENT of its
//!   room, overwrites random keys until TIMES the drive's size was put; VALUE_BYTES 0 is a mix;
//! - `fills FILE SIZE VALUE_BYTES TIMES`: fills until it is full, deletes half, and again;
//! - `keys FILE SIZE COUNT`: puts COUNT keys of 24 bytes, reads, and ends without a stop;
//! - `open FILE COUNT`: opens what `keys` left, and reads it;
//! - `deletes FILE SIZE COUNT`: puts and deletes COUNT keys, asks for the next key across them;
//! - `one-key FILE SIZE COUNT`: overwrites one key COUNT times beside a GET and a range;
//! - `latency FILE SIZE SECONDS`: durable PUTs of 4 KiB on an idle drive, then beside upkeep.
#![expect(clippy::print_stdout, reason = "an example prints its figures")]
#![expect(clippy::disallowed_methods, reason = "an example measures time")]

mod counting;
mod drive;
mod keys;
mod latency;
mod overwrite;

use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["overwrite", file, size, value, percent, times] => overwrite::overwrite(
            file,
            size.parse()?,
            value.parse()?,
            (percent.parse()?, times.parse()?),
        ),
        ["fills", file, size, value, times] => {
            overwrite::fills(file, size.parse()?, value.parse()?, times.parse()?)
        }
        ["keys", file, size, count] => keys::put(file, size.parse()?, count.parse()?),
        ["open", file, count] => keys::open(file, count.parse()?),
        ["deletes", file, size, count] => keys::deletes(file, size.parse()?, count.parse()?),
        ["one-key", file, size, count] => keys::one_key(file, size.parse()?, count.parse()?),
        ["latency", file, size, seconds] => latency::latency(file, size.parse()?, seconds.parse()?),
        _ => Err("usage: see the head of store/examples/endurance/main.rs".into()),
    }
}
