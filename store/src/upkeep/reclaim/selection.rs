//! The zone that is emptied next: where room is short, and where somebody asks for more of it.
//!
//! Guarantee: what was asked for ends: each zone that was there by then is tried once on average,
//! and zones of later do not count.
//! Not here: what a zone is worth (`choice`).

use super::choice::{Choice, Pressure, Terms};
use super::cold::ColdZones;
use super::outlook::Outlook;
use crate::layout::zone_header::ZoneKind;
use crate::manifest::edit::ZoneInfo;
use crate::manifest::state::ManifestState;

/// What reclaim looks for.
#[derive(Debug, Default)]
pub struct Selection {
    /// What is known of zones.
    pub choice: Choice,
    /// The zone that comes next, as of the last change of the manifest.
    pub candidate: Option<ZoneInfo>,
    demand: Option<Demand>,
}

/// What was asked for: that zones be emptied which were there by then.
#[derive(Debug, Clone, Copy)]
struct Demand {
    /// They have smaller epochs.
    before: u64,
    /// Attempts that are left; there is one for each of them.
    left: usize,
}

impl Demand {
    fn covers(self, info: &ZoneInfo) -> bool {
        self.left > 0 && info.stamp.epoch < self.before
    }
}

impl Selection {
    /// Looks for zones from now on although nobody needs room, until none is left that is worth it.
    pub fn ask(&mut self, outlook: &Outlook<'_>) {
        self.demand = Some(Demand {
            before: outlook.state.counters.next_epoch,
            left: outlook.state.zones.len(),
        });
    }

    /// Whether it does so.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.demand.is_some()
    }

    /// Does so no more.
    pub fn dismiss(&mut self) {
        self.demand = None;
    }

    /// Chooses the zone that comes next among those that may be emptied, after something has
    /// changed.
    pub fn review<'a>(&mut self, zones: impl Iterator<Item = &'a ZoneInfo>, outlook: &Outlook<'_>) {
        let terms = outlook.terms();
        self.candidate = match self.demand {
            _ if outlook.is_short() => self.choice.best(zones, &terms),
            Some(demand) => {
                let asked = zones.filter(|info| demand.covers(info));
                self.choice.best(asked, &terms)
            }
            None => None,
        };
    }

    /// Whether none of these zones is to be emptied only because somebody asked for it.
    #[must_use]
    pub fn has_met_demand<'a>(
        &self,
        zones: impl Iterator<Item = &'a ZoneInfo>,
        outlook: &Outlook<'_>,
    ) -> bool {
        let terms = Terms {
            pressure: Pressure::Asked,
            ..outlook.terms()
        };
        self.demand.is_none_or(|demand| {
            let asked = zones.filter(|info| demand.covers(info));
            self.choice.best(asked, &terms).is_none()
        })
    }

    /// This zone is being emptied.
    pub fn take(&mut self, info: &ZoneInfo) {
        if let Some(demand) = &mut self.demand {
            demand.left -= usize::from(demand.covers(info));
        }
    }
}

/// Whether a zone of values takes no more writes and only runs refer to it.
#[must_use]
pub fn is_settled(cold: &ColdZones, info: &ZoneInfo, state: &ManifestState) -> bool {
    match info.kind {
        ZoneKind::Log => state.is_before_replay(info),
        ZoneKind::Cold => cold.is_settled(info.stamp.zone, state.replay.group),
        ZoneKind::Run | ZoneKind::Manifest => false,
    }
}

/// Zones that may be emptied, and were not yet in this round.
pub fn candidates<'a>(
    (cold, emptied): (&'a ColdZones, &'a [ZoneInfo]),
    state: &'a ManifestState,
) -> impl Iterator<Item = &'a ZoneInfo> {
    let zones = state.zones.values();
    let zones = zones.filter(move |info| is_settled(cold, info, state));
    zones.filter(move |info| !emptied.iter().any(|old| old.stamp == info.stamp))
}
