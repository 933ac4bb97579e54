//! Images that are not ours, not whole, not free, or not writable.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kinetic_tests::drive::Drive;
use kinetic_tests::process::Process;
use kinetic_tests::program::Program;

use crate::offline::{Image, LONG, kineticd, refusal, refused_and_unchanged};
use crate::{Target, serves};

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let contents = [
        b"Dear diary, ".repeat(100_000),
        vec![0; 1 << 20],
        Vec::new(),
        b"x".to_vec(),
        // What an ext4 file system has, and nearly our magic.
        [&[0; 1024][..], &[0x53, 0xef], &[1; 70_000]].concat(),
        [&b"KINETIC\xd0"[..], &[0; 300_000]].concat(),
    ];
    for (number, content) in contents.iter().enumerate() {
        let path = folder.path().join(format!("file {number}"));
        fs::write(&path, content).expect("a file");
        let text = refused_and_unchanged(&path);
        assert!(text.contains("is not a drive"), "{text}");
        assert!(text.contains("kinetic drive format --force"), "{text}");
    }
}

#[test]
fn a_directory_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = refusal(&mut kineticd(folder.path()));
    assert!(text.contains("is a directory"), "{text}");
}

#[test]
fn an_image_in_a_folder_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = refusal(&mut kineticd(&folder.path().join("missing/drive.img")));
    assert!(text.contains("missing"), "{text}");
}

#[test]
fn a_size_that_the_host_cannot_give_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("drive.img");
    for size in ["16777215TiB", "1MiB"] {
        refusal(kineticd(&image).args(["--size", size]));
        assert!(!image.exists(), "an image of {size} was left behind");
    }
}

#[test]
fn a_truncated_image_is_refused_and_left_as_it_is() {
    let image = Image::with_entries(100);
    let file = OpenOptions::new()
        .write(true)
        .open(&image.path)
        .expect("the image");
    let whole = file.metadata().expect("the image").len();
    for length in [whole - 1, whole / 2, 100_000, 40_000] {
        file.set_len(length).expect("a shorter image");
        let text = refused_and_unchanged(&image.path);
        assert!(text.contains("the end is missing"), "at {length}: {text}");
    }
    file.set_len(100).expect("a shorter image");
    let text = refused_and_unchanged(&image.path);
    assert!(text.contains("drive"), "{text}");
}

#[test]
fn a_second_process_on_the_same_image_is_refused_and_the_first_goes_on() {
    let target = Target::new();
    let text = refusal(&mut kineticd(&target.image));
    assert!(text.contains("in use"), "{text}");
    target.still_serves();
    // It is free again once the first has ended, however it ended.
    let image = target.image.clone();
    let Target { drive, _folder, .. } = target;
    drive.kill().expect("a killed drive");
    let drive = Drive::start(&image, &[]).expect("the next drive");
    serves(drive.plain());
}

#[test]
fn a_port_in_use_is_refused_with_advice_and_the_first_drive_goes_on() {
    let target = Target::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(Program::Drive.path().expect("the drive's program"));
    command.arg(folder.path().join("other.img"));
    command.args([
        "--size",
        "256MiB",
        "--listen",
        &target.drive.plain().to_string(),
    ]);
    let text = refusal(&mut command);
    let port = target.drive.plain().port().to_string();
    assert!(text.contains(&port) && text.contains("--listen"), "{text}");
    target.still_serves();
}

#[test]
fn the_factory_key_is_not_served_to_other_machines_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(Program::Drive.path().expect("the drive's program"));
    command.arg(folder.path().join("drive.img"));
    command.args(["--size", "256MiB", "--listen", "0.0.0.0:0"]);
    let text = refusal(&mut command);
    assert!(text.contains("--insecure-factory"), "{text}");
}

#[test]
fn a_read_only_file_is_refused_and_left_as_it_is() {
    let image = Image::with_entries(100);
    let before = fs::read(&image.path).expect("the image");
    fs::set_permissions(&image.path, Permissions::from_mode(0o444)).expect("a read-only image");
    let mut command = unprivileged(image.folder.path(), &image.path);
    let text = refusal(&mut command);
    assert!(text.to_lowercase().contains("permission"), "{text}");
    assert!(fs::read(&image.path).expect("the image") == before);
    // Made writable again it is the drive that it was.
    fs::set_permissions(&image.path, Permissions::from_mode(0o600)).expect("a writable image");
    let drive = Drive::start(&image.path, &[]).expect("a running drive");
    serves(drive.plain());
}

/// A drive run by somebody whom permissions hold: root may write to any file.
fn unprivileged(folder: &Path, image: &Path) -> Command {
    /// The user that owns nothing, on every Linux.
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return kineticd(image);
    }
    let program: PathBuf = folder.join("kineticd");
    fs::copy(
        Program::Drive.path().expect("the drive's program"),
        &program,
    )
    .expect("a copy");
    for path in [folder, &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("open to all");
    }
    let mut command = Command::new(program);
    command
        .arg(image)
        .args(["--listen", "127.0.0.1:0", "--tls-listen", "off"])
        .arg("--ready-json");
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command
}

#[test]
fn a_missing_configuration_is_refused_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    File::create(folder.path().join("kineticd.toml")).expect("an empty configuration");
    let image = folder.path().join("drive.img");
    let mut command = kineticd(&image);
    command
        .arg("--config")
        .arg(folder.path().join("another.toml"));
    let mut process = Process::start(&mut command).expect("a process");
    let (status, _) = process.finish(LONG).expect("an end");
    assert_eq!(status.code(), Some(2));
    assert!(
        process.said().contains("another.toml"),
        "{}",
        process.said()
    );
    assert!(!image.exists());
}
