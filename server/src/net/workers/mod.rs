//! Threads and tasks for what would keep a connection's task from others: reads of the disk,
//! changes of the drive, pushes to other drives.
//!
//! In layer order: [`lobby`] (who waits for room in the threads' queues), [`jobs`] (what waits for
//! the readers, by urgency), [`readers`], [`changes`], [`push`], and here the way to all of them.

mod lobby;

mod jobs;

mod readers;

mod changes;

mod push;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::clock::Clock;
use crate::config::peers::Peers;
use crate::session::Drive;

pub(crate) use changes::{ChangeJob, Changes};
pub(crate) use jobs::Length;
pub(crate) use push::{PushJob, Pushes};
pub(crate) use readers::{Claim, Job, Readers, Task};

/// The way to all of them.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    /// Reads of the disk.
    pub(crate) readers: Readers,
    /// Changes of the drive.
    pub(crate) changes: Changes,
    /// Pushes to other drives.
    pub(crate) pushes: Pushes,
}

impl Workers {
    /// Starts all threads, with so many of them reading. They end with the last way to them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        (reading, peers): (usize, Peers),
        clock: Clock,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (readers, mut threads) = Readers::start(drive, reading, clock)?;
        let (changes, changing) = Changes::start(drive, clock)?;
        threads.push(changing);
        let pushes = Pushes::new(drive, &readers, (clock, peers));
        let all = Self {
            readers,
            changes,
            pushes,
        };
        Ok((all, threads))
    }
}
