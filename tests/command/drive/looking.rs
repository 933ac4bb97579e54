//! `drive inspect` and `drive check` of drives that are sound, locked, in use, or no drives at all.

use std::fs;

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use serde_json::json;

use super::{Idle, on, put, state_of, until_flushed};
use crate::Served;
use crate::kinetic::Kinetic;

#[test]
fn a_sound_drive_is_shown_and_found_sound_and_nothing_is_written() {
    let idle = Idle::filled_with(&["--size", "256MiB"], |talk| {
        for number in 0..300 {
            put(talk, &format!("key/{number:03}"), b"a short value");
        }
        until_flushed(talk);
        put(talk, "last", b"in the log");
    });
    let before = state_of(&idle.image);
    let shown = idle.run("inspect", &[]).done();
    for word in [
        "superblocks",
        "in force",
        "sealed",
        "log",
        "manifest",
        "kept back zones",
    ] {
        assert!(shown.text().contains(word), "no {word:?}: {shown}");
    }
    let shown = idle.run("inspect", &["--output", "json"]).done().json();
    assert_eq!(shown["drive"]["capacity"], json!(256 << 20), "{shown}");
    assert_eq!(shown["drive"]["zones"], json!(64), "{shown}");
    assert_eq!(shown["superblocks"].as_array().map(Vec::len), Some(2));
    let runs = shown["runs"].as_array().expect("runs");
    let keys: u64 = runs.iter().filter_map(|run| run["keys"].as_u64()).sum();
    assert!(keys >= 300, "{shown}");
    assert!(shown["log"]["changes"].as_u64() > Some(0), "{shown}");
    let zones = |kind: usize| shown["zones"][kind]["zones"].as_u64().expect("a count");
    let used = shown["space"]["used_zones"].as_u64().expect("a count");
    let free = shown["space"]["free_zones"].as_u64().expect("a count");
    assert_eq!((0..4).map(zones).sum::<u64>(), used, "{shown}");
    assert_eq!(used + free, 63, "{shown}");

    let said = idle.run("check", &[]).done();
    assert!(said.text().contains("is sound: 371 keys"), "{said}");
    let quick = idle.run("check", &["--quick", "--output", "json"]).done();
    assert_eq!(quick.json()["values_read"], 0, "{quick}");
    let said = idle.run("repair", &[]).done();
    assert!(said.text().contains("nothing is to be repaired"), "{said}");
    assert!(state_of(&idle.image) == before, "something was written");
}

#[test]
fn a_drive_that_was_killed_under_load_is_found_sound_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    for round in 0..3_u8 {
        let drive = Drive::start(&image, &["--size", "256MiB"]).expect("a drive");
        let mut talk = Conversation::begin(drive.plain()).expect("a hello");
        for number in 0..60 {
            // The same keys again and again, so that there is something to give back.
            put(&mut talk, &format!("key/{number}"), &vec![round; 1 << 20]);
        }
        drive.kill().expect("a kill");
        let said = on(&image, "check", &[]).done();
        assert!(said.text().contains("is sound: 60 keys"), "{said}");
    }
}

#[test]
fn a_locked_drive_shows_its_slots_and_with_its_pin_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image, &["--size", "256MiB"]).expect("a drive");
    let at = |arguments: &[&str]| {
        let kinetic = Kinetic::at(drive.tls()).args(["--insecure-tls"]);
        kinetic.args(arguments)
    };
    at(&["put", "a"]).input(b"secret").run().done();
    let set = at(&["pin", "set", "lock", "--yes"]).env("KINETIC_NEW_PIN", "1234");
    set.run().done();
    assert!(drive.stop().expect("a stop").success());

    let shown = on(&image, "inspect", &[]).done();
    assert!(shown.text().contains("superblocks") && shown.text().contains("lock PIN"));
    assert!(!shown.text().contains("kept back"), "{shown}");
    on(&image, "check", &[]).exits(6);
    let save = folder.path().join("saved").display().to_string();
    on(&image, "repair", &["--salvage", &save]).fails(6, &["lock PIN", "--pin-file"]);
    let with = |pin: &str, command: &[&str]| {
        let kinetic = Kinetic::new().args(["drive"]).args(command).args([&image]);
        kinetic.env("KINETIC_PIN", pin).run()
    };
    with("4321", &["check"]).fails(6, &["PIN"]);
    let said = with("1234", &["check"]).done();
    assert!(said.text().contains("1 key"), "{said}");
    assert!(
        with("1234", &["inspect"])
            .done()
            .text()
            .contains("kept back")
    );
    // It grows without its PIN.
    on(&image, "grow", &["--size", "300MiB"]).done();
    assert!(with("1234", &["check"]).done().text().contains("sound"));
}

#[test]
fn a_drive_that_is_served_is_refused_by_every_command() {
    let served = Served::new();
    served.talk().put(b"a", b"x").success();
    let save = served.path("saved").display().to_string();
    for (command, more) in [
        ("inspect", &[][..]),
        ("check", &[]),
        ("repair", &[]),
        ("repair", &["--yes"]),
        ("repair", &["--salvage", &save]),
        ("grow", &["--size", "1GiB"]),
    ] {
        let said = on(&served.image, command, more);
        assert!(said.err.contains("in use by another process"), "{said}");
        assert!(said.out.is_empty(), "{said}");
    }
    assert!(!served.path("saved").exists());
    assert_eq!(fs::metadata(&served.image).expect("it").len(), 256 << 20);
    assert_eq!(served.run(&["get", "a"]).done().text(), "x");
}

#[test]
fn what_is_no_drive_is_told_with_its_name_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).expect("a file");
        file
    };
    let note = file("note", &b"Dear diary, ".repeat(10_000));
    let empty = file("empty", b"");
    let missing = folder.path().join("missing");
    let save = folder.path().join("saved").display().to_string();
    for (command, more) in [
        ("inspect", &[][..]),
        ("check", &[]),
        ("repair", &["--yes"]),
        ("repair", &["--salvage", &save]),
        ("grow", &["--size", "1GiB"]),
    ] {
        on(&note, command, more).fails(1, &["note", "not a Kinetic drive"]);
        on(&empty, command, more).fails(1, &["empty", "not a Kinetic drive"]);
        on(&missing, command, more).exits(if command == "grow" { 1 } else { 7 });
        on(folder.path(), command, more).exits(if command == "grow" { 1 } else { 7 });
    }
    assert!(!folder.path().join("saved").exists());
    assert_eq!(fs::metadata(&note).expect("it").len(), 120_000);
    assert_eq!(fs::metadata(&empty).expect("it").len(), 0);
}
