//! Who may queue a commit now, and who is told when there is room.
//!
//! Guarantee: bounded in bytes. A lane of which nothing waits may always queue one commit, so that
//! nobody is kept out; beyond that it may hold as much as it leaves free for others, so that one
//! lane takes half of the queue at most, two a third each. Whoever was refused is told once its
//! commit can be queued, or once the queue is closed; none is forgotten, because something of its
//! lane waits, and when that is taken, the lane is looked at.
//! Not here: whose commit the writer takes next (`turns`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lane::{Lane, Ticket};
use super::turns::{Queued, Turns, cost};
use crate::engine::commit::{Commit, Prepared, Waiter};

/// A commit that the queue did not take; nothing was done.
#[derive(Debug)]
pub enum SubmitError {
    /// The queue has no room for it: wait until some of it is done.
    Busy(Box<Commit>),
    /// The store is closing.
    Closed(Box<Commit>),
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    limit: u64,
    lanes: AtomicU64,
    /// Of whoever has none.
    own: Lane,
}

#[derive(Debug, Default)]
struct Inner {
    turns: Turns,
    /// Lanes to be told when there is room, by number.
    refused: BTreeMap<u64, Refused>,
    closed: bool,
}

#[derive(Debug)]
struct Refused {
    lane: Lane,
    /// What its commit counts.
    cost: u64,
}

impl Queue {
    /// A queue of at most `limit` bytes, and one commit of each lane beyond that.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            inner: Mutex::default(),
            limit,
            lanes: AtomicU64::new(1),
            own: Lane::new(0, None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of its own, which hears here of room.
    #[must_use]
    pub fn lane(&self, room: Waiter) -> Lane {
        Lane::new(self.lanes.fetch_add(1, Ordering::Relaxed), Some(room))
    }

    /// The lane of all who have none of their own.
    #[must_use]
    pub fn own_lane(&self) -> &Lane {
        &self.own
    }

    /// Appends a commit to a lane.
    pub fn push(&self, lane: &Lane, prepared: Prepared) -> Result<Ticket, SubmitError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(SubmitError::Closed(Box::new(prepared.commit)));
        }
        let cost = cost(&prepared);
        if inner.admits(lane, cost, self.limit) {
            inner.refused.remove(&lane.number());
            return Ok(inner.turns.append(lane, prepared));
        }
        if lane.wants_room() {
            let refused = Refused {
                lane: lane.clone(),
                cost,
            };
            inner.refused.insert(lane.number(), refused);
        }
        Err(SubmitError::Busy(Box::new(prepared.commit)))
    }

    /// Appends a last commit, however full the queue is, and takes no more.
    pub fn close_after(&self, last: Prepared) {
        let mut inner = self.lock();
        inner.turns.append(&self.own, last);
        inner.closed = true;
        let refused = std::mem::take(&mut inner.refused);
        drop(inner);
        tell(refused.into_values());
    }

    /// Takes commits in turn as long as `fits` says so.
    pub fn take_while(&self, mut fits: impl FnMut(&Prepared) -> bool) -> Vec<Queued> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        while inner.turns.first().is_some_and(&mut fits) {
            taken.extend(inner.turns.take());
        }
        let admitted = inner.admitted(self.limit);
        drop(inner);
        tell(admitted.into_iter());
        taken
    }

    /// Puts commits back that were taken last and not used, in their order.
    pub fn put_back(&self, unused: Vec<Queued>) {
        self.lock().turns.put_back(unused);
    }

    /// Bytes of the records and values of the next commit; `None` when nothing waits.
    #[must_use]
    pub fn first(&self) -> Option<(usize, usize)> {
        let mut inner = self.lock();
        let first = inner.turns.first();
        first.map(|prepared| (prepared.records_length, prepared.values_length))
    }

    /// Commits and bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.turns.commits(), inner.turns.bytes())
    }

    /// Whether it takes no more commits.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The last ticket that was given to a lane.
    #[must_use]
    pub fn last_ticket(&self, lane: &Lane) -> Ticket {
        let _numbered_under_it = self.lock();
        lane.last_ticket()
    }
}

impl Inner {
    fn admits(&self, lane: &Lane, cost: u64, limit: u64) -> bool {
        match self.turns.cost_of(lane) {
            Some(held) => held + cost <= limit.saturating_sub(self.turns.cost()),
            None => true,
        }
    }

    /// Lanes that were refused and would not be now.
    fn admitted(&mut self, limit: u64) -> Vec<Refused> {
        let refused = self.refused.iter();
        let admitted = refused.filter(|(_, one)| self.admits(&one.lane, one.cost, limit));
        let numbers: Vec<u64> = admitted.map(|(number, _)| *number).collect();
        let taken = numbers
            .iter()
            .filter_map(|number| self.refused.remove(number));
        taken.collect()
    }
}

fn tell(lanes: impl Iterator<Item = Refused>) {
    lanes.for_each(|refused| refused.lane.tell_room());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::commit::{Completion, Durability};
    use crate::engine::queue::turns::tests::commit;
    use crate::error::CommitError;
    use crate::limits::COMMIT_COST;

    #[derive(Default)]
    struct Told(AtomicU64);

    impl Completion for Told {
        fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
            assert_eq!(outcome, Ok(()));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Told {
        fn lane(self: &Arc<Self>, queue: &Queue) -> Lane {
            let completion = Arc::<Self>::clone(self);
            queue.lane(Waiter {
                token: 1,
                completion,
            })
        }

        fn times(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// Queues a thousand bytes, if there is room.
    fn push(queue: &Queue, lane: &Lane) -> bool {
        let bytes = 1000 - usize::try_from(COMMIT_COST).unwrap();
        let pushed = queue.push(lane, commit(bytes, Durability::WriteBack));
        pushed.is_ok()
    }

    fn push_all(queue: &Queue, lane: &Lane) -> usize {
        std::iter::repeat_with(|| push(queue, lane))
            .take_while(|taken| *taken)
            .count()
    }

    fn take(queue: &Queue, mut count: usize) -> usize {
        let taken = queue.take_while(|_| {
            let more = count > 0;
            count = count.saturating_sub(1);
            more
        });
        taken.len()
    }

    #[test]
    fn one_lane_takes_half_of_the_queue_two_a_third_each_and_newcomers_find_room() {
        let (queue, told) = (Queue::new(60_000), Arc::<Told>::default());
        let [first, second, third] = [(); 3].map(|()| told.lane(&queue));
        assert_eq!(push_all(&queue, &first), 30);
        assert_eq!(push_all(&queue, &second), 15);
        // What the first one gives up the second one may take.
        assert!(take(&queue, 45) == 45 && queue.waiting() == (0, 0));
        let turn = || push(&queue, &first) | push(&queue, &second);
        assert_eq!(
            std::iter::repeat_with(turn).take_while(|any| *any).count(),
            20
        );
        assert_eq!(push_all(&queue, &third), 10);
    }

    #[test]
    fn everybody_may_queue_one_commit_however_full_the_queue_is() {
        let (queue, told) = (Queue::new(10_000), Arc::<Told>::default());
        for _ in 0..100 {
            assert_eq!(push_all(&queue, &told.lane(&queue)).min(1), 1);
        }
        let large = told.lane(&queue);
        let pushed = queue.push(&large, commit(1 << 20, Durability::WriteBack));
        assert!(pushed.is_ok() && !push(&queue, &large));
    }

    #[test]
    fn who_finds_no_room_is_told_once_when_there_is_some() {
        let (queue, told) = (Queue::new(60_000), Arc::<Told>::default());
        let (patient, other) = (told.lane(&queue), Arc::<Told>::default());
        let other = other.lane(&queue);
        assert_eq!(
            (push_all(&queue, &patient), push_all(&queue, &other)),
            (30, 15)
        );
        assert!(!push(&queue, &patient), "asking twice changes nothing");
        // 15 and 30 of 60 wait: 15 are free. The patient one gets in once it has no more than that.
        let mut taken = 0;
        while told.times() == 0 {
            taken += take(&queue, 1);
            assert!(taken < 45, "nobody tells it");
        }
        assert!(push(&queue, &patient), "it was told too early");
        take(&queue, 100);
        assert_eq!(told.times(), 1);
    }

    #[test]
    fn a_queue_that_closes_tells_all_who_wait_for_room() {
        let (queue, told) = (Queue::new(10_000), Arc::<Told>::default());
        let lanes = [(); 3].map(|()| told.lane(&queue));
        lanes
            .iter()
            .for_each(|lane| assert!(push_all(&queue, lane) > 0));
        queue.close_after(commit(0, Durability::Flush));
        assert_eq!(told.times(), 3);
        let refused = queue.push(&lanes[0], commit(1, Durability::WriteBack));
        assert!(matches!(refused, Err(SubmitError::Closed(_))));
    }
}
