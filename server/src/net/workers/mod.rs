//! Threads for what would keep a connection's task from others: reads of the disk, changes of the
//! drive.
//!
//! In layer order: [`lobby`] (who waits for room in their queues), [`jobs`] (what waits for the
//! readers, by urgency), [`readers`], [`changes`], and here the way to both.

mod lobby;

mod jobs;

mod readers;

mod changes;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::clock::Clock;
use crate::session::Drive;

pub(crate) use changes::{ChangeJob, Changes};
pub(crate) use readers::{Claim, Job, Readers, Task};

/// The way to all of them.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    /// Reads of the disk.
    pub(crate) readers: Readers,
    /// Changes of the drive.
    pub(crate) changes: Changes,
}

impl Workers {
    /// Starts all threads, with so many of them reading. They end with the last way to them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        reading: usize,
        clock: Clock,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (readers, mut threads) = Readers::start(drive, reading, clock)?;
        let (changes, changing) = Changes::start(drive, clock)?;
        threads.push(changing);
        Ok((Self { readers, changes }, threads))
    }
}
