//! Who waits for room in a full queue of a pool of threads.
//!
//! Guarantee: whoever is refused is told when a place is free, in the order in which they were
//! refused: each job that is taken out tells one, and the last one all. The place is not kept for
//! them: a newcomer may take it first, and then they wait again, behind the others. None is
//! forgotten: a refusal is written down under the lock under which the next place is announced, and
//! who waits in vain, since whoever was told before has gone, is told when the queue is empty.
//! Connections that are gone are passed over.
//! Not here: the store's queue, which tells by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::net::buffers::inbox::Inbox;

/// Connections that wait for room in one queue. At most all of them, since each refusal drops those
/// that are gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Lobby(Arc<Mutex<VecDeque<Weak<Inbox>>>>);

impl Lobby {
    /// Offers a job to a queue, which gives it back where it has no room: then this inbox hears of
    /// room.
    pub(super) fn send<T>(
        &self,
        job: T,
        inbox: &Arc<Inbox>,
        offer: impl Fn(T) -> Result<(), T>,
    ) -> Result<(), T> {
        let Err(job) = offer(job) else {
            return Ok(());
        };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A place that became free before the lock was taken is announced to nobody.
        let Err(job) = offer(job) else {
            return Ok(());
        };
        waiting.retain(|one| one.strong_count() > 0);
        if !waiting.iter().any(|one| one.as_ptr() == Arc::as_ptr(inbox)) {
            waiting.push_back(Arc::downgrade(inbox));
        }
        Err(job)
    }

    /// A job was taken out of the queue: tells the first one, or all where it was the last job.
    pub(super) fn place_is_free(&self, is_empty: impl FnOnce() -> bool) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = if is_empty() { waiting.len() } else { 1 };
        let present = std::iter::from_fn(|| waiting.pop_front()).filter_map(|one| one.upgrade());
        let told: Vec<Arc<Inbox>> = present.take(count).collect();
        drop(waiting);
        told.iter().for_each(|inbox| inbox.put_room());
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

    use super::*;

    impl Lobby {
        fn try_send<T>(&self, queue: &Sender<T>, job: T, inbox: &Arc<Inbox>) -> Result<(), T> {
            let offer = |job| queue.try_send(job).map_err(TrySendError::into_inner);
            self.send(job, inbox, offer)
        }

        fn taken<T>(&self, queue: &Receiver<T>) {
            queue.recv().unwrap();
            self.place_is_free(|| queue.is_empty());
        }
    }

    fn is_told(inbox: &Inbox) -> bool {
        let mut done = Vec::new();
        inbox.take(&mut done);
        !done.is_empty()
    }

    fn told<const COUNT: usize>(inboxes: &[Arc<Inbox>; COUNT]) -> [bool; COUNT] {
        inboxes.each_ref().map(|inbox| is_told(inbox))
    }

    #[test]
    fn who_finds_a_queue_full_is_told_of_room_in_the_order_of_their_coming() {
        let (lobby, (jobs, queue)) = (Lobby::default(), bounded(2));
        let inboxes = [(); 3].map(|()| Arc::<Inbox>::default());
        assert_eq!(lobby.try_send(&jobs, 0, &inboxes[0]), Ok(()));
        assert_eq!(lobby.try_send(&jobs, 0, &inboxes[0]), Ok(()));
        for (job, inbox) in (1..).zip([&inboxes[1], &inboxes[2], &inboxes[1]]) {
            assert_eq!(lobby.try_send(&jobs, job, inbox), Err(job));
        }
        for first in [1, 2] {
            lobby.taken(&queue);
            assert_eq!(told(&inboxes), [false, first == 1, first == 2]);
            assert_eq!(lobby.try_send(&jobs, 9, &inboxes[first]), Ok(()));
        }
        lobby.taken(&queue);
        assert_eq!(told(&inboxes), [false; 3], "once each");
    }

    #[test]
    fn who_is_gone_is_passed_over() {
        let (lobby, (jobs, queue)) = (Lobby::default(), bounded(2));
        let inboxes = [(); 3].map(|()| Arc::<Inbox>::default());
        for inbox in [&inboxes[0], &inboxes[0]] {
            assert_eq!(lobby.try_send(&jobs, 0, inbox), Ok(()));
        }
        let gone = Arc::<Inbox>::default();
        assert_eq!(lobby.try_send(&jobs, 1, &gone), Err(1));
        for (job, inbox) in [(2, &inboxes[1]), (3, &inboxes[2])] {
            assert_eq!(lobby.try_send(&jobs, job, inbox), Err(job));
        }
        drop(gone);
        lobby.taken(&queue);
        assert_eq!(told(&inboxes), [false, true, false]);
    }

    #[test]
    fn who_does_not_use_the_place_keeps_nobody_waiting() {
        let (lobby, (jobs, queue)) = (Lobby::default(), bounded(1));
        let inboxes = [(); 3].map(|()| Arc::<Inbox>::default());
        assert_eq!(lobby.try_send(&jobs, 0, &inboxes[0]), Ok(()));
        assert_eq!(lobby.try_send(&jobs, 1, &inboxes[1]), Err(1));
        assert_eq!(lobby.try_send(&jobs, 2, &inboxes[2]), Err(2));
        lobby.taken(&queue);
        assert_eq!(told(&inboxes), [false, true, true]);
    }
}
