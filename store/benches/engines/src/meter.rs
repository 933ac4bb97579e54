//! Time, the processors' time, bytes that went to the disk, and what the host keeps in memory.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise, fstatfs, syncfs};
use rustix::time::{ClockId, clock_gettime};

use crate::engine::Outcome;

/// Which of a disk's counters has the sectors of 512 bytes that were written.
const SECTORS_WRITTEN: usize = 6;
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

/// Bytes that the disk under a folder has been told to write, by whomever; `None` where the host
/// does not say. What a process is charged with is no measure: the kernel charges it with a whole
/// folio for each byte that it makes dirty in one, and writes the blocks that are.
pub(crate) fn written(folder: &Path) -> Outcome<Option<u64>> {
    sync_all(folder)?;
    let device = fs::metadata(folder)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(text) = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")) else {
        return Ok(None);
    };
    let sectors = text.split_ascii_whitespace().nth(SECTORS_WRITTEN);
    let sectors: u64 = sectors.ok_or("the disk's counters end early")?.parse()?;
    Ok(Some(sectors * 512))
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
