//! Block devices: loop devices, where the machine has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kinetic_tests::conversation::Conversation;
use kinetic_tests::drive::Drive;
use tempfile::TempDir;

use super::{on, put};
use crate::kinetic::Kinetic;

/// A loop device over a file, gone with this value.
struct Loop {
    device: PathBuf,
    file: PathBuf,
    folder: TempDir,
}

impl Drop for Loop {
    fn drop(&mut self) {
        // Fails only where it is gone already, which is what is wanted.
        Command::new("losetup")
            .arg("-d")
            .arg(&self.device)
            .status()
            .ok();
    }
}

impl Loop {
    /// A device with sectors of this size; none where the machine does not give one.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn new(sector: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("backing");
        let backing = fs::File::create(&file).and_then(|file| file.set_len(256 << 20));
        backing.expect("a sparse file");
        let losetup = Command::new("losetup")
            .args(["--find", "--show", "--sector-size", sector])
            .arg(&file)
            .output();
        let why = match losetup {
            Ok(output) if output.status.success() => {
                let name = String::from_utf8_lossy(&output.stdout);
                let device = PathBuf::from(name.trim());
                return Some(Self {
                    device,
                    file,
                    folder,
                });
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        // Not a failure under CI either: containers rarely may.
        println!("skipped: this machine gives no loop device: {}", why.trim());
        None
    }

    fn run(&self, command: &str, more: &[&str]) -> crate::kinetic::Said {
        on(&self.device, command, more)
    }

    fn serve(&self, talk: impl FnOnce(&mut Conversation, &Drive)) {
        let drive = Drive::start(&self.device, &[]).expect("a running drive");
        let mut conversation = Conversation::begin(drive.plain()).expect("a hello");
        talk(&mut conversation, &drive);
        assert!(drive.stop().expect("a stop").success());
    }
}

fn write(device: &Path, bytes: &[u8], at: u64) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().write(true).open(device);
    let file = file.expect("the device");
    file.write_all_at(bytes, at).expect("room");
    file.sync_all().expect("a sync");
}

#[test]
fn a_blank_device_becomes_a_drive_that_serves_grows_and_checks() {
    for sector in ["512", "4096"] {
        let Some(device) = Loop::new(sector) else {
            return;
        };
        let said = device.run("format", &[]).done();
        assert!(said.text().contains("256 MiB"), "{said}");
        device.serve(|talk, drive| {
            for number in 0..80 {
                put(talk, &format!("key/{number:02}"), &vec![number; 1 << 20]);
            }
            put(talk, "odd", &[9; 777]);
            let said = device.run("check", &[]);
            assert!(said.err.contains("in use by another process"), "{said}");
            device.run("format", &["--force", "--yes"]).exits(1);
            let export = device.folder.path().join("export");
            let kinetic = Kinetic::at(drive.plain()).args(["export", "key/"]);
            kinetic.args([&export]).run().done();
            assert_eq!(fs::read_dir(export).expect("files").count(), 80);
        });
        let said = device.run("check", &[]).done();
        assert!(said.text().contains("81 keys"), "{said}");
        let shown = device.run("inspect", &["--output", "json"]).done();
        assert_eq!(shown.json()["drive"]["capacity"], 256 << 20, "{shown}");

        device
            .run("grow", &["--size", "512MiB"])
            .fails(1, &["the disk has 268435456 bytes"]);
        let file = fs::OpenOptions::new().write(true).open(&device.file);
        file.and_then(|file| file.set_len(320 << 20))
            .expect("a longer file");
        let told = Command::new("losetup")
            .arg("-c")
            .arg(&device.device)
            .status();
        assert!(told.expect("losetup").success());
        let said = device.run("grow", &[]).done();
        assert!(said.text().contains("320 MiB now"), "{said}");
        device
            .run("format", &[])
            .fails(2, &["a drive with all its keys", "--force"]);
        device.serve(|talk, _| {
            let found = talk.get(b"odd").success();
            assert_eq!(found.value.as_ref(), [9; 777]);
        });
    }
}

#[test]
fn a_device_with_something_on_it_is_formatted_by_force_only() {
    let Some(device) = Loop::new("512") else {
        return;
    };
    let signatures: [(&[u8], u64, &str); 3] = [
        (&[0x53, 0xef], 0x438, "an ext2, ext3 or ext4 file system"),
        (b"_BHRfS_M", 0x1_0040, "a btrfs file system"),
        (b"EFI PART", (256 << 20) - 512, "a partition table (GPT)"),
    ];
    for (bytes, at, name) in signatures {
        write(&device.device, bytes, at);
        device.run("format", &[]).fails(2, &[name, "--force"]);
        let asked = device.run("format", &["--force"]).exits(2);
        assert!(asked.err.contains("nothing was erased"), "{asked}");
        device.run("check", &[]).exits(1);
        device.run("format", &["--force", "--yes"]).done();
        device.run("check", &[]).done();
        // Nothing is left by which a host would take it for what it was.
        let mut found = vec![0; bytes.len()];
        let file = fs::File::open(&device.device).expect("the device");
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, at).expect("its bytes");
        assert_ne!(found, bytes);
        write(&device.device, &[0; 4096], 0);
        write(&device.device, &[0; 4096], 32 << 10);
    }
}

#[test]
fn a_mounted_device_is_refused_by_every_command() {
    let Some(device) = Loop::new("512") else {
        return;
    };
    let made = Command::new("mkfs.ext4")
        .arg("-q")
        .arg(&device.device)
        .status();
    let mount_point = device.folder.path().join("mounted");
    fs::create_dir(&mount_point).expect("a folder");
    let mount = || {
        let mut mount = Command::new("mount");
        mount.arg(&device.device).arg(&mount_point).status()
    };
    let is_mounted =
        made.is_ok_and(|made| made.success()) && mount().is_ok_and(|mounted| mounted.success());
    if !is_mounted {
        println!("skipped: this machine does not make or mount a file system");
        return;
    }
    let refusals = [
        ("format", &["--force", "--yes"][..]),
        ("grow", &[]),
        ("inspect", &[]),
        ("check", &[]),
        ("repair", &["--yes"]),
    ]
    .map(|(command, more)| device.run(command, more));
    let unmounted = Command::new("umount").arg(&mount_point).status();
    assert!(unmounted.expect("umount").success());
    for said in refusals {
        assert!(said.err.contains("mounted"), "{said}");
        assert!(said.out.is_empty(), "{said}");
    }
}
