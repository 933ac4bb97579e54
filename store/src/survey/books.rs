//! The manifest against itself: what can be wrong though every frame verifies.
//!
//! Guarantee: where nothing is found, every zone in use lies on the drive and has a life of its
//! own, no place belongs to two runs, and numbers that are given out once were given out once.
//! Not here: live bytes against what runs refer to (`check`).

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::layout::superblock::Superblock;
use crate::layout::zone_header::ZoneKind;
use crate::limits::BLOCK32;
use crate::manifest::edit::ZoneInfo;
use crate::manifest::state::ManifestState;
use crate::run::{Extent, RunMeta};

/// Something that a manifest must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ZoneFault {
    /// The zone is not on the drive.
    #[error("zone {zone} is in use, and the drive has no such zone")]
    NoSuchZone {
        /// The zone.
        zone: u32,
    },
    /// Its contents end where no contents can.
    #[error("zone {zone} ends at {end}, outside itself")]
    End {
        /// The zone.
        zone: u32,
        /// Where it ends.
        end: u32,
    },
    /// Two zones have one life, under which nonces would come twice.
    #[error("zones {zone} and {other} have the same epoch {epoch}")]
    SharedEpoch {
        /// A zone.
        zone: u32,
        /// The other one.
        other: u32,
        /// Their epoch.
        epoch: u64,
    },
    /// Two log zones have one place in the order of writing.
    #[error("log zones {zone} and {other} have the same ordinal {ordinal}")]
    SharedOrdinal {
        /// A zone.
        zone: u32,
        /// The other one.
        other: u32,
        /// Their ordinal.
        ordinal: u64,
    },
    /// A number was given out that is still to be given out.
    #[error("zone {zone} has a number that would be given out again")]
    Counter {
        /// The zone.
        zone: u32,
    },
    /// A zone without values has live ones.
    #[error("zone {zone} holds no values, and {live} bytes of values in it are counted as live")]
    LiveWithoutValues {
        /// The zone.
        zone: u32,
        /// What is counted.
        live: u64,
    },
    /// The manifest lies in a zone that it does not know as its own.
    #[error("zone {zone}, in which the manifest lies, is not in use for it")]
    Manifest {
        /// The zone.
        zone: u32,
    },
    /// A run lies where no run is.
    #[error("run {run} lies in zone {zone}, which is not in use for runs in this life")]
    RunElsewhere {
        /// The run.
        run: u64,
        /// The zone.
        zone: u32,
    },
    /// A part of a run lies outside its zone.
    #[error("run {run} lies outside the bounds of zone {zone}")]
    RunOutside {
        /// The run.
        run: u64,
        /// The zone.
        zone: u32,
    },
    /// Two runs lie in one place.
    #[error("runs {run} and {other} lie in the same place of zone {zone}")]
    Overlap {
        /// A run.
        run: u64,
        /// The other one, or the same.
        other: u64,
        /// The zone.
        zone: u32,
    },
    /// A run is listed twice, or has a number that is still to be given out.
    #[error("run {run} has a number that another one has or would get")]
    RunNumber {
        /// The run.
        run: u64,
    },
}

/// All that is wrong with a manifest.
#[must_use]
pub fn faults(state: &ManifestState, superblock: &Superblock) -> Vec<ZoneFault> {
    let mut faults = Vec::new();
    let (mut epochs, mut ordinals) = (BTreeMap::new(), BTreeMap::new());
    for info in state.zones.values() {
        zone(info, (state, superblock), &mut faults);
        let zone = info.stamp.zone.0;
        let epoch = info.stamp.epoch;
        if let Some(other) = epochs.insert(epoch, zone) {
            faults.push(ZoneFault::SharedEpoch { zone, other, epoch });
        }
        let ordinal = info.ordinal;
        if info.kind == ZoneKind::Log
            && let Some(other) = ordinals.insert(ordinal, zone)
        {
            faults.push(ZoneFault::SharedOrdinal {
                zone,
                other,
                ordinal,
            });
        }
    }
    let own = state.zones.get(&superblock.manifest.zone);
    if own.is_none_or(|i| i.kind != ZoneKind::Manifest || i.stamp != superblock.manifest) {
        let zone = superblock.manifest.zone.0;
        faults.push(ZoneFault::Manifest { zone });
    }
    runs(state, superblock, &mut faults);
    faults
}

fn zone(
    info: &ZoneInfo,
    (state, superblock): (&ManifestState, &Superblock),
    faults: &mut Vec<ZoneFault>,
) {
    let zone = info.stamp.zone.0;
    let geometry = &superblock.geometry;
    if zone == 0 || zone >= geometry.zones {
        faults.push(ZoneFault::NoSuchZone { zone });
    }
    if let Some(end) = info
        .end
        .filter(|end| !(BLOCK32..=geometry.zone_size).contains(end))
    {
        faults.push(ZoneFault::End { zone, end });
    }
    let counters = &state.counters;
    let is_log = info.kind == ZoneKind::Log;
    if info.stamp.epoch >= counters.next_epoch || (is_log && info.ordinal >= counters.next_ordinal)
    {
        faults.push(ZoneFault::Counter { zone });
    }
    let has_values = matches!(info.kind, ZoneKind::Log | ZoneKind::Cold);
    let live = info.live;
    if live > 0 && !has_values {
        faults.push(ZoneFault::LiveWithoutValues { zone, live });
    }
}

fn runs(state: &ManifestState, superblock: &Superblock, faults: &mut Vec<ZoneFault>) {
    let mut numbers = BTreeSet::new();
    let mut places: Vec<(Extent, u64)> = Vec::new();
    for RunMeta { id, extents, .. } in &state.runs {
        let run = id.0;
        if !numbers.insert(run) || run >= state.counters.next_run {
            faults.push(ZoneFault::RunNumber { run });
        }
        for extent in extents {
            let zone = extent.stamp.zone.0;
            let info = state.zones.get(&extent.stamp.zone);
            if info.is_none_or(|i| i.kind != ZoneKind::Run || i.stamp != extent.stamp) {
                faults.push(ZoneFault::RunElsewhere { run, zone });
            }
            let bound = info.and_then(|info| info.end);
            let bound = bound.unwrap_or(superblock.geometry.zone_size);
            if extent.start < BLOCK32 || extent.start > extent.end || extent.end > bound {
                faults.push(ZoneFault::RunOutside { run, zone });
            }
            places.push((*extent, run));
        }
    }
    places.sort_by_key(|(extent, _)| (extent.stamp.zone, extent.start));
    for ((extent, run), (behind, other)) in places.iter().zip(places.iter().skip(1)) {
        if extent.stamp.zone == behind.stamp.zone && behind.start < extent.end {
            faults.push(ZoneFault::Overlap {
                run: *run,
                other: *other,
                zone: extent.stamp.zone.0,
            });
        }
    }
}
