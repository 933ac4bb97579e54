//! The order in which lanes have their turns.

use std::sync::Arc;

use super::*;
use crate::engine::commit::{Commit, Completion, Priority};
use crate::error::CommitError;
use crate::limits::PASSED_BYTES;

struct Nobody;

impl Completion for Nobody {
    fn complete(&self, _token: u64, _outcome: Result<(), CommitError>) {}
}

/// A commit that says it has so many bytes.
pub(in crate::engine::queue) fn commit(bytes: usize, durability: Durability) -> Prepared {
    let commit = Commit {
        mutations: Vec::new(),
        durability,
        priority: Priority::NORMAL,
        token: bytes as u64,
        completion: Arc::new(Nobody),
    };
    Prepared {
        commit,
        checksums: Vec::new(),
        records_length: 0,
        values_length: bytes,
    }
}

fn put(bytes: usize) -> Prepared {
    commit(bytes, Durability::WriteBack)
}

fn flush() -> Prepared {
    commit(0, Durability::Flush)
}

fn with(priority: Priority, mut prepared: Prepared) -> Prepared {
    prepared.commit.priority = priority;
    prepared
}

/// The same commit, of this priority.
pub(in crate::engine::queue) fn urgent(number: i64, prepared: Prepared) -> Prepared {
    with(Priority::nearest(number), prepared)
}

fn lanes<const COUNT: usize>() -> [Lane; COUNT] {
    std::array::from_fn(|number| Lane::new(number as u64, None))
}

/// Number of its lane, and its bytes.
fn take(turns: &mut Turns) -> Option<(u64, u64)> {
    let queued = turns.take_if(|_| true)?;
    Some((queued.ticket.lane().number(), queued.prepared.bytes()))
}

#[test]
fn lanes_share_by_bytes_whatever_the_size_of_their_commits() {
    let (mut turns, lanes) = (Turns::default(), lanes::<3>());
    let sizes = [1 << 20, 5000, 70_000];
    for (lane, size) in lanes.iter().zip(sizes) {
        for _ in 0..(40 << 20) / size {
            turns.append(lane, put(size));
        }
    }
    let mut shares = [0_u64; 3];
    while shares.iter().sum::<u64>() < 60 << 20 {
        let (lane, bytes) = take(&mut turns).unwrap();
        shares[usize::try_from(lane).unwrap()] += bytes + COMMIT_COST;
        let spread = shares.iter().max().unwrap() - shares.iter().min().unwrap();
        assert!(spread <= (1 << 20) + 2 * LANE_TURN, "{shares:?}");
    }
}

#[test]
fn a_lane_that_comes_late_waits_for_one_turn_of_the_others() {
    let (mut turns, [deep, small]) = (Turns::default(), lanes());
    for _ in 0..100 {
        turns.append(&deep, put(60_000));
    }
    for _ in 0..20 {
        assert_eq!(take(&mut turns), Some((0, 60_000)));
        turns.append(&small, put(100));
        let mut before = 0;
        while let Some((0, bytes)) = take(&mut turns) {
            before += bytes;
        }
        assert!(before <= LANE_TURN, "{before}");
    }
}

#[test]
fn the_first_one_stays_the_first_until_it_is_taken() {
    let (mut turns, [a, b, c]) = (Turns::default(), lanes());
    turns.append(&b, put(10 << 20));
    let first = turns.first().unwrap().bytes();
    turns.append(&a, put(1));
    turns.append(&c, put(2));
    assert_eq!(turns.first().unwrap().bytes(), first);
    assert_eq!(take(&mut turns), Some((1, first)));
}

#[test]
fn a_flush_waits_for_what_was_queued_before_it_and_nobody_waits_for_it() {
    let (mut turns, [deep, flushing, other]) = (Turns::default(), lanes());
    for _ in 0..8 {
        turns.append(&deep, put(usize::try_from(LANE_TURN).unwrap()));
    }
    turns.append(&flushing, flush());
    turns.append(&flushing, put(7));
    turns.append(&deep, put(9));
    turns.append(&other, put(8));
    let order: Vec<_> = std::iter::from_fn(|| take(&mut turns)).collect();
    let place = |wanted| order.iter().position(|one| *one == wanted).unwrap();
    let deep = order
        .iter()
        .rposition(|one| *one == (0, LANE_TURN))
        .unwrap();
    assert!(place((2, 8)) < deep, "{order:?}");
    assert!(place((1, 0)) > deep, "{order:?}");
    assert!(place((1, 7)) > place((1, 0)), "{order:?}");
}

/// What is taken from now on.
fn rest(turns: &mut Turns) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| take(turns)).collect()
}

#[test]
fn the_most_urgent_goes_before_what_waits_in_other_lanes_and_behind_its_own() {
    let (mut turns, [bulk, urgent, other]) = (Turns::default(), lanes());
    for size in 1..=20 {
        turns.append(&bulk, with(Priority::LOWEST, put(size)));
    }
    // Half of a turn is taken already: it is cut short.
    assert_eq!(
        (take(&mut turns), take(&mut turns)),
        (Some((0, 1)), Some((0, 2)))
    );
    turns.append(&other, put(300));
    turns.append(&urgent, with(Priority::LOWEST, put(100)));
    turns.append(&urgent, with(Priority::HIGHEST, put(200)));
    let order = rest(&mut turns);
    assert_eq!(order[..3], [(1, 100), (1, 200), (2, 300)]);
    let bulk: Vec<_> = (3..=20).map(|size| (0, size)).collect();
    assert_eq!(order[3..], bulk);
}

#[test]
fn what_the_writer_was_told_is_next_stays_so_until_it_takes_it_or_asks_again() {
    let (mut turns, [low, high]) = (Turns::default(), lanes());
    turns.append(&low, with(Priority::LOWEST, put(1)));
    assert_eq!(turns.first().unwrap().bytes(), 1);
    turns.append(&high, with(Priority::HIGHEST, put(2)));
    assert_eq!(turns.peek().unwrap().bytes(), 1);
    assert!(turns.take_if(|_| false).is_none());
    assert_eq!(take(&mut turns), Some((0, 1)));
    assert_eq!(take(&mut turns), Some((1, 2)));
    turns.append(&low, with(Priority::LOWEST, put(3)));
    assert_eq!(turns.first().unwrap().bytes(), 3);
    turns.append(&high, with(Priority::HIGHEST, put(4)));
    assert_eq!(turns.first().unwrap().bytes(), 4);
}

#[test]
fn nobody_is_kept_out_for_longer_than_the_bound_by_what_is_more_urgent() {
    let (mut turns, lanes) = (Turns::default(), lanes::<9>());
    let size = 10_000;
    let next = |lane: usize| with(Priority::nearest(lane as i64 + 1), put(size));
    let cost = size as u64 + COMMIT_COST;
    let (mut passed, mut longest, mut shares) = ([0_u64; 9], 0, [0_u64; 9]);
    for (number, lane) in lanes.iter().enumerate() {
        turns.append(lane, next(number));
    }
    for _ in 0..100_000 {
        let (lane, _) = take(&mut turns).unwrap();
        let lane = usize::try_from(lane).unwrap();
        turns.append(&lanes[lane], next(lane));
        shares[lane] += cost;
        passed.iter_mut().for_each(|bytes| *bytes += cost);
        longest = longest.max(std::mem::take(&mut passed[lane]));
    }
    assert!(
        longest <= PASSED_BYTES + 8 * (LANE_TURN + cost),
        "{longest}"
    );
    let total: u64 = shares.iter().sum();
    assert!(shares[8] * 2 >= total, "{shares:?}");
    let low = &shares[..8];
    let spread = low.iter().max().unwrap() - low.iter().min().unwrap();
    assert!(spread <= 2 * LANE_TURN, "{shares:?}");
}

#[test]
fn equally_urgent_lanes_share_by_bytes_though_more_urgent_ones_cut_in() {
    let (mut turns, lanes) = (Turns::default(), lanes::<4>());
    let sizes = [200_000, 3000, 40_000];
    for (lane, size) in lanes.iter().zip(sizes) {
        for _ in 0..(40 << 20) / size {
            turns.append(lane, with(Priority::LOWEST, put(size)));
        }
    }
    let mut shares = [0_u64; 4];
    while shares.iter().sum::<u64>() < 60 << 20 {
        // Before each of them something small.
        turns.append(&lanes[3], with(Priority::HIGHEST, put(1)));
        while turns.commits() > 0 {
            let (lane, bytes) = take(&mut turns).unwrap();
            shares[usize::try_from(lane).unwrap()] += bytes + COMMIT_COST;
            if lane < 3 {
                break;
            }
        }
        let low = &shares[..3];
        let spread = low.iter().max().unwrap() - low.iter().min().unwrap();
        assert!(spread <= 200_000 + 2 * LANE_TURN, "{shares:?}");
    }
}

#[test]
fn an_urgent_flush_hurries_what_it_waits_for() {
    let (mut turns, [old, flushing, busy]) = (Turns::default(), lanes());
    for size in 1..=3 {
        turns.append(&old, with(Priority::LOWEST, put(size)));
    }
    turns.append(&flushing, with(Priority::HIGHEST, flush()));
    turns.append(&old, with(Priority::LOWEST, put(4)));
    turns.append(&busy, put(9));
    let order = rest(&mut turns);
    let expected = [(0, 1), (0, 2), (0, 3), (1, 0), (2, 9), (0, 4)];
    assert_eq!(order, expected);
}

#[test]
fn each_comes_once_and_in_order_though_some_are_put_back() {
    let (mut turns, lanes) = (Turns::default(), lanes::<5>());
    let (mut state, mut given, mut done) = (1_u64, 0, [0_u64; 5]);
    let mut below = |end| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % end
    };
    let mut open = std::collections::BTreeSet::new();
    while given < 3000 || turns.commits() > 0 {
        if below(3) == 0 {
            turns.first();
        }
        for _ in 0..if given < 3000 { below(9) } else { 0 } {
            let size = usize::try_from(1 << below(21)).unwrap();
            let next = if below(8) == 0 { flush() } else { put(size) };
            let priority = i64::try_from(1 + below(9)).unwrap();
            let next = with(Priority::nearest(priority), next);
            turns.append(&lanes[usize::try_from(below(5)).unwrap()], next);
            given += 1;
            open.insert(given);
        }
        let mut taken: Vec<_> = (0..below(9))
            .filter_map(|_| turns.take_if(|_| true))
            .collect();
        let kept = usize::try_from(below(9)).unwrap().min(taken.len());
        turns.put_back(taken.split_off(kept));
        for queued in taken {
            let lane = usize::try_from(queued.ticket.lane().number()).unwrap();
            assert!(queued.order > done[lane], "out of order");
            done[lane] = queued.order;
            if is_flush(&queued.prepared) {
                assert_eq!(open.first(), Some(&queued.order), "a flush came too early");
            }
            assert!(open.remove(&queued.order), "twice");
        }
        assert_eq!(turns.commits(), open.len());
    }
    assert_eq!((turns.bytes(), turns.cost(), turns.lanes.len()), (0, 0, 0));
}
