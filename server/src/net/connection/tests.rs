//! One connection, step by step: what happens between two looks at the inbox.

use std::sync::Arc;

use bytes::BytesMut;
use kinetic_proto::{Limits, MessageType};
use kinetic_store::Threads;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::auth::{Channel, FACTORY_KEY, Identity, IdentityTable};
use crate::device::{Device, Ports};
use crate::net::buffers::inbox::{Done, PUBLISHED};
use crate::net::readers::Readers;
use crate::net::registry::Registry;
use crate::ram_drive::{command, frame, store};
use crate::session::{Drive, Session};

fn life() -> (Life<DuplexStream>, DuplexStream, Threads) {
    let (store, threads) = store();
    let ports = Ports {
        plain: None,
        tls: None,
    };
    let drive = Arc::new(Drive {
        device: Device::new(store, ports, Limits::default()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
    });
    let (readers, _handles) = Readers::start(&drive, 1).unwrap();
    let clock = Clock::start();
    let session = Session::new(1, Channel::Plain);
    let executor = Executor::new(drive, readers, clock, session);
    let entry = Arc::<Registry>::default().enter(1, executor.inbox());
    let (stream, peer) = duplex(4 << 20);
    let connection = Connection {
        stream,
        peer: ([127, 0, 0, 1], 1).into(),
        executor,
        entry,
        clock,
        write_stall: Duration::from_secs(60),
    };
    (Life::of(connection), peer, threads)
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
    let (mut life, mut peer, _threads) = life();
    let more_than_a_turn = TURN_REQUESTS as u64 * 2;
    peer.write_all(&noops(more_than_a_turn)).await.unwrap();
    life.blocked = Blocked::UntilNews;
    let event = poll_fn(|context| life.poll(context)).await;
    assert!(matches!(event, Event::Read), "{event:?}");
    life.connection
        .executor
        .inbox()
        .put(Done::Commit(PUBLISHED, Ok(())));
    life.intake.decode().unwrap();
    life.turn();
    assert!(life.intake.is_waiting());
    // Nothing else will wake it: it must go on by itself.
    assert!(life.is_runnable());
}
