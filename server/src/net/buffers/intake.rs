//! Requests that were read and not yet executed.
//!
//! Guarantees: bounded in bytes by whoever asks [`Intake::may_grow`] before reading; frames are
//! slices of the buffer that the socket filled; an idle intake holds no memory.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use kinetic_proto::{Frame, FrameDecoder, FrameError};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::{BACKLOG_BYTES, BACKLOG_FLOOR_BYTES, READ_BYTES, REQUEST_COST_BYTES};

/// Frames in the order in which they came, and the beginning of the next one.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    decoder: FrameDecoder,
    buffer: BytesMut,
    frames: VecDeque<Frame>,
    frame_bytes: usize,
}

fn cost(frame: &Frame) -> usize {
    let value = match &frame.value {
        kinetic_proto::FrameValue::Whole(value) => value.len(),
        kinetic_proto::FrameValue::Oversize { .. } => 0,
    };
    REQUEST_COST_BYTES + frame.message.len() + value
}

/// Whether the drive as a whole has memory for more than the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It has.
    Enough,
    /// It has not: only the floor is left.
    Scarce,
}

impl Intake {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.frame_bytes + self.buffer.len()
    }

    /// Whether more may be read.
    pub(crate) fn may_grow(&self, room: Room) -> bool {
        match room {
            Room::Enough => self.frame_bytes < BACKLOG_BYTES,
            Room::Scarce => self.frame_bytes < BACKLOG_FLOOR_BYTES,
        }
    }

    /// Whether a whole request waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Reads what the socket has; 0 at its end.
    pub(crate) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        // Reserving only when little is left lets one allocation serve several reads.
        let wanted = self.decoder.wanted(self.buffer.len()).max(READ_BYTES / 2);
        if self.buffer.capacity() - self.buffer.len() < wanted {
            self.buffer.reserve(wanted.max(READ_BYTES));
        }
        let poll = pin!(stream.read_buf(&mut self.buffer)).poll(context);
        if poll.is_pending() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        poll
    }

    /// Cuts what was read into frames.
    pub(crate) fn decode(&mut self) -> Result<(), FrameError> {
        while let Some(frame) = self.decoder.decode(&mut self.buffer)? {
            self.frame_bytes += cost(&frame);
            self.frames.push_back(frame);
        }
        Ok(())
    }

    /// Whether the peer stopped in the middle of a frame.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        self.decoder.finish(&self.buffer)
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.frame_bytes = self.frame_bytes.saturating_sub(cost(&frame));
        if self.frames.is_empty() && self.frames.capacity() > KEPT_FRAMES {
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Forgets all requests that wait.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.frame_bytes = 0;
    }
}

/// Places for frames that an empty intake keeps.
const KEPT_FRAMES: usize = 256;
