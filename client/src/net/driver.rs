//! The task of a connection: reads, hands out answers, collects requests, writes, keeps time.
//!
//! Guarantees: reading never waits for writing or the other way round; a batch of requests is
//! collected for one turn of the scheduler before it is written, so that all tasks which an
//! answer woke have their request in it; a connection that cannot be written to is read to its
//! end, for the reason that the drive gave. Not here: the protocol ([`crate::core`]).

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use kinetic_proto::limits::FRAME_HEADER_SIZE;
use kinetic_proto::{FrameDecoder, FrameError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::Sleep;

use super::shared::{Look, Queued, Shared, Waiter};
use crate::core::{Event, Outgoing, Reply, Session};
use crate::error::{Disconnected, Error};
use crate::limits::{
    LAST_WORDS_MS, LEAST_READ_BYTES, READ_BYTES, READS_PER_TURN, SEGMENTS_PER_WRITE,
};

/// A stream and the bytes that were read from it and not yet used.
pub(super) struct Input<S> {
    pub(super) stream: S,
    pub(super) decoder: FrameDecoder,
    pub(super) buffer: BytesMut,
    /// Bytes of the frame before: the next one is likely to need as much.
    last_frame: usize,
}

impl<S: AsyncRead + Unpin> Input<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::default(),
            buffer: BytesMut::with_capacity(READ_BYTES),
            last_frame: 0,
        }
    }

    /// Reads once, into room for at least what the current frame lacks; 0 is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wanted = self.decoder.wanted(self.buffer.len());
        let spare = self.buffer.capacity() - self.buffer.len();
        // What little has come may be moved for the sake of larger reads.
        let least = match self.buffer.len() < LEAST_READ_BYTES {
            true => wanted.max(LEAST_READ_BYTES),
            false => wanted.max(1),
        };
        if spare < least {
            self.buffer
                .reserve(wanted.max(READ_BYTES).max(self.last_frame));
        }
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// The next whole frame that has been read.
    pub(super) fn next_frame(&mut self) -> Result<Option<kinetic_proto::Frame>, FrameError> {
        let frame = self.decoder.decode(&mut self.buffer)?;
        if let Some(frame) = &frame {
            self.last_frame = FRAME_HEADER_SIZE + frame.message.len() + frame.value.length();
        }
        Ok(frame)
    }
}

/// The task's state.
pub(super) struct Driver<S> {
    input: Input<S>,
    shared: Arc<Shared>,
    session: Session<Waiter>,
    output: Outgoing,
    /// Emptied and swapped with the queue of the handles.
    taken: VecDeque<Queued>,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Duration>,
    gave_way: bool,
    released: usize,
    /// Why nothing can be written any more, and how long reading goes on.
    mute: Option<(Disconnected, Duration)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(input: Input<S>, shared: Arc<Shared>, session: Session<Waiter>) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(shared.moment(Duration::ZERO)));
        Self {
            input,
            shared,
            session,
            output: Outgoing::default(),
            taken: VecDeque::new(),
            timer,
            timer_at: None,
            gave_way: false,
            released: 0,
            mute: None,
        }
    }

    /// Drives the connection to its end, and tells everybody who waits.
    pub(super) async fn run(mut self) {
        let reason = std::future::poll_fn(|cx| self.poll(cx)).await;
        let queued = self.shared.end(reason.clone());
        let unsent = queued.into_iter().map(|queued| queued.waiter);
        for waiter in self.session.close().into_iter().chain(unsent) {
            // Who no longer listens does not mind.
            let _ = waiter.answer.send(Err(reason.clone().into()));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Disconnected> {
        let turn = self.poll_turn(cx);
        if self.released > 0 {
            self.shared
                .budget
                .add_permits(std::mem::take(&mut self.released));
        }
        turn
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Disconnected> {
        if let Err(reason) = self.read(cx) {
            // A connection that broke while it was written to ends with that error, unless the
            // drive said why.
            let said = matches!(reason, Disconnected::ByDrive { .. });
            let earlier = self.mute.take().filter(|_| !said);
            return Poll::Ready(earlier.map_or(reason, |(error, _)| error));
        }
        match self.shared.look(cx.waker()) {
            Look::Nothing => {}
            Look::Abandoned => return Poll::Ready(Disconnected::Closed),
            Look::Requests if self.gave_way => self.collect(cx),
            Look::Requests => {
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.write(cx);
        self.keep_time(cx)
    }

    /// Reads what has come, as long as it is this task's turn.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Disconnected> {
        for _ in 0..READS_PER_TURN {
            match self.input.poll_read(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(0)) => {
                    let end = self.input.decoder.finish(&self.input.buffer);
                    return Err(
                        end.map_or_else(Disconnected::Frame, |()| Disconnected::EndOfStream)
                    );
                }
                Poll::Ready(Ok(_)) => self.answer()?,
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Disconnected> {
        while let Some(frame) = self.input.next_frame().map_err(Disconnected::Frame)? {
            match self.session.receive(frame) {
                Event::Answer { token, outcome } => self.release(token, outcome),
                Event::Late => {}
                Event::Over(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    fn release(&mut self, waiter: Waiter, outcome: Result<Reply, Error>) {
        self.released += waiter.cost as usize;
        // Who no longer listens does not mind.
        let _ = waiter.answer.send(outcome);
    }

    /// Moves the queued requests into the session.
    fn collect(&mut self, cx: &mut Context<'_>) {
        self.gave_way = false;
        self.shared.take(&mut self.taken);
        for queued in self.taken.drain(..) {
            self.session
                .submit(queued.request, queued.deadline, queued.waiter);
        }
        // Registers the waker, and sees what came in between.
        if !matches!(self.shared.look(cx.waker()), Look::Nothing) {
            cx.waker().wake_by_ref();
        }
    }

    /// Writes as long as the stream takes it.
    fn write(&mut self, cx: &mut Context<'_>) {
        while self.mute.is_none() {
            let unsent = self
                .session
                .transmit(&mut self.output, |waiter| !waiter.answer.is_closed());
            for (waiter, error) in unsent {
                match error {
                    Some(error) => self.release(waiter, Err(error)),
                    None => self.released += waiter.cost as usize,
                }
            }
            if self.output.is_empty() {
                // A stream that buffers, as TLS does, is asked to let go.
                let flushed = Pin::new(&mut self.input.stream).poll_flush(cx);
                if let Poll::Ready(Err(error)) = flushed {
                    self.fall_mute(error);
                }
                return;
            }
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            let filled = self.output.slices(&mut slices);
            let parts = slices.get(..filled).unwrap_or_default();
            match Pin::new(&mut self.input.stream).poll_write_vectored(cx, parts) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.fall_mute(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.output.advance(count),
                Poll::Ready(Err(error)) => self.fall_mute(error),
            }
        }
    }

    fn fall_mute(&mut self, error: io::Error) {
        self.output = Outgoing::default();
        let until = self.shared.now() + Duration::from_millis(LAST_WORDS_MS);
        self.mute = Some((error.into(), until));
    }

    /// Lets requests expire, and sets the timer for the next ones.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Poll<Disconnected> {
        loop {
            let words_end = self.mute.as_ref().map(|(_, until)| *until);
            let next = self
                .session
                .next_deadline()
                .into_iter()
                .chain(words_end)
                .min();
            let Some(next) = next else {
                return Poll::Pending;
            };
            if self.timer_at.is_none_or(|at| next < at) {
                self.timer.as_mut().reset(self.shared.moment(next));
                self.timer_at = Some(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer_at = None;
            let now = self.shared.now();
            for waiter in self.session.expire(now) {
                let after = waiter.timeout;
                self.release(waiter, Err(Error::Timeout { after }));
            }
            if let Some((error, _)) = self.mute.take_if(|(_, until)| *until <= now) {
                return Poll::Ready(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use kinetic_proto::FrameValue;

    use super::*;

    const VALUE: usize = 1 << 20;

    /// A frame without a message.
    fn frame() -> Vec<u8> {
        let mut bytes = b"F\0\0\0\0\0\x10\0\0".to_vec();
        bytes.resize(bytes.len() + VALUE, 7);
        bytes
    }

    /// Reads a frame that comes in pieces, and says where its first byte came to lie and where it
    /// lies at the end.
    async fn places(
        input: &mut Input<&[u8]>,
        bytes: &'static [u8],
        pieces: &[usize],
    ) -> [usize; 2] {
        let mut first = None;
        let mut rest = bytes;
        for piece in pieces.iter().copied().chain([bytes.len()]) {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            rest = later;
            input.stream = now;
            while !input.stream.is_empty() {
                poll_fn(|cx| input.poll_read(cx)).await.unwrap();
                first = first.or(Some(input.buffer.as_ptr().addr() + FRAME_HEADER_SIZE));
                if let Some(frame) = input.next_frame().unwrap() {
                    let FrameValue::Whole(value) = frame.value else {
                        panic!("the value is not too long");
                    };
                    return [first.unwrap(), value.as_ptr().addr()];
                }
            }
        }
        panic!("the frame is not whole");
    }

    #[tokio::test]
    async fn the_second_of_two_large_values_is_not_moved_while_it_comes() {
        let bytes: &'static [u8] = frame().leak();
        let mut input = Input::new(&[][..]);
        places(&mut input, bytes, &[]).await;
        let [first, last] = places(&mut input, bytes, &[100_000, VALUE - 101_000]).await;
        assert_eq!(first, last);
    }
}
