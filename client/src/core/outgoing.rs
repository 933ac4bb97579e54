//! Bytes to be written, in segments, so that long values leave without being copied.
//!
//! Guarantees: what is taken out is what was put in, in order. Not here: a bound; the session
//! stops filling at one.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{COPIED_VALUE_BYTES, MESSAGE_ROOM_BYTES};

/// Bytes to be written.
#[derive(Debug, Default)]
pub struct Outgoing {
    segments: VecDeque<Bytes>,
    segment_bytes: usize,
    tail: BytesMut,
}

impl Outgoing {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.segment_bytes + self.tail.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the next frame is to be appended.
    pub fn tail(&mut self) -> &mut BytesMut {
        // What has been cut off is not copied when more room is made, so it is made early.
        if self.tail.is_empty() && self.tail.capacity() < COPIED_VALUE_BYTES {
            self.tail.reserve(MESSAGE_ROOM_BYTES);
        }
        &mut self.tail
    }

    /// Appends a value behind the frame that was put into the tail.
    pub fn push_value(&mut self, value: Bytes) {
        if value.len() <= COPIED_VALUE_BYTES {
            self.tail.extend_from_slice(&value);
        } else {
            self.cut_tail();
            self.segment_bytes += value.len();
            self.segments.push_back(value);
        }
    }

    /// Appends all that waits in another one.
    pub fn append(&mut self, mut other: Self) {
        self.cut_tail();
        other.cut_tail();
        self.segment_bytes += other.segment_bytes;
        self.segments.append(&mut other.segments);
    }

    /// Fills `slices` with what is to be written first, and says how many it filled.
    pub fn slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.cut_tail();
        let mut filled = 0;
        for (slot, segment) in slices.iter_mut().zip(&self.segments) {
            *slot = IoSlice::new(segment);
            filled += 1;
        }
        filled
    }

    /// Drops the first `count` bytes, which have been written.
    pub fn advance(&mut self, mut count: usize) {
        while let Some(segment) = self.segments.front_mut() {
            let taken = count.min(segment.len());
            count -= taken;
            self.segment_bytes -= taken;
            if taken < segment.len() {
                segment.advance(taken);
                return;
            }
            self.segments.pop_front();
        }
    }

    fn cut_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segment_bytes += self.tail.len();
            self.segments.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outgoing: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); 2];
            let filled = outgoing.slices(&mut slices);
            let bytes: Vec<u8> = slices[..filled]
                .iter()
                .flat_map(|part| part.to_vec())
                .collect();
            let count = step.min(bytes.len());
            out.extend_from_slice(&bytes[..count]);
            outgoing.advance(count);
        }
        out
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_writes_take() {
        for step in [1, 3, 5000, usize::MAX] {
            let mut outgoing = Outgoing::default();
            let mut expected = Vec::new();
            for (head, length) in [(1u8, 10), (2, 0), (3, COPIED_VALUE_BYTES + 1), (4, 100)] {
                outgoing.tail().extend_from_slice(&[head]);
                outgoing.push_value(Bytes::from(vec![head + 100; length]));
                expected.push(head);
                expected.extend(vec![head + 100; length]);
            }
            assert_eq!(outgoing.len(), expected.len());
            assert_eq!(taken(&mut outgoing, step), expected);
        }
    }

    #[test]
    fn what_is_appended_comes_behind_what_was_there() {
        let filled = |byte: u8| {
            let mut outgoing = Outgoing::default();
            outgoing.push_value(Bytes::from(vec![byte; 3]));
            outgoing.push_value(Bytes::from(vec![byte; COPIED_VALUE_BYTES + 1]));
            outgoing.push_value(Bytes::from(vec![byte; 3]));
            outgoing
        };
        let mut outgoing = filled(1);
        outgoing.append(filled(2));
        outgoing.append(Outgoing::default());
        outgoing.tail().extend_from_slice(&[3]);
        let part = COPIED_VALUE_BYTES + 7;
        assert_eq!(outgoing.len(), 2 * part + 1);
        let expected = [vec![1; part], vec![2; part], vec![3]].concat();
        assert_eq!(taken(&mut outgoing, 100), expected);
    }

    #[test]
    fn a_long_value_is_not_copied() {
        let value = Bytes::from(vec![7; COPIED_VALUE_BYTES + 1]);
        let mut outgoing = Outgoing::default();
        outgoing.push_value(value.clone());
        let mut slices = [IoSlice::new(&[]); 1];
        assert_eq!(outgoing.slices(&mut slices), 1);
        assert_eq!(slices[0].as_ptr(), value.as_ptr());
    }
}
