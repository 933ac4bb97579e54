//! The bookkeeping: what a manifest must not say though every frame of it verifies.

use super::*;
use crate::layout::geometry::{Location, ZoneId};
use crate::layout::zone_header::ZoneKind;
use crate::manifest::edit::{Counters, Edit, ZoneInfo};
use crate::manifest::state::ManifestState;
use crate::manifest::{frame, journal};
use crate::open::slots;
use crate::run::RunId;
use crate::seal::{Cipher, DataKey, Keys, Spot};
use crate::survey::ZoneFault;

/// What the manifest of a drive that is not sealed says.
fn manifest_of(disk: &MemoryDisk) -> journal::ReadBack {
    let superblock = slots::choose(disk).unwrap();
    let key = DataKey::new(zeroize::Zeroizing::new([0; 32]));
    journal::read(disk, &superblock, &Keys::new(Seal::Plain, &key)).unwrap()
}

/// Appends a frame with these edits to the manifest of a drive that is not sealed.
fn say(disk: &MemoryDisk, edits: &[Edit]) {
    let superblock = slots::choose(disk).unwrap();
    let found = manifest_of(disk);
    let last = &found.last;
    let offset = last.location.offset + u32::try_from(last.bytes.len()).unwrap();
    let offset = offset.next_multiple_of(4096);
    let spot = Spot {
        cipher: &Cipher::default(),
        stamp: &superblock.manifest,
        offset,
    };
    let bytes = frame::encode(superblock.manifest_boot, found.next_number, edits, &spot);
    let zone = superblock.manifest.zone;
    let position = superblock.geometry.position(Location { zone, offset });
    disk.write_at(position, &[std::io::IoSlice::new(&bytes)])
        .unwrap();
}

fn zone_of(state: &ManifestState, kind: ZoneKind) -> ZoneInfo {
    let infos = state.zones.values();
    let mut infos =
        infos.filter(|info| info.kind == kind && (kind != ZoneKind::Log || info.live > 0));
    *infos.next().expect("a zone of this kind")
}

/// Whether a fault is the one that is meant.
type IsMeant = fn(&ZoneFault) -> bool;

/// Every fault of the bookkeeping, by an edit that makes it.
fn contradictions(state: &ManifestState) -> Vec<(Edit, IsMeant)> {
    let log = zone_of(state, ZoneKind::Log);
    let run = zone_of(state, ZoneKind::Run);
    let manifest = zone_of(state, ZoneKind::Manifest);
    let zone = |change: &dyn Fn(&mut ZoneInfo), mut info: ZoneInfo| {
        change(&mut info);
        Edit::Zone(info)
    };
    let mut outside = state.runs[0].clone();
    outside.id = RunId(state.counters.next_run - 1);
    outside.extents[0].start = 0;
    let counters = Counters {
        next_epoch: 1,
        ..state.counters
    };
    vec![
        (zone(&|i| i.stamp.zone = ZoneId(9999), log), |fault| {
            matches!(fault, ZoneFault::NoSuchZone { zone: 9999 })
        }),
        (zone(&|i| i.end = Some(7), log), |fault| {
            matches!(fault, ZoneFault::End { end: 7, .. })
        }),
        (zone(&|i| i.stamp.epoch = run.stamp.epoch, log), |fault| {
            matches!(fault, ZoneFault::SharedEpoch { .. })
        }),
        (zone(&|i| i.stamp.zone = ZoneId(400), log), |fault| {
            matches!(fault, ZoneFault::SharedOrdinal { .. })
        }),
        (Edit::Counters(counters), |fault| {
            matches!(fault, ZoneFault::Counter { .. })
        }),
        (zone(&|i| i.live = 5, run), |fault| {
            matches!(fault, ZoneFault::LiveWithoutValues { live: 5, .. })
        }),
        (Edit::Free(manifest.stamp.zone), |fault| {
            matches!(fault, ZoneFault::Manifest { .. })
        }),
        (zone(&|i| i.stamp.salt ^= 1, run), |fault| {
            matches!(fault, ZoneFault::RunElsewhere { .. })
        }),
        (Edit::AddRun(0, outside.clone()), |fault| {
            matches!(fault, ZoneFault::RunOutside { .. })
        }),
        (Edit::AddRun(0, state.runs[0].clone()), |fault| {
            matches!(fault, ZoneFault::Overlap { .. })
        }),
        (Edit::AddRun(0, state.runs[0].clone()), |fault| {
            matches!(fault, ZoneFault::RunNumber { .. })
        }),
    ]
}

#[test]
fn every_contradiction_of_the_bookkeeping_is_found() {
    let (drive, _) = grown(10, Seal::Plain);
    let sound = bytes_of(&drive.disk);
    for (edit, is_found) in contradictions(&manifest_of(&drive.disk).state) {
        let disk = of_bytes(&sound);
        say(&disk, std::slice::from_ref(&edit));
        let found = findings(&look(&disk), Depth::Quick);
        let hit = found.iter().any(|finding| match finding {
            Finding::Books(fault) => is_found(fault),
            _ => false,
        });
        assert!(hit, "{edit:?} gives {found:?}");
    }
}

#[test]
fn live_bytes_counts_and_places_of_values_are_held_against_the_runs() {
    let (drive, model) = grown(11, Seal::Plain);
    let sound = bytes_of(&drive.disk);
    let state = manifest_of(&drive.disk).state;
    let log = zone_of(&state, ZoneKind::Log);
    let after = |edits: &[Edit]| {
        let disk = of_bytes(&sound);
        say(&disk, edits);
        findings(&look(&disk), Depth::Full)
    };
    let found = after(&[Edit::Live(log.stamp.zone, 5)]);
    let [
        Finding::Live {
            zone,
            accounted,
            scanned,
        },
    ] = found.as_slice()
    else {
        panic!("{found:?}");
    };
    assert_eq!((*zone, *accounted), (log.stamp.zone.0, scanned + 5));

    let mut run = state.runs[0].clone();
    run.entries += 1;
    let found = after(&[Edit::RemoveRun(run.id), Edit::AddRun(0, run)]);
    assert!(
        matches!(found.as_slice(), [Finding::Counts(_)]),
        "{found:?}"
    );

    let sealed = ZoneInfo {
        end: Some(4096),
        ..log
    };
    let found = after(&[Edit::Zone(sealed)]);
    let misplaced = found.iter().filter_map(|finding| match finding {
        Finding::Value { key, damage, .. } => Some((key, *damage)),
        _ => None,
    });
    let misplaced: Vec<_> = misplaced.collect();
    assert!(!misplaced.is_empty(), "{found:?}");
    for (key, damage) in misplaced {
        assert_eq!(damage, Damage::Misplaced);
        assert!(model.contains_key(key));
    }
}

#[test]
fn a_rotten_filter_is_told_and_hides_nothing() {
    let (drive, model) = grown(12, Seal::Sealed);
    let survey = look(&drive.disk);
    let runs = survey.report().unwrap().runs;
    let filter = runs
        .iter()
        .map(|run| run.root_filter)
        .find(|filter| !filter.is_none());
    let filter = filter.expect("a run with a filter");
    let place = survey.superblock().geometry.position(filter.location) + 50;
    let mut bytes = bytes_of(&drive.disk);
    bytes[usize::try_from(place).unwrap()] ^= 1;
    let survey = look(&of_bytes(&bytes));
    let found = findings(&survey, Depth::Full);
    assert!(
        matches!(found.as_slice(), [Finding::Filter(..)]),
        "{found:?}"
    );
    assert_eq!(salvage(&survey).certain, model);
}
