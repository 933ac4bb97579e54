//! Looking at drives that nobody opens: what is found, what is saved, and that nothing is written.

mod books;

use super::*;
use crate::disk::Disk;
use crate::entry::State;
use crate::error::Damage;
use crate::index::merged::MergedCursor;
use crate::layout::superblock::{DriveState, Slot};
use crate::manifest::state::ManifestState;
use crate::open::repair::Lost;
use crate::run::{BlockCache, BlockReader, Run, RunMeta};
use crate::survey::{Certainty, Depth, Finding, Hidden, Loss, Salvaged, Told};
use crate::{GrowError, Kdf, Mend, PinKey, Protection, Survey, grow, mend, mendable};

/// What a salvage gave.
#[derive(Default)]
struct Saved {
    certain: Model,
    uncertain: Model,
    lost_values: Vec<Vec<u8>>,
    lost: Vec<Loss>,
}

fn look(disk: &Arc<MemoryDisk>) -> Survey {
    Survey::of(Arc::<MemoryDisk>::clone(disk), None).unwrap()
}

fn findings(survey: &Survey, depth: Depth) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            findings.push(finding);
        }
    };
    survey.check_outside(&mut tell);
    survey.check_contents(depth, &mut tell);
    findings
}

fn salvage(survey: &Survey) -> Saved {
    let mut saved = Saved::default();
    for salvaged in survey.salvage().into_iter().flatten() {
        match salvaged {
            Salvaged::Value {
                key,
                value,
                certainty,
                ..
            } => {
                let model = match certainty {
                    Certainty::Certain => &mut saved.certain,
                    Certainty::Uncertain => &mut saved.uncertain,
                };
                assert_eq!(model.insert(key, value.to_vec()), None, "a key twice");
            }
            Salvaged::Lost(Loss::Value { key, .. }) => saved.lost_values.push(key),
            Salvaged::Lost(loss) => saved.lost.push(loss),
        }
    }
    saved
}

/// A drive with runs of several levels, tombstones, a log behind them, and its model.
fn grown(seed: u64, seal: Seal) -> (Drive, Model) {
    let mut choices = Choices(seed);
    let mut drive = Drive::sealed_as(ZONES, seal);
    let mut model = Model::new();
    for round in 0..500 {
        let mutation = random_mutation(&mut choices, &mut model);
        let token = drive.submit(vec![mutation], Durability::WriteThrough);
        assert_eq!(drive.finish(token), Ok(()));
        if round % 60 == 0 {
            drive.settle();
        }
        if round == 300 {
            drive.reopen();
        }
    }
    (drive, model)
}

#[test]
fn entries_that_name_an_earlier_life_of_a_zone_are_not_taken_for_damage() {
    let mut drive = Drive::sealed_as(100, Seal::Sealed);
    let mut choices = Choices(21);
    let mut model = Model::new();
    for round in 0..6000 {
        let number = if round < 300 {
            round
        } else {
            choices.below(300)
        };
        let key = format!("key{number:06}").into_bytes();
        let length = usize::try_from(1 + choices.below(8000)).unwrap();
        let value = vec![u8::try_from(round % 251).unwrap(); length];
        drive.put(&key, &value).unwrap();
        model.insert(key, value);
    }
    assert!(drive.store.status().moves > 100);
    let token = drive.submit(Vec::new(), Durability::Flush);
    drive.finish(token).unwrap();
    let survey = look(&drive.disk);
    let stale = |state: &ManifestState, run: &Arc<Run>, reader: &BlockReader| {
        let mut cursor = MergedCursor::over_runs(std::slice::from_ref(run), reader).unwrap();
        let mut stale = 0;
        while let Some(found) = cursor.next(reader, Effort::Disk).unwrap() {
            let names = found.entry.live().is_some();
            stale += u64::from(names && state.life_of(&found.entry).is_none());
        }
        stale
    };
    let shared = &drive.store.inner.shared;
    let upkeep = drive.store.inner.upkeep.lock().unwrap();
    let runs = shared.view();
    let runs = runs.runs.iter();
    let stale: u64 = runs
        .map(|run| stale(upkeep.state(), run, &shared.reader))
        .sum();
    assert!(stale > 0, "the case never came");
    drop(upkeep);
    let found = findings(&survey, Depth::Full);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(salvage(&survey).certain, model);
}

fn bytes_of(disk: &MemoryDisk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.capacity()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

fn of_bytes(bytes: &[u8]) -> Arc<MemoryDisk> {
    let disk = MemoryDisk::new(bytes.len() as u64);
    disk.write_at(0, &[std::io::IoSlice::new(bytes)]).unwrap();
    Arc::new(disk)
}

#[test]
fn a_sound_drive_is_found_sound_saved_whole_and_left_as_it_is() {
    for seal in [Seal::Sealed, Seal::Plain] {
        let (drive, model) = grown(1, seal);
        let before = bytes_of(&drive.disk);
        let survey = look(&drive.disk);
        assert!(findings(&survey, Depth::Full).is_empty());
        let report = survey.report().unwrap();
        assert!(!report.runs.is_empty() && report.log.changes > 0);
        let live: u64 = report.kinds.iter().map(|kind| kind.live).sum();
        let scanned = drive.store.live_bytes_by_scan().unwrap().scanned;
        assert_eq!(live, scanned.values().sum::<u64>());
        assert_eq!(report.runs.len(), drive.store.status().runs);
        let saved = salvage(&survey);
        assert_eq!(saved.certain, model);
        assert!(saved.uncertain.is_empty() && saved.lost.is_empty());
        assert!(bytes_of(&drive.disk) == before, "a survey wrote");
    }
}

#[test]
fn a_rotten_value_is_found_by_its_key_and_costs_nothing_else() {
    let (mut drive, mut model) = grown(2, Seal::Plain);
    let rotten = b"nowhere else ".repeat(40);
    // What is not known to be synced would be a torn tail.
    for (key, value) in [(&b"rotten"[..], &rotten[..]), (b"sound", b"sound")] {
        let change = put(key, value, Expected::Any);
        let token = drive.submit(vec![change], Durability::WriteThrough);
        drive.finish(token).unwrap();
    }
    model.insert(b"sound".to_vec(), b"sound".to_vec());
    let mut bytes = bytes_of(&drive.disk);
    let place = bytes.windows(rotten.len()).rposition(|w| w == rotten);
    bytes[place.unwrap()] ^= 1;
    let survey = look(&of_bytes(&bytes));
    assert!(findings(&survey, Depth::Quick).is_empty());
    let found = findings(&survey, Depth::Full);
    let [Finding::Value { key, damage, .. }] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (key.as_slice(), *damage),
        (&b"rotten"[..], Damage::Checksum)
    );
    let saved = salvage(&survey);
    assert_eq!(saved.lost_values, [b"rotten".to_vec()]);
    assert_eq!(saved.certain, model);
    assert!(saved.uncertain.is_empty());
}

#[test]
fn older_runs_behind_a_rotten_leaf_are_uncertain_and_deleted_keys_stay_deleted() {
    let mut drive = Drive::plain();
    let flushed = |drive: &mut Drive, changes: Vec<Mutation>| {
        for change in changes {
            let token = drive.submit(vec![change], Durability::WriteBack);
            drive.finish(token).unwrap();
        }
        // More than a memtable, so that it is flushed, under keys of its own.
        for filler in 0..70 {
            let key = format!("zz-filler-{filler:03}");
            drive.put(key.as_bytes(), &[7; 900]).unwrap();
        }
        drive.settle();
    };
    let puts = |value: &[u8]| ["a", "b", "c"].map(|key| put(key.as_bytes(), value, Expected::Any));
    flushed(&mut drive, puts(b"old").to_vec());
    let mut newer = puts(b"new").to_vec();
    newer.push(delete(b"b", Expected::Any));
    flushed(&mut drive, newer);
    let survey = look(&drive.disk);
    let runs = survey.report().unwrap().runs;
    assert!(
        runs.len() >= 2,
        "two runs are needed, and there are {}",
        runs.len()
    );
    // The smallest keys stand in the first leaf, at the front of the first extent.
    let geometry = survey.superblock().geometry;
    let cache = Arc::new(BlockCache::of_blocks(1 << 20));
    let reader = BlockReader::new(Arc::<MemoryDisk>::clone(&drive.disk), geometry, cache);
    let deletes = |run: &RunMeta| {
        let found = Run::new(run.clone()).get(&reader, b"b", Effort::Disk);
        found
            .unwrap()
            .is_some_and(|entry| entry.state == State::Deleted)
    };
    let run = runs
        .iter()
        .find(|run| deletes(run))
        .expect("a run with the tombstone");
    let extent = run.extents[0];
    let place = extent.stamp.zone.0 as usize * ZONE as usize + extent.start as usize;
    let mut bytes = bytes_of(&drive.disk);
    bytes[place + 100] ^= 1;
    let damaged = of_bytes(&bytes);
    let survey = look(&damaged);
    let found = findings(&survey, Depth::Full);
    let [Finding::Block(gap)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(gap.keys.holds(b"a") && gap.keys.holds(b"b"));
    let saved = salvage(&survey);
    for key in [b"a", b"b", b"c"] {
        assert_eq!(
            saved.certain.get(&key[..]),
            None,
            "{key:?} may be older than it was"
        );
        assert_eq!(saved.uncertain.get(&key[..]).unwrap(), b"old");
    }
    assert!(matches!(saved.lost.as_slice(), [Loss::Keys(_)]));
}

#[test]
fn of_a_damaged_log_what_lies_behind_it_is_certain_and_what_lies_before_it_is_not() {
    let mut drive = Drive::plain();
    for (key, value) in [
        ("first", "1"),
        ("doomed", "2"),
        ("later", "3"),
        ("last", "4"),
    ] {
        let change = put(key.as_bytes(), value.as_bytes(), Expected::Any);
        let token = drive.submit(vec![change], Durability::WriteThrough);
        drive.finish(token).unwrap();
    }
    let mut bytes = bytes_of(&drive.disk);
    let needle = b"doomedvtag";
    let place = bytes.windows(needle.len()).rposition(|w| w == needle);
    bytes[place.unwrap()] ^= 1;
    let disk = of_bytes(&bytes);
    let opened = Store::open(Arc::<MemoryDisk>::clone(&disk), options(), entropy(2), None);
    assert!(opened.is_err());
    assert!(bytes_of(&disk) == bytes);
    let survey = look(&disk);
    let found = findings(&survey, Depth::Full);
    assert!(matches!(found.as_slice(), [Finding::Log(_)]), "{found:?}");
    let saved = salvage(&survey);
    let keys = |model: &Model| model.keys().map(|key| key.to_vec()).collect::<Vec<_>>();
    assert_eq!(keys(&saved.certain), [b"last".to_vec(), b"later".to_vec()]);
    assert_eq!(keys(&saved.uncertain), [b"first".to_vec()]);
    assert!(matches!(saved.lost.as_slice(), [Loss::Changes(_)]));
}

#[test]
fn nothing_of_a_drive_with_a_damaged_manifest_is_certain() {
    let (drive, model) = grown(3, Seal::Sealed);
    let mut bytes = bytes_of(&drive.disk);
    let frames: Vec<usize> = (0..bytes.len())
        .step_by(4096)
        .filter(|place| bytes[*place..].starts_with(b"KMAN"))
        .collect();
    bytes[frames[frames.len() - 2]] ^= 1;
    let survey = look(&of_bytes(&bytes));
    assert!(survey.damaged_manifest().is_some());
    let saved = salvage(&survey);
    assert!(saved.certain.is_empty());
    let kept = saved.uncertain.iter();
    let same = kept
        .filter(|(key, value)| model.get(*key) == Some(value))
        .count();
    assert!(same * 10 > model.len() * 5, "{same} of {}", model.len());
}

/// Whatever single bit flips: what is said to be certain is what an opened drive serves, and what
/// a drive that does not open any more had.
#[test]
fn no_flipped_bit_makes_anything_certain_that_is_not() {
    let (drive, model) = grown(4, Seal::Sealed);
    let sound = bytes_of(&drive.disk);
    let used: Vec<usize> = (0..sound.len())
        .step_by(512)
        .filter(|at| sound[*at..*at + 512].iter().any(|byte| *byte != 0))
        .collect();
    let mut choices = Choices(5);
    let mut damaged = 0;
    for _ in 0..120 {
        let sector = used[usize::try_from(choices.below(used.len() as u64)).unwrap()];
        let at = sector + usize::try_from(choices.below(512)).unwrap();
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << choices.below(8);
        let disk = of_bytes(&bytes);
        let Ok(survey) = Survey::of(Arc::<MemoryDisk>::clone(&disk), None) else {
            continue;
        };
        damaged += usize::from(!findings(&survey, Depth::Full).is_empty());
        let saved = salvage(&survey);
        drop(survey);
        let opened = Store::open(disk, options(), entropy(9), None);
        for (key, value) in &saved.certain {
            match &opened {
                Ok(store) => {
                    let served = store.get(key, Effort::Disk).map(|object| object.value);
                    assert_eq!(served.as_deref(), Ok(&value[..]), "byte {at}");
                }
                Err(_) => assert_eq!(model.get(key), Some(value), "byte {at}"),
            }
        }
    }
    assert!(damaged > 10, "{damaged} of 120 were noticed");
}

#[test]
fn a_lost_or_lagging_slot_is_written_again_from_the_other_one() {
    let (drive, model) = grown(6, Seal::Sealed);
    let sound = bytes_of(&drive.disk);
    assert!(mendable(&*drive.disk).unwrap().is_empty());
    // Superblocks, then settings, which stand behind them in zones this small.
    for at in [40, 32 * 1024 + 40, 4096 + 20, 32 * 1024 + 4096 + 20] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        let disk = of_bytes(&bytes);
        let survey = look(&disk);
        let found = findings(&survey, Depth::Quick);
        assert!(
            matches!(found.as_slice(), [Finding::Mendable(_)]),
            "{found:?}"
        );
        mend(&*disk).unwrap();
        assert!(findings(&look(&disk), Depth::Quick).is_empty());
        assert_eq!(salvage(&look(&disk)).certain, model);
    }
    let mut lagging = crate::layout::superblock::Superblock::read(&*drive.disk, Slot::First)
        .unwrap()
        .unwrap();
    lagging.sequence -= 1;
    lagging.boot -= 1;
    let mut block = lagging.encode();
    block.truncate(4096);
    let place = usize::try_from(Slot::of(lagging.sequence).position()).unwrap();
    let mut bytes = sound.clone();
    bytes[place..place + 4096].copy_from_slice(&block);
    let disk = of_bytes(&bytes);
    let mends = mendable(&*disk).unwrap();
    assert!(
        matches!(mends.as_slice(), [Mend::Superblock(..)]),
        "{mends:?}"
    );
    mend(&*disk).unwrap();
    assert!(mendable(&*disk).unwrap().is_empty());
}

#[test]
fn settings_that_are_lost_twice_are_found_and_not_made_up() {
    let (drive, _) = grown(7, Seal::Sealed);
    let mut bytes = bytes_of(&drive.disk);
    for at in [4096 + 20, 32 * 1024 + 4096 + 20] {
        bytes[at] ^= 1;
    }
    let disk = of_bytes(&bytes);
    let found = findings(&look(&disk), Depth::Quick);
    assert!(
        matches!(found.as_slice(), [Finding::Settings(_)]),
        "{found:?}"
    );
    mend(&*disk).unwrap();
    assert!(bytes_of(&disk) == bytes);
}

#[test]
fn a_drive_with_a_lock_pin_shows_its_slots_and_with_the_pin_all() {
    let (drive, model) = grown(8, Seal::Sealed);
    let kdf = Kdf {
        salt: [3; 16],
        rounds: 2,
    };
    let pin = Protection::Pin(kdf.key_of(b"1234"), kdf);
    drive.store.protect(pin).unwrap();
    let survey = look(&drive.disk);
    assert!(matches!(survey.hidden(), Some(Hidden::Locked)));
    assert!(survey.report().is_none() && survey.salvage().is_none());
    assert!(findings(&survey, Depth::Full).is_empty());
    assert_eq!(survey.superblock().uuid, [7; 16]);
    let with = |pin: PinKey| Survey::of(Arc::<MemoryDisk>::clone(&drive.disk), Some(&pin));
    let survey = with(kdf.key_of(b"1234")).unwrap();
    assert_eq!(salvage(&survey).certain, model);
    assert!(with(kdf.key_of(b"4321")).is_err());
}

#[test]
fn a_drive_whose_end_is_missing_is_saved_as_far_as_it_goes() {
    let (drive, model) = grown(9, Seal::Sealed);
    let bytes = bytes_of(&drive.disk);
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let survey = look(&of_bytes(&bytes[..=written]));
    assert!(matches!(
        findings(&survey, Depth::Full).as_slice(),
        [Finding::MissingEnd { .. }]
    ));
    assert_eq!(salvage(&survey).certain, model);
    let survey = look(&of_bytes(&bytes[..written * 2 / 3]));
    let saved = salvage(&survey);
    for (key, value) in &saved.certain {
        assert_eq!(model.get(key), Some(value));
    }
}

#[test]
fn a_drive_that_is_being_erased_says_so_and_does_not_grow() {
    let (drive, _) = grown(13, Seal::Sealed);
    let disk = of_bytes(&bytes_of(&drive.disk));
    let mut superblock = look(&disk).superblock().clone();
    superblock.state = DriveState::Erasing;
    superblock.sequence += 1;
    superblock.write(&*disk).unwrap();
    let survey = look(&disk);
    assert!(matches!(survey.hidden(), Some(Hidden::Erasing)));
    assert!(survey.salvage().is_none());
    // The slot that does not say so yet is the one that is written again.
    let mends = mendable(&*disk).unwrap();
    assert!(matches!(
        mends.as_slice(),
        [Mend::Superblock(_, Lost::Lagging)]
    ));
    mend(&*disk).unwrap();
    assert!(matches!(look(&disk).hidden(), Some(Hidden::Erasing)));
    let refused = grow(&*disk, 2 * disk.capacity()).unwrap_err();
    assert!(matches!(refused, GrowError::Erasing), "{refused}");
}
