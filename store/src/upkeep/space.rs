//! Which zones are free.
//!
//! Guarantee: a zone is given out only when the manifest that freed it is on the disk and every
//! view that was replaced before is gone, so that no read can still look into it.
//! Not here: what zones hold (`manifest::state`).

use std::collections::BTreeSet;
use std::sync::Weak;

use crate::index::view::View;
use crate::layout::geometry::{Geometry, ZoneId};
use crate::manifest::state::ManifestState;

/// Free zones, and zones that readers may still look into.
#[derive(Debug)]
pub struct Space {
    free: BTreeSet<ZoneId>,
    condemned: Vec<(ZoneId, Vec<Weak<View>>)>,
}

impl Space {
    /// Every zone that neither the manifest names nor the manifest lies in.
    #[must_use]
    pub fn new(geometry: &Geometry, state: &ManifestState) -> Self {
        let free = (1..geometry.zones)
            .map(ZoneId)
            .filter(|zone| !state.zones.contains_key(zone))
            .collect();
        Self {
            free,
            condemned: Vec::new(),
        }
    }

    /// Takes a free zone; the lowest, since zones that were written before sync faster.
    pub fn take(&mut self) -> Option<ZoneId> {
        self.free.pop_first()
    }

    /// The zone is free once these views are gone.
    pub fn condemn(&mut self, zone: ZoneId, views: Vec<Weak<View>>) {
        self.condemned.push((zone, views));
    }

    /// Frees zones whose last readers are gone.
    pub fn release(&mut self) {
        let free = &mut self.free;
        self.condemned.retain(|(zone, views)| {
            let held = views.iter().any(|view| view.strong_count() > 0);
            if !held {
                free.insert(*zone);
            }
            held
        });
    }

    /// Zones that can be taken, and such that soon can.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len() + self.condemned.len()
    }

    /// Zones that can be taken now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }
}
