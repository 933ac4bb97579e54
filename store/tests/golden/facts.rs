//! What is seen of a drive without opening it: the superblock, and what a survey counts.
//!
//! Guarantee: nothing is written. What is counted are facts of the bytes, which no later program
//! may see otherwise; what follows from how a program goes about its work is not here.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinetic_store::disk::Disk;
use kinetic_store::layout::zone_header::{ZoneHeader, ZoneKind};
use kinetic_store::limits::RUN_BLOCK_MAX;
use kinetic_store::manifest::journal;
use kinetic_store::run::{BlockCache, BlockReader, Finding, Run, RunCheck};
use kinetic_store::seal::Keys;
use kinetic_store::seal::wrap::{Owner, unwrap};
use kinetic_store::survey::{Depth, Report, Survey, Told};
use kinetic_store::{PinKey, SurveyError};
use serde_json::{Value, json};

use crate::image::hex;

/// What is seen of the drive on a disk.
pub(crate) fn facts(
    disk: &Arc<dyn Disk>,
    pin: Option<&PinKey>,
) -> Result<BTreeMap<String, Value>, SurveyError> {
    let survey = Survey::of(Arc::clone(disk), pin)?;
    let superblock = survey.superblock();
    let mut facts = vec![
        ("capacity", json!(superblock.capacity)),
        ("zone size", json!(superblock.geometry.zone_size)),
        ("zones", json!(superblock.geometry.zones)),
        ("uuid", json!(hex(&superblock.uuid))),
        ("drive", json!(superblock.drive)),
        ("seal", json!(superblock.seal as u8)),
        ("state", json!(superblock.state as u8)),
        ("sequence", json!(superblock.sequence)),
        ("boot", json!(superblock.boot)),
        ("manifest zone", json!(superblock.manifest.zone.0)),
        ("manifest epoch", json!(superblock.manifest.epoch)),
        ("first frame", json!(superblock.first_frame)),
        ("kind of wrapped key", json!(superblock.wrapped.kind)),
        ("findings", json!(findings(&survey))),
        ("settings sequences", json!(settings_sequences(&survey))),
    ];
    if let Some(report) = survey.report() {
        facts.extend(contents(&**disk, &survey, &report));
        let earlier = of_earlier_lives(disk, &survey, pin);
        facts.push(("entries of earlier lives of zones", json!(earlier)));
    }
    let named = facts.into_iter();
    Ok(named.map(|(name, fact)| (name.to_owned(), fact)).collect())
}

/// Things that are wrong with it.
fn findings(survey: &Survey) -> u64 {
    let mut findings = 0;
    let mut tell = |told: Told<'_>| {
        if let Told::Finding(_) = told {
            findings += 1;
        }
    };
    survey.check_outside(&mut tell);
    survey.check_contents(Depth::Full, &mut tell);
    findings
}

fn settings_sequences(survey: &Survey) -> Vec<Option<u64>> {
    let slots = survey.settings().map(|slot| slot.ok());
    slots.map(|slot| slot.map(|slot| slot.sequence)).to_vec()
}

fn contents(disk: &dyn Disk, survey: &Survey, report: &Report) -> Vec<(&'static str, Value)> {
    let zones: Vec<u64> = report.kinds.iter().map(|kind| kind.zones).collect();
    let live: Vec<u64> = report.kinds.iter().map(|kind| kind.live).collect();
    let runs: Vec<Value> = report
        .runs
        .iter()
        .map(|run| {
            json!({
                "run": run.id.0, "level": run.level, "height": run.height,
                "entries": run.entries, "tombstones": run.tombstones, "bytes": run.bytes,
                "last sequence number": run.max_seqno.0, "extents": run.extents.len(),
            })
        })
        .collect();
    let replay = &report.replay;
    vec![
        ("zones of log, cold, run, manifest", json!(zones)),
        ("live bytes in them", json!(live)),
        ("free zones", json!(report.free)),
        ("frames", json!(report.frames)),
        ("runs", json!(runs)),
        ("replay ordinal", json!(replay.ordinal)),
        ("replay offset", json!(replay.offset)),
        ("replay group", json!(replay.group)),
        ("replay sequence number", json!(replay.seqno.0)),
        ("groups behind it", json!(report.log.groups)),
        ("changes behind it", json!(report.log.changes)),
        ("moves behind it", json!(moves(disk, survey, report))),
    ]
}

/// Entries of the log whose values lie in cold zones.
fn moves(disk: &dyn Disk, survey: &Survey, report: &Report) -> usize {
    let geometry = survey.superblock().geometry;
    let entries = report.log.tables.iter().flat_map(|table| table.values());
    let values = entries.filter_map(|entry| entry.live());
    let is_cold = |zone| {
        let mut block = vec![0; 4096];
        let read = disk.read_at(geometry.start(zone), &mut block);
        let header = read.ok().and_then(|()| ZoneHeader::decode(&block));
        header.is_some_and(|header| header.kind == ZoneKind::Cold)
    };
    values.filter(|value| is_cold(value.location.zone)).count()
}

/// Entries of runs whose place is in use again: something newer hides them, and what lies there is
/// not theirs. `None` where there is no telling.
fn of_earlier_lives(disk: &Arc<dyn Disk>, survey: &Survey, pin: Option<&PinKey>) -> Option<usize> {
    let superblock = survey.superblock();
    let owner = Owner {
        uuid: superblock.uuid,
        seal: superblock.seal,
    };
    let key = unwrap(&superblock.wrapped, pin, &owner).ok()?;
    let keys = Arc::new(Keys::new(superblock.seal, &key));
    let state = journal::read(&**disk, superblock, &keys).ok()?.state;
    for info in state.zones.values() {
        keys.enter(info.stamp, &info.boot_salt);
    }
    let cache = Arc::new(BlockCache::of_blocks(RUN_BLOCK_MAX as u64));
    let reader = BlockReader::new(Arc::clone(disk), superblock.geometry, cache).with_keys(keys);
    let mut found = 0;
    for meta in &state.runs {
        let mut check = RunCheck::new(Arc::new(Run::new(meta.clone())));
        while let Finding::Sound(_) = check.step(&reader) {
            for (_, entry) in check.take_entries() {
                let zone = entry.live().map(|value| value.location.zone);
                let in_use = zone.is_some_and(|zone| state.zones.contains_key(&zone));
                found += usize::from(in_use && state.life_of(&entry).is_none());
            }
        }
    }
    Some(found)
}
