//! `drive grow`: more room, the same data.

use std::fs;

use kinetic_proto::StatusCode;
use kinetic_tests::drive::Drive;

use super::{Idle, put};
use crate::kinetic::Kinetic;

#[test]
fn a_full_drive_grows_and_takes_more_than_it_ever_could() {
    let value = vec![5; 1 << 20];
    let mut stored = 0;
    let idle = Idle::filled_with(&["--size", "256MiB"], |talk| {
        // Until it is full.
        for number in 0..256 {
            let key = format!("old/{number}");
            if talk.put(key.as_bytes(), &value).code() != StatusCode::SUCCESS {
                break;
            }
            stored = number + 1;
        }
    });
    assert!(stored > 100 && stored < 256, "{stored} fitted");
    let said = idle.run("grow", &["--size", "512MiB"]).done();
    assert!(
        said.text().contains("512 MiB now, and was one of 256 MiB"),
        "{said}"
    );
    assert_eq!(fs::metadata(&idle.image).expect("it").len(), 512 << 20);
    assert!(
        idle.run("check", &[])
            .done()
            .text()
            .contains(&format!("{stored} keys"))
    );
    idle.serve(&[], |talk| {
        for number in 0..120 {
            put(talk, &format!("new/{number}"), &value);
        }
        for number in [0, stored - 1] {
            let key = format!("old/{number}");
            let found = talk.get(key.as_bytes()).success();
            assert_eq!(found.value.len(), 1 << 20);
        }
    });
    let said = idle.run("check", &[]).done();
    assert!(
        said.text().contains(&format!("{} keys", stored + 120)),
        "{said}"
    );
}

#[test]
fn what_is_no_growth_is_refused_and_the_image_stays_as_long_as_it_was() {
    let idle = Idle::filled(|talk| put(talk, "a", b"x"));
    idle.run("grow", &["--size", "128MiB"])
        .fails(1, &["does not shrink", "export"]);
    idle.run("grow", &["--size", "256MiB"])
        .fails(1, &["no whole zone", "272629760"]);
    idle.run("grow", &["--size", "257MiB"])
        .fails(1, &["no whole zone"]);
    idle.run("grow", &["--size", "1TiB"])
        .fails(1, &["too many", "182540304383"]);
    idle.run("grow", &[]).fails(2, &["--size"]);
    assert_eq!(fs::metadata(&idle.image).expect("it").len(), 256 << 20);
    let grown = idle
        .run("grow", &["--size", "260MiB", "--output", "json"])
        .done();
    assert_eq!(grown.json()["zones"], 65, "{grown}");
    // A longer file alone is no larger drive.
    let file = fs::OpenOptions::new().write(true).open(&idle.image);
    file.and_then(|file| file.set_len(1 << 30))
        .expect("a longer image");
    idle.run("check", &[]).done();
    let drive = Drive::start(&idle.image, &["--unsealed"]).expect("it serves");
    let info = Kinetic::at(drive.plain()).args(["get", "a"]).run().done();
    assert_eq!(info.text(), "x");
    drop(drive);
    let shown = idle.run("inspect", &["--output", "json"]).done();
    assert_eq!(shown.json()["drive"]["zones"], 65, "{shown}");
}
