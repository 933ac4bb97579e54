//! The log of messages that GETLOG gives out: the last few lines of what happened.
//!
//! Guarantees: bounded in lines and bytes; text that a peer had a hand in is cut, not kept whole;
//! each line has a number, one greater than the line before, from 1 on while the drive runs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits::{MESSAGE_LINE_BYTES, MESSAGE_LINES};

/// Recent lines, oldest first.
#[derive(Debug, Default)]
pub struct Messages {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// Lines that are not kept any more.
    gone: u64,
}

/// Some of the lines, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The number of the oldest line that is kept, or of the first that will be.
    pub first: u64,
    /// Lines in order.
    pub lines: Vec<(u64, String)>,
    /// The number of the line behind these.
    pub next: u64,
}

impl Messages {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; the oldest one goes when there are too many.
    pub fn note(&self, text: &str) {
        let mut line = String::new();
        for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if line.len() + character.len_utf8() > MESSAGE_LINE_BYTES {
                break;
            }
            line.push(character);
        }
        let mut kept = self.lock();
        if kept.lines.len() == MESSAGE_LINES {
            kept.lines.pop_front();
            kept.gone += 1;
        }
        kept.lines.push_back(line);
    }

    /// All lines, each ended by a line feed.
    #[must_use]
    pub fn text(&self) -> Bytes {
        let kept = self.lock();
        let mut text = String::new();
        for line in &kept.lines {
            text.push_str(line);
            text.push('\n');
        }
        text.into()
    }

    /// Up to `most` lines from a number on. One that is not kept any more means the oldest; one
    /// that is not given yet means none.
    #[must_use]
    pub fn page(&self, from: u64, most: usize) -> Page {
        let kept = self.lock();
        let first = kept.gone + 1;
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        let numbered = (first..).zip(&kept.lines).skip(skipped).take(most);
        let lines: Vec<_> = numbered
            .map(|(number, line)| (number, line.clone()))
            .collect();
        let behind_all = first + kept.lines.len() as u64;
        let next = lines.last().map_or(behind_all, |(number, _)| number + 1);
        Page { first, lines, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_and_long_ones_are_cut() {
        let messages = Messages::default();
        for number in 0..MESSAGE_LINES + 2 {
            messages.note(&format!("line {number}"));
        }
        messages.note(&format!("two\nlines {}", "x".repeat(1000)));
        let text = String::from_utf8(messages.text().to_vec()).unwrap();
        assert_eq!(text.lines().count(), MESSAGE_LINES);
        assert!(text.starts_with("line 3\n"));
        assert!(text.lines().last().unwrap().starts_with("two lines xxx"));
        assert!(text.lines().all(|line| line.len() <= MESSAGE_LINE_BYTES));
    }

    #[test]
    fn who_follows_the_numbers_sees_every_line_that_is_kept_once() {
        let messages = Messages::default();
        let empty = messages.page(0, 10);
        assert_eq!((empty.first, empty.next, empty.lines.len()), (1, 1, 0));
        let total = MESSAGE_LINES as u64 + 5;
        for number in 1..=total {
            messages.note(&format!("line {number}"));
        }
        let (mut from, mut seen) = (empty.next, Vec::new());
        loop {
            let page = messages.page(from, 7);
            assert_eq!(page.first, 6);
            if page.lines.is_empty() {
                assert_eq!(page.next, total + 1);
                break;
            }
            from = page.next;
            seen.extend(page.lines);
        }
        let expected = (6..=total).map(|number| (number, format!("line {number}")));
        assert!(seen.into_iter().eq(expected));
        // A number of an earlier start of the drive: where it goes on is less.
        let ahead = messages.page(10_000, 7);
        assert_eq!((ahead.lines.len(), ahead.next), (0, total + 1));
        assert_eq!(messages.page(u64::MAX, 7).next, total + 1);
    }
}
