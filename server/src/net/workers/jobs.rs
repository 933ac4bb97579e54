//! Jobs that wait for threads, the most urgent first.
//!
//! Guarantees: bounded for each level, so that what is less urgent takes no place from what is more
//! so; of one priority what is known to be long has a level below the rest; in order within a
//! level; a level that waits while [`PASSED_JOBS`] others are taken is next, so nobody waits for
//! more than these and one job of each other level that may come before it, beside what is before
//! it in its own level. Whoever finds no place hears of one (`lobby`). When it is closed, nothing
//! is taken any more.
//! Not here: what jobs are.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kinetic_store::Priority;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::lobby::Lobby;
use crate::limits::PASSED_JOBS;
use crate::net::buffers::inbox::Inbox;

/// How urgent a job is: the greater, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Urgency(usize);

impl Urgency {
    /// Work in the background, which makes way for all requests.
    pub(crate) const BACKGROUND: Self = Self(0);

    /// That of a request.
    pub(crate) fn of(priority: Priority, length: Length) -> Self {
        let level = usize::from(priority.level()) * 2;
        match length {
            Length::Short => Self(level),
            Length::Long => Self(level - 1),
        }
    }
}

/// Levels of urgency: two for each priority, and one below all of them.
const LEVELS: usize = Priority::HIGHEST.level() as usize * 2 + 1;

/// How long a request takes, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Most are done in one turn.
    Short,
    /// It has had a turn, and was not done in it.
    Long,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Jobs<T> {
    state: Mutex<State<T>>,
    filled: Filled,
    lobbies: [Lobby; LEVELS],
    /// Jobs of one level that may wait, those that were put back not counted.
    limit: usize,
}

/// Who is called when there is a job.
#[derive(Debug)]
pub(super) enum Filled {
    /// Threads.
    Threads(Condvar),
    /// Tasks.
    Tasks(Notify),
}

impl Filled {
    fn call_one(&self) {
        match self {
            Self::Threads(condition) => condition.notify_one(),
            Self::Tasks(notify) => notify.notify_one(),
        }
    }
}

#[derive(Debug)]
struct State<T> {
    levels: [Level<T>; LEVELS],
    closed: bool,
}

#[derive(Debug)]
struct Level<T> {
    jobs: VecDeque<T>,
    /// Jobs of other levels that were taken since it waits.
    passed: usize,
}

/// Why there is no job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoJob {
    /// None came in time.
    Yet,
    /// The queue is closed.
    Closed,
}

impl<T> Jobs<T> {
    /// Of so many places in each level, for threads.
    pub(super) fn new(limit: usize) -> Self {
        Self::calling(Filled::Threads(Condvar::new()), limit)
    }

    /// The same, for tasks.
    pub(super) fn for_tasks(limit: usize) -> Self {
        Self::calling(Filled::Tasks(Notify::new()), limit)
    }

    fn calling(filled: Filled, limit: usize) -> Self {
        let level = |_| Level {
            jobs: VecDeque::new(),
            passed: 0,
        };
        Self {
            state: Mutex::new(State {
                levels: std::array::from_fn(level),
                closed: false,
            }),
            filled,
            lobbies: std::array::from_fn(|_| Lobby::default()),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait, at all levels.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.levels.iter().map(|level| level.jobs.len()).sum()
    }

    /// Queues a job, or gives it back where there is no place: then this inbox hears of one.
    pub(super) fn send(&self, urgency: Urgency, job: T, inbox: &Arc<Inbox>) -> Result<(), T> {
        let offer = |job| self.offer(urgency, job);
        match self.lobbies.get(urgency.0) {
            Some(lobby) => lobby.send(job, inbox, offer),
            None => Err(job),
        }
    }

    fn offer(&self, Urgency(number): Urgency, job: T) -> Result<(), T> {
        let mut state = self.lock();
        let level = state.levels.get_mut(number);
        match level.filter(|level| level.jobs.len() < self.limit) {
            Some(level) => level.jobs.push_back(job),
            None => return Err(job),
        }
        drop(state);
        self.filled.call_one();
        Ok(())
    }

    /// Queues a job that was taken and has had a turn, behind all of its level.
    pub(super) fn put_back(&self, Urgency(number): Urgency, job: T) {
        if let Some(level) = self.lock().levels.get_mut(number) {
            level.jobs.push_back(job);
        }
        self.filled.call_one();
    }

    /// Takes the next job, after as long a wait as it takes, or as is given.
    pub(super) fn take(&self, longest: Option<Duration>) -> Result<T, NoJob> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(NoJob::Closed);
            }
            if let Some((number, job)) = state.next() {
                drop(state);
                self.announce_place(number);
                return Ok(job);
            }
            let Filled::Threads(filled) = &self.filled else {
                return Err(NoJob::Yet);
            };
            state = match longest {
                None => {
                    let woken = filled.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(longest) => {
                    let woken = filled.wait_timeout(state, longest);
                    let (state, waited) = woken.unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() {
                        return Err(NoJob::Yet);
                    }
                    state
                }
            };
        }
    }

    /// The same for a task, which waits without a thread.
    pub(super) async fn next(&self, longest: Option<Duration>) -> Result<T, NoJob> {
        loop {
            match (self.take(Some(Duration::ZERO)), &self.filled) {
                (Err(NoJob::Yet), Filled::Tasks(filled)) => match longest {
                    None => filled.notified().await,
                    Some(longest) => {
                        if timeout(longest, filled.notified()).await.is_err() {
                            return Err(NoJob::Yet);
                        }
                    }
                },
                (Err(NoJob::Closed), filled) => {
                    // Whoever waits beside this one hears of it, too.
                    filled.call_one();
                    return Err(NoJob::Closed);
                }
                (taken, _) => return taken,
            }
        }
    }

    /// A job of this level was taken.
    fn announce_place(&self, number: usize) {
        if let Some(lobby) = self.lobbies.get(number) {
            let is_empty = || {
                let state = self.lock();
                let level = state.levels.get(number);
                level.is_none_or(|level| level.jobs.is_empty())
            };
            lobby.place_is_free(is_empty);
        }
    }

    /// Gives nothing out any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        match &self.filled {
            Filled::Threads(condition) => condition.notify_all(),
            // It tells the next one when it ends.
            Filled::Tasks(notify) => notify.notify_one(),
        }
    }
}

impl<T> State<T> {
    /// The next job, and its level.
    fn next(&mut self) -> Option<(usize, T)> {
        let waiting = self.levels.iter().enumerate();
        let waiting = waiting.filter(|(_, level)| !level.jobs.is_empty());
        let urgent = waiting.clone().next_back().map(|(number, _)| number)?;
        let passed = waiting.filter(|(_, level)| level.passed >= PASSED_JOBS);
        let passed = passed.max_by_key(|(_, level)| level.passed);
        let chosen = passed.map_or(urgent, |(number, _)| number);
        for (number, level) in self.levels.iter_mut().enumerate() {
            level.passed = match number == chosen || level.jobs.is_empty() {
                true => 0,
                false => level.passed + 1,
            };
        }
        let job = self.levels.get_mut(chosen)?.jobs.pop_front()?;
        Some((chosen, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urgency(number: i64) -> Urgency {
        Urgency::of(Priority::nearest(number), Length::Short)
    }

    fn long(number: i64) -> Urgency {
        Urgency::of(Priority::nearest(number), Length::Long)
    }

    fn rest<T>(jobs: &Jobs<T>) -> Vec<T> {
        let none = Some(Duration::ZERO);
        std::iter::from_fn(|| jobs.take(none).ok()).collect()
    }

    #[test]
    fn the_most_urgent_goes_first_and_in_order() {
        let (jobs, inbox) = (Jobs::new(10), Arc::default());
        let levels = [urgency(1), Urgency::BACKGROUND, urgency(9), urgency(5)];
        for number in 0..8 {
            let level = levels[number % 4];
            jobs.send(level, number, &inbox).unwrap();
        }
        jobs.put_back(urgency(9), 8);
        assert_eq!(rest(&jobs), [2, 6, 8, 3, 7, 0, 4, 1, 5]);
        jobs.close();
        assert_eq!(jobs.take(None), Err(NoJob::Closed));
    }

    #[test]
    fn what_is_long_makes_way_for_its_own_priority_and_for_none_below() {
        let (jobs, inbox) = (Jobs::new(10), Arc::default());
        let levels = [
            long(5),
            urgency(4),
            urgency(5),
            long(1),
            Urgency::BACKGROUND,
        ];
        for (number, level) in levels.into_iter().enumerate() {
            jobs.send(level, number, &inbox).unwrap();
        }
        jobs.put_back(long(9), 5);
        assert_eq!(rest(&jobs), [5, 2, 0, 1, 3, 4]);
    }

    #[test]
    fn nobody_waits_for_more_than_the_bound_says() {
        let (jobs, inbox) = (Jobs::new(10), Arc::default());
        for number in 0..LEVELS {
            jobs.send(Urgency(number), number, &inbox).unwrap();
        }
        let mut waited = [0; LEVELS];
        for _ in 0..10_000 {
            let number = jobs.take(None).unwrap();
            jobs.send(Urgency(number), number, &inbox).unwrap();
            waited.iter_mut().for_each(|count| *count += 1);
            let waited = std::mem::take(&mut waited[number]);
            assert!(waited <= PASSED_JOBS + LEVELS, "{number}: {waited}");
        }
    }

    #[test]
    fn what_is_less_urgent_takes_no_place_from_what_is_more_so() {
        let (jobs, inbox) = (Jobs::new(2), Arc::<Inbox>::default());
        let mut told = Vec::new();
        for _ in 0..2 {
            jobs.send(urgency(1), "low", &inbox).unwrap();
        }
        assert_eq!(jobs.send(urgency(1), "low", &inbox), Err("low"));
        jobs.send(urgency(9), "high", &inbox).unwrap();
        assert_eq!(jobs.take(None), Ok("high"));
        inbox.take(&mut told);
        assert!(told.is_empty(), "a place of another level is none");
        assert_eq!(jobs.take(None), Ok("low"));
        inbox.take(&mut told);
        assert_eq!(told.len(), 1);
    }
}
