//! Threads that read the disk for requests whose answer is not in memory.
//!
//! Guarantees: the queue is bounded, and a full one refuses at once; a long read gives way to
//! others after each turn, and one that answers what it has when its time is up does so; the
//! threads end when the last handle is dropped.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use kinetic_proto::StatusCode;
use kinetic_store::Effort;

use crate::limits::DISK_READ_QUEUE;
use crate::net::buffers::inbox::{Done, Inbox};
use crate::net::clock::Clock;
use crate::ops::{Answer, Read, Unfinished};
use crate::session::Drive;

/// A read that must wait for the disk.
#[derive(Debug)]
pub(crate) struct Job {
    /// What to read.
    pub(crate) read: Read,
    /// The opening of the store that it was asked in.
    pub(crate) epoch: Option<u64>,
    /// Handed back with the answer.
    pub(crate) token: u64,
    /// Whom to tell.
    pub(crate) inbox: Arc<Inbox>,
}

/// The way to the threads.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    jobs: Sender<Box<Job>>,
}

impl Readers {
    /// Starts them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        count: usize,
        clock: Clock,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (jobs, queue) = bounded(DISK_READ_QUEUE);
        let mut handles = Vec::new();
        for _ in 0..count.max(1) {
            let (drive, queue) = (Arc::clone(drive), queue.clone());
            let thread = std::thread::Builder::new().name("kinetic-read".to_owned());
            handles.push(thread.spawn(move || work(&drive, &queue, clock))?);
        }
        Ok((Self { jobs }, handles))
    }

    /// Queues a read, or gives it back when the queue is full.
    pub(crate) fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }
}

fn work(drive: &Drive, queue: &Receiver<Box<Job>>, clock: Clock) {
    // Reads that have had a turn and are not done. They are as many as connections may wait for.
    let mut begun = VecDeque::new();
    loop {
        let fresh = if begun.is_empty() {
            queue.recv().map_err(|_closed| TryRecvError::Disconnected)
        } else {
            queue.try_recv()
        };
        match fresh {
            Ok(job) => begun.extend(turn(drive, job, clock)),
            Err(TryRecvError::Empty) => {}
            // Nobody is left to hear of what is not done.
            Err(TryRecvError::Disconnected) => return,
        }
        if let Some(job) = begun.pop_front() {
            begun.extend(turn(drive, job, clock));
        }
    }
}

/// Reads as far as one turn goes; gives back what is not done by then.
fn turn(drive: &Drive, mut job: Box<Job>, clock: Clock) -> Option<Box<Job>> {
    // Held, so that the drive cannot be erased and opened between this look and the read.
    let opening = drive.device.store_of(job.epoch);
    let outcome = match &opening {
        Some(_) => job.read.run(&drive.device, Effort::Disk),
        None => Ok(job.read.refused()),
    };
    let answer = match outcome {
        Ok(answer) => answer,
        Err(Unfinished::OutOfTurn) => match job.read.cut_short(clock.now_us()) {
            Some(answer) => answer,
            None => return Some(job),
        },
        Err(Unfinished::NotCached) => {
            let text = "the disk was not read although there was time for it";
            Answer::of(StatusCode::INTERNAL_ERROR.with_text(text))
        }
    };
    job.inbox.put(Done::Read(job.token, Box::new(answer)));
    None
}
