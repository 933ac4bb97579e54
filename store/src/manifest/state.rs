//! What all edits of the manifest add up to.
//!
//! Guarantee: applying the edits of [`ManifestState::snapshot`] to an empty state gives the same
//! state. An edit that contradicts the state is refused, since it means a damaged manifest.
//! Not here: what is only known in memory (open rooms, zones waiting for readers: `upkeep::space`).

use std::collections::BTreeMap;

use thiserror::Error;

use super::edit::{Counters, Edit, ReplayPoint, ZoneInfo};
use crate::entry::Entry;
use crate::layout::geometry::ZoneId;
use crate::layout::zone_header::ZoneKind;
use crate::run::RunMeta;

/// The drive's bookkeeping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManifestState {
    /// Zones in use.
    pub zones: BTreeMap<ZoneId, ZoneInfo>,
    /// Live runs, newest first.
    pub runs: Vec<RunMeta>,
    /// Where replay starts.
    pub replay: ReplayPoint,
    /// The next numbers.
    pub counters: Counters,
}

/// An edit that cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// A zone is freed or counted that is not in use.
    #[error("the manifest speaks of zone {0}, which is not in use")]
    UnknownZone(u32),
    /// A run is removed that is not live.
    #[error("the manifest removes run {0}, which is not live")]
    UnknownRun(u64),
    /// All of it together does not fit one zone; the geometry should not allow that.
    #[error("the manifest does not fit one zone any more")]
    SnapshotTooLarge,
    /// A zone's live bytes would fall below zero.
    #[error("the manifest takes more live bytes from zone {0} than it has")]
    NegativeLive(u32),
}

impl ManifestState {
    /// Applies one edit.
    pub fn apply(&mut self, edit: &Edit) -> Result<(), Contradiction> {
        match edit {
            Edit::Zone(info) => {
                self.zones.insert(info.stamp.zone, *info);
            }
            Edit::Free(zone) => {
                self.zones
                    .remove(zone)
                    .ok_or(Contradiction::UnknownZone(zone.0))?;
            }
            Edit::AddRun(place, meta) => {
                let place = usize::try_from(*place)
                    .unwrap_or(usize::MAX)
                    .min(self.runs.len());
                self.runs.insert(place, meta.clone());
            }
            Edit::RemoveRun(run) => {
                let place = self.runs.iter().position(|meta| meta.id == *run);
                self.runs
                    .remove(place.ok_or(Contradiction::UnknownRun(run.0))?);
            }
            Edit::Replay(point) => self.replay = *point,
            Edit::Live(zone, change) => {
                let info = self
                    .zones
                    .get_mut(zone)
                    .ok_or(Contradiction::UnknownZone(zone.0))?;
                let live = info.live.checked_add_signed(*change);
                info.live = live.ok_or(Contradiction::NegativeLive(zone.0))?;
            }
            Edit::Counters(counters) => self.counters = *counters,
        }
        Ok(())
    }

    /// The edits that make this state from nothing.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Edit> {
        let zones = self.zones.values().map(|info| Edit::Zone(*info));
        let runs = self
            .runs
            .iter()
            .zip(0..)
            .map(|(meta, place)| Edit::AddRun(place, meta.clone()));
        zones
            .chain(runs)
            .chain([Edit::Replay(self.replay), Edit::Counters(self.counters)])
            .collect()
    }

    /// Log zones from the replay point on, in the order in which they were written.
    #[must_use]
    pub fn replay_zones(&self) -> Vec<ZoneInfo> {
        let mut zones: Vec<ZoneInfo> = self
            .zones
            .values()
            .filter(|info| info.kind == ZoneKind::Log && !self.is_before_replay(info))
            .copied()
            .collect();
        zones.sort_by_key(|info| info.ordinal);
        zones
    }

    /// Whether a live run has blocks in `zone`.
    #[must_use]
    pub fn holds_run(&self, zone: ZoneId) -> bool {
        self.runs
            .iter()
            .any(|run| run.extents.iter().any(|extent| extent.stamp.zone == zone))
    }

    /// The life of a zone, by its epoch, that keeps the value of this entry; `None` where that life
    /// is over. Then the entry is hidden by a newer one.
    #[must_use]
    pub fn life_of(&self, entry: &Entry) -> Option<(ZoneId, u64)> {
        let zone = entry.live()?.location.zone;
        let info = self.zones.get(&zone)?;
        let holds_values = matches!(info.kind, ZoneKind::Log | ZoneKind::Cold);
        (holds_values && entry.seqno >= info.born).then_some((zone, info.stamp.epoch))
    }

    /// Whether a log zone lies wholly before the replay point: runs hold all that it held.
    #[must_use]
    pub fn is_before_replay(&self, info: &ZoneInfo) -> bool {
        info.kind == ZoneKind::Log && info.ordinal < self.replay.ordinal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Seqno;
    use crate::layout::checksum::ZoneStamp;

    fn log_zone(zone: u32, ordinal: u64, live: u64) -> ZoneInfo {
        let stamp = ZoneStamp {
            drive: 1,
            zone: ZoneId(zone),
            epoch: ordinal,
            salt: 0,
        };
        ZoneInfo {
            kind: ZoneKind::Log,
            stamp,
            boot: 1,
            boot_salt: [0; 16],
            ordinal,
            end: None,
            live,
            born: Seqno(0),
        }
    }

    fn sample() -> ManifestState {
        let mut state = ManifestState::default();
        for edit in [
            Edit::Zone(log_zone(5, 1, 0)),
            Edit::Zone(log_zone(4, 2, 10)),
            Edit::Zone(log_zone(3, 3, 0)),
            Edit::Live(ZoneId(4), -3),
            Edit::Replay(ReplayPoint {
                ordinal: 3,
                offset: 9,
                group: 8,
                seqno: Seqno(7),
            }),
            Edit::Counters(Counters {
                next_epoch: 4,
                next_run: 1,
                next_ordinal: 4,
            }),
        ] {
            state.apply(&edit).unwrap();
        }
        state
    }

    #[test]
    fn a_snapshot_makes_the_same_state_again() {
        let state = sample();
        let mut again = ManifestState::default();
        state
            .snapshot()
            .iter()
            .for_each(|edit| again.apply(edit).unwrap());
        assert_eq!(again, state);
    }

    #[test]
    fn only_unreferenced_zones_before_the_replay_point_are_dead() {
        let state = sample();
        let zones = state.zones.values();
        let dead = zones.filter(|info| info.live == 0 && state.is_before_replay(info));
        let dead: Vec<ZoneId> = dead.map(|info| info.stamp.zone).collect();
        assert_eq!(dead, [ZoneId(5)]);
        let ordinals: Vec<u64> = sample()
            .replay_zones()
            .iter()
            .map(|info| info.ordinal)
            .collect();
        assert_eq!(ordinals, [3]);
    }

    #[test]
    fn edits_that_cannot_be_true_are_refused() {
        let mut state = sample();
        let refused = state.apply(&Edit::Free(ZoneId(60)));
        assert_eq!(refused, Err(Contradiction::UnknownZone(60)));
        let refused = state.apply(&Edit::Live(ZoneId(4), -8));
        assert_eq!(refused, Err(Contradiction::NegativeLive(4)));
        let refused = state.apply(&Edit::RemoveRun(crate::run::RunId(1)));
        assert_eq!(refused, Err(Contradiction::UnknownRun(1)));
    }
}
