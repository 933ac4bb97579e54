//! LOCK and ERASE in the middle of what others send without a pause.
//!
//! What must come of it: every request is answered once, as done or as refused, and that is true
//! after the unlock or the erase; of a batch everything is there or nothing, and none spans the two
//! lives of an erased drive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use kinetic_proto::schema::command::{Body, KeyValue, Synchronization};
use kinetic_proto::{MessageType, StatusCode};
use kinetic_tests::admin::{ERASE, LOCK, UNLOCK};
use kinetic_tests::batch::of_batch;
use kinetic_tests::conversation::{Conversation, Reply, about, key_only};
use kinetic_tests::drive::Drive;
use kinetic_tests::raw::{Answer, request};

use crate::{KEPT, KEPT_VALUE, Target};

const WRITERS: u64 = 4;

/// Of large values. Together they have more in flight than the store's queue takes.
const LARGE_WRITERS: u64 = 8;

/// What a writer sends at once, again and again.
trait Chunk: Sync {
    /// Entries that one chunk puts; entry n of all has key n.
    const PUTS: u64;
    /// Sequences that it takes.
    const REQUESTS: u64;
    /// Answers that it gets from a drive that is unlocked.
    const ANSWERS: u64;

    /// The bytes of chunk `number`.
    fn bytes(talk: &mut Conversation, writer: u64, number: u64) -> Vec<u8>;
}

/// Writes, durable and not, and a read of each.
struct Entries;

/// A batch.
struct Whole;

fn key(writer: u64, number: u64) -> Vec<u8> {
    format!("{writer} {number:08}").into_bytes()
}

fn entry(writer: u64, number: u64) -> KeyValue {
    let how = match number % 3 {
        0 => Synchronization::Writethrough,
        _ => Synchronization::Writeback,
    };
    KeyValue {
        synchronization: Some(how.into()),
        ..key_only(&key(writer, number))
    }
}

impl Chunk for Entries {
    const PUTS: u64 = 50;
    const REQUESTS: u64 = 100;
    const ANSWERS: u64 = 100;

    fn bytes(talk: &mut Conversation, writer: u64, number: u64) -> Vec<u8> {
        let entries = number * Self::PUTS..(number + 1) * Self::PUTS;
        let both = entries.flat_map(|number| {
            let put = talk.command(MessageType::PUT, about(entry(writer, number)));
            let read = about(key_only(&key(writer, number)));
            let get = talk.command(MessageType::GET, read);
            [request(&put, &number.to_be_bytes()), request(&get, b"")].concat()
        });
        both.collect()
    }
}

impl Chunk for Whole {
    const PUTS: u64 = 10;
    const REQUESTS: u64 = 12;
    const ANSWERS: u64 = 2;

    fn bytes(talk: &mut Conversation, writer: u64, number: u64) -> Vec<u8> {
        let empty = Body::default;
        let mut bytes = request(&of_batch(talk, 1, MessageType::START_BATCH, empty()), b"");
        for number in number * Self::PUTS..(number + 1) * Self::PUTS {
            let put = of_batch(talk, 1, MessageType::PUT, about(entry(writer, number)));
            bytes.extend(request(&put, &number.to_be_bytes()));
        }
        bytes.extend(request(
            &of_batch(talk, 1, MessageType::END_BATCH, empty()),
            b"",
        ));
        bytes
    }
}

/// What a writer heard.
#[derive(Default)]
struct Heard {
    /// By sequence.
    answers: BTreeMap<u64, StatusCode>,
    last_word: Option<Reply>,
    chunks: u64,
}

impl Heard {
    /// Takes so many answers, or all up to a last word.
    fn take(&mut self, talk: &mut Conversation, count: u64) {
        for _ in 0..count {
            match talk.raw().read().expect("an answer or the end") {
                Answer::Frame(frame) => {
                    let reply = Reply::of(&frame);
                    if reply.received.is_unsolicited() {
                        self.last_word = Some(reply);
                    } else {
                        let sequence = reply.header().ack_sequence.expect("a sequence");
                        let before = self.answers.insert(sequence, reply.code());
                        assert_eq!(before, None, "{sequence} is answered twice");
                    }
                }
                Answer::Closed => {
                    assert!(self.last_word.is_some(), "closed without a word");
                    return;
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.last_word.is_some()
    }

    fn has(&self, code: StatusCode) -> bool {
        self.answers.values().any(|found| *found == code)
    }
}

/// Sends chunk after chunk, the next one before the answers to the last, for as long as `go_on`
/// says. `begun` is reached when the first one is answered.
fn write<C: Chunk>(
    mut talk: Conversation,
    writer: u64,
    begun: &Barrier,
    go_on: impl Fn(&Heard) -> bool,
) -> Heard {
    let mut heard = Heard::default();
    let send = |talk: &mut Conversation, number| {
        let bytes = C::bytes(talk, writer, number);
        // A drive that has hung up may not take it any more; what it said is read below.
        let _ = talk.raw().send(&bytes);
    };
    send(&mut talk, 0);
    heard.take(&mut talk, C::ANSWERS);
    begun.wait();
    heard.chunks = 1;
    send(&mut talk, heard.chunks);
    while !heard.is_over() && go_on(&heard) {
        heard.chunks += 1;
        send(&mut talk, heard.chunks);
        heard.take(&mut talk, C::ANSWERS);
    }
    if !heard.is_over() {
        heard.take(&mut talk, C::ANSWERS);
    }
    heard.chunks += 1;
    if heard.is_over() {
        heard.take(&mut talk, u64::MAX);
    }
    heard
}

/// Lets writers write, does something to the drive in their middle, and gives what they heard.
fn in_the_middle<C: Chunk>(
    target: &Target,
    act: impl FnOnce(),
    go_on: impl Fn(&Heard) -> bool + Sync,
) -> Vec<Heard> {
    let begun = Barrier::new(usize::try_from(WRITERS).expect("a small number") + 1);
    std::thread::scope(|scope| {
        let (begun, go_on) = (&begun, &go_on);
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let talk = target.talk();
            writers.push(scope.spawn(move || write::<C>(talk, writer, begun, go_on)));
        }
        begun.wait();
        act();
        let heard = writers.into_iter().map(|one| one.join().expect("a writer"));
        heard.collect()
    })
}

/// Which entries of a writer are stored, each with its value.
fn stored<C: Chunk>(target: &Target, writer: u64, chunks: u64) -> BTreeSet<u64> {
    let mut talk = target.talk();
    let is_stored = |number: &u64| {
        let reply = talk.get(&key(writer, *number));
        if reply.code() != StatusCode::NOT_FOUND {
            assert_eq!(*reply.success().value, number.to_be_bytes());
            return true;
        }
        false
    };
    (0..chunks * C::PUTS).filter(is_stored).collect()
}

/// The codes of a writer's puts, by entry, where they are answered one by one.
fn of_puts(heard: &Heard) -> BTreeMap<u64, StatusCode> {
    let puts = heard
        .answers
        .iter()
        .filter(|(sequence, _)| *sequence % 2 == 1);
    puts.map(|(sequence, code)| (sequence / 2, *code)).collect()
}

/// The numbers of the batches that a writer was told are done.
fn done_batches(heard: &Heard) -> BTreeSet<u64> {
    let done = heard.answers.iter().filter(|(sequence, code)| {
        *sequence % Whole::REQUESTS == 0 && **code == StatusCode::SUCCESS
    });
    done.map(|(sequence, _)| sequence / Whole::REQUESTS - 1)
        .collect()
}

/// Which batches of a writer are stored; none of them in part.
fn stored_batches(target: &Target, writer: u64, chunks: u64) -> BTreeSet<u64> {
    let entries = stored::<Whole>(target, writer, chunks);
    let is_stored = |batch: &u64| {
        let members = batch * Whole::PUTS..(batch + 1) * Whole::PUTS;
        let kept = members.filter(|number| entries.contains(number)).count() as u64;
        assert!(kept == 0 || kept == Whole::PUTS, "{kept} of batch {batch}");
        kept > 0
    };
    (0..chunks).filter(is_stored).collect()
}

/// Nothing of what was done before the erase is there, and everything that was done after it.
fn is_what_came_last(stored: &BTreeSet<u64>, done: &BTreeSet<u64>) {
    let first = stored.first().copied().unwrap_or(u64::MAX);
    let last: BTreeSet<u64> = done.range(first..).copied().collect();
    assert_eq!(*stored, last);
    assert!(!stored.contains(&0), "an entry outlived the erase");
}

#[test]
fn requests_in_flight_at_a_lock_are_done_or_refused_and_nothing_between() {
    let target = Target::new();
    let mut admin = target.talk_tls();
    let lock = || drop(admin.pin_operation(LOCK, Some(b"any")).success());
    let all =
        in_the_middle::<Entries>(&target, lock, |heard| !heard.has(StatusCode::DEVICE_LOCKED));
    assert_eq!(target.talk().get(KEPT).code(), StatusCode::DEVICE_LOCKED);
    admin.pin_operation(UNLOCK, Some(b"any")).success();
    for (writer, heard) in (0..).zip(all) {
        assert!(!heard.is_over(), "{:?}", heard.last_word);
        let sequences: Vec<u64> = heard.answers.keys().copied().collect();
        let sent: Vec<u64> = (1..=heard.chunks * Entries::REQUESTS).collect();
        assert_eq!(sequences, sent, "each is answered");
        let codes = [StatusCode::SUCCESS, StatusCode::DEVICE_LOCKED];
        for (sequence, code) in &heard.answers {
            assert!(codes.contains(code), "{sequence}: {code}");
        }
        let puts = of_puts(&heard).into_iter();
        let done = puts.filter(|(_, code)| *code == StatusCode::SUCCESS);
        let done: BTreeSet<u64> = done.map(|(number, _)| number).collect();
        assert_eq!(stored::<Entries>(&target, writer, heard.chunks), done);
    }
    target.still_serves();
}

#[test]
fn batches_under_way_at_a_lock_are_there_whole_or_not_at_all() {
    let target = Target::new();
    let mut admin = target.talk_tls();
    let lock = || drop(admin.pin_operation(LOCK, Some(b"any")).success());
    let all = in_the_middle::<Whole>(&target, lock, |_| true);
    admin.pin_operation(UNLOCK, Some(b"any")).success();
    for (writer, heard) in (0..).zip(all) {
        // A member cannot be answered, so what ends a writer is its first one after the lock.
        let last = heard.last_word.as_ref().expect("a last word");
        assert_eq!(last.code(), StatusCode::INVALID_BATCH, "{}", last.text());
        let done = done_batches(&heard);
        assert!(done.contains(&0));
        assert_eq!(stored_batches(&target, writer, heard.chunks), done);
    }
    target.still_serves();
}

/// Puts of 1 MiB, each of the same few keys and with its own number, until one is refused by a
/// lock. The number of the last one that was done.
fn fill(mut talk: Conversation, writer: u64, begun: &Barrier) -> u64 {
    const IN_FLIGHT: u64 = 24;
    let (mut sent, mut heard) = (0, Heard::default());
    while !heard.has(StatusCode::DEVICE_LOCKED) || heard.answers.len() as u64 != sent {
        while sent < heard.answers.len() as u64 + IN_FLIGHT && !heard.has(StatusCode::DEVICE_LOCKED)
        {
            sent += 1;
            let forced = KeyValue {
                force: Some(true),
                ..entry(writer, sent % 4)
            };
            let mut value = sent.to_be_bytes().to_vec();
            value.resize(1 << 20, 7);
            talk.send(MessageType::PUT, about(forced), &value);
        }
        heard.take(&mut talk, 1);
        if heard.answers.len() == 1 {
            begun.wait();
        }
    }
    let done = heard
        .answers
        .iter()
        .filter(|(_, code)| **code == StatusCode::SUCCESS);
    done.map(|(sequence, _)| *sequence).max().unwrap_or(0)
}

#[test]
fn a_lock_amid_large_writes_is_done_and_every_write_is_answered() {
    let target = Target::on(|image| Drive::start(image, &["--size", "2GiB"]));
    let mut admin = target.talk_tls();
    let begun = Barrier::new(usize::try_from(LARGE_WRITERS).expect("a small number") + 1);
    let last_done: Vec<u64> = std::thread::scope(|scope| {
        let mut writers = Vec::new();
        for writer in 0..LARGE_WRITERS {
            let (talk, begun) = (target.talk(), &begun);
            writers.push(scope.spawn(move || fill(talk, writer, begun)));
        }
        begun.wait();
        admin.pin_operation(LOCK, Some(b"any")).success();
        let ended = writers.into_iter().map(|one| one.join().expect("a writer"));
        ended.collect()
    });
    admin.pin_operation(UNLOCK, Some(b"any")).success();
    let mut talk = target.talk();
    for (writer, last) in (0..).zip(last_done) {
        let value = talk.get(&key(writer, last % 4)).success().value;
        assert!(value.starts_with(&last.to_be_bytes()));
    }
    target.still_serves();
}

/// Erases the drive, puts the kept entry again, and then lets the writers know.
fn erase(admin: &mut Conversation, is_erased: &AtomicBool) {
    admin.pin_operation(ERASE, None).success();
    admin.put(KEPT, KEPT_VALUE).success();
    is_erased.store(true, Ordering::Release);
}

#[test]
fn requests_in_flight_at_an_erase_are_of_the_old_drive_or_of_the_new_one() {
    let target = Target::new();
    let (mut admin, is_erased) = (target.talk_tls(), AtomicBool::new(false));
    let act = || erase(&mut admin, &is_erased);
    let all = in_the_middle::<Entries>(&target, act, |_| !is_erased.load(Ordering::Acquire));
    for (writer, heard) in (0..).zip(all) {
        assert!(!heard.is_over(), "{:?}", heard.last_word);
        let sent = heard.chunks * Entries::REQUESTS;
        assert_eq!(heard.answers.len() as u64, sent, "each is answered");
        let puts = of_puts(&heard);
        let done = puts
            .iter()
            .filter(|(_, code)| **code == StatusCode::SUCCESS);
        let done: BTreeSet<u64> = done.map(|(number, _)| *number).collect();
        is_what_came_last(&stored::<Entries>(&target, writer, heard.chunks), &done);
        let refused = puts.values().filter(|code| **code != StatusCode::SUCCESS);
        for code in refused {
            assert_eq!(*code, StatusCode::DEVICE_LOCKED);
        }
    }
    target.still_serves();
}

#[test]
fn batches_under_way_at_an_erase_are_of_the_old_drive_or_of_the_new_one() {
    let target = Target::new();
    let (mut admin, is_erased) = (target.talk_tls(), AtomicBool::new(false));
    let act = || erase(&mut admin, &is_erased);
    let all = in_the_middle::<Whole>(&target, act, |_| !is_erased.load(Ordering::Acquire));
    for (writer, heard) in (0..).zip(all) {
        if let Some(last) = &heard.last_word {
            assert_eq!(last.code(), StatusCode::INVALID_BATCH, "{}", last.text());
        }
        let stored = stored_batches(&target, writer, heard.chunks);
        is_what_came_last(&stored, &done_batches(&heard));
    }
    target.still_serves();
}
