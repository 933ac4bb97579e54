//! Who waits for room in a full queue of a pool of threads.
//!
//! Guarantee: whoever is refused is told when a place is free, first come, first served: each job
//! that is taken out lets one in, and the last one all. None is forgotten: a refusal is written
//! down under the lock under which the next place is announced, and who waits in vain, since
//! whoever was told before has gone, is told when the queue is empty.
//! Not here: the store's queue, which tells by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, TrySendError};

use crate::net::buffers::inbox::Inbox;

/// Connections that wait for room in one queue. At most all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lobby(Arc<Mutex<VecDeque<Arc<Inbox>>>>);

impl Lobby {
    /// Queues a job, or gives it back where there is no room: then this inbox hears of room.
    pub(super) fn send<T>(&self, queue: &Sender<T>, job: T, inbox: &Arc<Inbox>) -> Result<(), T> {
        let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = queue.try_send(job)
        else {
            return Ok(());
        };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A place that became free before the lock was taken is announced to nobody.
        let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = queue.try_send(job)
        else {
            return Ok(());
        };
        if !waiting.iter().any(|one| Arc::ptr_eq(one, inbox)) {
            waiting.push_back(Arc::clone(inbox));
        }
        Err(job)
    }

    /// A job was taken out of the queue: tells the first one, or all where it was the last job.
    pub(super) fn place_is_free<T>(&self, queue: &Receiver<T>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = if queue.is_empty() { waiting.len() } else { 1 };
        let told: Vec<_> = (0..count).filter_map(|_| waiting.pop_front()).collect();
        drop(waiting);
        told.iter().for_each(|inbox| inbox.put_room());
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::bounded;

    use super::*;

    fn is_told(inbox: &Inbox) -> bool {
        let mut done = Vec::new();
        inbox.take(&mut done);
        !done.is_empty()
    }

    fn told<const COUNT: usize>(inboxes: &[Arc<Inbox>; COUNT]) -> [bool; COUNT] {
        inboxes.each_ref().map(|inbox| is_told(inbox))
    }

    #[test]
    fn who_finds_a_queue_full_is_told_of_room_first_come_first_served() {
        let (lobby, (jobs, queue)) = (Lobby::default(), bounded(2));
        let inboxes = [(); 3].map(|()| Arc::<Inbox>::default());
        assert_eq!(lobby.send(&jobs, 0, &inboxes[0]), Ok(()));
        assert_eq!(lobby.send(&jobs, 0, &inboxes[0]), Ok(()));
        for (job, inbox) in (1..).zip([&inboxes[1], &inboxes[2], &inboxes[1]]) {
            assert_eq!(lobby.send(&jobs, job, inbox), Err(job));
        }
        for first in [1, 2] {
            queue.recv().unwrap();
            lobby.place_is_free(&queue);
            assert_eq!(told(&inboxes), [false, first == 1, first == 2]);
            assert_eq!(lobby.send(&jobs, 9, &inboxes[first]), Ok(()));
        }
        queue.recv().unwrap();
        lobby.place_is_free(&queue);
        assert_eq!(told(&inboxes), [false; 3], "once each");
    }

    #[test]
    fn who_does_not_use_the_place_keeps_nobody_waiting() {
        let (lobby, (jobs, queue)) = (Lobby::default(), bounded(1));
        let inboxes = [(); 3].map(|()| Arc::<Inbox>::default());
        assert_eq!(lobby.send(&jobs, 0, &inboxes[0]), Ok(()));
        assert_eq!(lobby.send(&jobs, 1, &inboxes[1]), Err(1));
        assert_eq!(lobby.send(&jobs, 2, &inboxes[2]), Err(2));
        queue.recv().unwrap();
        lobby.place_is_free(&queue);
        assert_eq!(told(&inboxes), [false, true, true]);
    }
}
