//! Answers that wait to be sent: messages in one buffer, large values where they lie.
//!
//! Guarantees: everything that waits leaves in as few vectored writes as the socket takes; a value
//! above `COPIED_VALUE_BYTES` is not copied; order is kept.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::limits::{COPIED_VALUE_BYTES, WRITE_PARTS};
use crate::ops::Answer;
use crate::session::reply::Route;

/// Bytes to send.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    bytes: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends what `encode` writes.
    pub(crate) fn append(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        let before = self.tail.len();
        encode(&mut self.tail);
        self.bytes += self.tail.len().saturating_sub(before);
    }

    /// Appends an answer with its value.
    pub(crate) fn answer(&mut self, route: &Route, answer: Answer) {
        let before = self.tail.len();
        let value = route.encode(answer, &mut self.tail);
        self.bytes += self.tail.len().saturating_sub(before) + value.len();
        if value.len() <= COPIED_VALUE_BYTES {
            self.tail.extend_from_slice(&value);
        } else {
            self.parts.push_back(self.tail.split().freeze());
            self.parts.push_back(value);
        }
    }

    /// Gives back the memory of an empty outbox.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Sends some of it; the bytes that went. Ready with 0 only if there is nothing.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = if self.parts.is_empty() {
            ready!(Pin::new(stream).poll_write(context, &self.tail))?
        } else {
            let mut slices = [IoSlice::new(&[]); WRITE_PARTS];
            let parts = self.parts.iter().map(|part| part.as_ref());
            let all = parts.chain(std::iter::once(self.tail.as_ref()));
            let mut count = 0;
            for (slot, part) in slices.iter_mut().zip(all) {
                *slot = IoSlice::new(part);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            ready!(Pin::new(stream).poll_write_vectored(context, slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.consume(written);
        Poll::Ready(Ok(written))
    }

    fn consume(&mut self, written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        let mut left = written;
        while let Some(part) = self.parts.front_mut() {
            if left < part.len() {
                part.advance(left);
                return;
            }
            left -= part.len();
            self.parts.pop_front();
        }
        if left == self.tail.len() {
            self.tail.clear();
        } else {
            self.tail.advance(left.min(self.tail.len()));
        }
    }
}
