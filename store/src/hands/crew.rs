//! A crew: a fixed number of threads that do the work of any number of stores.
//!
//! Guarantee: each store is worked at by one of the threads at a time, for a bounded number of
//! steps before others have their turn, in the order in which they were rung. What waits for time
//! waits in one list; a store at rest is woken for once in five minutes. One store is stopped, or
//! let go, while the others go on. The threads end with the last handle: the crew's, or a store's.
//! A disk that keeps a thread waiting keeps others waiting, too: a store on a slow one has
//! [`OwnThreads`](super::OwnThreads).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::by_hand::{Hand, Pace, begin_stop};
use super::clock::SteadyClock;
use super::contract::{AtWork, Hands};
use super::rounds::Fatal;
use crate::bells::Listener;
use crate::store::Store;

/// Rounds over the workers of a store before another store has its turn.
const TURN: usize = 8;

/// Threads that many stores share. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub struct Crew {
    threads: Arc<CrewThreads>,
}

/// They end when this is dropped.
#[derive(Debug)]
struct CrewThreads {
    floor: Arc<Floor>,
    handles: Vec<JoinHandle<()>>,
}

/// Where the threads meet.
#[derive(Debug)]
struct Floor {
    state: Mutex<State>,
    /// Something is ready, or becomes due earlier than was known.
    work: Condvar,
    /// A thread has put a store down.
    put_down: Condvar,
    clock: SteadyClock,
}

#[derive(Debug, Default)]
struct State {
    seats: BTreeMap<u64, Seat>,
    last_seat: u64,
    ready: VecDeque<u64>,
    timers: BTreeSet<(u64, u64)>,
    ending: bool,
}

#[derive(Debug)]
struct Seat {
    hand: Arc<Mutex<Hand>>,
    stage: Stage,
    timer: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Ready,
    Taken,
    /// It was rung since it was taken.
    TakenAndRung,
}

/// A store among those of a crew.
#[derive(Debug)]
pub struct Member {
    store: Store,
    number: u64,
    crew: Arc<CrewThreads>,
}

impl Crew {
    /// Starts so many threads, which get names that begin with this one.
    pub fn start(threads: usize, name: &str) -> io::Result<Self> {
        let floor = Arc::new(Floor {
            state: Mutex::default(),
            work: Condvar::new(),
            put_down: Condvar::new(),
            clock: SteadyClock::start(),
        });
        // Those that were started end if another one cannot be.
        let mut all = CrewThreads {
            floor: Arc::clone(&floor),
            handles: Vec::new(),
        };
        for number in 0..threads.max(1) {
            let floor = Arc::clone(&floor);
            let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
            all.handles.push(thread.spawn(move || floor.work())?);
        }
        Ok(Self {
            threads: Arc::new(all),
        })
    }

    /// Does the work of this store from now on.
    #[must_use]
    pub fn take_on(&self, store: &Store) -> Member {
        let floor = &self.threads.floor;
        let clock = floor.clock;
        let measure = move || clock.now_us();
        store.inner.shared.measure_by(Box::new(measure));
        let mut state = floor.lock();
        state.last_seat += 1;
        let number = state.last_seat;
        // Not the crew's own handle: a store that is forgotten must not keep its threads alive.
        let heard = Arc::downgrade(floor);
        let listener: Listener = Arc::new(move || {
            if let Some(floor) = heard.upgrade() {
                floor.ring(number);
            }
        });
        let seat = Seat {
            hand: Arc::new(Mutex::new(Hand::over(store, &listener))),
            stage: Stage::Ready,
            timer: None,
        };
        state.seats.insert(number, seat);
        state.ready.push_back(number);
        drop(state);
        floor.work.notify_one();
        Member {
            store: store.clone(),
            number,
            crew: Arc::clone(&self.threads),
        }
    }
}

impl Hands for Crew {
    fn take_on(&self, store: &Store) -> io::Result<Box<dyn AtWork>> {
        Ok(Box::new(Crew::take_on(self, store)))
    }
}

impl Member {
    /// Gets everything done and synced that was submitted, then has the crew let the store go.
    /// `false` when the disk did not manage that.
    #[must_use]
    pub fn stop(self) -> bool {
        let flushed = begin_stop(&self.store).wait();
        self.leave();
        self.store.inner.shared.abandon();
        flushed
    }

    /// Returns when no thread of the crew is at the store any more.
    fn leave(&self) {
        let floor = &self.crew.floor;
        let mut state = floor.lock();
        let is_taken = |state: &mut State| {
            let seat = state.seats.get(&self.number);
            seat.is_some_and(|seat| matches!(seat.stage, Stage::Taken | Stage::TakenAndRung))
        };
        while is_taken(&mut state) {
            let woken = floor.put_down.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(seat) = state.seats.remove(&self.number) {
            if let Some(due) = seat.timer {
                state.timers.remove(&(due, self.number));
            }
            // Its last handle to the store may be dropped here, and that takes its time.
            drop(state);
            drop(seat);
        }
    }
}

impl AtWork for Member {
    fn stop(self: Box<Self>) -> bool {
        Member::stop(*self)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Floor {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, number: u64) {
        let mut state = self.lock();
        let Some(seat) = state.seats.get_mut(&number) else {
            return;
        };
        match seat.stage {
            Stage::Waiting => {
                state.make_ready(number);
                drop(state);
                self.work.notify_one();
            }
            Stage::Taken => seat.stage = Stage::TakenAndRung,
            Stage::Ready | Stage::TakenAndRung => {}
        }
    }

    /// What each thread does.
    fn work(&self) {
        let _fatal = Fatal;
        while let Some((number, hand)) = self.next() {
            let mut guard = hand.lock().unwrap_or_else(PoisonError::into_inner);
            let mut pace = Pace::Now;
            for _ in 0..TURN {
                if pace != Pace::Now {
                    break;
                }
                pace = guard.step(self.clock.now_us());
            }
            drop(guard);
            // Whoever lets the store go waits until it is put back, and then nobody may have it.
            drop(hand);
            self.put_back(number, pace);
        }
    }

    /// The next store that has something to do, after as long a wait as it takes.
    fn next(&self) -> Option<(u64, Arc<Mutex<Hand>>)> {
        let mut state = self.lock();
        loop {
            if state.ending {
                return None;
            }
            let next_due = state.let_due(self.clock.now_us());
            if let Some(number) = state.ready.pop_front() {
                let Some(seat) = state.seats.get_mut(&number) else {
                    continue;
                };
                seat.stage = Stage::Taken;
                let hand = Arc::clone(&seat.hand);
                let more = !state.ready.is_empty();
                drop(state);
                if more {
                    self.work.notify_one();
                }
                return Some((number, hand));
            }
            state = match next_due {
                None => {
                    let woken = self.work.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(due) => {
                    let woken = self.work.wait_timeout(state, self.clock.until(due));
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn put_back(&self, number: u64, pace: Pace) {
        let mut state = self.lock();
        let first = state.timers.first().map(|(due, _)| *due);
        if let Some(seat) = state.seats.get_mut(&number) {
            match (seat.stage, pace) {
                (Stage::TakenAndRung, _) | (_, Pace::Now) => state.make_ready(number),
                (_, Pace::At(due)) => {
                    seat.stage = Stage::Waiting;
                    seat.timer = Some(due);
                    state.timers.insert((due, number));
                }
            }
        }
        let earlier = state.timers.first().map(|(due, _)| *due) < first || first.is_none();
        let wake = earlier || state.ready.len() > 1;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        self.put_down.notify_all();
    }
}

impl State {
    fn make_ready(&mut self, number: u64) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        if let Some(due) = seat.timer.take() {
            self.timers.remove(&(due, number));
        }
        seat.stage = Stage::Ready;
        self.ready.push_back(number);
    }

    /// Makes ready whose time has come. When the next one's comes.
    fn let_due(&mut self, now: u64) -> Option<u64> {
        while let Some((due, number)) = self.timers.first().copied() {
            if due > now {
                return Some(due);
            }
            self.timers.remove(&(due, number));
            if let Some(seat) = self.seats.get_mut(&number) {
                seat.timer = None;
            }
            self.make_ready(number);
        }
        None
    }
}

impl Drop for CrewThreads {
    fn drop(&mut self) {
        self.floor.lock().ending = true;
        self.floor.work.notify_all();
        let here = std::thread::current().id();
        for handle in self.handles.drain(..) {
            // Whoever was told by one of them may drop the last handle there.
            if handle.thread().id() != here {
                // A thread that panicked has ended the process.
                let _ended = handle.join();
            }
        }
    }
}
