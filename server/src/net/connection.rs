//! One connection: a loop that sends, hears, reads and executes, in one task.
//!
//! Guarantees: it never waits for one of these while another could go on, so a peer that writes
//! without reading does not stop it until the bounds in `limits` are reached, and nothing here
//! blocks another connection. All requests of one read are executed before their answers leave.
//! A connection ends with what was complete answered.
//! Not here: what requests do (`executor`), and sockets' options (`server`).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use kinetic_proto::FrameError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, sleep, timeout};

use super::buffers::inbox::{Known, News};
use super::buffers::intake::{Growth, Intake};
use super::clock::Clock;
use super::executor::{Executor, Flow};
use super::registry::Entry;
use crate::limits::{
    FRAME_PERMIT_SECONDS, LAST_READS_MS, LINGER_BYTES, LINGER_MS, ROOM_RETRY_MS, TURN_ANSWER_BYTES,
    TURN_REQUESTS,
};
use crate::session::unsolicited::Farewell;

/// One connection.
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    pub(crate) peer: SocketAddr,
    pub(crate) executor: Executor,
    pub(crate) entry: Entry,
    pub(crate) clock: Clock,
    pub(crate) write_stall: Duration,
}

/// What the loop keeps beside the connection's parts.
struct Life<S> {
    connection: Connection<S>,
    intake: Intake,
    known: Known,
    blocked: Blocked,
    ending: Option<Ending>,
    stall: Option<Pin<Box<Sleep>>>,
    last_reads: Option<Pin<Box<Sleep>>>,
    /// Set while it waits for room to read on.
    room_retry: Option<Pin<Box<Sleep>>>,
    /// Set while it reads on by permission.
    permit_end: Option<Pin<Box<Sleep>>>,
    /// Set while a request waits that has a time, until that is over.
    due: Option<(u64, Pin<Box<Sleep>>)>,
}

/// Why the next request is not executed.
#[derive(Debug, PartialEq, Eq)]
enum Blocked {
    /// It can be.
    No,
    /// Something must be done first, and the inbox will say so.
    UntilNews,
}

/// How a connection ends, once all that came is answered.
#[derive(Debug)]
enum Ending {
    /// The peer has closed, or is none of ours: nothing is left to say.
    Quiet,
    /// With a last word.
    Say(Farewell),
    /// The last word is in the outbox.
    Said,
}

/// What the loop wakes for.
#[derive(Debug)]
enum Event {
    /// Requests can be executed.
    Run,
    /// Bytes came.
    Read,
    /// The peer will send no more.
    End,
    /// The server stops, and all that had come by then has been read.
    Drained,
    /// The inbox has something.
    News(News),
    /// Time to look for room again.
    Room,
    /// Some request has had its time.
    Due,
    /// The peer takes nothing.
    Stalled,
    /// The peer does not complete a frame, while others wait for room.
    Dawdling,
    /// The socket is of no use any more.
    Broken(io::Error),
    /// All is said.
    Finished,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves it to its end.
    pub(crate) async fn serve(self) {
        let peer = self.peer;
        let mut life = Life::of(self);
        tracing::debug!(%peer, "connected");
        loop {
            let event = poll_fn(|context| life.poll(context)).await;
            match event {
                Event::Run => {
                    life.turn();
                    tokio::task::yield_now().await;
                }
                Event::Read => {
                    if let Err(error) = life.intake.decode(life.connection.clock.now_us()) {
                        life.fault(error);
                    }
                    life.turn();
                }
                Event::End => life.end(),
                Event::Drained => {
                    let farewell = life.connection.executor.farewell();
                    life.ending = Some(Ending::Say(farewell));
                }
                Event::News(News::Stopping) => life.stop(),
                Event::News(News::Done) | Event::Due => life.turn(),
                Event::Room => life.room_retry = None,
                Event::Stalled => {
                    tracing::warn!(%peer, "closed: it took no byte for too long");
                    return;
                }
                Event::Dawdling => {
                    tracing::warn!(%peer, "closed: memory is scarce and its frame takes too long");
                    return;
                }
                Event::Broken(error) => {
                    tracing::debug!(%peer, %error, "connection lost");
                    return;
                }
                Event::Finished => break,
            }
        }
        life.close().await;
        tracing::debug!(%peer, "closed");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Life<S> {
    fn of(connection: Connection<S>) -> Self {
        Self {
            connection,
            intake: Intake::default(),
            known: Known::Running,
            blocked: Blocked::No,
            ending: None,
            stall: None,
            last_reads: None,
            room_retry: None,
            permit_end: None,
            due: None,
        }
    }

    /// Sends what waits, then looks for something to do.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let answered = self.is_answered();
        let unsent = self.connection.executor.outbox.bytes();
        let sent = self.send(context);
        if self.connection.executor.outbox.bytes() != unsent {
            self.report();
        }
        match sent {
            Poll::Ready(Ok(())) if answered => return Poll::Ready(Event::Finished),
            Poll::Ready(Err(error)) => return Poll::Ready(Event::Broken(error)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if self.is_runnable() {
            return Poll::Ready(Event::Run);
        }
        let inbox = self.connection.executor.inbox();
        if let Poll::Ready(news) = inbox.poll(context, &self.known) {
            return Poll::Ready(Event::News(news));
        }
        if self.ending.is_none() && is_over(&mut self.last_reads, context) {
            return Poll::Ready(Event::Drained);
        }
        if self.ending.is_none()
            && let Some(most) = self.readable()
        {
            let stream = &mut self.connection.stream;
            match self.intake.poll_read(stream, context, most) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Event::End),
                Poll::Ready(Ok(_)) => return Poll::Ready(Event::Read),
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Broken(error)),
                Poll::Pending if self.known == Known::Stopping => {
                    return Poll::Ready(Event::Drained);
                }
                Poll::Pending => {}
            }
        }
        self.poll_timers(context)
    }

    /// For how many bytes more of what the peer sends there is memory. If for none, executing what
    /// waits makes room, or a timer runs to look again.
    fn readable(&mut self) -> Option<usize> {
        let entry = &mut self.connection.entry;
        let soon = |milliseconds| Box::pin(sleep(Duration::from_millis(milliseconds)));
        match self.intake.growth(entry.room()) {
            Growth::ToEndOfFrame(bytes) if entry.take_permit() => {
                self.permit_end
                    .get_or_insert_with(|| soon(FRAME_PERMIT_SECONDS * 1000));
                self.room_retry = None;
                Some(bytes)
            }
            Growth::ToEndOfFrame(_) => {
                self.room_retry.get_or_insert_with(|| soon(ROOM_RETRY_MS));
                None
            }
            Growth::Free(bytes) => {
                self.release();
                Some(bytes)
            }
            Growth::No => {
                self.release();
                None
            }
        }
    }

    /// Needs no permission to read on, for now.
    fn release(&mut self) {
        self.connection.entry.give_back_permit();
        self.permit_end = None;
        self.room_retry = None;
    }

    /// Sends what it can. Ready once nothing is left, in the stream's own buffer neither.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Connection {
            stream,
            executor,
            write_stall,
            ..
        } = &mut self.connection;
        let mut sent = Poll::Ready(Ok(()));
        while sent.is_ready() && !executor.outbox.is_empty() {
            sent = executor.outbox.poll_write(stream, context).map_ok(|_| ());
            match &sent {
                Poll::Ready(Ok(())) => self.stall = None,
                Poll::Ready(Err(_)) => return sent,
                Poll::Pending => {}
            }
        }
        if sent.is_ready() {
            // A stream that buffers, as TLS does, is asked to let go.
            sent = Pin::new(stream).poll_flush(context);
        }
        if sent.is_ready() {
            self.stall = None;
        } else {
            let limit = *write_stall;
            self.stall.get_or_insert_with(|| Box::pin(sleep(limit)));
        }
        sent
    }

    fn poll_timers(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if is_over(&mut self.stall, context) {
            return Poll::Ready(Event::Stalled);
        }
        if is_over(&mut self.permit_end, context) {
            return Poll::Ready(Event::Dawdling);
        }
        if is_over(&mut self.room_retry, context) {
            return Poll::Ready(Event::Room);
        }
        if self.is_due(context) {
            return Poll::Ready(Event::Due);
        }
        if self.connection.executor.is_idle() {
            self.connection.executor.outbox.shrink();
        }
        Poll::Pending
    }

    /// Whether the time of a request that waits is over; a timer runs until then.
    fn is_due(&mut self, context: &mut Context<'_>) -> bool {
        let Connection {
            executor, clock, ..
        } = &self.connection;
        let Some(due_us) = executor.next_due_us() else {
            self.due = None;
            return false;
        };
        if self.due.as_ref().is_none_or(|(at_us, _)| *at_us != due_us) {
            let wait_us = due_us.saturating_sub(clock.now_us());
            self.due = Some((due_us, Box::pin(sleep(Duration::from_micros(wait_us)))));
        }
        let timer = self.due.as_mut();
        let is_over = timer.is_some_and(|(_, it)| it.as_mut().poll(context).is_ready());
        if is_over {
            self.due = None;
        }
        is_over
    }

    /// Whether a request, or what was held of one, can be executed now.
    fn is_runnable(&self) -> bool {
        let executor = &self.connection.executor;
        self.blocked == Blocked::No
            && executor.has_room(self.connection.entry.answer_room())
            && (self.intake.is_waiting() || executor.is_holding())
    }

    /// Executes what waits, as far as one turn goes.
    fn turn(&mut self) {
        // Whatever led here may take the very news that was waited for: what blocks now shows
        // below, and nothing that blocked before counts.
        self.blocked = Blocked::No;
        let Connection {
            executor,
            clock,
            entry,
            ..
        } = &mut self.connection;
        executor.collect();
        executor.begin_turn(clock.now_us());
        let enough = executor.outbox.bytes() + TURN_ANSWER_BYTES;
        let mut flow = executor.resume();
        let mut done = 0;
        while done < TURN_REQUESTS {
            let has_room = executor.has_room(entry.answer_room());
            if flow != Flow::Go || !has_room || executor.outbox.bytes() >= enough {
                break;
            }
            let Some((frame, arrived_us)) = self.intake.next() else {
                break;
            };
            flow = executor.execute(&frame, arrived_us);
            done += executor.turn_cost();
        }
        executor.kick();
        let news = executor.collect();
        executor.count();
        self.report();
        match flow {
            Flow::Go => {}
            // What it waits for may have been among the news just taken: then go on.
            Flow::Wait if news => {}
            Flow::Wait => self.blocked = Blocked::UntilNews,
            Flow::HangUp(farewell) => {
                let peer = self.connection.peer;
                tracing::warn!(%peer, reason = %farewell, "hanging up");
                self.intake.clear();
                self.ending = Some(Ending::Say(farewell));
            }
        }
    }

    /// Says how much memory it holds, for all connections together have a bound.
    fn report(&mut self) {
        let Connection {
            executor, entry, ..
        } = &mut self.connection;
        let unsent = executor.outbox.bytes() + executor.asked_bytes();
        entry.set_buffered(self.intake.bytes() + executor.upcoming_bytes() + unsent);
        entry.set_unsent(unsent);
    }

    /// The server stops: what has arrived is still read, but not for ever.
    fn stop(&mut self) {
        self.known = Known::Stopping;
        self.last_reads = Some(Box::pin(sleep(Duration::from_millis(LAST_READS_MS))));
    }

    /// The peer sends no more: answer what is complete.
    fn end(&mut self) {
        if let Err(error) = self.intake.finish() {
            let peer = self.connection.peer;
            tracing::debug!(%peer, %error, "the peer closed within a frame");
        }
        self.ending = Some(Ending::Quiet);
    }

    /// What follows cannot be cut into frames.
    fn fault(&mut self, error: FrameError) {
        let peer = self.connection.peer;
        if error.is_tls_hello() {
            tracing::warn!(%peer, "closed: it speaks TLS, and this is the plain port");
            self.ending = Some(Ending::Quiet);
        } else {
            tracing::warn!(%peer, reason = %error, "hanging up");
            self.ending = Some(Ending::Say(Farewell::Frame(error)));
        }
    }

    /// Whether the connection ends and all is answered, the last word included.
    fn is_answered(&mut self) -> bool {
        let executor = &mut self.connection.executor;
        if self.ending.is_none() || self.intake.is_waiting() || !executor.is_idle() {
            return false;
        }
        if let Some(Ending::Say(farewell)) = &self.ending {
            executor.hang_up(farewell);
            self.ending = Some(Ending::Said);
        }
        true
    }

    /// Closes so that the peer gets the last word: closing a socket with unread bytes in it would
    /// reset the connection and take back what was sent.
    async fn close(self) {
        let mut stream = self.connection.stream;
        let said = matches!(self.ending, Some(Ending::Said));
        let linger = async move {
            stream.shutdown().await?;
            let (mut scrap, mut thrown_away) = (vec![0; 16 << 10], 0);
            while said && thrown_away < LINGER_BYTES {
                match stream.read(&mut scrap).await? {
                    0 => break,
                    count => thrown_away += count,
                }
            }
            io::Result::Ok(())
        };
        // Whatever happens now, the connection is over.
        let _ = timeout(Duration::from_millis(LINGER_MS), linger).await;
    }
}

/// Whether a timer runs and has run out.
fn is_over(timer: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>) -> bool {
    timer
        .as_mut()
        .is_some_and(|timer| timer.as_mut().poll(context).is_ready())
}

#[cfg(test)]
mod tests;
