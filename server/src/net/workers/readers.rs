//! Threads, or tasks, that read the disk for requests whose answer is not in memory.
//!
//! Guarantees: the queue is bounded, and the most urgent goes first (`jobs`); what finds no place
//! is refused at once and hears of one; a long read gives way to others after each turn, and one
//! that answers what it has when its time is up does so, also when the drive is to sleep or to end;
//! what has had its time before it is begun is not done, and what is cut short by it says so; what
//! nobody hears of any more is left, after the turn in which its connection goes; the threads end
//! when the last handle is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_store::Effort;

use super::jobs::{Jobs, Length, NoJob, Urgency};
use crate::device::PowerLevel;
use crate::limits::{DISK_READ_QUEUE, LOOK_AHEAD_TURN, WAITING_POLL_MS};
use crate::net::buffers::inbox::{Done, Inbox};
use crate::net::clock::Clock;
use crate::net::surroundings::Labour;
use crate::net::surroundings::labour::AtWork;
use crate::ops::status::{expired, out_of_time};
use crate::ops::{Answer, Read, Unfinished};
use crate::session::Drive;
use crate::session::manner::Manner;

/// A read that must wait for the disk.
#[derive(Debug)]
pub(crate) struct Job {
    /// What to read.
    pub(crate) task: Task,
    /// How.
    pub(crate) manner: Manner,
    /// How long it takes, as far as is known.
    pub(crate) length: Length,
    /// Who may do it or give it up, where it has a time.
    pub(crate) claim: Option<Claim>,
    /// The opening of the store that it was asked in.
    pub(crate) epoch: Option<u64>,
    /// Handed back with the answer.
    pub(crate) token: u64,
    /// Whom to tell.
    pub(crate) inbox: Arc<Inbox>,
}

/// Whoever takes it, a thread or the connection whose read is overdue, answers the read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Takes it, unless the other one has.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// What to read.
#[derive(Debug)]
pub(crate) enum Task {
    /// The answer to a request.
    Answer(Read),
    /// What the store's writer will look up, by key.
    LookAhead(Vec<Bytes>),
}

impl Job {
    fn tell(&self, answer: Answer) {
        self.inbox.put(Done::Read(self.token, Box::new(answer)));
    }

    fn urgency(&self) -> Urgency {
        match &self.task {
            Task::Answer(read) if read.is_background() => Urgency::BACKGROUND,
            Task::Answer(_) | Task::LookAhead(_) => Urgency::of(self.manner.priority, self.length),
        }
    }
}

/// The way to the threads.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Way>);

#[derive(Debug)]
struct Way(Arc<Jobs<Box<Job>>>);

impl Drop for Way {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Readers {
    /// Starts so many of them.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        (labour, count): (Labour, usize),
        clock: Clock,
    ) -> io::Result<(Self, Vec<AtWork>)> {
        let jobs = Arc::new(match labour {
            Labour::OwnThreads => Jobs::new(DISK_READ_QUEUE),
            Labour::Pool | Labour::Here => Jobs::for_tasks(DISK_READ_QUEUE),
        });
        let way = Self(Arc::new(Way(Arc::clone(&jobs))));
        let mut handles = Vec::new();
        for _ in 0..count.max(1) {
            let mut reader = Reader {
                drive: Arc::clone(drive),
                jobs: Arc::clone(&jobs),
                clock,
                waiting: Vec::new(),
                looked_us: 0,
            };
            handles.push(match labour {
                Labour::OwnThreads => {
                    let thread = std::thread::Builder::new().name("kinetic-read".to_owned());
                    AtWork::Thread(thread.spawn(move || {
                        while reader.goes_on(reader.jobs.take(reader.pause())) {}
                    })?)
                }
                Labour::Pool | Labour::Here => AtWork::Task(tokio::spawn(reader.attend(labour))),
            });
        }
        Ok((way, handles))
    }

    /// How many wait for a thread.
    pub(crate) fn queued(&self) -> usize {
        self.0.0.waiting()
    }

    /// Queues a read, or gives it back when the queue is full; its inbox hears of room then.
    pub(crate) fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let (urgency, inbox) = (job.urgency(), Arc::clone(&job.inbox));
        self.0.0.send(urgency, job, &inbox)
    }
}

/// One of those who read.
struct Reader {
    drive: Arc<Drive>,
    jobs: Arc<Jobs<Box<Job>>>,
    clock: Clock,
    /// Reads that wait for what others do. They are as many as connections may wait for.
    #[expect(clippy::vec_box, reason = "jobs are moved in and out as they came")]
    waiting: Vec<Box<Job>>,
    looked_us: u64,
}

impl Reader {
    /// How long it waits for a job.
    fn pause(&self) -> Option<Duration> {
        let pause = Duration::from_millis(WAITING_POLL_MS);
        (!self.waiting.is_empty()).then_some(pause)
    }

    /// What it does as a task.
    async fn attend(mut self, labour: Labour) {
        loop {
            let taken = self.jobs.next(self.pause()).await;
            let turn = move || {
                let goes_on = self.goes_on(taken);
                (self, goes_on)
            };
            match labour.carry(turn).await {
                Some((reader, true)) => self = reader,
                Some((_, false)) | None => return,
            }
        }
    }

    /// Works on the job that it got, and on those that waited long enough. Whether there may be
    /// more.
    fn goes_on(&mut self, taken: Result<Box<Job>, NoJob>) -> bool {
        let mut due = match taken {
            Ok(mut job) => match may_go(&mut job, self.clock) {
                true => vec![job],
                false => Vec::new(),
            },
            Err(NoJob::Yet) => Vec::new(),
            // Nobody is left to hear of what is not done.
            Err(NoJob::Closed) => return false,
        };
        let now_us = self.clock.now_us();
        if now_us.saturating_sub(self.looked_us) >= WAITING_POLL_MS * 1000 {
            self.looked_us = now_us;
            due.append(&mut self.waiting);
        }
        for job in due {
            match turn(&self.drive, job, self.clock) {
                Turn::Done => {}
                Turn::Over(job) => self.jobs.put_back(job.urgency(), job),
                Turn::Waits(job) => self.waiting.push(job),
            }
        }
        true
    }
}

/// Whether a job may have a turn: it is begun, or nobody has given it up.
fn may_go(job: &mut Job, clock: Clock) -> bool {
    let Some(claim) = job.claim.take() else {
        return true;
    };
    if !claim.take() {
        return false;
    }
    match &job.task {
        Task::Answer(read) if job.manner.is_over(clock.now_us()) => {
            job.tell(read.failed(out_of_time()));
            false
        }
        Task::Answer(_) | Task::LookAhead(_) => true,
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
    if job.inbox.is_gone() {
        return Turn::Done;
    }
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
        Some(_) => read.run(&drive.device, job.manner.effort),
        None => Ok(read.refused()),
    };
    let answer = match outcome {
        Ok(answer) => answer,
        Err(unfinished @ (Unfinished::OutOfTurn | Unfinished::Waiting)) => {
            let now_us = clock.now_us();
            let has_to_end =
                drive.device.power() != PowerLevel::Operational || job.inbox.is_stopping();
            let told_us = if has_to_end { u64::MAX } else { now_us };
            match (read.cut_short(told_us), unfinished) {
                (Some(answer), _) => answer,
                (None, Unfinished::Waiting) => return Turn::Waits(job),
                (None, _) if job.manner.is_over(now_us) && !read.is_background() => {
                    read.failed(expired())
                }
                (None, _) => {
                    job.length = Length::Long;
                    return Turn::Over(job);
                }
            }
        }
        Err(Unfinished::NotCached) => {
            let text = "the disk was not read although there was time for it";
            Answer::of(StatusCode::INTERNAL_ERROR.with_text(text))
        }
    };
    job.tell(answer);
    Turn::Done
}
