//! The guide of a block in memory: a few bytes of each of its fences, side by side.
//!
//! A search over fences where they lie meets cold memory at each step; the guide is a line or two
//! of it, and narrows the search to those fences that it cannot tell from the key.
//! Guarantee: the fence that a search over all of them would find is in the range given.
//! Not here: what the fences are (`leaf`: keys at restart points; `node`: fences of children).
//! Nothing of it is on the disk.

use std::ops::Range;

use super::{Malformed, common_prefix};

/// A guide to ascending fences.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guide {
    /// What all fences begin with.
    prefix: Box<[u8]>,
    /// Of each fence the eight bytes behind that, as a big-endian number; zeros where it ends.
    heads: Box<[u64]>,
}

impl Guide {
    /// A guide to these fences, which ascend.
    #[must_use]
    pub fn to(fences: &[&[u8]]) -> Self {
        let (Some(first), Some(last)) = (fences.first(), fences.last()) else {
            return Self::default();
        };
        let shared = common_prefix(first, last);
        Self {
            prefix: first.get(..shared).unwrap_or_default().into(),
            heads: fences.iter().map(|fence| head(fence, shared)).collect(),
        }
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.prefix.len() + size_of_val(&*self.heads)
    }

    /// Among which fences the last one at or before `key` is; the first fence stands in where all
    /// are behind it.
    #[must_use]
    pub fn range(&self, key: &[u8]) -> Range<usize> {
        let shared = self.prefix.len();
        let start = key.get(..shared).unwrap_or(key);
        match start.cmp(&self.prefix) {
            std::cmp::Ordering::Less => 0..1,
            std::cmp::Ordering::Greater => self.heads.len().saturating_sub(1)..self.heads.len(),
            std::cmp::Ordering::Equal => {
                let wanted = head(key, shared);
                let before = self.heads.partition_point(|head| *head < wanted);
                let like = self.heads.get(before..).unwrap_or_default();
                let like = like.iter().take_while(|head| **head == wanted).count();
                before.saturating_sub(1)..(before + like).max(1)
            }
        }
    }
}

/// The last of `count` fences at or before `key`, the first one where all are behind it: by binary
/// search over them where they lie, within what a guide says.
///
/// # Errors
/// When a fence cannot be read.
pub fn search<'a>(
    (count, guide): (usize, Option<&Guide>),
    key: &[u8],
    fence: impl Fn(usize) -> Result<&'a [u8], Malformed>,
) -> Result<usize, Malformed> {
    let within = guide.map_or(0..count, |guide| guide.range(key));
    let (mut low, mut high) = (within.start, within.end);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if fence(middle)? <= key {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The eight bytes behind what is shared: of two keys that share as much, the one with the smaller
/// number is the smaller key, and equal numbers say nothing.
fn head(key: &[u8], shared: usize) -> u64 {
    let rest = key.get(shared..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*whole);
    }
    let mut padded = [0; 8];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(fences: &[&[u8]], key: &[u8]) -> usize {
        fences
            .partition_point(|fence| *fence <= key)
            .saturating_sub(1)
    }

    fn check(fences: &[&[u8]], keys: &[&[u8]]) {
        let guide = Guide::to(fences);
        for key in keys {
            let range = guide.range(key);
            let wanted = expected(fences, key);
            assert!(
                range.contains(&wanted) && range.end <= fences.len(),
                "{key:?}: {wanted} is not in {range:?}"
            );
        }
    }

    #[test]
    fn the_fence_that_is_looked_for_is_in_the_range() {
        let long = [b"the same for long ", &b"and then 1"[..]].concat();
        let longer = [b"the same for long ", &b"and then 12"[..]].concat();
        let fences: &[&[u8]] = &[
            b"", b"\0", b"\0\0", b"a", b"a\0", b"ab", &long, &longer, b"z",
        ];
        let keys: &[&[u8]] = &[
            b"",
            b"\0",
            b"\0\0\0",
            b"A",
            b"a",
            b"a\0\0",
            b"aa",
            b"b",
            &long,
            b"the",
            b"\xff\xff",
        ];
        check(fences, keys);
        check(&[b"one"], keys);
        for length in 1..=fences.len() {
            check(&fences[..length], keys);
            check(&fences[fences.len() - length..], keys);
        }
    }

    #[test]
    fn all_pairs_of_short_keys_agree_with_a_search_over_all() {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        for bytes in 0..3_u8.pow(4) {
            let digits = [bytes / 27, bytes / 9 % 3, bytes / 3 % 3, bytes % 3];
            for length in 1..=4 {
                keys.push([b"pre", &digits[..length]].concat());
            }
        }
        keys.sort();
        keys.dedup();
        let all: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        for step in 1..7 {
            let fences: Vec<&[u8]> = all.iter().skip(step).step_by(step).copied().collect();
            check(&fences, &all);
        }
    }

    #[test]
    fn distinct_heads_leave_one_fence_or_two() {
        let keys: Vec<Vec<u8>> = (0..50_u32).map(|n| format!("key {n:08}").into()).collect();
        let fences: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let guide = Guide::to(&fences);
        for (index, fence) in fences.iter().enumerate() {
            let range = guide.range(fence);
            assert!(range.contains(&index) && range.len() <= 2, "{range:?}");
        }
        assert_eq!(guide.weight(), 10 + 50 * 8);
    }
}
