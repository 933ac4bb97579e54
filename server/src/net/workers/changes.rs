//! The one thread, or task, that changes the drive: identities, PINs, lock, erase, cluster version,
//! firmware.
//!
//! Guarantees: changes are done one after the other; who has said a wrong PIN waits for the next
//! try, longer each time, and nobody else waits with them; what waits is bounded, of all sources
//! and of each, and what finds no room is told so. When a lock or an erase is told of, all batches
//! that were open before it are gone. A stop waits for no wrong PIN. The thread ends when the last
//! way to it is dropped.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use kinetic_proto::StatusCode;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::lobby::Lobby;
use crate::auth::Penalties;
use crate::auth::penalties::{Secret, Source};
use crate::device::statistics::Incident;
use crate::limits::{CHANGE_QUEUE, DELAYED_PINS, DELAYED_PINS_PER_SOURCE};
use crate::net::buffers::inbox::{Done, Inbox};
use crate::net::clock::Clock;
use crate::net::surroundings::Labour;
use crate::net::surroundings::labour::AtWork;
use crate::ops::{Answer, Change, Verdict};
use crate::session::Drive;

/// A change that somebody waits for.
#[derive(Debug)]
pub(crate) struct ChangeJob {
    /// What to change.
    pub(crate) change: Change,
    /// The list of identities by which it was granted.
    pub(crate) granted: u64,
    /// From where it came.
    pub(crate) source: Source,
    /// Handed back with the answer.
    pub(crate) token: u64,
    /// Whom to tell.
    pub(crate) inbox: Arc<Inbox>,
}

impl ChangeJob {
    fn tell(self, answer: Answer) {
        self.inbox.put(Done::Change(self.token, Box::new(answer)));
    }
}

/// What the thread is sent.
enum Errand {
    /// To make a change.
    Make(Box<ChangeJob>),
    /// To look whether the server stops.
    Look,
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    // Before the bell, which is to ring when the last of these is gone.
    errands: Sender<Errand>,
    bell: Option<Bell>,
    stopping: Arc<AtomicBool>,
    lobby: Lobby,
}

/// Wakes the task; where there is a thread, the queue does.
#[derive(Debug, Clone)]
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Changes {
    /// Starts it.
    pub(crate) fn start(
        drive: &Arc<Drive>,
        labour: Labour,
        clock: Clock,
    ) -> io::Result<(Self, AtWork)> {
        let (errands, queue) = bounded(CHANGE_QUEUE);
        let (stopping, lobby) = (Arc::default(), Lobby::default());
        let mut desk = Desk {
            drive: Arc::clone(drive),
            clock,
            penalties: Penalties::default(),
            delayed: Delayed::default(),
            stopping: Arc::clone(&stopping),
            lobby: lobby.clone(),
        };
        let (handle, bell) = match labour {
            Labour::OwnThreads => {
                let thread = std::thread::Builder::new().name("kinetic-change".to_owned());
                let thread = thread.spawn(move || desk.work(&queue))?;
                (AtWork::Thread(thread), None)
            }
            Labour::Pool | Labour::Here => {
                let bell = Bell(Arc::default());
                let rung = Arc::clone(&bell.0);
                let task = tokio::spawn(desk.attend(queue, rung, labour));
                (AtWork::Task(task), Some(bell))
            }
        };
        let way = Self {
            errands,
            bell,
            stopping,
            lobby,
        };
        Ok((way, handle))
    }

    /// Has it wait for no PIN any more, for the server stops: who waits is told so.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // A full queue wakes it as well.
        let _ = self.errands.try_send(Errand::Look);
        self.ring();
    }

    fn ring(&self) {
        if let Some(Bell(notify)) = &self.bell {
            notify.notify_one();
        }
    }

    /// Queues a change, or gives it back when the queue is full; its inbox hears of room then.
    pub(crate) fn submit(&self, job: Box<ChangeJob>) -> Result<(), Box<ChangeJob>> {
        let inbox = Arc::clone(&job.inbox);
        let offer = |errand| {
            let sent = self.errands.try_send(errand);
            sent.map_err(TrySendError::into_inner)
        };
        let sent = self.lobby.send(Errand::Make(job), &inbox, offer);
        self.ring();
        match sent {
            Err(Errand::Make(job)) => Err(job),
            Ok(()) | Err(Errand::Look) => Ok(()),
        }
    }
}

struct Desk {
    drive: Arc<Drive>,
    clock: Clock,
    penalties: Penalties,
    delayed: Delayed,
    stopping: Arc<AtomicBool>,
    lobby: Lobby,
}

impl Desk {
    /// What it does as a thread.
    fn work(&mut self, queue: &Receiver<Errand>) {
        loop {
            let errand = match self.pause() {
                None => queue
                    .recv()
                    .map_err(|_closed| RecvTimeoutError::Disconnected),
                Some(longest) => queue.recv_timeout(longest),
            };
            if !self.goes_on(errand, queue) {
                return;
            }
        }
    }

    /// What it does as a task.
    async fn attend(mut self, mut queue: Receiver<Errand>, rung: Arc<Notify>, labour: Labour) {
        loop {
            let errand = match queue.try_recv() {
                Ok(errand) => Ok(errand),
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => match self.pause() {
                    None => {
                        rung.notified().await;
                        continue;
                    }
                    Some(longest) => match timeout(longest, rung.notified()).await {
                        Ok(()) => continue,
                        Err(_elapsed) => Err(RecvTimeoutError::Timeout),
                    },
                },
            };
            let turn = move || {
                let goes_on = self.goes_on(errand, &queue);
                (self, queue, goes_on)
            };
            match labour.carry(turn).await {
                Some((desk, rest, true)) => (self, queue) = (desk, rest),
                Some((_, _, false)) | None => return,
            }
        }
    }

    /// How long it waits for an errand.
    fn pause(&self) -> Option<Duration> {
        let due_us = self.delayed.first_us()?;
        Some(Duration::from_micros(
            due_us.saturating_sub(self.clock.now_us()),
        ))
    }

    /// Does what it got, and what is due. Whether there may be more.
    fn goes_on(
        &mut self,
        errand: Result<Errand, RecvTimeoutError>,
        queue: &Receiver<Errand>,
    ) -> bool {
        if errand.is_ok() {
            self.lobby.place_is_free(|| queue.is_empty());
        }
        match errand {
            Ok(Errand::Make(job)) => self.take(job),
            Ok(Errand::Look) | Err(RecvTimeoutError::Timeout) => {}
            // Nobody is left to hear of what still waits.
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while let Some(job) = self.delayed.pop(self.clock.now_us()) {
            self.take(job);
        }
        if self.stopping.load(Ordering::Acquire) {
            while let Some(job) = self.delayed.pop(u64::MAX) {
                give_up(*job);
            }
        }
        true
    }

    /// Does it, unless its source has to wait.
    fn take(&mut self, job: Box<ChangeJob>) {
        let (now_us, source) = (self.clock.now_us(), job.source);
        let guess = job.change.tries().map(|secret| (source, secret));
        let due_us = guess.map_or(0, |guess| self.penalties.due_us(guess, now_us));
        if due_us > now_us {
            if let Err(job) = self.delayed.add(due_us, job) {
                let text = "too many tries of PINs are waiting for their time; try later";
                job.tell(Answer::of(StatusCode::SERVICE_BUSY.with_text(text)));
            }
            return;
        }
        let Drive {
            device, identities, ..
        } = &*self.drive;
        let (answer, verdict) = job.change.run(device, identities, job.granted);
        // Whoever hears that the drive is locked or erased finds nothing of them any more.
        self.drive.forget_ended_batches();
        match (verdict, guess) {
            (Verdict::None, _) | (_, None) => {}
            (Verdict::Right, Some(guess)) => self.penalties.right(guess),
            (Verdict::Wrong, Some(guess)) => {
                tracing::warn!(%source, "a PIN was wrong");
                device.incidents.count(match guess.1 {
                    Secret::LockPin => Incident::WrongLockPin,
                    Secret::ErasePin => Incident::WrongErasePin,
                });
                self.penalties.wrong(guess, self.clock.now_us());
            }
        }
        job.tell(answer);
    }
}

/// The server ends before the time of this try comes.
fn give_up(job: ChangeJob) {
    let text = "the drive stops; the PIN was not tried: try again when it serves again";
    job.tell(Answer::of(StatusCode::SERVICE_BUSY.with_text(text)));
}

/// Tries of PINs that wait for their time, earliest first.
#[derive(Default)]
struct Delayed {
    jobs: BTreeMap<(u64, u64), Box<ChangeJob>>,
    added: u64,
}

impl Delayed {
    /// When the first one is due.
    fn first_us(&self) -> Option<u64> {
        self.jobs.keys().next().map(|(due_us, _)| *due_us)
    }

    /// Keeps one until then, or gives it back.
    fn add(&mut self, due_us: u64, job: Box<ChangeJob>) -> Result<(), Box<ChangeJob>> {
        let same = self.jobs.values().filter(|one| one.source == job.source);
        if self.jobs.len() >= DELAYED_PINS || same.count() >= DELAYED_PINS_PER_SOURCE {
            return Err(job);
        }
        self.added += 1;
        self.jobs.insert((due_us, self.added), job);
        Ok(())
    }

    /// The first one, if it is due.
    fn pop(&mut self, now_us: u64) -> Option<Box<ChangeJob>> {
        let first = self.jobs.first_entry()?;
        (first.key().0 <= now_us).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests;
