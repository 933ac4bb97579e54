//! Scrub finds whatever is damaged, tells it once, repairs what has a second copy, and keeps no
//! zone from others.

use super::*;
use crate::layout::superblock::{Slot, Superblock};
use crate::open::slots;
use crate::scrub::report::Damaged;
use crate::{ScrubFinding, ScrubStatus};

impl Drive {
    /// One round of scrub, and what it tells.
    fn scrub(&mut self) -> (ScrubStatus, Vec<ScrubFinding>) {
        let rounds = self.store.scrub_report().0.rounds;
        self.store.ask_scrub();
        for _ in 0..100_000 {
            self.step();
            self.store.step_scrub(self.now);
            let (status, _) = self.store.scrub_report();
            if status.rounds > rounds {
                return (status, self.store.take_scrub_findings());
            }
        }
        panic!("the round never ends");
    }

    fn flip_at(&self, place: u64) {
        damage::flip_at(&self.disk, place);
    }
}

fn value_place(drive: &Drive, key: &[u8]) -> u64 {
    let shared = &drive.store.inner.shared;
    let entry = shared.view().lookup(&shared.reader, key, Effort::Disk);
    let value = entry.unwrap().and_then(|entry| entry.live()).unwrap();
    drive.place(value.location)
}

#[test]
fn a_sound_drive_is_read_whole_and_nothing_is_found() {
    let (mut drive, model) = one_run(1500);
    let (status, findings) = drive.scrub();
    assert_eq!(findings, []);
    let last = status.last.unwrap();
    assert!(last.values >= model.len() as u64, "{last:?}");
    let runs = drive.runs();
    let bytes: u64 = runs.iter().map(|run| run.meta().bytes).sum();
    assert!(last.blocks > 8 && last.bytes > bytes, "{last:?}");
    assert_eq!((last.damaged_blocks, last.damaged_values), (0, 0));
}

#[test]
fn rotten_values_and_blocks_are_found_with_what_they_cost_and_told_once() {
    let (mut drive, model) = one_run(1500);
    let victim = model.keys().nth(3).unwrap();
    drive.flip_at(value_place(&drive, victim));
    let gap = {
        let runs = drive.runs();
        let run = runs.iter().max_by_key(|run| run.meta().entries).unwrap();
        let leaves = drive.leaves(run);
        let (gap, handle) = leaves[leaves.len() - 2].clone();
        drive.flip_at(drive.place(handle.location) + 50);
        gap
    };
    let (status, findings) = drive.scrub();
    let mut what: Vec<&Damaged> = findings.iter().map(|finding| &finding.what).collect();
    what.sort();
    let expected = [
        &Damaged::Value(victim.clone()),
        &Damaged::Block(gap.start.clone(), gap.end.clone()),
    ];
    assert_eq!(what, expected);
    let last = status.last.unwrap();
    assert_eq!((last.damaged_blocks, last.damaged_values), (1, 1));
    for finding in &findings {
        assert!(finding.zone > 0 && finding.offset >= 4096, "{finding}");
    }
    let (status, findings) = drive.scrub();
    assert_eq!(findings, []);
    assert_eq!(status.last.unwrap().damaged_values, 1);
    assert_eq!(drive.store.scrub_report().1.len(), 2);
    // What is stored anew is no finding any more.
    drive.put(victim, b"new").unwrap();
    drive.settle();
    assert_eq!(drive.scrub().0.last.unwrap().damaged_values, 0);
}

#[test]
fn every_kind_of_block_is_read_from_the_medium_and_not_from_memory() {
    let (mut drive, _model) = one_run(1500);
    let runs = drive.runs();
    let run = runs.iter().max_by_key(|run| run.meta().entries).unwrap();
    let (root, filter) = (run.meta().root, run.meta().root_filter);
    let (_, leaf) = drive.leaves(run).swap_remove(0);
    for handle in [root, filter, leaf] {
        assert!(!handle.is_none());
        let place = drive.place(handle.location) + 50;
        drive.flip_at(place);
        let (status, findings) = drive.scrub();
        assert_eq!(status.last.unwrap().damaged_blocks, 1, "{handle:?}");
        assert_eq!(findings.len(), 1);
        drive.flip_at(place);
        assert_eq!(drive.scrub().0.last.unwrap().damaged_blocks, 0);
    }
}

#[test]
fn lost_superblocks_settings_and_manifests_are_repaired_while_the_drive_serves() {
    let (mut drive, model) = one_run(200);
    drive.store.write_settings(b"settings").unwrap();
    let zone = |superblock: &Superblock| u64::from(superblock.manifest.zone.0) * u64::from(ZONE);
    let manifest = zone(&slots::choose(&*drive.disk).unwrap()) + 4096 + 60;
    for (place, what) in [
        (40, Damaged::Superblock),
        ((32 << 10) + 40, Damaged::Superblock),
        (4096 + 20, Damaged::Settings),
        ((36 << 10) + 33, Damaged::Settings),
        (manifest, Damaged::Manifest),
    ] {
        drive.flip_at(place);
        let (status, findings) = drive.scrub();
        let found: Vec<Damaged> = findings.into_iter().map(|finding| finding.what).collect();
        assert_eq!((found, status.last.unwrap().repaired), (vec![what], 1));
        drive.settle();
        let [first, second] = [Slot::First, Slot::Second]
            .map(|slot| Superblock::read(&*drive.disk, slot).unwrap().unwrap());
        assert_eq!(first.sequence.abs_diff(second.sequence), 1);
        let again = Superblock {
            sequence: first.sequence,
            ..second
        };
        assert_eq!(first, again);
        assert_eq!(drive.scrub().0.last.unwrap().repaired, 0);
    }
    assert_eq!(crate::read_settings(&*drive.disk).unwrap(), b"settings");
    drive.reopen();
    for (key, value) in &model {
        assert_eq!(drive.value(key).unwrap(), value[..]);
    }
}

#[test]
fn settings_of_which_no_copy_is_left_are_told_of() {
    let (mut drive, _model) = one_run(50);
    drive.flip_at(4096 + 20);
    drive.flip_at((36 << 10) + 20);
    let (_, findings) = drive.scrub();
    let found: Vec<Damaged> = findings.into_iter().map(|finding| finding.what).collect();
    assert_eq!(found, [Damaged::AllSettings]);
}

#[test]
fn scrub_beside_a_load_comes_to_its_end_and_keeps_no_zone_from_it() {
    let mut drive = Drive::with_zones(150);
    let mut model = Model::new();
    let mut choices = Choices(5);
    let capacity = drive.store.status().capacity_bytes;
    let (mut written, mut rounds) = (0, 0);
    while written < 3 * capacity {
        let key = key_of(u32::try_from(choices.below(600)).unwrap());
        let length = usize::try_from(1 + choices.below(6000)).unwrap();
        let value = vec![u8::try_from(choices.below(256)).unwrap(); length];
        drive.put(&key, &value).unwrap();
        written += value.len() as u64;
        model.insert(key, value);
        drive.store.step_scrub(drive.now);
        let (status, findings) = drive.store.scrub_report();
        assert_eq!(findings, []);
        if status.current.is_none() {
            rounds = status.rounds;
            drive.store.ask_scrub();
        }
    }
    assert!(rounds > 1, "{rounds} rounds");
    for (key, value) in &model {
        assert_eq!(drive.value(key).unwrap(), value[..]);
    }
}

#[test]
fn rounds_come_by_themselves_and_not_where_they_are_switched_off() {
    for (every, expected) in [(10_000_000, true), (0, false)] {
        let mut drive = Drive::new();
        drive.put(b"key", b"value").unwrap();
        drive.reopen_with(Options {
            scrub_every_us: every,
            ..options()
        });
        for _ in 0..400 {
            drive.step();
            drive.store.step_scrub(drive.now);
        }
        let rounds = drive.store.scrub_report().0.rounds;
        assert_eq!(rounds > 1, expected, "{rounds} rounds");
    }
}
