//! The disk's own rate: writers behind one queue, one write and one fdatasync for all that wait.
//!
//! This is the least a durable server must do, without protocol, index or checksum. The file is
//! either written beforehand, so that a sync has no metadata to write, or sparse.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

/// The file of one measurement; the loop starts over at its end.
const FILE_SIZE: u64 = 256 << 20;

/// How the file looks before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    Written,
    Sparse,
}

/// Durable writes a second with so many writers, each waiting for its own.
pub(crate) fn durable_rate(
    folder: &Path,
    ground: Ground,
    writers: u64,
    requests: u64,
) -> io::Result<f64> {
    let size = super::plan::DURABLE_SIZE;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let disk = OpenOptions::new().write(true).open(file.path())?;
    prepare(&disk, ground)?;

    let each = requests / writers;
    let started = now();
    thread::scope(|scope| {
        let (queue, waiting) = sync_channel(usize::try_from(writers).unwrap_or(1));
        for writer in 0..writers {
            let queue = queue.clone();
            let name = format!("writer {writer}");
            thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, move || write(&queue, each))?;
        }
        drop(queue);
        sync_all(&disk, size, &waiting)
    })?;
    let seconds = now().duration_since(started).as_secs_f64();
    Ok((each * writers) as f64 / seconds)
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this program is for"
)]
fn now() -> Instant {
    Instant::now()
}

fn prepare(disk: &File, ground: Ground) -> io::Result<()> {
    disk.set_len(FILE_SIZE)?;
    if ground == Ground::Written {
        let block = vec![0x5a; 1 << 20];
        for at in (0..FILE_SIZE).step_by(block.len()) {
            disk.write_all_at(&block, at)?;
        }
    }
    disk.sync_all()
}

/// Each write is a place to be told at.
fn write(queue: &SyncSender<SyncSender<()>>, count: u64) {
    let (done, told) = sync_channel(1);
    for _ in 0..count {
        if queue.send(done.clone()).is_err() || told.recv().is_err() {
            return;
        }
    }
}

fn sync_all(disk: &File, size: u64, waiting: &Receiver<SyncSender<()>>) -> io::Result<()> {
    let mut at = 0;
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter());
        let bytes = vec![0xa5; group.len() * usize::try_from(size).unwrap_or(0)];
        if at + bytes.len() as u64 > FILE_SIZE {
            at = 0;
        }
        disk.write_all_at(&bytes, at)?;
        disk.sync_data()?;
        at += bytes.len() as u64;
        for writer in group {
            // A writer that is gone has nobody left to tell.
            writer.send(()).ok();
        }
    }
    Ok(())
}
