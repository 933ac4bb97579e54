//! One connection, step by step: what happens between two looks at the inbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use kinetic_proto::{FrameDecoder, Limits, MessageType, Received, StatusCode};
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::auth::{Channel, FACTORY_KEY, Identity, IdentityTable};
use crate::device::{Device, Ports};
use crate::limits::{BUFFERED_BYTES, FRAME_PERMITS};
use crate::net::buffers::inbox::{Done, PUBLISHED};
use crate::net::executor::tests::{Gate, gated_executor};
use crate::net::registry::Registry;
use crate::net::workers::{Staff, Workers};
use crate::ram_drive::{body, command, entry, frame, medium, policy};
use crate::session::{Drive, Session};

fn life() -> (Life<DuplexStream>, DuplexStream) {
    life_in(&Arc::default())
}

fn life_in(registry: &Arc<Registry>) -> (Life<DuplexStream>, DuplexStream) {
    let ports = Ports {
        plain: None,
        tls: None,
    };
    let drive = Arc::new(Drive {
        device: Device::new(medium(), ports, Limits::default(), policy()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
        batches: Arc::default(),
    });
    let clock = Clock::start();
    let (workers, _handles) = Workers::start(&drive, Staff::of_tests(), clock).unwrap();
    let session = Session::new(1, Channel::Plain);
    let executor = Executor::new(drive, workers, clock, session);
    let (connection, peer) = connection_of(executor, registry);
    (Life::of(connection), peer)
}

fn connection_of(
    executor: Executor,
    registry: &Arc<Registry>,
) -> (Connection<DuplexStream>, DuplexStream) {
    let entry = registry.enter(1, executor.inbox());
    let (stream, peer) = duplex(4 << 20);
    let connection = Connection {
        stream,
        peer: ([127, 0, 0, 1], 1).into(),
        executor,
        entry,
        clock: Clock::start(),
        write_stall: Duration::from_secs(60),
    };
    (connection, peer)
}

fn noops(count: u64) -> BytesMut {
    let mut all = BytesMut::new();
    for sequence in 1..=count {
        all.unsplit(frame(&command(sequence, MessageType::NOOP, None), b""));
    }
    all
}

#[tokio::test]
async fn news_that_comes_between_a_look_and_a_read_does_not_leave_requests_behind() {
    let (mut life, mut peer) = life();
    let more_than_a_turn = TURN_REQUESTS as u64 * 2;
    peer.write_all(&noops(more_than_a_turn)).await.unwrap();
    life.blocked = Blocked::UntilNews;
    let event = poll_fn(|context| life.poll(context)).await;
    assert!(matches!(event, Event::Read), "{event:?}");
    life.connection
        .executor
        .inbox()
        .put(Done::Commit(PUBLISHED, Ok(())));
    life.intake.decode(0).unwrap();
    life.turn();
    assert!(life.intake.is_waiting());
    // Nothing else will wake it: it must go on by itself.
    assert!(life.is_runnable());
}

#[tokio::test]
async fn a_large_frame_waits_for_a_permit_when_memory_is_scarce_and_then_completes() {
    let registry = Arc::<Registry>::default();
    let (mut life, mut peer) = life_in(&registry);
    let mut others = Vec::new();
    for id in 0..=FRAME_PERMITS {
        others.push(registry.enter(2 + id as i64, life.connection.executor.inbox()));
    }
    others[0].set_buffered(usize::try_from(BUFFERED_BYTES).unwrap());
    let permitted = others.iter_mut().map(Entry::take_permit);
    assert_eq!(permitted.filter(|taken| *taken).count(), FRAME_PERMITS);
    let request = frame(&command(1, MessageType::NOOP, None), &[7; 1 << 20]);
    peer.write_all(&request).await.unwrap();
    let mut event = poll_fn(|context| life.poll(context)).await;
    while matches!(event, Event::Read) {
        life.intake.decode(0).unwrap();
        life.turn();
        event = poll_fn(|context| life.poll(context)).await;
    }
    assert!(matches!(event, Event::Room), "{event:?}");
    assert!(life.intake.bytes() < 1 << 20);
    others.clear();
    let blocker = Arc::<Registry>::clone(&registry);
    let mut blocker = blocker.enter(1000, life.connection.executor.inbox());
    blocker.set_buffered(usize::try_from(BUFFERED_BYTES).unwrap());
    while life.permit_end.is_none() || !life.intake.is_waiting() {
        let event = poll_fn(|context| life.poll(context)).await;
        assert!(matches!(event, Event::Room | Event::Read), "{event:?}");
        life.room_retry = None;
        life.intake.decode(0).unwrap();
    }
}

/// Takes all bytes at once and lets none go, as TLS does while the peer does not read.
struct Hoarder;

impl AsyncRead for Hoarder {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Hoarder {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn what_the_stream_holds_back_is_not_sent_yet_and_may_stall() {
    let (life, _peer) = life();
    let Connection {
        peer,
        executor,
        entry,
        clock,
        ..
    } = life.connection;
    let mut life = Life::of(Connection {
        stream: Hoarder,
        peer,
        executor,
        entry,
        clock,
        write_stall: Duration::ZERO,
    });
    life.end();
    let event = poll_fn(|context| life.poll(context)).await;
    assert!(matches!(event, Event::Stalled), "{event:?}");
    assert!(life.connection.executor.outbox.is_empty());
}

#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "the disk is slow for the whole test"
)]
async fn a_read_is_given_up_when_its_time_is_over_though_nothing_else_happens() {
    let gate = Arc::<Gate>::default();
    let registry = Arc::<Registry>::default();
    let (connection, mut peer) = connection_of(gated_executor(&gate), &registry);
    let closed = gate.reads.lock().unwrap();
    let serving = tokio::spawn(connection.serve());
    let get = |sequence, timeout| {
        let mut get = command(sequence, MessageType::GET, body(entry(b"key")));
        if let Some(header) = &mut get.header {
            header.timeout = Some(timeout);
        }
        frame(&get, b"")
    };
    peer.write_all(&get(1, 0)).await.unwrap();
    while gate.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    peer.write_all(&get(2, 20)).await.unwrap();
    let mut answers = Answers::default();
    assert!(answers.next(&mut peer).await.is_unsolicited(), "the hello");
    let busy = answers.next(&mut peer).await;
    assert_eq!(busy.ack_sequence(), Some(2));
    assert_eq!(busy.status_code(), StatusCode::SERVICE_BUSY);
    drop(closed);
    let done = answers.next(&mut peer).await;
    assert_eq!(done.ack_sequence(), Some(1));
    assert_eq!(done.status_code(), StatusCode::SUCCESS);
    drop(peer);
    serving.await.unwrap();
}

/// What a peer reads.
#[derive(Default)]
struct Answers {
    decoder: FrameDecoder,
    bytes: BytesMut,
}

impl Answers {
    async fn next(&mut self, peer: &mut DuplexStream) -> Received {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.bytes).unwrap() {
                return Received::decode(&frame.message).unwrap();
            }
            let read = timeout(Duration::from_secs(60), peer.read_buf(&mut self.bytes));
            assert!(read.await.expect("an answer").unwrap() > 0);
        }
    }
}
