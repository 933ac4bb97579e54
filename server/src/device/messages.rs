//! The log of messages that GETLOG MESSAGES gives out: the last few lines of what happened.
//!
//! Guarantee: bounded in lines and bytes; text that a peer had a hand in is cut, not kept whole.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits::{MESSAGE_LINE_BYTES, MESSAGE_LINES};

/// Recent lines, oldest first.
#[derive(Debug, Default)]
pub struct Messages {
    lines: Mutex<VecDeque<String>>,
}

impl Messages {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut lines = self.lock();
        if lines.len() == MESSAGE_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All lines, each ended by a line feed.
    #[must_use]
    pub fn text(&self) -> Bytes {
        let lines = self.lock();
        let mut text = String::new();
        for line in lines.iter() {
            text.push_str(line);
            text.push('\n');
        }
        text.into()
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
}
