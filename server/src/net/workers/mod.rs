//! Threads or tasks for what would keep a connection's task from others: reads of the disk,
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

use super::clock::Clock;
use super::surroundings::labour::AtWork;
use super::surroundings::{Dial, Labour};
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

/// What they are to be like.
#[derive(Debug, Clone)]
pub(crate) struct Staff {
    /// Threads or tasks.
    pub(crate) labour: Labour,
    /// So many of them read.
    pub(crate) reading: usize,
    /// Whom they may push to.
    pub(crate) peers: Peers,
    /// How these are reached, where not by TCP.
    pub(crate) dial: Option<Dial>,
}

#[cfg(test)]
impl Staff {
    /// As few as there can be, on threads.
    pub(crate) fn of_tests() -> Self {
        Self {
            labour: Labour::OwnThreads,
            reading: 1,
            peers: Peers::default(),
            dial: None,
        }
    }
}

impl Workers {
    /// Starts all of them. They end with the last way to them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        staff: Staff,
        clock: Clock,
    ) -> io::Result<(Self, Vec<AtWork>)> {
        let Staff { labour, .. } = staff;
        let (readers, mut threads) = Readers::start(drive, (labour, staff.reading), clock)?;
        let (changes, changing) = Changes::start(drive, labour, clock)?;
        threads.push(changing);
        let pushes = Pushes::new(drive, &readers, (clock, staff.peers, staff.dial));
        let all = Self {
            readers,
            changes,
            pushes,
        };
        Ok((all, threads))
    }
}
