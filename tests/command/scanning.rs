//! `scan` names what is damaged, and nothing else; `optimize` waits until the drive is done.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use kinetic_tests::drive::Drive;

use crate::Served;

/// A drive that stores values as they are, so that a test can find one on the disk.
fn unsealed() -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    let drive = Drive::start(&image, &["--size", "256MiB", "--unsealed"]).expect("a drive");
    Served {
        drive,
        image,
        folder,
    }
}

#[test]
fn optimize_is_silent_or_says_so_in_json() {
    let served = Served::new();
    served.kinetic().args(["put", "a"]).input(b"x").run().done();
    assert!(served.run(&["optimize"]).done().out.is_empty());
    let said = served.run(&["optimize", "--output", "json"]).done();
    assert_eq!(said.json()["optimized"], true, "{said}");
    let info = served.run(&["info", "--output", "json"]).done();
    assert_eq!(info.json()["scrub"]["rounds"], 0, "{info}");
}

/// Flips a bit of the last place where these bytes lie.
fn corrupt(image: &Path, bytes: &[u8]) {
    let all = std::fs::read(image).expect("the image");
    let place = all.windows(bytes.len()).rposition(|part| part == bytes);
    let place = place.expect("the bytes lie on the disk");
    let file = OpenOptions::new().write(true).open(image).expect("a file");
    let flipped = all.get(place).map(|byte| [byte ^ 1]).expect("the byte");
    file.write_all_at(&flipped, place as u64).expect("a write");
}

#[test]
fn a_corrupted_value_is_named_and_so_is_a_tag_of_another_value() {
    let served = unsealed();
    for (key, value) in [
        ("one", "first value"),
        ("two", "second"),
        ("three", "third"),
    ] {
        let stored = served.kinetic().args(["put", key]).input(value.as_bytes());
        stored.run().done();
    }
    let said = served.run(&["scan"]).done();
    assert_eq!(said.text(), "", "{said}");
    // What was stored before the last start is known to have been on the disk.
    let served = served.restarted(&[]).restarted(&[]);
    corrupt(&served.image, b"first value");
    let tagged = ["put", "four", "-", "--tag", "hex:00", "--algorithm", "sha1"];
    served.kinetic().args(tagged).input(b"x").run().done();
    let said = served.run(&["scan"]).exits(10);
    let lines: Vec<&str> = said.text().lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with("four  ") && lines[0].contains("sha1"),
        "{said}"
    );
    assert!(
        lines[1].starts_with("one  ") && lines[1].contains("cannot be read"),
        "{said}"
    );
    let said = served.run(&["scan", "--output", "json", "o"]).exits(10);
    assert_eq!(said.json()["key"], "one", "{said}");
    served.run(&["scan", "t"]).done();
    served.run(&["scan", "--start", "p"]).done();
    served.run(&["scan", "--end", "four"]).done();
}
