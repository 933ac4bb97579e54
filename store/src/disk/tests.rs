//! What every disk must do, run against a file and against RAM, and what only a file can do.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, IoSlice};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::direct::DIRECT_MIN;
use super::*;

const SIZE: u64 = 16 << 20;

fn image() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.img");
    (folder, path)
}

fn each_disk(test: impl Fn(&dyn Disk)) {
    let (_folder, path) = image();
    test(&FileDisk::create_new(&path, SIZE).unwrap());
    test(&MemoryDisk::new(SIZE));
}

fn pattern(length: usize, salt: usize) -> Vec<u8> {
    (0..length)
        .map(|n| u8::try_from((n * 31 + n / 251 + salt) % 256).unwrap())
        .collect()
}

fn read(disk: &dyn Disk, offset: u64, length: usize) -> Vec<u8> {
    let mut buffer = vec![0xAA; length];
    disk.read_at(offset, &mut buffer).unwrap();
    buffer
}

#[test]
fn what_was_written_is_read() {
    each_disk(|disk| {
        assert_eq!(disk.capacity(), SIZE);
        assert_eq!(disk.sector_size(), 512);
        assert_eq!(read(disk, 0, 100), vec![0; 100]);
        let data = pattern(3 << 20, 1);
        disk.write_at(777, &[IoSlice::new(&data)]).unwrap();
        disk.sync().unwrap();
        assert_eq!(read(disk, 777, data.len()), data);
        assert_eq!(read(disk, 776, 1), [0]);
        assert_eq!(read(disk, 777 + (3 << 20), 1), [0]);
        assert_eq!(read(disk, SIZE, 0), Vec::<u8>::new());
    });
}

#[test]
fn the_medium_holds_what_was_written_wherever_a_read_begins_and_ends() {
    each_disk(|disk| {
        let data = pattern(2 << 20, 3);
        disk.write_at(777, &[IoSlice::new(&data)]).unwrap();
        for (from, length) in [(0, 1), (3319, 4096), (4097, 100_000), (5, 2 << 20), (9, 0)] {
            let length = length.min(data.len() - from);
            let mut buffer = vec![0xAA; length];
            disk.read_medium_at(777 + from as u64, &mut buffer).unwrap();
            assert!(
                buffer == data[from..from + length],
                "{length} bytes at {from}"
            );
        }
        let mut last = [0xAA; 3];
        disk.read_medium_at(SIZE - 3, &mut last).unwrap();
        assert_eq!(last, [0; 3]);
        let past = disk.read_medium_at(SIZE - 2, &mut last).unwrap_err();
        assert_eq!(past.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn more_parts_than_one_system_call_takes_are_all_written() {
    each_disk(|disk| {
        let data = pattern(3000 * 37, 2);
        let mut parts: Vec<IoSlice<'_>> = data.chunks(37).map(IoSlice::new).collect();
        parts.insert(0, IoSlice::new(&[]));
        parts.push(IoSlice::new(&[]));
        disk.write_at(5, &parts).unwrap();
        assert_eq!(read(disk, 5, data.len()), data);
        disk.write_at(5, &[]).unwrap();
        disk.write_at(5, &[IoSlice::new(&[])]).unwrap();
    });
}

#[test]
fn large_aligned_writes_longer_than_a_chunk_are_all_written() {
    each_disk(|disk| {
        let data = pattern(9 << 20, 3);
        let parts: Vec<IoSlice<'_>> = data.chunks(70_001).map(IoSlice::new).collect();
        disk.write_at(4096, &parts).unwrap();
        assert_eq!(read(disk, 4096, data.len()), data);
    });
}

#[test]
fn direct_and_buffered_writes_see_each_other() {
    each_disk(|disk| {
        let old = pattern(DIRECT_MIN * 2, 4);
        disk.write_at(8192, &[IoSlice::new(&old)]).unwrap();
        assert_eq!(
            read(disk, 8192, old.len()),
            old,
            "direct, then read into the page cache"
        );
        disk.write_at(10_000, &[IoSlice::new(b"buffered over direct")])
            .unwrap();
        assert_eq!(read(disk, 10_000, 20), b"buffered over direct");
        assert_eq!(read(disk, 8192, 1808), old[..1808]);
        let new = pattern(DIRECT_MIN * 2, 5);
        disk.write_at(8192, &[IoSlice::new(&new)]).unwrap();
        assert_eq!(read(disk, 8192, new.len()), new, "direct over dirty pages");
        disk.sync().unwrap();
        assert_eq!(read(disk, 8192, new.len()), new);
    });
}

#[test]
fn a_read_past_the_end_is_unexpected_eof() {
    each_disk(|disk| {
        for (offset, length) in [(SIZE - 1, 2), (SIZE, 1), (u64::MAX, 1), (SIZE * 9, 0)] {
            let mut buffer = vec![0; length];
            let error = disk.read_at(offset, &mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset}");
            let error = disk.try_read_at(offset, &mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset}");
        }
    });
}

#[test]
fn a_write_past_the_end_is_refused_whole() {
    each_disk(|disk| {
        let error = disk
            .write_at(SIZE - 4, &[IoSlice::new(b"12345")])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("16777216"), "{error}");
        assert_eq!(read(disk, SIZE - 4, 4), [0; 4]);
        assert_eq!(
            disk.discard(SIZE, 1).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        disk.write_at(SIZE - 4, &[IoSlice::new(b"1234")]).unwrap();
    });
}

#[test]
fn a_discarded_range_reads_as_zeros_or_as_before_and_its_surroundings_stay() {
    each_disk(|disk| {
        let data = pattern(4 << 20, 6);
        disk.write_at(0, &[IoSlice::new(&data)]).unwrap();
        disk.discard(1 << 20, 2 << 20).unwrap();
        disk.discard(0, 0).unwrap();
        let after = read(disk, 0, data.len());
        assert_eq!(after[..1 << 20], data[..1 << 20]);
        assert_eq!(after[3 << 20..], data[3 << 20..]);
        for (now, before) in after.chunks(512).zip(data.chunks(512)) {
            assert!(now == before || now.iter().all(|byte| *byte == 0));
        }
        disk.write_at(1 << 20, &[IoSlice::new(b"again")]).unwrap();
        assert_eq!(read(disk, 1 << 20, 5), b"again");
    });
}

#[test]
fn what_lies_in_memory_is_read_without_waiting() {
    let (_folder, path) = image();
    let disk = FileDisk::create_new(&path, SIZE).unwrap();
    disk.write_at(100, &[IoSlice::new(b"cached")]).unwrap();
    let mut buffer = [0; 6];
    if disk.try_read_at(100, &mut buffer).unwrap() {
        assert_eq!(&buffer, b"cached");
    }
    let memory = MemoryDisk::new(SIZE);
    assert!(memory.try_read_at(100, &mut buffer).unwrap());
    assert_eq!(buffer, [0; 6]);
}

#[test]
fn content_survives_closing_and_opening() {
    let (_folder, path) = image();
    let disk = FileDisk::create_new(&path, SIZE).unwrap();
    disk.write_at(9, &[IoSlice::new(b"kept")]).unwrap();
    drop(disk);
    let disk = FileDisk::open(&path).unwrap();
    assert_eq!(disk.capacity(), SIZE);
    assert_eq!(read(&disk, 9, 4), b"kept");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others can read it");
}

#[test]
fn a_new_image_is_sparse_and_never_replaces_anything() {
    let (_folder, path) = image();
    let disk = FileDisk::create_new(&path, 1 << 34).unwrap();
    assert_eq!(disk.capacity(), 1 << 34);
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap());
    assert!(blocks < 64, "{blocks}");
    drop(disk);
    let error = FileDisk::create_new(&path, 4096).unwrap_err();
    assert!(
        matches!(error, DiskOpenError::AlreadyExists { .. }),
        "{error}"
    );
    assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 34);
}

#[test]
fn an_image_too_large_for_the_file_system_leaves_no_file_behind() {
    let (_folder, path) = image();
    let error = FileDisk::create_new(&path, u64::MAX).unwrap_err();
    assert!(matches!(error, DiskOpenError::Io { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_closed() {
    let (_folder, path) = image();
    let first = FileDisk::create_new(&path, SIZE).unwrap();
    for second in [FileDisk::open(&path), FileDisk::open_read_only(&path)] {
        let error = second.unwrap_err();
        assert!(matches!(error, DiskOpenError::InUse { .. }), "{error}");
    }
    drop(first);
    let reader = FileDisk::open_read_only(&path).unwrap();
    let other_reader = FileDisk::open_read_only(&path).unwrap();
    assert!(matches!(
        FileDisk::open(&path).unwrap_err(),
        DiskOpenError::InUse { .. }
    ));
    drop((reader, other_reader));
    FileDisk::open(&path).unwrap();
}

#[test]
fn a_read_only_file_is_refused_but_can_be_inspected() {
    let (_folder, path) = image();
    fs::write(&path, b"content").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    let error = FileDisk::open(&path).unwrap_err();
    assert!(matches!(error, DiskOpenError::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains("chmod u+w"), "{error}");
    let disk = FileDisk::open_read_only(&path).unwrap();
    assert_eq!(read(&disk, 0, 7), b"content");
    let error = disk.write_at(0, &[IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(
        disk.discard(0, 1).unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert_eq!(fs::read(&path).unwrap(), b"content");
}

#[test]
fn an_image_grows_sparse_and_never_shrinks() {
    let (_folder, path) = image();
    let mut disk = FileDisk::create_new(&path, SIZE).unwrap();
    let last = pattern(100, 3);
    disk.write_at(SIZE - 100, &[IoSlice::new(&last)]).unwrap();
    disk.lengthen(4 * SIZE).unwrap();
    assert_eq!(disk.capacity(), 4 * SIZE);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * SIZE);
    assert_eq!(read(&disk, SIZE - 100, 200), [last, vec![0; 100]].concat());
    disk.write_at(4 * SIZE - 1, &[IoSlice::new(b"x")]).unwrap();
    let refused = disk.lengthen(SIZE).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    drop(disk);
    let mut looked_at = FileDisk::open_read_only(&path).unwrap();
    assert!(looked_at.lengthen(8 * SIZE).is_err());
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * SIZE);
}

#[test]
fn what_is_no_disk_is_refused_by_name() {
    let (folder, path) = image();
    let error = FileDisk::open(&path).unwrap_err();
    assert!(matches!(error, DiskOpenError::NotFound { .. }), "{error}");
    let error = FileDisk::open(folder.path()).unwrap_err();
    assert!(
        matches!(error, DiskOpenError::IsDirectory { .. }),
        "{error}"
    );
    let _listener = UnixListener::bind(&path).unwrap();
    let error = FileDisk::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            DiskOpenError::NotADisk {
                found: "a socket",
                ..
            }
        ),
        "{error}"
    );
    let error = FileDisk::open(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, DiskOpenError::NotADisk { .. }), "{error}");
    let nowhere = folder.path().join("missing/drive.img");
    let error = FileDisk::create_new(&nowhere, 4096).unwrap_err();
    assert!(matches!(error, DiskOpenError::NotFound { .. }), "{error}");
}

#[test]
fn a_file_that_shrank_under_the_disk_is_an_error_and_no_zeros() {
    let (_folder, path) = image();
    let disk = FileDisk::create_new(&path, SIZE).unwrap();
    let other = fs::OpenOptions::new().write(true).open(&path).unwrap();
    other.write_all_at(b"x", 0).unwrap();
    other.set_len(4096).unwrap();
    let mut buffer = [0; 8192];
    assert_eq!(
        disk.read_at(0, &mut buffer).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
}
