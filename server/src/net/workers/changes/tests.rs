//! Tries of PINs on the desk where changes are made: who waits, how long, and how many may.

use kinetic_proto::Limits;
use kinetic_proto::schema::command::PinOperation as Wire;

use super::*;
use crate::auth::penalties::Secret;
use crate::auth::{FACTORY_KEY, Identity, IdentityTable};
use crate::device::{Device, NewPin, Ports};
use crate::limits::MOST_PIN_DELAY_MS;
use crate::ops::pinop::PinOperation;
use crate::ram_drive::{medium, policy};

const UNLOCK: i32 = 1;
const ERASE: i32 = 3;

/// A drive with both PINs, which are "lock" and "erase".
fn desk() -> Desk {
    let medium = medium();
    let pin = |new| NewPin {
        old: b"",
        new,
        rounds: 1,
    };
    medium.set_lock_pin(&pin(b"lock")).unwrap();
    medium.set_erase_pin(&pin(b"erase")).unwrap();
    let drive = Drive {
        device: Device::new(medium, Ports::default(), Limits::default(), policy()),
        identities: IdentityTable::new([Identity::factory(FACTORY_KEY)]),
        batches: Arc::default(),
    };
    Desk {
        drive: Arc::new(drive),
        clock: Clock::start(),
        penalties: Penalties::default(),
        delayed: Delayed::default(),
        lobby: Lobby::default(),
        stopping: Arc::default(),
    }
}

fn source(last: u8) -> Source {
    Source::of(std::net::Ipv4Addr::new(10, 0, 0, last).into())
}

fn job(from: u8, operation: i32, pin: &[u8], inbox: &Arc<Inbox>) -> Box<ChangeJob> {
    let wire = Wire {
        pin_op_type: Some(operation),
    };
    let parsed = PinOperation::parse(Some(wire), Some(pin), &Limits::default());
    Box::new(ChangeJob {
        change: Change::Pin(parsed.unwrap()),
        granted: 0,
        source: source(from),
        token: 1,
        inbox: Arc::clone(inbox),
    })
}

fn answered(inbox: &Inbox) -> Vec<StatusCode> {
    let mut done = Vec::new();
    inbox.take(&mut done);
    let codes = done.iter().map(|done| match done {
        Done::Change(_, answer) => answer.code(),
        other => panic!("{other:?}"),
    });
    codes.collect()
}

impl Desk {
    /// A try, and what came of it if it did not have to wait.
    fn tries(&mut self, from: u8, operation: i32, pin: &[u8]) -> Option<StatusCode> {
        let inbox = Arc::default();
        self.take(job(from, operation, pin, &inbox));
        answered(&inbox).pop()
    }

    /// As if so many wrong PINs had just been tried.
    fn after_wrong(&mut self, count: u32) {
        for secret in [Secret::LockPin, Secret::ErasePin] {
            for _ in 0..count {
                self.penalties
                    .wrong((source(1), secret), self.clock.now_us());
            }
        }
    }
}

#[test]
fn however_many_pins_were_wrong_the_wait_is_bounded_and_nobody_elses() {
    let mut desk = desk();
    let wrong = Some(StatusCode::NOT_AUTHORIZED);
    assert_eq!(desk.tries(1, UNLOCK, b"guess"), wrong);
    desk.after_wrong(1000);
    let latest_us = desk.clock.now_us() + MOST_PIN_DELAY_MS * 1000;
    assert_eq!(desk.tries(1, UNLOCK, b"lock"), None);
    let due_us = desk.delayed.first_us().unwrap();
    assert!(due_us > desk.clock.now_us() && due_us <= latest_us);
    assert_eq!(desk.tries(2, UNLOCK, b"lock"), Some(StatusCode::SUCCESS));
    // The thread takes it once it is due.
    assert!(desk.delayed.pop(due_us - 1).is_none());
    assert!(desk.delayed.pop(due_us).is_some());
}

#[test]
fn what_waits_is_bounded_by_source_and_altogether_and_the_rest_is_told_so() {
    let mut desk = desk();
    let busy = Some(StatusCode::SERVICE_BUSY);
    desk.after_wrong(1);
    for waiting in 0..DELAYED_PINS_PER_SOURCE {
        let operation = if waiting % 2 == 0 { UNLOCK } else { ERASE };
        assert_eq!(desk.tries(1, operation, b"guess"), None);
    }
    assert_eq!(desk.tries(1, UNLOCK, b"guess"), busy);
    assert_eq!(desk.tries(1, ERASE, b"guess"), busy);
    let wrong = Some(StatusCode::NOT_AUTHORIZED);
    assert_eq!(desk.tries(2, UNLOCK, b"guess"), wrong);
    assert_eq!(desk.tries(2, UNLOCK, b"guess"), None);
    assert_eq!(desk.delayed.jobs.len(), DELAYED_PINS_PER_SOURCE + 1);
}

#[test]
fn the_wrong_pin_of_one_kind_holds_up_no_try_of_the_other() {
    let mut desk = desk();
    let wrong = Some(StatusCode::NOT_AUTHORIZED);
    assert_eq!(desk.tries(1, UNLOCK, b"guess"), wrong);
    assert_eq!(desk.tries(1, ERASE, b"lock"), wrong);
    assert_eq!(desk.tries(1, ERASE, b"erase"), None);
}

#[test]
fn a_stop_gives_up_every_try_that_waits_and_the_thread_ends() {
    let desk = desk();
    let labour = Labour::OwnThreads;
    let (changes, handle) = Changes::start(&desk.drive, labour, desk.clock).unwrap();
    let inbox = Arc::default();
    changes.submit(job(1, UNLOCK, b"guess", &inbox)).unwrap();
    changes.submit(job(1, UNLOCK, b"lock", &inbox)).unwrap();
    changes.stop();
    drop(changes);
    let AtWork::Thread(handle) = handle else {
        panic!("{handle:?}");
    };
    handle.join().unwrap();
    let codes = answered(&inbox);
    assert_eq!(
        codes,
        [StatusCode::NOT_AUTHORIZED, StatusCode::SERVICE_BUSY]
    );
}
