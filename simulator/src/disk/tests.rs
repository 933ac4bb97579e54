//! Each fault does what it says, and no more; the same seed does it again.

use std::io::{self, ErrorKind, IoSlice};

use kinetic_store::disk::Disk;

use super::*;
use crate::rng::Rng;

const SIZE: u64 = 4 << 20;
const SECTOR: usize = 512;

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(SIZE, seed).unwrap()
}

fn write(disk: &SimDisk, offset: u64, data: &[u8]) -> io::Result<()> {
    disk.write_at(offset, &[IoSlice::new(data)])
}

fn read(disk: &SimDisk, offset: u64, length: usize) -> Vec<u8> {
    let mut buffer = vec![0xEE; length];
    disk.read_at(offset, &mut buffer).unwrap();
    buffer
}

/// Cuts power in this mode, restarts, and returns the first sectors: which are new.
fn survivors(seed: u64, survival: Survival, write_all: impl Fn(&SimDisk)) -> Vec<u8> {
    let disk = disk(seed);
    write(&disk, 0, &[1; 64 * SECTOR]).unwrap();
    disk.sync().unwrap();
    write_all(&disk);
    disk.power_cut_as(survival, &mut Rng::new(seed));
    disk.restart();
    read(&disk, 0, 64 * SECTOR)
}

/// The value that fills each sector; fails when one is mixed.
fn sectors(content: &[u8]) -> Vec<u8> {
    let uniform = |sector: &[u8]| {
        assert!(
            sector.iter().all(|byte| *byte == sector[0]),
            "a sector is torn"
        );
        sector[0]
    };
    content.chunks(SECTOR).map(uniform).collect()
}

fn rewrite_sector_by_sector(disk: &SimDisk) {
    for number in 0..64 {
        write(disk, number * SECTOR as u64, &[2; SECTOR]).unwrap();
    }
}

fn rewrite_at_once(disk: &SimDisk) {
    write(disk, 0, &[2; 64 * SECTOR]).unwrap();
}

#[test]
fn what_was_written_is_read_synced_or_not() {
    let disk = disk(1);
    let parts = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    disk.write_at(510, &parts).unwrap();
    assert_eq!(read(&disk, 509, 9), b"\0one two\0");
    disk.sync().unwrap();
    assert_eq!(read(&disk, 510, 7), b"one two");
    assert_eq!((disk.capacity(), disk.sector_size()), (SIZE, 512));
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    for seed in 0..200 {
        let disk = disk(seed);
        write(&disk, 1000, &[7; 5000]).unwrap();
        disk.sync().unwrap();
        write(&disk, 9000, &[8; 5000]).unwrap();
        disk.power_cut(&mut Rng::new(seed));
        disk.restart();
        assert_eq!(read(&disk, 1000, 5000), [7; 5000], "seed {seed}");
    }
}

#[test]
fn losing_all_loses_all_and_keeping_all_keeps_all() {
    let lost = survivors(3, Survival::LoseAll, rewrite_at_once);
    assert_eq!(lost, [1; 64 * SECTOR]);
    let kept = survivors(3, Survival::KeepAll, rewrite_at_once);
    assert_eq!(kept, [2; 64 * SECTOR]);
}

#[test]
fn a_kept_prefix_has_no_gap() {
    let mut lengths = Vec::new();
    for seed in 0..50 {
        let after = sectors(&survivors(
            seed,
            Survival::KeepPrefix,
            rewrite_sector_by_sector,
        ));
        let kept = after.iter().take_while(|value| **value == 2).count();
        assert!(after[kept..].iter().all(|value| *value == 1), "seed {seed}");
        lengths.push(kept);
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 10, "{lengths:?}");
}

#[test]
fn reordered_writes_survive_with_gaps_but_whole() {
    let mut gaps = 0;
    for seed in 0..50 {
        let after = sectors(&survivors(seed, Survival::Reorder, |disk| {
            for number in 0..16 {
                write(disk, number * 4 * SECTOR as u64, &[2; 4 * SECTOR]).unwrap();
            }
        }));
        assert!(
            after
                .chunks(4)
                .all(|write| write.iter().all(|value| *value == write[0]))
        );
        gaps += u32::from(after.windows(2).any(|pair| pair == [1, 2]));
    }
    assert!(gaps > 25, "{gaps}");
}

#[test]
fn a_torn_write_mixes_old_and_new_sectors_and_never_within_one() {
    let mut torn = 0;
    for seed in 0..50 {
        let after = sectors(&survivors(seed, Survival::Tear, rewrite_at_once));
        torn += u32::from(after.contains(&1) && after.contains(&2));
    }
    assert!(torn > 40, "{torn}");
}

#[test]
fn large_sectors_are_torn_only_between_them() {
    for seed in 0..20 {
        let disk = SimDisk::with_sector_size(SIZE, seed, SectorSize::Large).unwrap();
        write(&disk, 100, &[9; 60_000]).unwrap();
        disk.power_cut_as(Survival::Tear, &mut Rng::new(seed));
        disk.restart();
        let after = read(&disk, 4096, 14 * 4096 - 4096);
        assert!(
            after
                .chunks(4096)
                .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
        );
    }
}

#[test]
fn sectors_are_torn_only_when_asked_for() {
    let torn = (0..20).any(|seed| {
        let after = survivors(seed, Survival::TearSectors, rewrite_at_once);
        after
            .chunks(SECTOR)
            .any(|sector| sector.iter().any(|byte| *byte != sector[0]))
    });
    assert!(torn);
    let mut rng = Rng::new(1);
    assert!((0..1000).all(|_| Survival::pick(&mut rng) != Survival::TearSectors));
}

#[test]
fn a_later_write_of_the_same_sector_may_survive_without_the_earlier_but_not_under_it() {
    for seed in 0..100 {
        let after = survivors(seed, Survival::Reorder, |disk| {
            write(disk, 0, &[2; SECTOR]).unwrap();
            write(disk, 10, b"x").unwrap();
        });
        let seen = (after[0], after[10]);
        assert!(
            [(1, 1), (2, 2), (2, b'x')].contains(&seen),
            "seed {seed}: {seen:?}"
        );
    }
}

#[test]
fn without_power_every_call_fails_recognisably_until_the_restart() {
    let disk = disk(1);
    disk.power_cut(&mut Rng::new(1));
    let mut buffer = [0; 1];
    let errors = [
        disk.read_at(0, &mut buffer).unwrap_err(),
        disk.try_read_at(0, &mut buffer).unwrap_err(),
        write(&disk, 0, b"x").unwrap_err(),
        disk.sync().unwrap_err(),
        disk.discard(0, 512).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(stopped_by(&error), Some(Stopped::PowerCut), "{error}");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    }
    disk.restart();
    assert_eq!(disk.stopped(), None);
    disk.sync().unwrap();
}

#[test]
fn a_kill_loses_nothing_but_a_power_cut_after_it_may() {
    let disk = disk(1);
    write(&disk, 0, b"cached").unwrap();
    disk.kill();
    assert_eq!(stopped_by(&disk.sync().unwrap_err()), Some(Stopped::Killed));
    disk.restart();
    assert_eq!(read(&disk, 0, 6), b"cached");
    disk.kill();
    disk.power_cut_as(Survival::LoseAll, &mut Rng::new(1));
    disk.restart();
    assert_eq!(read(&disk, 0, 6), [0; 6]);
}

#[test]
fn power_fails_in_the_middle_of_exactly_the_nth_call() {
    let mut partial = 0;
    for seed in 0..100 {
        let disk = disk(seed);
        disk.cut_power_after(3);
        write(&disk, 0, &[1; 8 * SECTOR]).unwrap();
        disk.sync().unwrap();
        let error = write(&disk, 0, &[2; 8 * SECTOR]).unwrap_err();
        assert_eq!(stopped_by(&error), Some(Stopped::PowerCut));
        assert!(stopped_by(&disk.sync().unwrap_err()).is_some());
        disk.restart();
        let after = read(&disk, 0, 8 * SECTOR);
        assert!(
            after.iter().all(|byte| [1, 2].contains(byte)),
            "seed {seed}"
        );
        partial += u32::from(after.contains(&1) && after.contains(&2));
        disk.sync().unwrap();
    }
    assert!(partial > 20, "{partial}");
}

#[test]
fn of_an_interrupted_sync_any_part_may_have_happened() {
    let mut outcomes = [0; 3];
    for seed in 0..100 {
        let disk = disk(seed);
        write(&disk, 0, &[2; 16 * SECTOR]).unwrap();
        disk.cut_power_after(1);
        assert!(stopped_by(&disk.sync().unwrap_err()).is_some());
        disk.restart();
        let after = sectors(&read(&disk, 0, 16 * SECTOR));
        let new = after.iter().filter(|value| **value == 2).count();
        outcomes[usize::from(new > 0) + usize::from(new == 16)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 10), "{outcomes:?}");
}

#[test]
fn a_kill_in_the_middle_of_a_write_leaves_a_prefix_in_the_cache() {
    for seed in 0..50 {
        let disk = disk(seed);
        disk.kill_after(1);
        let error = write(&disk, 100, &[2; 2000]).unwrap_err();
        assert_eq!(stopped_by(&error), Some(Stopped::Killed));
        disk.restart();
        let after = read(&disk, 100, 2000);
        let new = after.iter().take_while(|byte| **byte == 2).count();
        assert!(after[new..].iter().all(|byte| *byte == 0), "seed {seed}");
    }
}

#[test]
fn a_failed_sync_forgets_its_writes_and_the_next_one_succeeds() {
    let disk = disk(1);
    write(&disk, 0, &[1; SECTOR]).unwrap();
    disk.fail_sync(1, SyncFailure::LosesAll);
    assert_eq!(disk.sync().unwrap_err().raw_os_error(), Some(5));
    assert_eq!(
        read(&disk, 0, SECTOR),
        [1; SECTOR],
        "still in the page cache"
    );
    write(&disk, 2 * SECTOR as u64, &[2; SECTOR]).unwrap();
    disk.sync().unwrap();
    disk.power_cut_as(Survival::KeepAll, &mut Rng::new(1));
    disk.restart();
    assert_eq!(
        read(&disk, 0, SECTOR),
        [0; SECTOR],
        "the success proved nothing about it"
    );
    assert_eq!(read(&disk, 2 * SECTOR as u64, SECTOR), [2; SECTOR]);
}

#[test]
fn what_is_written_again_after_a_failed_sync_is_kept() {
    let disk = disk(1);
    write(&disk, 0, &[1; 2 * SECTOR]).unwrap();
    disk.fail_sync(2, SyncFailure::LosesAll);
    disk.sync().unwrap();
    write(&disk, 0, &[2; 2 * SECTOR]).unwrap();
    disk.sync().unwrap_err();
    write(&disk, 0, &[2; SECTOR]).unwrap();
    disk.sync().unwrap();
    disk.power_cut_as(Survival::KeepAll, &mut Rng::new(1));
    disk.restart();
    assert_eq!(sectors(&read(&disk, 0, 2 * SECTOR)), [2, 1]);
}

#[test]
fn a_sync_that_loses_some_loses_some() {
    let disk = disk(5);
    write(&disk, 0, &[1; 64 * SECTOR]).unwrap();
    disk.fail_sync(1, SyncFailure::LosesSome);
    disk.sync().unwrap_err();
    disk.power_cut_as(Survival::KeepAll, &mut Rng::new(1));
    disk.restart();
    let after = sectors(&read(&disk, 0, 64 * SECTOR));
    assert!(after.contains(&0) && after.contains(&1));
}

#[test]
fn a_pretended_sync_makes_nothing_durable() {
    let disk = disk(1);
    disk.pretend_syncs();
    write(&disk, 0, b"gone").unwrap();
    disk.sync().unwrap();
    disk.power_cut_as(Survival::LoseAll, &mut Rng::new(1));
    disk.restart();
    assert_eq!(read(&disk, 0, 4), [0; 4]);
}

#[test]
fn a_full_host_refuses_just_these_writes_and_applies_a_part() {
    let disk = disk(2);
    disk.fail_writes(2, 2);
    write(&disk, 0, &[1; 100]).unwrap();
    for offset in [1000, 2000] {
        let error = write(&disk, offset, &[1; 100]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let after = read(&disk, offset, 100);
        let new = after.iter().take_while(|byte| **byte == 1).count();
        assert!(new < 100 && after[new..].iter().all(|byte| *byte == 0));
    }
    write(&disk, 3000, &[1; 100]).unwrap();
    assert_eq!(read(&disk, 3000, 100), [1; 100]);
}

#[test]
fn unreadable_ranges_fail_reads_that_touch_them_and_no_others() {
    let disk = disk(1);
    disk.fail_reads(1024, 512);
    let mut buffer = [0; 512];
    for offset in [513, 1024, 1535] {
        assert_eq!(
            disk.read_at(offset, &mut buffer)
                .unwrap_err()
                .raw_os_error(),
            Some(5)
        );
        assert_eq!(
            disk.try_read_at(offset, &mut buffer)
                .unwrap_err()
                .raw_os_error(),
            Some(5)
        );
    }
    disk.read_at(512, &mut buffer).unwrap();
    disk.read_at(1536, &mut buffer).unwrap();
    disk.clear_faults();
    disk.read_at(1024, &mut buffer).unwrap();
}

#[test]
fn a_flipped_bit_stays_flipped_through_sync_and_power_cut() {
    let disk = disk(1);
    write(&disk, 0, &[0; 10]).unwrap();
    disk.sync().unwrap();
    write(&disk, 600, &[0; 10]).unwrap();
    disk.flip_bit(3, 0);
    disk.flip_bit(605, 7);
    assert_eq!((read(&disk, 3, 1)[0], read(&disk, 605, 1)[0]), (1, 0x80));
    disk.sync().unwrap();
    disk.power_cut(&mut Rng::new(1));
    disk.restart();
    assert_eq!((read(&disk, 3, 1)[0], read(&disk, 605, 1)[0]), (1, 0x80));
    disk.discard(4096, 4096).unwrap();
    let at = disk.flip_random_bit(5000, 100, &mut Rng::new(4));
    assert!((5000..5100).contains(&at));
    disk.sync().unwrap();
    disk.power_cut(&mut Rng::new(1));
    disk.restart();
    assert_eq!(read(&disk, at, 1)[0].count_ones(), 1);
}

#[test]
fn reads_have_to_wait_as_often_as_was_asked() {
    let disk = disk(1);
    let mut buffer = [0; 8];
    let mut filled = || {
        (0..1000)
            .filter(|_| disk.try_read_at(0, &mut buffer).unwrap())
            .count()
    };
    assert_eq!(filled(), 1000);
    disk.wait_for_reads(300);
    assert!((600..800).contains(&filled()));
    disk.wait_for_reads(1000);
    assert_eq!(filled(), 0);
}

#[test]
fn a_discarded_sector_is_zero_or_as_before_and_its_neighbours_stay() {
    let mut zeroed = 0;
    for seed in 0..50 {
        let disk = disk(seed);
        write(&disk, 0, &[1; 8 * SECTOR]).unwrap();
        disk.sync().unwrap();
        disk.discard(100, 4 * SECTOR as u64).unwrap();
        let after = sectors(&read(&disk, 0, 8 * SECTOR));
        zeroed += u32::from(after[1] == 0);
        assert!(
            after == [1; 8] || after == [1, 0, 0, 0, 1, 1, 1, 1],
            "{after:?}"
        );
        disk.power_cut_as(Survival::LoseAll, &mut Rng::new(seed));
        disk.restart();
        assert_eq!(sectors(&read(&disk, 0, 8 * SECTOR)), [1; 8]);
    }
    assert!((10..40).contains(&zeroed), "{zeroed}");
}

#[test]
fn ranges_past_the_end_are_refused() {
    let disk = disk(1);
    let mut buffer = [0; 2];
    assert_eq!(
        disk.read_at(SIZE - 1, &mut buffer).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
    assert_eq!(
        write(&disk, SIZE - 1, &[0; 2]).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        disk.discard(SIZE, 1).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let odd = SimDisk::new(1000, 1).unwrap();
    write(&odd, 990, &[3; 10]).unwrap();
    assert_eq!(read(&odd, 990, 10), [3; 10]);
}

#[test]
fn a_large_disk_costs_only_what_was_written() {
    let disk = SimDisk::new(4 << 40, 1).unwrap();
    write(&disk, (4 << 40) - 6, b"at end").unwrap();
    disk.sync().unwrap();
    let mut durable = [0; 6];
    disk.read_durable((4 << 40) - 6, &mut durable).unwrap();
    assert_eq!(&durable, b"at end");
}

/// A history that draws everything from its seed; returns the trace hash and counts.
fn history(seed: u64) -> (u64, Counts) {
    let (disk, mut rng) = (disk(seed), Rng::new(seed));
    disk.wait_for_reads(100);
    for _ in 0..300 {
        let offset = rng.below(SIZE - 5000);
        let length = usize::try_from(rng.below(5000)).unwrap();
        let _ = match rng.below(8) {
            0 => disk.sync(),
            1 => disk.discard(offset, length as u64),
            2 => disk.try_read_at(offset, &mut vec![0; length]).map(drop),
            3 => {
                disk.cut_power_after(1 + rng.below(5));
                Ok(())
            }
            4 if disk.stopped().is_some() => {
                disk.restart();
                Ok(())
            }
            _ => write(
                &disk,
                offset,
                &vec![rng.next_u64().to_le_bytes()[0]; length],
            ),
        };
    }
    (disk.trace_hash(), disk.counts())
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let mut hashes: Vec<u64> = (0..50).map(|seed| history(seed).0).collect();
    assert!(
        hashes
            .iter()
            .zip(0..)
            .all(|(hash, seed)| *hash == history(seed).0)
    );
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 50);
}

#[test]
fn the_trace_tells_contents_and_outcomes_apart() {
    let hash = |data: &[u8], faulty: &dyn Fn(&SimDisk)| {
        let disk = disk(1);
        faulty(&disk);
        let _ = write(&disk, 0, data);
        disk.trace_hash()
    };
    let plain = hash(b"a", &|_| {});
    assert_eq!(plain, hash(b"a", &|_| {}));
    assert_ne!(plain, hash(b"b", &|_| {}));
    assert_ne!(plain, hash(b"a", &|disk| disk.fail_writes(1, 1)));
    assert_ne!(plain, hash(b"a", &|disk| disk.flip_bit(0, 0)));
}

#[test]
fn calls_and_bytes_are_counted() {
    let disk = disk(1);
    write(&disk, 0, &[0; 100]).unwrap();
    read(&disk, 0, 10);
    disk.try_read_at(0, &mut [0; 5]).unwrap();
    disk.sync().unwrap();
    disk.discard(0, 512).unwrap();
    let counts = disk.counts();
    assert_eq!(
        (counts.reads, counts.writes, counts.syncs, counts.discards),
        (2, 1, 1, 1)
    );
    assert_eq!(
        (counts.bytes_read, counts.bytes_written, counts.calls()),
        (15, 100, 5)
    );
}

#[test]
fn handles_of_one_disk_share_it_across_threads() {
    let disk = disk(1);
    std::thread::scope(|scope| {
        for number in 0..4u8 {
            let disk = disk.clone();
            scope.spawn(move || {
                let offset = u64::from(number) * 100;
                (0..100).for_each(|_| write(&disk, offset, &[number; 100]).unwrap());
                disk.sync().unwrap();
            });
        }
    });
    for number in 0..4u8 {
        assert_eq!(read(&disk, u64::from(number) * 100, 100), [number; 100]);
    }
}
