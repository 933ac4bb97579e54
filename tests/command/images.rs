//! `drive format`: empty drives where nothing was, and nothing erased that nobody gave up.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use kinetic_tests::drive::Drive;
use tempfile::TempDir;

use crate::Served;
use crate::kinetic::{Kinetic, Said};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn format(file: &Path, options: &[&str]) -> Said {
    Kinetic::new()
        .args(["drive", "format"])
        .args([file])
        .args(options)
        .run()
}

/// The file holds a drive without keys.
#[track_caller]
fn is_an_empty_drive(file: &Path) {
    let drive = Drive::start(file, &[]).expect("the drive serves");
    let listed = Kinetic::at(drive.plain()).args(["list"]).run().done();
    assert!(listed.out.is_empty(), "{listed}");
    let put = Kinetic::at(drive.plain()).args(["put", "a"]).input(b"x");
    put.run().done();
}

#[test]
fn a_new_file_becomes_a_drive_of_the_size_asked_for() {
    let folder = folder();
    let file = folder.path().join("new.img");
    let said = format(&file, &["--size", "256MiB"]).done();
    assert!(said.text().contains("kineticd"), "{said}");
    assert_eq!(fs::metadata(&file).expect("the image").len(), 256 << 20);
    is_an_empty_drive(&file);

    let other = folder.path().join("other.img");
    let said = format(&other, &["--size", "300MiB", "--output", "json"]).done();
    assert_eq!(said.json()["file"], other.display().to_string(), "{said}");
    assert_eq!(said.json()["capacity_bytes"], 300u64 << 20, "{said}");
}

#[test]
fn what_exists_is_left_as_it_is_unless_somebody_gave_it_up() {
    let folder = folder();
    let file = folder.path().join("diary");
    let diary = b"Dear diary, ".repeat(100_000);
    fs::write(&file, &diary).expect("a file");
    // Large enough for a drive, and sparse: whatever else is written takes blocks.
    let handle = OpenOptions::new().write(true).open(&file);
    handle
        .and_then(|file| file.set_len(256 << 20))
        .expect("a large file");
    let state = || {
        let mut begin = vec![0; diary.len()];
        let mut handle = File::open(&file).expect("the file");
        handle.read_exact(&mut begin).expect("its begin");
        let metadata = handle.metadata().expect("its metadata");
        let changed = metadata.modified().expect("a time");
        (begin, metadata.len(), metadata.blocks(), changed)
    };
    let before = state();
    let unchanged = |said: &Said| assert!(state() == before, "changed: {said}");
    unchanged(&format(&file, &[]).fails(2, &["diary exists", "--force"]));
    unchanged(&format(&file, &["--size", "256MiB"]).fails(2, &["--force"]));
    unchanged(&format(&file, &["--force"]).fails(2, &["nothing was erased", "--yes"]));
    unchanged(&format(&file, &["--yes"]).fails(2, &["--force"]));
    let resized = ["--force", "--yes", "--size", "256MiB"];
    unchanged(&format(&file, &resized).fails(2, &["--size"]));
    format(&file, &["--force", "--yes"]).done();
    assert_eq!(fs::metadata(&file).expect("the image").len(), 256 << 20);
    is_an_empty_drive(&file);
}

#[test]
fn a_file_too_small_for_a_drive_is_left_as_it_is_even_by_force() {
    let folder = folder();
    let file = folder.path().join("note");
    for content in [&b""[..], b"short", &[7; 1 << 20]] {
        fs::write(&file, content).expect("a file");
        let said = format(&file, &["--force", "--yes"]).fails(1, &[]);
        assert!(
            fs::read(&file).expect("the file") == content,
            "changed: {said}"
        );
    }
}

#[test]
fn a_drive_with_keys_is_erased_only_by_force() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "a"])
        .input(b"kept")
        .run()
        .done();
    let Served {
        drive,
        image,
        folder: _folder,
    } = served;
    drive.stop().expect("a clean stop");
    format(&image, &[]).fails(2, &["--force"]);
    let drive = Drive::start(&image, &[]).expect("the drive serves");
    let get = Kinetic::at(drive.plain()).args(["get", "a"]).run().done();
    assert_eq!(get.text(), "kept");
    drive.stop().expect("a clean stop");
    format(&image, &["--force", "--yes"]).done();
    is_an_empty_drive(&image);
}

#[test]
fn an_image_that_a_drive_serves_is_refused_even_by_force() {
    let served = Served::new();
    served
        .kinetic()
        .args(["put", "a"])
        .input(b"kept")
        .run()
        .done();
    format(&served.image, &[]).fails(2, &["--force"]);
    format(&served.image, &["--force", "--yes"]).fails(1, &["drive.img"]);
    let link = served.path("link.img");
    symlink(&served.image, &link).expect("a link");
    format(&link, &["--force", "--yes"]).fails(1, &[]);
    assert_eq!(served.run(&["get", "a"]).done().text(), "kept");
    let served = served.killed_and_restarted();
    assert_eq!(served.run(&["get", "a"]).done().text(), "kept");
}

#[test]
fn what_cannot_be_made_leaves_nothing_behind() {
    let folder = folder();
    let file = folder.path().join("new.img");
    format(&file, &["--size", "1MiB"]).fails(1, &[]);
    format(&file, &["--size", "16GB"]).fails(2, &["GiB"]);
    assert!(!file.exists());
    let missing = folder.path().join("missing/new.img");
    format(&missing, &["--size", "256MiB"]).fails(7, &["missing: there is no such directory"]);
    // A link that leads nowhere is something that exists.
    let link = folder.path().join("link.img");
    symlink(folder.path().join("elsewhere"), &link).expect("a link");
    format(&link, &["--size", "256MiB"]).fails(2, &["exists"]);
    assert!(!folder.path().join("elsewhere").exists());
    format(folder.path(), &["--force", "--yes"]).fails(1, &["is a directory"]);
}

#[test]
fn a_drive_that_is_not_sealed_says_so_and_takes_no_lock_pin() {
    let folder = folder();
    let file = folder.path().join("open.img");
    let unsealed = ["--size", "256MiB", "--unsealed"];
    let said = format(&file, &unsealed).done();
    assert!(said.text().contains("not sealed"), "{said}");
    let drive = Drive::start(&file, &["--unsealed"]).expect("the drive serves");
    assert!(drive.log().contains("not sealed"), "{}", drive.log());
    let at = |arguments: &[&str]| Kinetic::at(drive.plain()).args(arguments).run();
    let info = at(&["info"]).done();
    assert!(info.text().contains("not sealed"), "{info}");
    let messages = at(&["log", "messages"]).done();
    assert!(messages.text().contains("not sealed"), "{messages}");
    let pin = folder.path().join("lock.pin");
    fs::write(&pin, "1234").expect("a file");
    let pin = pin.display().to_string();
    let set = [
        "--insecure-tls",
        "pin",
        "set",
        "lock",
        "--yes",
        "--new-pin-file",
        &pin,
    ];
    let set = Kinetic::at(drive.tls()).args(set).run();
    set.fails(1, &["not sealed", "lock PIN"]);

    let sealed = folder.path().join("sealed.img");
    let said = format(&sealed, &["--size", "256MiB"]).done();
    assert!(!said.text().contains("not sealed"), "{said}");
    let refused = Drive::start(&sealed, &["--unsealed"]).expect_err("it is sealed");
    assert!(refused.to_string().contains("--unsealed"), "{refused}");
}
