//! The cold zones: the one that is being filled, and up to which group of the log moves refer to
//! each.
//!
//! Guarantee: only a zone that this boot has allocated is written to. A zone counts as settled once
//! every move into it is in a run: then what the manifest says of it is all there is.
//! Not here: when a zone is allocated or freed (`worker`).

use std::collections::BTreeMap;

use super::choice::Contents;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::ZoneId;
use crate::limits::BLOCK32;
use crate::run::ZoneRoom;

/// Cold zones.
#[derive(Debug)]
pub struct ColdZones {
    room: Option<ZoneRoom>,
    /// Bytes of values in the zone that is being filled.
    values: u64,
    /// Of the zones of this boot, the last group with a move into each.
    last_groups: BTreeMap<ZoneId, u64>,
    /// Replay may have found moves into zones of earlier boots, up to this group.
    replayed: u64,
}

impl ColdZones {
    /// The cold zones of a boot that begins behind this group.
    #[must_use]
    pub fn new(replayed: u64) -> Self {
        Self {
            room: None,
            values: 0,
            last_groups: BTreeMap::new(),
            replayed,
        }
    }

    /// Continues in a fresh zone.
    pub fn give_room(&mut self, room: ZoneRoom) {
        self.last_groups.insert(room.stamp.zone, 0);
        self.room = Some(room);
        self.values = 0;
    }

    /// The room that is left in the zone that is being filled.
    pub fn room(&mut self) -> Option<&mut ZoneRoom> {
        self.room.as_mut()
    }

    /// Whether there is a zone that is being filled.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// So many bytes of values were written to the zone that is being filled.
    pub fn add(&mut self, values: u64) {
        self.values += values;
    }

    /// The zone that was being filled takes no more: what it is, and what was written to it.
    pub fn close(&mut self) -> Option<(ZoneStamp, Contents)> {
        let room = self.room.take()?;
        let used = u64::from(room.next.saturating_sub(BLOCK32));
        Some((room.stamp, Contents::of_cold(used, self.values)))
    }

    /// Moves into the zone that is being filled are in this group.
    pub fn logged(&mut self, group: u64) {
        if let Some(room) = &self.room {
            self.last_groups.insert(room.stamp.zone, group);
        }
    }

    /// Whether the zone is being filled.
    #[must_use]
    pub fn is_open(&self, zone: ZoneId) -> bool {
        self.room.is_some_and(|room| room.stamp.zone == zone)
    }

    /// Whether only runs refer to it, where runs hold all groups before `replay`.
    #[must_use]
    pub fn is_settled(&self, zone: ZoneId, replay: u64) -> bool {
        let last = self.last_groups.get(&zone).unwrap_or(&self.replayed);
        !self.is_open(zone) && *last < replay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_settled_once_its_moves_are_in_runs_and_it_takes_no_more() {
        let mut cold = ColdZones::new(7);
        assert!(!cold.is_settled(ZoneId(1), 7), "of an earlier boot");
        assert!(cold.is_settled(ZoneId(1), 8));
        let stamp = ZoneStamp {
            zone: ZoneId(2),
            ..ZoneStamp::default()
        };
        cold.give_room(ZoneRoom {
            stamp,
            next: 0,
            end: 1,
        });
        cold.logged(9);
        assert!(!cold.is_settled(ZoneId(2), 20), "it is being filled");
        assert_eq!(cold.close(), Some((stamp, Contents::default())));
        assert!(!cold.is_settled(ZoneId(2), 9));
        assert!(cold.is_settled(ZoneId(2), 10));
    }
}
