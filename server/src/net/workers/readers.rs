//! Threads that read the disk for requests whose answer is not in memory.
//!
//! Guarantees: the queue is bounded; a full one refuses at once and tells when it has room; a long
//! read gives way to others after each turn, and one that answers what it has when its time is up
//! does so; the threads end when the last handle is dropped.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use kinetic_proto::StatusCode;
use kinetic_store::Effort;

use super::lobby::Lobby;
use crate::limits::{DISK_READ_QUEUE, LOOK_AHEAD_TURN, WAITING_POLL_MS};
use crate::net::buffers::inbox::{Done, Inbox};
use crate::net::clock::Clock;
use crate::ops::{Answer, Read, Unfinished};
use crate::session::Drive;

/// A read that must wait for the disk.
#[derive(Debug)]
pub(crate) struct Job {
    /// What to read.
    pub(crate) task: Task,
    /// The opening of the store that it was asked in.
    pub(crate) epoch: Option<u64>,
    /// Handed back with the answer.
    pub(crate) token: u64,
    /// Whom to tell.
    pub(crate) inbox: Arc<Inbox>,
}

/// What to read.
#[derive(Debug)]
pub(crate) enum Task {
    /// The answer to a request.
    Answer(Read),
    /// What the store's writer will look up, by key.
    LookAhead(Vec<Bytes>),
}

/// The way to the threads.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    jobs: Sender<Box<Job>>,
    lobby: Lobby,
}

impl Readers {
    /// Starts them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        count: usize,
        clock: Clock,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (jobs, queue) = bounded(DISK_READ_QUEUE);
        let lobby = Lobby::default();
        let mut handles = Vec::new();
        for _ in 0..count.max(1) {
            let (drive, queue, lobby) = (Arc::clone(drive), queue.clone(), lobby.clone());
            let thread = std::thread::Builder::new().name("kinetic-read".to_owned());
            handles.push(thread.spawn(move || work(&drive, (&queue, &lobby), clock))?);
        }
        Ok((Self { jobs, lobby }, handles))
    }

    /// How many wait for a thread.
    pub(crate) fn queued(&self) -> usize {
        self.jobs.len()
    }

    /// Queues a read, or gives it back when the queue is full; its inbox hears of room then.
    pub(crate) fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let inbox = Arc::clone(&job.inbox);
        self.lobby.send(&self.jobs, job, &inbox)
    }
}

/// Reads that have had a turn and are not done. They are as many as connections may wait for.
#[derive(Default)]
struct Begun {
    /// Those that go on as soon as it is their turn.
    ready: VecDeque<Box<Job>>,
    /// Those that wait for what others do.
    waiting: VecDeque<Box<Job>>,
    looked_us: u64,
}

impl Begun {
    fn keep(&mut self, turn: Turn) {
        match turn {
            Turn::Done => {}
            Turn::Over(job) => self.ready.push_back(job),
            Turn::Waits(job) => self.waiting.push_back(job),
        }
    }

    /// The next new one, after as long a wait as those that are begun allow.
    fn receive(&self, queue: &Receiver<Box<Job>>) -> Result<Box<Job>, TryRecvError> {
        let pause = Duration::from_millis(WAITING_POLL_MS);
        match (self.ready.is_empty(), self.waiting.is_empty()) {
            (false, _) => queue.try_recv(),
            (true, true) => queue.recv().map_err(|_closed| TryRecvError::Disconnected),
            (true, false) => queue.recv_timeout(pause).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            }),
        }
    }
}

fn work(drive: &Drive, (queue, lobby): (&Receiver<Box<Job>>, &Lobby), clock: Clock) {
    let mut begun = Begun::default();
    loop {
        match begun.receive(queue) {
            Ok(job) => {
                lobby.place_is_free(queue);
                begun.keep(turn(drive, job, clock));
            }
            Err(TryRecvError::Empty) => {}
            // Nobody is left to hear of what is not done.
            Err(TryRecvError::Disconnected) => return,
        }
        if let Some(job) = begun.ready.pop_front() {
            begun.keep(turn(drive, job, clock));
        }
        let now_us = clock.now_us();
        if now_us.saturating_sub(begun.looked_us) >= WAITING_POLL_MS * 1000 {
            begun.looked_us = now_us;
            for job in std::mem::take(&mut begun.waiting) {
                begun.keep(turn(drive, job, clock));
            }
        }
    }
}

/// What came of a turn.
enum Turn {
    Done,
    Over(Box<Job>),
    Waits(Box<Job>),
}

/// Reads as far as one turn goes.
fn turn(drive: &Drive, mut job: Box<Job>, clock: Clock) -> Turn {
    // Held, so that the drive cannot be erased and opened between this look and the read.
    let opening = drive.device.store_of(job.epoch);
    let read = match &mut job.task {
        Task::Answer(read) => read,
        Task::LookAhead(keys) => {
            let left = keys.len().saturating_sub(LOOK_AHEAD_TURN);
            for key in keys.drain(left..) {
                // Nothing comes of it but that it is in memory now.
                let _in_memory = opening.as_ref().map(|it| it.look_ahead(&key, Effort::Disk));
            }
            if left > 0 {
                return Turn::Over(job);
            }
            job.inbox.put(Done::LookedAhead(job.token));
            return Turn::Done;
        }
    };
    let outcome = match &opening {
        Some(_) => read.run(&drive.device, Effort::Disk),
        None => Ok(read.refused()),
    };
    let answer = match outcome {
        Ok(answer) => answer,
        Err(unfinished @ (Unfinished::OutOfTurn | Unfinished::Waiting)) => {
            match (read.cut_short(clock.now_us()), unfinished) {
                (Some(answer), _) => answer,
                (None, Unfinished::Waiting) => return Turn::Waits(job),
                (None, _) => return Turn::Over(job),
            }
        }
        Err(Unfinished::NotCached) => {
            let text = "the disk was not read although there was time for it";
            Answer::of(StatusCode::INTERNAL_ERROR.with_text(text))
        }
    };
    job.inbox.put(Done::Read(job.token, Box::new(answer)));
    Turn::Done
}
