//! Figures of a drive: what `kinetic drive inspect` shows.
//!
//! Guarantee: what a locked drive, or one with a damaged manifest, does not show is absent, never
//! guessed. Of a zone that takes more writes, what was written is known only where replay reads it;
//! any other one counts as whole.
//! Not here: whether what is counted is sound (`check`).

use std::collections::BTreeMap;

use super::log::Stretches;
use super::look::{Contents, Survey};
use crate::engine::config::{Options, Reserve};
use crate::layout::geometry::ZoneId;
use crate::layout::zone_header::ZoneKind;
use crate::limits::BLOCK;
use crate::manifest::edit::{ReplayPoint, ZoneInfo};
use crate::manifest::state::ManifestState;
use crate::run::RunMeta;

/// What is on an unlocked drive.
#[derive(Debug)]
pub struct Report {
    /// Zones in use, by kind.
    pub kinds: Vec<KindReport>,
    /// Live runs, newest first.
    pub runs: Vec<RunMeta>,
    /// Where replay starts.
    pub replay: ReplayPoint,
    /// The log behind it.
    pub log: Stretches,
    /// Free zones.
    pub free: u64,
    /// Zones that are kept back.
    pub reserve: Reserve,
    /// Frames of the manifest.
    pub frames: u64,
}

/// Zones of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindReport {
    /// The kind.
    pub kind: ZoneKind,
    /// Zones of it.
    pub zones: u64,
    /// Bytes that were written to them.
    pub written: u64,
    /// Bytes of values in them that runs refer to.
    pub live: u64,
}

impl Survey {
    /// The figures; `None` where the contents are hidden.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let contents = self.contents.as_ref().ok()?;
        let state = &contents.remains.state;
        let log = self.log(contents);
        let geometry = &self.superblock.geometry;
        let used = u64::try_from(state.zones.len()).unwrap_or(u64::MAX);
        let index = state.runs.iter().map(|run| run.bytes).sum();
        let options = Options::default().fitted(geometry);
        Some(Report {
            kinds: self.kinds(contents, &log),
            runs: state.runs.clone(),
            replay: state.replay,
            free: u64::from(geometry.zones).saturating_sub(1 + used),
            reserve: Reserve::of(geometry, &options, index),
            frames: contents.remains.frames,
            log,
        })
    }

    fn kinds(&self, contents: &Contents, log: &Stretches) -> Vec<KindReport> {
        let state = &contents.remains.state;
        let run_ends = run_ends(state);
        let written = |zone: ZoneId, info: &ZoneInfo| match (info.kind, info.end) {
            (ZoneKind::Manifest, _) if zone == self.superblock.manifest.zone => {
                contents.remains.end
            }
            (ZoneKind::Run, _) => run_ends.get(&zone).copied().unwrap_or_default(),
            (_, Some(end)) => end,
            (ZoneKind::Log, None) if info.ordinal >= state.replay.ordinal => {
                log.ends.get(&zone.0).copied().unwrap_or_default()
            }
            (_, None) => self.superblock.geometry.zone_size,
        };
        let kinds = [
            ZoneKind::Log,
            ZoneKind::Cold,
            ZoneKind::Run,
            ZoneKind::Manifest,
        ];
        let report = |kind| {
            let mut report = KindReport {
                kind,
                zones: 0,
                written: 0,
                live: 0,
            };
            for (zone, info) in state.zones.iter().filter(|(_, info)| info.kind == kind) {
                report.zones += 1;
                report.written += u64::from(written(*zone, info)).saturating_sub(BLOCK);
                report.live += info.live;
            }
            report
        };
        kinds.map(report).to_vec()
    }
}

/// Where the blocks of runs end in each zone.
fn run_ends(state: &ManifestState) -> BTreeMap<ZoneId, u32> {
    let mut ends = BTreeMap::new();
    for extent in state.runs.iter().flat_map(|run| &run.extents) {
        let end = ends.entry(extent.stamp.zone).or_insert(0);
        *end = extent.end.max(*end);
    }
    ends
}
