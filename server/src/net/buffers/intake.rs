//! Requests that were read and not yet executed.
//!
//! Guarantees: bounded in bytes, the beginning of a frame included, by whoever heeds
//! [`Intake::growth`] before reading; a peer has sent an eighth of the room that is made for it;
//! frames are slices of the buffer that the socket filled; an idle intake holds no memory.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use kinetic_proto::{Frame, FrameDecoder, FrameError};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::{
    BACKLOG_BYTES, BACKLOG_FLOOR_BYTES, LEAST_READ_BYTES, READ_BYTES, REQUEST_COST_BYTES,
};

/// Frames in the order in which they came, and the beginning of the next one.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    decoder: FrameDecoder,
    buffer: BytesMut,
    /// Each with the time at which it was whole, in microseconds of the caller's clock.
    frames: VecDeque<(Frame, u64)>,
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

/// Whether more may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// So many bytes may.
    Free(usize),
    /// Only by permission, and only the bytes that bring the frame that has begun on: nothing else
    /// would bring the connection on.
    ToEndOfFrame(usize),
    /// Not before something that waits is executed.
    No,
}

impl Intake {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.frame_bytes + self.buffer.len()
    }

    /// Whether more may be read.
    pub(crate) fn growth(&self, room: Room) -> Growth {
        let limit = match room {
            Room::Enough => BACKLOG_BYTES,
            Room::Scarce => BACKLOG_FLOOR_BYTES,
        };
        match limit.saturating_sub(self.bytes()) {
            0 if self.is_waiting() => Growth::No,
            0 => Growth::ToEndOfFrame(self.decoder.wanted(self.buffer.len()).max(1)),
            bytes => Growth::Free(bytes),
        }
    }

    /// Whether a whole request waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Reads what the socket has, but no more than so many bytes; 0 at its end.
    pub(crate) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        // Reserving only when little is left lets one allocation serve several reads. What a
        // header announces is believed only as far as the peer has sent some of it.
        let earned = READ_BYTES.max(self.buffer.len() * ROOM_FOR_SENT);
        let wanted = self.decoder.wanted(self.buffer.len());
        let wanted = wanted.clamp(1, earned);
        // What little has come may be moved for the sake of larger reads.
        let least = match self.buffer.len() < LEAST_READ_BYTES {
            true => wanted.max(LEAST_READ_BYTES),
            false => wanted,
        };
        if self.buffer.capacity() - self.buffer.len() < least {
            self.buffer.reserve(wanted.max(READ_BYTES));
        }
        let poll = pin!(stream.read_buf(&mut (&mut self.buffer).limit(most))).poll(context);
        if poll.is_pending() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        poll
    }

    /// Cuts what was read, by this time, into frames.
    pub(crate) fn decode(&mut self, now_us: u64) -> Result<(), FrameError> {
        while let Some(frame) = self.decoder.decode(&mut self.buffer)? {
            self.frame_bytes += cost(&frame);
            self.frames.push_back((frame, now_us));
        }
        Ok(())
    }

    /// Whether the peer stopped in the middle of a frame.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        self.decoder.finish(&self.buffer)
    }

    /// The next request, and when it had come.
    pub(crate) fn next(&mut self) -> Option<(Frame, u64)> {
        let (frame, arrived_us) = self.frames.pop_front()?;
        self.frame_bytes = self.frame_bytes.saturating_sub(cost(&frame));
        if self.frames.is_empty() && self.frames.capacity() > KEPT_FRAMES {
            self.frames = VecDeque::new();
        }
        Some((frame, arrived_us))
    }

    /// Forgets all requests that wait.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.frame_bytes = 0;
    }
}

/// Places for frames that an empty intake keeps.
const KEPT_FRAMES: usize = 256;

/// Times the bytes that a peer has sent, for which room is made ahead.
const ROOM_FOR_SENT: usize = 8;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// An intake that has read these bytes.
    async fn with(bytes: &[u8]) -> Intake {
        let (mut intake, mut stream) = (Intake::default(), bytes);
        while poll_fn(|context| intake.poll_read(&mut stream, context, usize::MAX))
            .await
            .unwrap()
            > 0
        {
            intake.decode(0).unwrap();
        }
        intake
    }

    /// A frame with a value of 1 MiB and no message, as far as `sent` bytes of the value.
    fn begun(sent: usize) -> Vec<u8> {
        let mut bytes = b"F\0\0\0\0\0\x10\0\0".to_vec();
        bytes.resize(bytes.len() + sent, 7);
        bytes
    }

    #[tokio::test]
    async fn the_beginning_of_a_frame_counts_when_memory_is_scarce() {
        let little = with(&begun(10)).await;
        assert!(matches!(little.growth(Room::Scarce), Growth::Free(_)));
        let much = with(&begun(BACKLOG_FLOOR_BYTES)).await;
        assert!(matches!(much.growth(Room::Enough), Growth::Free(_)));
        let missing = (1 << 20) - BACKLOG_FLOOR_BYTES;
        assert_eq!(much.growth(Room::Scarce), Growth::ToEndOfFrame(missing));
        let whole = with(&begun(1 << 20)).await;
        assert_eq!(whole.growth(Room::Scarce), Growth::No);
    }

    #[tokio::test]
    async fn an_announced_length_alone_makes_no_room() {
        let intake = with(&begun(10)).await;
        assert!(intake.buffer.capacity() <= 2 * READ_BYTES);
    }

    #[tokio::test]
    async fn what_has_come_of_a_large_value_is_not_moved_when_little_is_missing() {
        let mut intake = with(&begun((1 << 20) - 100_000)).await;
        let place = intake.buffer.as_ptr();
        for mut piece in [&[7; 99_000][..], &[7; 1000]] {
            poll_fn(|context| intake.poll_read(&mut piece, context, usize::MAX))
                .await
                .unwrap();
            intake.decode(0).unwrap();
        }
        let value = intake.next().unwrap().0.value.whole().unwrap();
        assert_eq!((value.as_ptr(), value.len()), (place, 1 << 20));
    }
}
