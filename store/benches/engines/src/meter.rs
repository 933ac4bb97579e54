//! Time, the processors' time, bytes that went to the disk, and what the host keeps in memory.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise, fstatfs, syncfs};
use rustix::time::{ClockId, clock_gettime};

use crate::engine::Outcome;

/// How the kernel marks a file system that is memory.
const TMPFS: u64 = 0x0102_1994;

/// What a piece of work took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    /// From its start to its end.
    pub(crate) time: Duration,
    /// Of processors, by all threads of this process, an engine's own included.
    pub(crate) processors: Duration,
}

impl std::ops::Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            time: self.time + other.time,
            processors: self.processors + other.processors,
        }
    }
}

/// Does the work for each number, in so many threads that share them evenly; the time is that from
/// the first one's start to the last one's end.
pub(crate) fn in_parallel(
    threads: usize,
    numbers: &[u64],
    work: impl Fn(u64) -> Outcome + Sync,
) -> Outcome<Spent> {
    let share = numbers.len().div_ceil(threads).max(1);
    let ready = Barrier::new(numbers.chunks(share).len());
    let (ready, work) = (&ready, &work);
    let worked = |numbers: &[u64]| -> Outcome<(Instant, Instant)> {
        ready.wait();
        let start = now();
        numbers.iter().try_for_each(|number| work(*number))?;
        Ok((start, now()))
    };
    let worked = &worked;
    let before = processors();
    std::thread::scope(|scope| {
        let started: Vec<_> = numbers
            .chunks(share)
            .map(|numbers| scope.spawn(move || worked(numbers)))
            .collect();
        let mut span: Option<(Instant, Instant)> = None;
        for thread in started {
            let (start, end) = thread.join().map_err(|_panic| "a thread panicked")??;
            let (first, last) = span.unwrap_or((start, end));
            span = Some((first.min(start), last.max(end)));
        }
        Ok(Spent {
            time: span.map_or(Duration::ZERO, |(first, last)| last - first),
            processors: processors().saturating_sub(before),
        })
    })
}

/// What one piece of work took.
pub(crate) fn timed(work: impl FnOnce() -> Outcome) -> Outcome<Spent> {
    let (start, before) = (now(), processors());
    work()?;
    Ok(Spent {
        time: start.elapsed(),
        processors: processors().saturating_sub(before),
    })
}

/// Time of processors that this process has had.
fn processors() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Bytes that this process has sent to disks or made the host send there, less those of files that
/// were removed before the host did.
pub(crate) fn written() -> Outcome<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let of = |name: &str| -> Outcome<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(line
            .ok_or("the kernel does not count bytes")?
            .trim()
            .parse()?)
    };
    Ok(of("write_bytes:")?.saturating_sub(of("cancelled_write_bytes:")?))
}

/// Waits until the file system that holds a folder has written everything.
pub(crate) fn sync_all(folder: &Path) -> Outcome {
    Ok(syncfs(File::open(folder)?)?)
}

/// Whether a folder lies on a disk, not in memory.
pub(crate) fn is_on_disk(folder: &Path) -> Outcome<bool> {
    Ok(u64::try_from(fstatfs(File::open(folder)?)?.f_type)? != TMPFS)
}

/// Makes the host forget what it has read of the files in a folder.
pub(crate) fn forget(folder: &Path) -> Outcome {
    sync_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            fadvise(File::open(&path)?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
