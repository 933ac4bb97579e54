//! SIGTERM while the drive is being locked or erased, and others have batches and writes under way.

use kinetic_tests::admin::{ERASE, LOCK, UNLOCK};

use super::*;
use crate::{KEPT, KEPT_VALUE};

const PUTS: u64 = 500;

/// Peers in the middle of something.
struct Busy {
    batch: Conversation,
    writer: Conversation,
    admin: Conversation,
}

/// What they heard by the end.
#[derive(Default)]
struct Heard {
    /// The keys of the writes that are done.
    acknowledged: BTreeSet<u64>,
    /// What came of the change, if anything.
    change: Option<StatusCode>,
}

impl Busy {
    /// A batch is open, writes are under way, and the change has just been asked for.
    fn with(target: &Target, operation: i32) -> Self {
        let (mut batch, mut writer) = (target.talk(), target.talk());
        let mut admin = target.talk_tls();
        let mut bytes = of_batch(&mut batch, MessageType::START_BATCH, 1);
        bytes.extend(put(&mut batch, PUTS, Some(1)));
        batch.raw().send(&bytes).expect("it is sent");
        batch.answer().success();
        batch.noop().success();
        // Sequence n + 1 stores key n.
        let bytes: Vec<u8> = (0..PUTS)
            .flat_map(|number| put(&mut writer, number, None))
            .collect();
        writer.raw().send(&bytes).expect("it is sent");
        let command = admin.pin_command(operation);
        admin.send_by_pin(&command, Some(b"any"));
        Self {
            batch,
            writer,
            admin,
        }
    }

    fn hear(mut self) -> Heard {
        assert!(to_the_end(self.batch.raw()).is_empty());
        let replies = to_the_end(self.writer.raw()).into_iter();
        let done = replies.filter(|reply| reply.code() == StatusCode::SUCCESS);
        let sequences = done.filter_map(|reply| reply.header().ack_sequence);
        let acknowledged = sequences.map(|sequence| sequence - 1).collect();
        let change = to_the_end(self.admin.raw()).first().map(Reply::code);
        Heard {
            acknowledged,
            change,
        }
    }
}

/// Stops the drive in the middle of this change.
fn stopped_in_the_middle(operation: i32) -> (Target, Heard) {
    let target = Target::new();
    let busy = Busy::with(&target, operation);
    let mut heard = Heard::default();
    let target = target.restarted(|| heard = busy.hear());
    (target, heard)
}

#[test]
fn while_the_drive_is_being_locked() {
    let (target, heard) = stopped_in_the_middle(LOCK);
    let is_locked = target.talk().noop().code() == StatusCode::DEVICE_LOCKED;
    match heard.change {
        Some(code) => assert_eq!((code, is_locked), (StatusCode::SUCCESS, true)),
        // It had not been read.
        None => assert!(!is_locked),
    }
    let unlocked = target.talk_tls().pin_operation(UNLOCK, Some(b"any"));
    unlocked.success();
    let stored = stored(&target, PUTS + 1);
    assert!(stored.is_superset(&heard.acknowledged), "a write is lost");
    assert!(!stored.contains(&PUTS), "a member of an open batch");
    target.still_serves();
}

#[test]
fn while_the_drive_is_being_erased() {
    let (target, heard) = stopped_in_the_middle(ERASE);
    let is_erased = target.talk().get(KEPT).code() == StatusCode::NOT_FOUND;
    let stored = stored(&target, PUTS + 1);
    assert!(!stored.contains(&PUTS), "a member of an open batch");
    match heard.change {
        Some(code) => assert_eq!((code, is_erased), (StatusCode::SUCCESS, true)),
        None => assert!(!is_erased && stored.is_superset(&heard.acknowledged)),
    }
    // Of the writes only those can be there that came after it, and they are the last ones.
    if is_erased {
        let first = stored.first().copied().unwrap_or(PUTS);
        let last: BTreeSet<u64> = heard.acknowledged.range(first..).copied().collect();
        assert_eq!(stored, last);
    }
    target.talk().put(KEPT, KEPT_VALUE).success();
    target.still_serves();
}
