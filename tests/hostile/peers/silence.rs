//! A crowd that opens as many batches as the drive has room for, and says nothing any more.
//!
//! What must come of it: others wait for room until the batches are ended, but no lock and no erase
//! leaves anything of them behind, so that whoever comes next is served at once. The silent ones
//! are told so when they speak.

use kinetic_proto::StatusCode;
use kinetic_tests::admin::{ERASE, LOCK, UNLOCK};
use kinetic_tests::batch::{end, put, start};
use kinetic_tests::conversation::Conversation;

use crate::{KEPT, KEPT_VALUE, Target};

/// Open batches that the drive keeps, in the tests that use them up.
const PLACES: u32 = 32;

/// Of values of 1 MiB so many, with their keys and what they cost, fit what batches may hold.
const LARGE_VALUES: usize = 127;

fn lock_and_unlock(admin: &mut Conversation) {
    admin.pin_operation(LOCK, Some(b"any")).success();
    admin.pin_operation(UNLOCK, Some(b"any")).success();
}

fn erase(admin: &mut Conversation) {
    admin.pin_operation(ERASE, None).success();
    admin.put(KEPT, KEPT_VALUE).success();
}

fn key(number: usize) -> Vec<u8> {
    format!("silent {number}").into_bytes()
}

/// Connections with a batch each, that has come before they fall silent.
fn crowd(target: &Target, count: usize, value: &[u8]) -> Vec<Conversation> {
    let open = |number| {
        let mut talk = target.talk();
        start(&mut talk, 1).success();
        put(&mut talk, 1, &key(number), value);
        talk.noop().success();
        talk
    };
    (0..count).map(open).collect()
}

/// What the silent ones hear at last, and that nothing of them was stored.
fn speak_again(target: &Target, silent: Vec<Conversation>) {
    let count = silent.len();
    for (number, mut talk) in silent.into_iter().enumerate() {
        if number % 2 == 0 {
            let refused = end(&mut talk, 1);
            assert_eq!(refused.code(), StatusCode::INVALID_BATCH);
            let text = refused.text();
            assert!(text.contains("batch 1 is not open"), "{text}");
            talk.noop().success();
        } else {
            put(&mut talk, 1, b"late", b"member");
            let last = talk.farewell();
            assert_eq!(last.code(), StatusCode::INVALID_BATCH);
            let text = last.text();
            assert!(text.contains("batch 1 is not open"), "{text}");
        }
    }
    let mut talk = target.talk();
    for number in 0..count {
        assert_eq!(talk.get(&key(number)).code(), StatusCode::NOT_FOUND);
    }
    target.still_serves();
}

fn all_places_are_free_after(forget: fn(&mut Conversation)) {
    let target = Target::with_settings(&format!("max-open-batches = {PLACES}"));
    let (mut admin, mut other) = (target.talk_tls(), target.talk());
    let silent = crowd(&target, PLACES as usize, b"value");
    let refused = start(&mut other, 0);
    assert_eq!(refused.code(), StatusCode::INVALID_BATCH);
    assert!(
        refused.text().contains("32 open batches"),
        "{}",
        refused.text()
    );
    forget(&mut admin);
    for id in 0..PLACES {
        start(&mut other, id).success();
        put(&mut other, id, b"of the other", &id.to_be_bytes());
    }
    for id in 0..PLACES {
        end(&mut other, id).success();
    }
    let last = other.get(b"of the other").success();
    assert_eq!(*last.value, (PLACES - 1).to_be_bytes());
    speak_again(&target, silent);
}

#[test]
fn after_a_lock_others_open_batches_at_once_although_the_silent_say_nothing() {
    all_places_are_free_after(lock_and_unlock);
}

#[test]
fn after_an_erase_others_open_batches_at_once_although_the_silent_say_nothing() {
    all_places_are_free_after(erase);
}

fn all_bytes_are_free_after(forget: fn(&mut Conversation)) {
    let target = Target::with_settings("max-open-batches = 300");
    let (mut admin, mut other) = (target.talk_tls(), target.talk());
    let value = vec![7; 1 << 20];
    let silent = crowd(&target, LARGE_VALUES, &value);
    start(&mut other, 1).success();
    put(&mut other, 1, b"of the other", &value);
    let refused = end(&mut other, 1);
    assert_eq!(refused.code(), StatusCode::INVALID_BATCH);
    assert!(
        refused.text().starts_with("SERVICE_BUSY: "),
        "{}",
        refused.text()
    );
    forget(&mut admin);
    start(&mut other, 1).success();
    put(&mut other, 1, b"of the other", &value);
    end(&mut other, 1).success();
    assert_eq!(*other.get(b"of the other").success().value, value);
    // As many bytes as before, beside those who hold their connections and nothing else.
    let more = crowd(&target, LARGE_VALUES, &value);
    forget(&mut admin);
    drop(more);
    speak_again(&target, silent);
}

#[test]
fn after_a_lock_the_bytes_of_silent_batches_are_there_for_others_at_once() {
    all_bytes_are_free_after(lock_and_unlock);
}

#[test]
fn after_an_erase_the_bytes_of_silent_batches_are_there_for_others_at_once() {
    all_bytes_are_free_after(erase);
}
