//! What the engine does when bytes rot, are cut off, or never were a drive's.

use super::*;

#[test]
fn a_flipped_bit_costs_that_value_and_nothing_else() {
    let mut drive = Drive::plain();
    drive.put(b"sound", &[1; 5000]).unwrap();
    drive.put(b"rotten", &[0xab; 5000]).unwrap();
    drive.settle();
    flip(&drive.disk, &[0xab; 64]);
    assert!(matches!(
        drive.value(b"rotten"),
        Err(ReadError::Unreadable(_))
    ));
    assert_eq!(drive.value(b"sound").unwrap(), vec![1; 5000]);
    assert_eq!(drive.store.status().damage_seen, 1);
}

#[test]
fn a_small_value_that_was_read_is_kept_and_the_medium_is_not_taken_for_it() {
    let mut drive = Drive::plain();
    drive.reopen_with(Options {
        value_cache_bytes: 1 << 20,
        ..options()
    });
    for (key, byte, length) in [(b"small", 0xab, 16 << 10), (b"large", 0xcd, 17 << 10)] {
        drive.put(key, &vec![byte; length]).unwrap();
        drive.settle();
        assert_eq!(drive.value(key).unwrap(), vec![byte; length]);
        flip(&drive.disk, &[byte; 64]);
    }
    assert_eq!(drive.value(b"small").unwrap(), vec![0xab; 16 << 10]);
    let damaged = |read: Result<_, _>| matches!(read, Err(ReadError::Unreadable(_)));
    assert!(damaged(drive.value(b"large").map(drop)));
    assert!(damaged(drive.store.get_from_medium(b"small").map(drop)));
    drive.put(b"small", &[0xef; 5000]).unwrap();
    assert_eq!(drive.value(b"small").unwrap(), vec![0xef; 5000]);
}

#[test]
fn a_flipped_bit_in_a_durable_group_refuses_to_open() {
    let mut drive = Drive::plain();
    for key in [b"first", b"later"] {
        let token = drive.submit(
            vec![put(key, b"value", Expected::Any)],
            Durability::WriteThrough,
        );
        drive.finish(token).unwrap();
    }
    let disk = Arc::clone(&drive.disk);
    flip(&disk, b"firstvtag");
    let opened = Store::open(Arc::<MemoryDisk>::clone(&disk), options(), entropy(2), None);
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::Log(_)), "{error}");
}

#[test]
fn a_flipped_bit_in_what_recovery_sealed_refuses_to_open() {
    let mut drive = Drive::plain();
    let only = vec![put(b"only", b"value", Expected::Any)];
    let token = drive.submit(only, Durability::WriteThrough);
    drive.finish(token).unwrap();
    drive.reopen();
    flip(&drive.disk, b"onlyvtag");
    let opened = Store::open(
        Arc::<MemoryDisk>::clone(&drive.disk),
        options(),
        entropy(3),
        None,
    );
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::Log(_)), "{error}");
}

#[test]
fn flipped_bits_in_both_superblocks_and_in_the_manifest_refuse_to_open() {
    let mut drive = Drive::new();
    drive.put(b"key", b"value").unwrap();
    drive.settle();
    let open = |disk: &Arc<MemoryDisk>| {
        Store::open(Arc::<MemoryDisk>::clone(disk), options(), entropy(2), None).map(|_| ())
    };
    let image = copy(&drive.disk);
    flip_at(&image, 40);
    open(&image).unwrap();
    let image = copy(&drive.disk);
    flip_at(&image, 40);
    flip_at(&image, 32 * 1024 + 40);
    assert!(matches!(open(&image), Err(OpenError::Slots(_))));
    let image = copy(&drive.disk);
    let bytes = disk_bytes(&image);
    let frames = (0..bytes.len())
        .step_by(4096)
        .filter(|place| bytes[*place..].starts_with(b"KMAN"));
    let frames: Vec<usize> = frames.collect();
    flip_at(&image, frames[frames.len() - 2] as u64);
    let error = open(&image).unwrap_err();
    assert!(matches!(error, OpenError::Manifest(_)), "{error}");
}

#[test]
fn what_is_no_drive_is_refused_and_left_alone() {
    let disk = Arc::new(MemoryDisk::new(ZONES * u64::from(ZONE)));
    let before = disk_bytes(&disk);
    let error =
        Store::open(Arc::<MemoryDisk>::clone(&disk), options(), entropy(1), None).unwrap_err();
    assert!(error.to_string().contains("not a Kinetic drive"), "{error}");
    assert!(disk_bytes(&disk) == before);
}

#[test]
fn a_truncated_image_is_refused() {
    let drive = Drive::new();
    let short = MemoryDisk::new((ZONES - 1) * u64::from(ZONE));
    let bytes = disk_bytes(&drive.disk);
    let kept = usize::try_from(short.capacity()).unwrap();
    short
        .write_at(0, &[std::io::IoSlice::new(&bytes[..kept])])
        .unwrap();
    let error = Store::open(Arc::new(short), options(), entropy(2), None).unwrap_err();
    assert!(error.to_string().contains("the end is missing"), "{error}");
}

fn disk_bytes(disk: &MemoryDisk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.capacity()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

fn copy(disk: &MemoryDisk) -> Arc<MemoryDisk> {
    let copy = MemoryDisk::new(disk.capacity());
    copy.write_at(0, &[std::io::IoSlice::new(&disk_bytes(disk))])
        .unwrap();
    Arc::new(copy)
}

/// Flips a bit in the last place where these bytes lie.
fn flip(disk: &MemoryDisk, needle: &[u8]) {
    let bytes = disk_bytes(disk);
    let place = bytes
        .windows(needle.len())
        .rposition(|window| window == needle);
    flip_at(
        disk,
        u64::try_from(place.expect("the bytes lie on the disk")).unwrap(),
    );
}

pub(super) fn flip_at(disk: &MemoryDisk, place: u64) {
    let mut byte = [0];
    disk.read_at(place, &mut byte).unwrap();
    byte[0] ^= 1;
    disk.write_at(place, &[std::io::IoSlice::new(&byte)])
        .unwrap();
}
