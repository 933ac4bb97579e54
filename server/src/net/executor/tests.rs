//! Requests whose drive is erased between their judgement and their execution.

use std::task::{Context, Waker};

use kinetic_proto::schema::Command;
use kinetic_proto::{FrameDecoder, Limits, MessageType, Received, StatusCode};

use super::*;
use crate::auth::{Channel, FACTORY_KEY, Identity, IdentityTable};
use crate::device::{Device, Ports};
use crate::net::buffers::inbox::Known;
use crate::ram_drive::{body, command, entry, frame, medium, policy};

fn executor() -> Executor {
    let drive = Arc::new(Drive {
        device: Device::new(medium(), Ports::default(), Limits::default(), policy()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
        batches: Arc::default(),
    });
    let clock = Clock::start();
    let (workers, _handles) = Workers::start(&drive, 1, clock).unwrap();
    Executor::new(drive, workers, clock, Session::new(1, Channel::Plain))
}

fn decoded(command: &Command, value: &[u8]) -> Frame {
    let mut bytes = frame(command, value);
    let frame = FrameDecoder::default().decode(&mut bytes).unwrap();
    frame.unwrap()
}

impl Executor {
    fn judged(&mut self, command: &Command, value: &[u8]) -> Step {
        let drive = Arc::clone(&self.drive);
        self.session.receive(&drive, &decoded(command, value), 0)
    }

    fn judged_put(&mut self, sequence: u64) -> (Route, Write) {
        let entry = kinetic_proto::schema::command::KeyValue {
            force: Some(true),
            ..entry(b"key")
        };
        let put = command(sequence, MessageType::PUT, body(entry));
        match self.judged(&put, b"old") {
            Step::Write(route, write) => (route, write),
            other => panic!("{other:?}"),
        }
    }

    /// The statuses of all answers, in their order.
    fn answered(&mut self) -> Vec<StatusCode> {
        let mut sent = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while !self.outbox.is_empty() {
            let written = self.outbox.poll_write(&mut sent, &mut context);
            assert!(written.is_ready());
        }
        let (mut sent, mut codes) = (bytes::BytesMut::from(&sent[..]), Vec::new());
        let mut decoder = FrameDecoder::default();
        while let Some(frame) = decoder.decode(&mut sent).unwrap() {
            let received = Received::decode(&frame.message).unwrap();
            if !received.is_unsolicited() {
                codes.push(received.status_code());
            }
        }
        codes
    }

    fn erase(&self) {
        self.drive.device.medium.erase(b"", &|_| ()).unwrap();
    }

    fn is_empty(&self) -> bool {
        let store = self.drive.device.store().unwrap();
        store.get(b"key", Effort::Disk).is_err()
    }
}

#[test]
fn a_write_that_was_judged_before_an_erase_is_not_done_after_it() {
    let mut executor = executor();
    let (route, write) = executor.judged_put(1);
    executor.erase();
    assert_eq!(executor.write(Waiting::of(route, 3), write), Flow::Go);
    assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    assert!(executor.is_idle() && executor.is_empty());
}

#[test]
fn a_write_that_was_held_when_the_drive_was_erased_is_not_done_after_it() {
    let mut executor = executor();
    let (route, write) = executor.judged_put(1);
    let epoch = route.epoch;
    let commit = Commit {
        mutations: write.mutations,
        durability: write.durability,
        token: executor.pending.insert(Waiting::of(route, 3)),
        completion: completion(&executor.inbox),
    };
    executor.held = Some(Held::Write(Box::new(commit), epoch));
    executor.erase();
    assert_eq!(executor.resume(), Flow::Go);
    assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    assert!(executor.is_idle() && executor.is_empty());
    // What is asked from now on is done again.
    let (route, write) = executor.judged_put(2);
    assert_eq!(executor.write(Waiting::of(route, 3), write), Flow::Go);
    assert!(!executor.is_idle());
}

#[test]
fn a_read_that_was_held_when_the_drive_was_locked_meanwhile_is_refused() {
    for kind in [MessageType::GET, MessageType::GETKEYRANGE] {
        let mut executor = executor();
        let range = kinetic_proto::schema::command::Body {
            range: Some(kinetic_proto::schema::command::Range {
                start_key: Some(bytes::Bytes::from_static(b"a")),
                end_key: Some(bytes::Bytes::from_static(b"z")),
                max_returned: Some(1),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = match kind {
            MessageType::GET => body(entry(b"key")),
            _ => Some(range),
        };
        let Step::Read(route, read) = executor.judged(&command(1, kind, body), b"") else {
            panic!("{kind} is a read")
        };
        executor.held = Some(Held::Read(route, read));
        executor.erase();
        assert_eq!(executor.resume(), Flow::Go);
        assert_eq!(executor.answered(), [StatusCode::DEVICE_LOCKED]);
    }
}

#[tokio::test]
async fn a_write_that_finds_the_queue_full_goes_on_when_the_store_tells_of_room() {
    let mut executor = executor();
    let (route, _write) = executor.judged_put(1);
    let mut sent = 0_u64;
    let mut flow = Flow::Go;
    // Nothing gets the commits under way but the store's own threads.
    while flow == Flow::Go && sent < 1000 {
        sent += 1;
        let mutation = kinetic_store::Mutation::Put {
            key: bytes::Bytes::copy_from_slice(&sent.to_be_bytes()),
            value: bytes::Bytes::from_static(&[7; 1 << 20]),
            attributes: kinetic_store::Attributes::default(),
            expected: kinetic_store::Expected::Any,
        };
        let write = Write {
            mutations: vec![mutation],
            durability: kinetic_store::Durability::WriteBack,
        };
        flow = executor.write(Waiting::of(route.clone(), 3), write);
    }
    assert!(flow == Flow::Wait && executor.is_holding(), "{sent}");
    assert!(sent > 8, "a lone connection has half of the queue: {sent}");
    let patience = std::time::Duration::from_secs(60);
    let known = Known::Running;
    while executor.is_holding() {
        let inbox = Arc::clone(executor.inbox());
        let news = std::future::poll_fn(|context| inbox.poll(context, &known));
        tokio::time::timeout(patience, news).await.unwrap();
        executor.collect();
        let _still_full = executor.resume();
        executor.kick();
    }
}
