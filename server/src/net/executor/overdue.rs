//! Requests that have had their time before they were begun.
//!
//! Guarantee: they are answered SERVICE_BUSY when their time is over, and nothing of them is done:
//! a read whose claim nobody has taken yet, and a write that is not in the store's queue. What is
//! in there is done, however long it takes: it cannot be taken back, and nobody is told of a
//! failure of what happens after all. What was begun is told of by whoever does it.
//! Not here: requests that are still frames; their time is looked at when their turn comes.

use super::{Claim, Executor, Held, Waiting, answers_with_entry};
use crate::ops::Answer;
use crate::ops::status::out_of_time;

/// A read that waits for a thread, or is with one, and has a time.
#[derive(Debug)]
pub(super) struct TimedRead {
    pub(super) token: u64,
    due_us: u64,
    claim: Claim,
}

impl TimedRead {
    pub(super) fn of(token: u64, timed: Option<(u64, Claim)>) -> Option<Self> {
        let (due_us, claim) = timed?;
        Some(Self {
            token,
            due_us,
            claim,
        })
    }
}

impl Executor {
    /// It is this time: gives up what has had its own.
    pub(crate) fn begin_turn(&mut self, now_us: u64) {
        self.turn_began_us = now_us;
        self.session.tell_time(now_us);
        for token in self.upcoming.take_overdue(now_us) {
            self.give_up(token, now_us);
        }
        let held = self.held.take_if(|held| match held {
            Held::Read(route, _) | Held::Push(route, ..) => route.manner.is_over(now_us),
            Held::Change(_) | Held::Changing => false,
        });
        match held {
            Some(Held::Read(route, read)) => {
                let answer = read.failed(out_of_time());
                self.answer(&Waiting::of(route, 0), answer, now_us);
            }
            Some(Held::Push(route, ..)) => {
                self.answer(&Waiting::of(route, 0), Answer::of(out_of_time()), now_us);
            }
            Some(Held::Change(_) | Held::Changing) | None => {}
        }
        let (over, left) = std::mem::take(&mut self.timed_reads)
            .into_iter()
            .partition::<Vec<_>, _>(|timed| timed.due_us <= now_us);
        self.timed_reads = left;
        for timed in over.into_iter().filter(|timed| timed.claim.take()) {
            self.disk_reads = self.disk_reads.saturating_sub(1);
            self.give_up(timed.token, now_us);
        }
    }

    /// When the next one of them has had its time.
    pub(crate) fn next_due_us(&self) -> Option<u64> {
        let reads = self.timed_reads.iter().map(|timed| timed.due_us);
        let held = match &self.held {
            Some(Held::Read(route, _) | Held::Push(route, ..)) => route.manner.due_us,
            Some(Held::Change(_) | Held::Changing) | None => None,
        };
        let writes = self.upcoming.next_due_us();
        reads.chain(held).chain(writes).min()
    }

    fn give_up(&mut self, token: u64, now_us: u64) {
        if let Some(waiting) = self.pending.remove(token) {
            self.asked_bytes = self.asked_bytes.saturating_sub(waiting.asked_bytes);
            let answer = Answer::of(out_of_time());
            let entry = answers_with_entry(waiting.route.request);
            let answer = if entry { answer.with_entry() } else { answer };
            self.answer(&waiting, answer, now_us);
        }
    }
}
