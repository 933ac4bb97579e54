//! The order in which lanes have their turns.

use std::sync::Arc;

use super::*;
use crate::engine::commit::{Commit, Completion};
use crate::error::CommitError;

struct Nobody;

impl Completion for Nobody {
    fn complete(&self, _token: u64, _outcome: Result<(), CommitError>) {}
}

/// A commit that says it has so many bytes.
pub(in crate::engine::queue) fn commit(bytes: usize, durability: Durability) -> Prepared {
    let commit = Commit {
        mutations: Vec::new(),
        durability,
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
        for _ in 0..if given < 3000 { below(9) } else { 0 } {
            let size = usize::try_from(1 << below(21)).unwrap();
            let next = if below(8) == 0 { flush() } else { put(size) };
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
