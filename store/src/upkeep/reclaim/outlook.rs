//! What reclaim sees of the rest of upkeep.
//!
//! Guarantee: as of the last durable change of the manifest.

use super::choice::{Pressure, Terms};
use crate::engine::config::Reserve;
use crate::engine::shared::Shared;
use crate::limits::{BLOCK, HIDDEN_SHARE};
use crate::manifest::state::ManifestState;

/// What reclaim sees of the rest of upkeep.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    /// What the manifest says.
    pub state: &'a ManifestState,
    /// Zones that are kept back.
    pub reserve: Reserve,
    /// Zones that are free.
    pub free: usize,
    /// Bytes of a zone.
    pub zone_size: u32,
    /// Microseconds of any steady clock.
    pub now: u64,
}

impl<'a> Outlook<'a> {
    /// What there is to see.
    #[must_use]
    pub fn new(
        state: &'a ManifestState,
        (reserve, free): (Reserve, usize),
        shared: &Shared,
        now: u64,
    ) -> Self {
        Self {
            state,
            reserve,
            free,
            zone_size: shared.geometry.zone_size,
            now,
        }
    }

    /// Whether commits wait for room.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.free <= self.reserve.put
    }

    /// Whether so few zones are free that reclaim begins by itself.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.free < self.reserve.low
    }

    /// What a choice depends on.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let pressure = if self.is_pressed() {
            Pressure::Pressed
        } else if self.is_short() {
            Pressure::Relaxed
        } else {
            Pressure::Asked
        };
        Terms {
            room: u64::from(self.zone_size) - BLOCK,
            next_epoch: self.state.counters.next_epoch,
            free: self.free,
            pressure,
        }
    }

    /// Whether so many keys have entries in several runs, at most, that merging all of them pays by
    /// what it tells of dead values.
    #[must_use]
    pub fn hides_much(&self) -> bool {
        let entries = self.state.runs.iter().map(|run| run.entries);
        let oldest = self.state.runs.last().map_or(0, |run| run.entries);
        entries.sum::<u64>() - oldest >= oldest / HIDDEN_SHARE && self.state.runs.len() > 1
    }

    /// Whether a flush would show what lives in finished zones of the log, or a merge what is
    /// hidden.
    #[must_use]
    pub fn is_squeezable(&self, shared: &Shared) -> bool {
        let unflushed = self.state.replay_zones().len();
        let ready = shared.progress().ready.len();
        let log = unflushed > ready + 1 && !shared.view().active.is_empty();
        log || self.state.runs.len() > 1
    }
}
