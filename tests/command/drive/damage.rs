//! Damage: what `drive check` says of it, what `drive repair` mends, and what a salvage saves.

use std::fs;
use std::path::Path;

use kinetic_tests::drive::Drive;

use super::{Idle, places_of, put, state_of, until_flushed};
use crate::kinetic::Kinetic;

const ROTTEN: &[u8] = b"these bytes are nowhere else on the drive";

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

/// Names in a directory; none where there is no directory.
fn names(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
    names.sort();
    names
}

#[test]
fn a_rotten_value_is_named_by_its_key_and_everything_else_is_saved() {
    let idle = Idle::filled(|talk| {
        put(talk, "sound", b"one");
        put(talk, "photos/rotten", ROTTEN);
        put(talk, "also\0sound", b"two");
    });
    idle.flip(ROTTEN);
    let before = state_of(&idle.image);
    let said = idle.run("check", &[]).exits(10);
    let lines = said.lines();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("key photos/rotten") && lines[0].contains("put the key again"));
    assert!(said.err.contains("is damaged: 1 finding"), "{said}");
    let said = idle.run("check", &["--output", "json"]).exits(10);
    assert_eq!(said.json()["key"], "photos/rotten", "{said}");
    // The values are what it is about.
    idle.run("check", &["--quick"]).done();

    let save = idle.path("saved");
    let said = idle.run("repair", &["--salvage", &save.display().to_string()]);
    let said = said.exits(8);
    assert!(said.text().contains("2 keys saved"), "{said}");
    assert_eq!(names(&save), ["keys", "keys-hex", "unreadable.txt"]);
    assert_eq!(text(&save.join("keys/sound")), "one");
    assert_eq!(names(&save.join("keys-hex")), ["616c736f00736f756e64"]);
    let list = text(&save.join("unreadable.txt"));
    assert!(list.starts_with("key photos/rotten: ") && list.lines().count() == 1);
    assert!(state_of(&idle.image) == before, "the drive was written");
    // What is saved there is not mixed with anything else.
    let again = idle.run("repair", &["--salvage", &save.display().to_string()]);
    again.fails(2, &["not empty"]);
}

#[test]
fn a_rotten_block_of_a_run_is_named_by_its_range_and_the_other_blocks_are_saved() {
    let idle = Idle::filled(|talk| {
        for number in 0..400 {
            put(
                talk,
                &format!("key/{number:04}-with-a-tail-that-makes-it-long"),
                b"v",
            );
        }
        until_flushed(talk);
    });
    // Leaves start with the magic of a block and the kind 1.
    let leaves = places_of(&idle.image, &[0x4b, 0x4c, 0x42, 0x6b, 1]);
    assert!(leaves.len() > 2, "{} leaves", leaves.len());
    idle.flip_at(leaves[1] + 300);
    let said = idle.run("check", &[]).exits(10);
    assert!(said.text().contains("a leaf of run"), "{said}");
    assert!(said.text().contains("keys from key/0") && said.text().contains("--salvage"));
    let json = idle.run("check", &["--output", "json"]).exits(10).json();
    let (from, until) = (json["from"].as_str(), json["until"].as_str());
    let lost = |key: &str| from <= Some(key) && until.is_none_or(|until| key < until);

    let save = idle.path("saved");
    let said = idle.run("repair", &["--salvage", &save.display().to_string()]);
    said.exits(8);
    assert!(names(&save.join("uncertain")).is_empty());
    let saved = names(&save.join("keys/key"));
    assert!(saved.len() > 100 && saved.len() < 400, "{}", saved.len());
    for number in 0..400 {
        let name = format!("{number:04}-with-a-tail-that-makes-it-long");
        let is_saved = saved.contains(&name);
        assert_eq!(!is_saved, lost(&format!("key/{name}")), "{name}");
    }
    assert!(text(&save.join("unreadable.txt")).contains("keys from key/0"));
}

#[test]
fn a_damaged_slot_is_listed_and_mended_after_consent() {
    let idle = Idle::filled(|talk| put(talk, "a", b"x"));
    // Superblocks at 0 and 32 KiB, settings at 512 KiB and 2 MiB.
    for place in [40, (32 << 10) + 40, (512 << 10) + 20, (2 << 20) + 20] {
        idle.flip_at(place);
        let before = state_of(&idle.image);
        let said = idle.run("check", &[]).exits(10);
        assert_eq!(said.lines().len(), 1, "{said}");
        assert!(said.text().contains("kinetic drive repair"), "{said}");
        let listed = idle.run("repair", &[]).exits(2);
        assert!(listed.text().contains("to be written again"), "{listed}");
        assert!(listed.err.contains("nothing was repaired"), "{listed}");
        assert!(state_of(&idle.image) == before, "written without consent");
        let said = idle.run("repair", &["--yes"]).done();
        assert!(said.text().contains("1 slot written again"), "{said}");
        idle.run("check", &[]).done();
    }
    idle.serve(&["--unsealed"], |talk| {
        assert_eq!(talk.get(b"a").success().value.as_ref(), b"x");
    });
}

#[test]
fn with_both_superblocks_lost_nothing_can_be_done_and_that_is_said() {
    let idle = Idle::filled(|talk| put(talk, "a", b"x"));
    idle.flip_at(40);
    idle.flip_at((32 << 10) + 40);
    let save = idle.path("saved").display().to_string();
    for (command, more) in [
        ("inspect", &[][..]),
        ("check", &[]),
        ("repair", &["--yes"]),
        ("repair", &["--salvage", &save]),
    ] {
        idle.run(command, more)
            .fails(10, &["both superblocks", "another copy"]);
    }
}

#[test]
fn a_damaged_group_is_refused_and_what_is_certain_is_saved_apart_from_what_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    let idle = Idle { image, folder };
    let start = ["--size", "256MiB", "--unsealed"];
    let drive = Drive::start(&idle.image, &start).expect("a drive");
    let mut talk = kinetic_tests::conversation::Conversation::begin(drive.plain());
    let talk = talk.as_mut().expect("a hello");
    for key in ["before", "doomed-key", "behind", "last"] {
        put(talk, key, key.as_bytes());
    }
    drive.kill().expect("a kill");
    // The key stands in the group's record, and once more as the value behind it.
    let places = places_of(&idle.image, b"doomed-key");
    idle.flip_at(places[0]);
    let refused = Drive::start(&idle.image, &["--unsealed"]).expect_err("it is damaged");
    assert!(refused.to_string().contains("damaged"), "{refused}");
    let said = idle.run("check", &[]).exits(10);
    assert!(
        said.text().contains("kineticd does not open the drive"),
        "{said}"
    );
    let before = state_of(&idle.image);
    let said = idle.run("repair", &["--yes"]).exits(10);
    assert!(said.err.contains("--salvage DIR"), "{said}");
    assert!(state_of(&idle.image) == before, "the drive was written");

    let save = idle.path("saved");
    let said = idle.run("repair", &["--salvage", &save.display().to_string()]);
    let said = said.exits(8);
    assert!(said.err.contains("uncertain"), "{said}");
    assert_eq!(names(&save.join("keys")), ["behind", "last"]);
    assert_eq!(names(&save.join("uncertain")), ["before"]);
    assert!(text(&save.join("unreadable.txt")).contains("group"));
    assert!(state_of(&idle.image) == before, "the drive was written");

    // What was saved makes a new drive.
    let fresh = Drive::start(&idle.path("fresh.img"), &["--size", "256MiB"]).expect("a drive");
    let keys = save.join("keys");
    let import = Kinetic::at(fresh.plain()).args(["import".as_ref(), keys.as_os_str()]);
    import.args([""]).run().done();
    let get = Kinetic::at(fresh.plain())
        .args(["get", "behind"])
        .run()
        .done();
    assert_eq!(get.text(), "behind");
}

#[test]
fn an_image_that_was_cut_short_is_refused_and_saved_as_far_as_it_goes() {
    let idle = Idle::filled(|talk| put(talk, "a", b"x"));
    let file = fs::OpenOptions::new().write(true).open(&idle.image);
    file.and_then(|file| file.set_len(200 << 20))
        .expect("a shorter image");
    let said = idle.run("check", &[]).exits(10);
    assert!(said.text().contains("copy the image again"), "{said}");
    let save = idle.path("saved");
    idle.run("repair", &["--salvage", &save.display().to_string()])
        .exits(8);
    assert_eq!(text(&save.join("keys/a")), "x");
}
