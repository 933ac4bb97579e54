//! Who finds room, and who is told of it.

use std::sync::Arc;

use super::*;
use crate::engine::commit::{Completion, Durability};
use crate::engine::queue::turns::tests::{commit, urgent};
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
fn a_full_queue_keeps_no_newcomer_out_who_writes_little() {
    let (queue, told) = (Queue::new(10_000), Arc::<Told>::default());
    for _ in 0..100 {
        assert_eq!(push_all(&queue, &told.lane(&queue)).min(1), 1);
    }
    let turn = usize::try_from(LANE_TURN - COMMIT_COST).unwrap();
    let push = |lane: &Lane, bytes| queue.push(lane, commit(bytes, Durability::WriteBack));
    let newcomer = told.lane(&queue);
    assert!(push(&newcomer, turn).is_ok() && push(&newcomer, turn).is_err());
    let large = told.lane(&queue);
    assert!(push(&large, turn + 1).is_err());
    take(&queue, 1000);
    assert!(push(&large, 1 << 20).is_ok(), "any size finds room at last");
}

/// A commit that counts so much.
fn counting(cost: u64) -> Prepared {
    let bytes = usize::try_from(cost - COMMIT_COST).unwrap();
    commit(bytes, Durability::WriteBack)
}

#[test]
fn many_lanes_with_large_commits_stay_within_the_bound_and_all_get_in_in_the_end() {
    const LIMIT: u64 = 8 << 20;
    let queue = Queue::new(LIMIT);
    let lanes: Vec<(Lane, Arc<Told>)> = (0..200)
        .map(|_| {
            let told = Arc::<Told>::default();
            (told.lane(&queue), told)
        })
        .collect();
    // One of them is much larger than the rest, and comes last.
    let cost = |number: usize| if number == 199 { LIMIT } else { 1 << 20 };
    let mut outside: BTreeMap<usize, u64> = BTreeMap::new();
    let mut in_vain = 0;
    let try_all = |outside: &mut BTreeMap<usize, u64>, in_vain: &mut u64| {
        for (number, heard) in std::mem::take(outside) {
            let (lane, told) = &lanes[number];
            let times = told.times();
            if times == heard && heard > 0 || queue.push(lane, counting(cost(number))).is_err() {
                *in_vain += times - heard;
                outside.insert(number, times);
            }
            let waiting = queue.waiting();
            let waits = waiting.1 + waiting.0 as u64 * COMMIT_COST;
            assert!(waits <= 2 * LIMIT, "{waits}");
        }
    };
    outside.extend((0..lanes.len()).map(|number| (number, 0)));
    try_all(&mut outside, &mut in_vain);
    assert!(outside.len() > 150, "{}", outside.len());
    while take(&queue, 4) > 0 {
        try_all(&mut outside, &mut in_vain);
    }
    assert!(outside.is_empty(), "forgotten: {outside:?}");
    assert_eq!(in_vain, 0, "told of room that others had been told of");
}

#[test]
fn the_most_urgent_hear_of_room_first_and_the_others_before_long() {
    let queue = Queue::new(1 << 20);
    let filler = Arc::<Told>::default();
    let lanes: Vec<(Lane, Arc<Told>)> = (0..3)
        .map(|_| {
            let told = Arc::<Told>::default();
            (told.lane(&queue), told)
        })
        .collect();
    let fill = || {
        let filled = queue.push(&filler.lane(&queue), counting(1 << 20));
        assert!(filled.is_ok());
    };
    let ask = |number: usize| {
        let priority = [1, 1, 9].get(number).copied().unwrap_or(5);
        let large = urgent(priority, counting(3 << 19));
        queue.push(&lanes[number].0, large).unwrap_err();
    };
    (0..2).for_each(|_| fill());
    (0..3).for_each(ask);
    let heard = || {
        lanes
            .iter()
            .map(|(_, told)| told.times())
            .collect::<Vec<_>>()
    };
    let mut waited = 0;
    while heard()[..2] == [0, 0] {
        take(&queue, 1);
        waited += 1;
        assert_eq!(heard().iter().sum::<u64>(), waited);
        assert!(waited <= ROOM_IN_TURN, "{:?}", heard());
        fill();
        if heard()[2] == waited {
            ask(2);
        }
    }
    assert!(waited > 1, "{:?}", heard());
}

#[test]
fn who_is_told_and_does_not_come_keeps_nobody_waiting() {
    let (queue, told) = (Queue::new(1 << 20), Arc::<Told>::default());
    let large = || counting(2 << 20);
    for _ in 0..2 {
        queue.push(&told.lane(&queue), counting(1 << 20)).unwrap();
    }
    let lanes = [(); 3].map(|()| told.lane(&queue));
    for lane in &lanes {
        queue.push(lane, large()).unwrap_err();
    }
    take(&queue, 1);
    assert_eq!(told.times(), 1, "more are told than find room");
    take(&queue, 1);
    assert_eq!(told.times(), 3);
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
