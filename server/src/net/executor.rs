//! Doing what a session says: commits to the store's queue, reads here or on the disk readers.
//!
//! Guarantees: the writes of a connection are queued in the order in which they came, and what the
//! store's writer will look up for them is read before, so that it rarely reads the disk; a read
//! waits until the connection's last queued write is published; what finds a queue full is held
//! until the inbox tells of room, and nothing after it is started; what was asked in one opening of
//! the store is not done in another, for the drive may be erased in between. Answers may come in
//! another order than requests.
//! Not here: the socket (`connection`). In files of their own: what is read before a write is
//! queued (`ahead`), what is given up since its time is over (`overdue`), and `pushing`.

mod ahead;
mod overdue;
mod pushing;

use std::net::IpAddr;
use std::sync::Arc;

use kinetic_proto::Frame;
use kinetic_proto::limits::MAX_VALUE_SIZE;
use kinetic_store::{Commit, Effort, Lane, Priority, Store, SubmitError, Ticket};

use self::overdue::TimedRead;
use self::pushing::Pushing;
use super::buffers::inbox::{Done, Inbox, PUBLISHED, ROOM, completion};
use super::buffers::intake::Room;
use super::buffers::outbox::Outbox;
use super::buffers::pending::{Pending, Waiting};
use super::buffers::upcoming::{State, Upcoming, UpcomingWrite};
use super::clock::Clock;
use super::workers::{ChangeJob, Claim, Job, Length, Task, Workers};
use crate::auth::penalties::Source;
use crate::device::PowerLevel;
use crate::device::statistics::{Answered, Incident, Tally};
use crate::limits::{
    LESS_URGENT_COST, PENDING_DISK_READS, PENDING_WRITES, UNSENT_BYTES, UNSENT_FLOOR_BYTES,
};
use crate::ops::push::Granted;
use crate::ops::status::{locked, of_commit};
use crate::ops::{Answer, Read, Unfinished, Write, answers_with_entry};
use crate::session::reply::Route;
use crate::session::unsolicited::Farewell;
use crate::session::{Drive, Session, Step};

/// One connection's requests in execution.
pub(crate) struct Executor {
    drive: Arc<Drive>,
    workers: Workers,
    source: Source,
    inbox: Arc<Inbox>,
    clock: Clock,
    session: Session,
    pub(crate) outbox: Outbox,
    pending: Pending,
    upcoming: Upcoming,
    disk_reads: usize,
    /// Bytes of the requests that they work on.
    asked_bytes: usize,
    timed_reads: Vec<TimedRead>,
    lane: Option<OpenLane>,
    last_write: Option<LastWrite>,
    unkicked: bool,
    publish_asked: bool,
    held: Option<Held>,
    pushing: Pushing,
    tally: Tally,
    /// What the last request took, if it was urgent.
    cost: usize,
    /// When the requests came that are executed now.
    turn_began_us: u64,
    done: Vec<Done>,
}

/// The connection's lane in the store's queue.
#[derive(Debug)]
struct OpenLane {
    /// In which opening of the store.
    epoch: u64,
    lane: Lane,
}

/// The write that later reads of the connection must see.
#[derive(Debug)]
struct LastWrite {
    /// In which opening of the store; when that has ended, all its writes are done.
    epoch: u64,
    ticket: Ticket,
}

/// What could not be started yet.
enum Held {
    /// A write before it is not published yet, or there is no room among the disk readers.
    Read(Route, Read),
    /// A write before it is not published yet.
    Push(Route, Granted, Option<u64>),
    /// There is no room among the changes of the drive.
    Change(Box<ChangeJob>),
    /// A change is being made, and what comes after it is to see it.
    Changing,
}

/// Whether a connection may go on with its next request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It may.
    Go,
    /// It must wait for its inbox.
    Wait,
    /// It is over.
    HangUp(Farewell),
}

impl Executor {
    /// Nothing in execution yet; the hello is in the outbox.
    pub(crate) fn new(drive: Arc<Drive>, workers: Workers, clock: Clock, session: Session) -> Self {
        let mut outbox = Outbox::default();
        let id = session.connection_id();
        outbox.append(|out| crate::session::unsolicited::encode_hello(&drive.device, id, out));
        Self {
            drive,
            workers,
            source: Source::default(),
            inbox: Arc::default(),
            clock,
            session,
            outbox,
            pending: Pending::default(),
            upcoming: Upcoming::default(),
            disk_reads: 0,
            asked_bytes: 0,
            timed_reads: Vec::new(),
            lane: None,
            last_write: None,
            unkicked: false,
            publish_asked: false,
            held: None,
            pushing: Pushing::default(),
            tally: Tally::default(),
            cost: 1,
            turn_began_us: 0,
            done: Vec::new(),
        }
    }

    /// The same, for a peer at this address.
    pub(crate) fn of_peer(self, address: IpAddr) -> Self {
        let source = Source::of(address);
        Self { source, ..self }
    }

    /// Where it hears of what is done.
    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Whether no answer is outstanding.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.len() == 0 && self.held.is_none()
    }

    /// Whether a request was begun and could not be started.
    pub(crate) fn is_holding(&self) -> bool {
        self.held.is_some() || self.upcoming.is_ready()
    }

    /// Bytes of writes that are not queued yet.
    pub(crate) fn upcoming_bytes(&self) -> usize {
        self.upcoming.bytes()
    }

    /// Bytes of requests that disk reads work on.
    pub(crate) fn asked_bytes(&self) -> usize {
        self.asked_bytes
    }

    /// Whether bytes that are unsent, or that disk reads hold or will bring, leave room for more.
    pub(crate) fn has_room(&self, room: Room) -> bool {
        let held = self.outbox.bytes() + self.asked_bytes;
        let expected = held + self.disk_reads * MAX_VALUE_SIZE as usize;
        let unsent = match room {
            Room::Enough => held < UNSENT_BYTES && expected < UNSENT_BYTES + EXPECTED_BYTES,
            Room::Scarce => expected < UNSENT_FLOOR_BYTES,
        };
        unsent && self.pending.len() < PENDING_WRITES
    }

    /// What the last request counts of its turn.
    pub(crate) fn turn_cost(&self) -> usize {
        match self.session.urgency() < Priority::NORMAL {
            true => self.cost.max(LESS_URGENT_COST),
            false => self.cost,
        }
    }

    /// Starts what was held back, if anything was.
    pub(crate) fn resume(&mut self) -> Flow {
        while let Some(write) = self.upcoming.pop_ready() {
            if self.submit(write) == Flow::Wait {
                return Flow::Wait;
            }
        }
        if self.upcoming.is_full() {
            return Flow::Wait;
        }
        match self.held.take() {
            None => Flow::Go,
            Some(Held::Read(route, read)) => {
                // It has waited, and is answered as of now.
                self.turn_began_us = self.clock.now_us();
                self.read(route, read)
            }
            Some(Held::Push(route, push, until_us)) => self.push(route, push, until_us),
            Some(Held::Change(job)) => self.change(job),
            Some(Held::Changing) => {
                self.held = Some(Held::Changing);
                Flow::Wait
            }
        }
    }

    /// Starts a request that had come at this time.
    pub(crate) fn execute(&mut self, frame: &Frame, arrived_us: u64) -> Flow {
        self.cost = 1;
        match self.session.receive(&self.drive, frame, arrived_us) {
            Step::Answer(route, answer) => {
                let value_bytes = frame.value.length() as u64;
                self.answer(&Waiting::of(route, value_bytes), answer, arrived_us);
                Flow::Go
            }
            Step::Write(route, write) => {
                let value_bytes = frame.value.length() as u64;
                self.write(Waiting::of(route, value_bytes), write)
            }
            Step::EndBatch(route, write, ended) => {
                let waiting = Waiting {
                    batch: Some(Box::new(ended)),
                    ..Waiting::of(route, 0)
                };
                self.write(waiting, write)
            }
            Step::Kept(request) => {
                let (statistics, bytes) = (&self.drive.device.statistics, frame.value.length());
                self.tally.count_kept(statistics, request, bytes as u64);
                Flow::Go
            }
            Step::Read(route, read) => {
                self.cost = read.turn_cost();
                self.read(route, read)
            }
            Step::Push(route, push, until_us) => self.push(route, push, until_us),
            Step::Change(route, change) => {
                let value_bytes = frame.value.length() as u64;
                let token = self.pending.insert(Waiting::of(route, value_bytes));
                let (source, inbox) = (self.source, Arc::clone(&self.inbox));
                let granted = self.session.generation();
                let job = ChangeJob {
                    change,
                    granted,
                    source,
                    token,
                    inbox,
                };
                self.change(Box::new(job))
            }
            Step::HangUp(farewell) => {
                if farewell.is_of_the_signature() {
                    self.drive.device.incidents.count(Incident::HmacFailure);
                }
                Flow::HangUp(farewell)
            }
        }
    }

    fn write(&mut self, waiting: Waiting, write: Write) -> Flow {
        let (epoch, manner) = (waiting.route.epoch, waiting.route.manner);
        // A batch that is ended is no more: nobody could end it again.
        let due_us = manner.due_us.filter(|_| waiting.batch.is_none());
        let token = self.pending.insert(waiting);
        let commit = Commit {
            mutations: write.mutations,
            durability: write.durability,
            priority: manner.priority,
            token,
            completion: completion(&self.inbox),
        };
        let unread = self.unread(&commit, epoch);
        if unread.is_empty() && self.upcoming.is_empty() {
            return self.submit(UpcomingWrite {
                commit,
                epoch,
                due_us,
                state: State::Ready,
            });
        }
        let state = self.look_ahead(unread, (token, epoch));
        self.upcoming.push(UpcomingWrite {
            commit,
            epoch,
            due_us,
            state,
        });
        if self.upcoming.is_full() {
            Flow::Wait
        } else {
            Flow::Go
        }
    }

    /// Queues a commit, if the store is still in the opening that the commit is for.
    fn submit(&mut self, write: UpcomingWrite) -> Flow {
        let UpcomingWrite {
            commit,
            epoch,
            due_us,
            ..
        } = write;
        let drive = Arc::clone(&self.drive);
        let Some(store) = drive.device.store_of(epoch) else {
            self.refuse(commit.token);
            return Flow::Go;
        };
        let lane = self.lane_in(store.epoch(), &store);
        match store.submit_in(lane, commit) {
            Ok(ticket) => {
                let epoch = store.epoch();
                self.last_write = Some(LastWrite { epoch, ticket });
                self.unkicked = true;
                Flow::Go
            }
            Err(SubmitError::Busy(commit)) => {
                self.kick();
                let (commit, state) = (*commit, State::Ready);
                self.upcoming.put_back(UpcomingWrite {
                    commit,
                    epoch,
                    due_us,
                    state,
                });
                Flow::Wait
            }
            Err(SubmitError::Closed(commit)) => {
                let failure = kinetic_store::CommitFailure::Closed;
                let error = kinetic_store::CommitError { index: 0, failure };
                self.inbox.put(Done::Commit(commit.token, Err(error)));
                Flow::Go
            }
        }
    }

    /// The connection's lane in this opening of the store.
    fn lane_in(&mut self, epoch: u64, store: &Store) -> &Lane {
        let stale = self.lane.take_if(|open| open.epoch != epoch);
        drop(stale);
        let inbox = &self.inbox;
        let open = self.lane.get_or_insert_with(|| OpenLane {
            epoch,
            lane: store.lane(ROOM, completion(inbox)),
        });
        &open.lane
    }

    fn change(&mut self, job: Box<ChangeJob>) -> Flow {
        // What was asked for before is done before.
        self.kick();
        if !self.upcoming.is_empty() {
            self.held = Some(Held::Change(job));
            return Flow::Wait;
        }
        match self.workers.changes.submit(job) {
            Ok(()) => {
                self.held = Some(Held::Changing);
                Flow::Wait
            }
            Err(job) => {
                self.held = Some(Held::Change(job));
                Flow::Wait
            }
        }
    }

    /// Answers a write that the drive, being locked or locked meanwhile, does not take.
    fn refuse(&mut self, token: u64) {
        if let Some(waiting) = self.pending.remove(token) {
            let now_us = waiting.route.arrived_us;
            let answer = Answer::of(locked());
            let entry = answers_with_entry(waiting.route.request);
            let answer = if entry { answer.with_entry() } else { answer };
            self.answer(&waiting, answer, now_us);
        }
    }

    fn read(&mut self, route: Route, mut read: Read) -> Flow {
        if !self.writes_are_visible() {
            self.held = Some(Held::Read(route, read));
            return Flow::Wait;
        }
        let drive = Arc::clone(&self.drive);
        // Held, so that the drive cannot be erased and opened between this look and the read.
        let opening = drive.device.store_of(route.epoch);
        if opening.is_none() {
            let (now_us, answer) = (route.arrived_us, read.refused());
            self.answer(&Waiting::of(route, 0), answer, now_us);
            return Flow::Go;
        }
        match read.run(&drive.device, Effort::Cached) {
            Ok(answer) => {
                let now_us = route.arrived_us;
                self.answer(&Waiting::of(route, 0), answer, now_us);
                Flow::Go
            }
            Err(_unfinished) if self.disk_reads >= PENDING_DISK_READS => {
                self.held = Some(Held::Read(route, read));
                Flow::Wait
            }
            Err(unfinished) => {
                let (kept, epoch, manner) = (route.clone(), route.epoch, route.manner);
                let asked_bytes = read.bytes();
                let waiting = Waiting {
                    asked_bytes,
                    ..Waiting::of(route, 0)
                };
                let token = self.pending.insert(waiting);
                let claim = manner.due_us.map(|_| Claim::default());
                let timed = TimedRead::of(token, manner.due_us.zip(claim.clone()));
                let length = match unfinished {
                    Unfinished::NotCached => Length::Short,
                    Unfinished::OutOfTurn | Unfinished::Waiting => Length::Long,
                };
                let job = Job {
                    task: Task::Answer(read),
                    manner,
                    length,
                    claim,
                    epoch,
                    token,
                    inbox: Arc::clone(&self.inbox),
                };
                match self.workers.readers.submit(Box::new(job)) {
                    Ok(()) => {
                        self.disk_reads += 1;
                        self.asked_bytes += asked_bytes;
                        self.timed_reads.extend(timed);
                        Flow::Go
                    }
                    Err(job) => {
                        self.pending.remove(token);
                        if let Task::Answer(read) = job.task {
                            self.held = Some(Held::Read(kept, read));
                        }
                        Flow::Wait
                    }
                }
            }
        }
    }

    /// Whether a read now sees all earlier writes of this connection; if not, the inbox will tell.
    fn writes_are_visible(&mut self) -> bool {
        if !self.upcoming.is_empty() {
            self.kick();
            return false;
        }
        self.kick();
        let drive = Arc::clone(&self.drive);
        let store = drive.device.store();
        let unseen = self.last_write.as_ref().filter(|last| {
            let same = store.as_ref().is_some_and(|it| it.epoch() == last.epoch);
            same && !last.ticket.is_published()
        });
        let (Some(LastWrite { ticket, .. }), Some(store)) = (unseen, &store) else {
            self.last_write = None;
            self.publish_asked = false;
            return true;
        };
        if !self.publish_asked {
            self.publish_asked = true;
            store.when_published(ticket.clone(), PUBLISHED, completion(&self.inbox));
        }
        false
    }

    /// Gets queued writes under way.
    pub(crate) fn kick(&mut self) {
        if self.unkicked {
            self.unkicked = false;
            if let Some(store) = self.drive.device.store() {
                store.kick();
            }
        }
    }

    /// Answers what is done since the last time. Whether anything was.
    pub(crate) fn collect(&mut self) -> bool {
        let mut done = std::mem::take(&mut self.done);
        self.inbox.take(&mut done);
        let any = !done.is_empty();
        if any {
            let now_us = self.clock.now_us();
            for one in done.drain(..) {
                self.finish(one, now_us);
            }
        }
        self.done = done;
        any
    }

    fn finish(&mut self, done: Done, now_us: u64) {
        match done {
            Done::Commit(PUBLISHED, _) => self.publish_asked = false,
            // What else is held for it is tried again in the turn that this begins.
            Done::Commit(ROOM, _) => self.look_ahead_again(),
            Done::Commit(token, outcome) => {
                let Some(mut waiting) = self.pending.remove(token) else {
                    return;
                };
                let answer = match (waiting.batch.take(), outcome) {
                    (Some(batch), outcome) => batch.answer(outcome),
                    (None, Ok(())) => Answer::success(),
                    (None, Err(error)) => Answer::of(of_commit(error.failure)),
                };
                let entry = answers_with_entry(waiting.route.request);
                let answer = if entry { answer.with_entry() } else { answer };
                self.answer(&waiting, answer, now_us);
            }
            Done::Change(token, answer) => {
                self.held = None;
                if let Some(waiting) = self.pending.remove(token) {
                    self.answer(&waiting, *answer, now_us);
                }
            }
            Done::Push(token, answer, value_bytes) => {
                self.pushing.end(token);
                if let Some(mut waiting) = self.pending.remove(token) {
                    waiting.value_bytes = value_bytes;
                    self.answer(&waiting, *answer, now_us);
                }
            }
            Done::LookedAhead(token) => self.upcoming.set(token, State::Ready),
            Done::Read(token, answer) => {
                self.disk_reads = self.disk_reads.saturating_sub(1);
                self.timed_reads.retain(|timed| timed.token != token);
                if let Some(waiting) = self.pending.remove(token) {
                    self.asked_bytes = self.asked_bytes.saturating_sub(waiting.asked_bytes);
                    self.answer(&waiting, *answer, now_us);
                }
            }
        }
    }

    fn answer(&mut self, to: &Waiting, answer: Answer, now_us: u64) {
        let arrived_us = to.route.arrived_us;
        let answered = Answered {
            request: to.route.request,
            code: answer.code(),
            bytes_in: to.value_bytes,
            bytes_out: answer.value.len() as u64,
            // What came last is measured at the end of the turn, by one look at the clock.
            latency_us: (arrived_us != self.turn_began_us)
                .then(|| now_us.max(self.turn_began_us).saturating_sub(arrived_us)),
        };
        self.tally.count(&self.drive.device.statistics, &answered);
        self.outbox.answer(&to.route, answer);
    }

    /// Adds what was counted to the drive's counters.
    pub(crate) fn count(&mut self) {
        let turn_us = match self.tally.awaits_end_of_turn() {
            true => self.clock.now_us().saturating_sub(self.turn_began_us),
            false => 0,
        };
        self.drive.device.statistics.add(&mut self.tally, turn_us);
    }

    /// Why the connections of a server that stops end.
    pub(crate) fn farewell(&self) -> Farewell {
        match self.drive.device.power() {
            PowerLevel::Shutdown => Farewell::Shutdown,
            PowerLevel::Operational | PowerLevel::Hibernate => Farewell::Stopping,
        }
    }

    /// Says goodbye.
    pub(crate) fn hang_up(&mut self, farewell: &Farewell) {
        self.outbox.append(|out| farewell.encode(out));
    }
}

/// Bytes that disk reads may be about to bring beside what is unsent.
const EXPECTED_BYTES: usize = PENDING_DISK_READS * MAX_VALUE_SIZE as usize;

#[cfg(test)]
pub(super) mod tests;
