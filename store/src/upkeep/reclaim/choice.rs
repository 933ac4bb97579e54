//! Which zone is worth emptying.
//!
//! Guarantee: a zone is chosen by what copying its live values would take and give, weighed with
//! its age; one that would give nothing is never chosen, and one that could not be emptied not
//! again before something about it has changed.
//! Not here: which zones may be chosen at all (`round`).

use std::collections::BTreeMap;

use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::ZoneId;
use crate::limits::{WORTH_PARTS, WORTH_PARTS_ASKED, WORTH_PARTS_PRESSED};
use crate::manifest::edit::ZoneInfo;

/// How much a zone has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Nobody needs room, but somebody asks for it: only what gives much is worth it.
    Asked,
    /// There is time: old zones come first, since what is in them stays.
    Relaxed,
    /// Commits wait for room: what gives most comes first.
    Pressed,
}

/// What a choice depends on beside the zones.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Bytes of a zone that can hold something.
    pub room: u64,
    /// The epoch of the next allocation, by which zones age.
    pub next_epoch: u64,
    /// Zones that are free.
    pub free: usize,
    /// Whether anybody waits.
    pub pressure: Pressure,
}

/// What is known of zones beside what the manifest says.
#[derive(Debug, Default)]
pub struct Choice {
    measured: BTreeMap<ZoneId, Measured>,
    passed_over: BTreeMap<ZoneId, PassedOver>,
}

/// What was written to a zone, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// All groups.
    pub used: u64,
    /// Of those, what goes along when their values are copied.
    pub overhead: u64,
    /// Of those, values.
    pub values: u64,
}

impl Contents {
    /// Of a cold zone: what lies between its groups would lie between others, too.
    #[must_use]
    pub fn of_cold(used: u64, values: u64) -> Self {
        Self {
            used,
            overhead: used.saturating_sub(values),
            values,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    epoch: u64,
    contents: Contents,
}

/// A zone that gave nothing when it was like this.
#[derive(Debug, Clone, Copy)]
struct PassedOver {
    epoch: u64,
    live: u64,
    free: usize,
}

impl Choice {
    /// The zone that is most worth emptying, if one is.
    #[must_use]
    pub fn best<'a>(
        &self,
        zones: impl Iterator<Item = &'a ZoneInfo>,
        terms: &Terms,
    ) -> Option<ZoneInfo> {
        let worth = zones.filter_map(|info| Some((self.score(info, terms)?, info)));
        worth.max_by_key(|(score, _)| *score).map(|(_, info)| *info)
    }

    /// What was measured in a zone.
    pub fn measure(&mut self, stamp: &ZoneStamp, contents: Contents) {
        let epoch = stamp.epoch;
        let measured = Measured { epoch, contents };
        self.measured.insert(stamp.zone, measured);
    }

    /// Whether it was measured in its present life.
    #[must_use]
    pub fn is_measured(&self, info: &ZoneInfo) -> bool {
        self.measure_of(info).is_some()
    }

    /// The zone could not be emptied as it is, with so many zones free.
    pub fn pass_over(&mut self, info: &ZoneInfo, free: usize) {
        let passed_over = PassedOver {
            epoch: info.stamp.epoch,
            live: info.live,
            free,
        };
        self.passed_over.insert(info.stamp.zone, passed_over);
    }

    /// The zone is as good as if it had never been passed over.
    pub fn reconsider(&mut self, info: &ZoneInfo) {
        self.passed_over.remove(&info.stamp.zone);
    }

    fn measure_of(&self, info: &ZoneInfo) -> Option<&Measured> {
        let measured = self.measured.get(&info.stamp.zone)?;
        (measured.epoch == info.stamp.epoch).then_some(measured)
    }

    /// Benefit by cost, times age; `None` where it does not pay.
    fn score(&self, info: &ZoneInfo, terms: &Terms) -> Option<u128> {
        let same = |old: &PassedOver| {
            old.epoch == info.stamp.epoch && old.live == info.live && terms.free <= old.free
        };
        if info.live == 0 || self.passed_over.get(&info.stamp.zone).is_some_and(same) {
            return None;
        }
        let cost = self.cost(info, terms.room);
        let age = terms.next_epoch.saturating_sub(info.stamp.epoch).max(1);
        let (parts, age) = match terms.pressure {
            Pressure::Relaxed => (WORTH_PARTS, age),
            Pressure::Asked => (WORTH_PARTS_ASKED, age),
            Pressure::Pressed => (WORTH_PARTS_PRESSED, 1),
        };
        if cost.saturating_mul(16) > terms.room.saturating_mul(parts) {
            return None;
        }
        let gain = u128::from(terms.room.saturating_sub(cost)) << 20;
        Some(gain * u128::from(age) / u128::from(terms.room + cost))
    }

    /// Bytes that what lives in a zone takes elsewhere: its values, and their share of the records.
    /// Of a zone that was not measured yet, the values alone. What is left behind the end of a zone
    /// is not counted as gain if the zone is half full: it is usual that the next value did not
    /// fit, and would be so in another zone, too.
    fn cost(&self, info: &ZoneInfo, room: u64) -> u64 {
        let contents = match self.measure_of(info) {
            Some(measured) if measured.contents.values > 0 => measured.contents,
            _ => return info.live,
        };
        let Contents {
            used,
            overhead,
            values,
        } = contents;
        let share = u128::from(values + overhead) * u128::from(info.live) / u128::from(values);
        let cost = if used * 2 >= room {
            share * u128::from(room) / u128::from(used)
        } else {
            share
        };
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Seqno;
    use crate::layout::zone_header::ZoneKind;

    const TERMS: Terms = Terms {
        room: 1000,
        next_epoch: 100,
        free: 5,
        pressure: Pressure::Pressed,
    };
    const RELAXED: Terms = Terms {
        pressure: Pressure::Relaxed,
        ..TERMS
    };

    fn zone(number: u32, epoch: u64, live: u64) -> ZoneInfo {
        ZoneInfo {
            kind: ZoneKind::Log,
            stamp: ZoneStamp {
                drive: 1,
                zone: ZoneId(number),
                epoch,
                salt: 0,
            },
            boot: 1,
            boot_salt: [0; 16],
            ordinal: 1,
            end: None,
            live,
            born: Seqno(0),
        }
    }

    fn best(choice: &Choice, zones: &[ZoneInfo], terms: &Terms) -> Option<u32> {
        choice
            .best(zones.iter(), terms)
            .map(|info| info.stamp.zone.0)
    }

    #[test]
    fn the_emptiest_zone_is_chosen_in_need_and_age_counts_when_there_is_time() {
        let zones = [zone(1, 90, 300), zone(2, 10, 500), zone(3, 50, 400)];
        let choice = Choice::default();
        assert_eq!(best(&choice, &zones, &TERMS), Some(1));
        assert_eq!(best(&choice, &zones, &RELAXED), Some(2));
    }

    #[test]
    fn full_zones_and_empty_ones_are_never_chosen() {
        let choice = Choice::default();
        let zones = [zone(1, 1, 0), zone(2, 1, 990)];
        assert_eq!(best(&choice, &zones, &TERMS), None);
        assert_eq!(best(&choice, &[zone(3, 1, 900)], &RELAXED), None);
        assert_eq!(best(&choice, &[zone(3, 1, 900)], &TERMS), Some(3));
        let asked = Terms {
            pressure: Pressure::Asked,
            ..TERMS
        };
        assert_eq!(best(&choice, &[zone(3, 1, 700)], &RELAXED), Some(3));
        assert_eq!(best(&choice, &[zone(3, 1, 700)], &asked), None);
        assert_eq!(best(&choice, &[zone(3, 1, 680)], &asked), Some(3));
    }

    #[test]
    fn records_count_so_that_small_values_are_not_moved_for_nothing() {
        let mut choice = Choice::default();
        let zones = [zone(1, 1, 100)];
        let mut measure = |used, overhead, values| {
            let contents = Contents {
                used,
                overhead,
                values,
            };
            choice.measure(&zones[0].stamp, contents);
            best(&choice, &zones, &TERMS)
        };
        assert_eq!(measure(1000, 900, 100), None, "all of it lives");
        assert_eq!(measure(1000, 800, 200), Some(1), "half of it lives");
        assert_eq!(measure(120, 20, 100), Some(1), "it was never full");
        assert_eq!(measure(600, 500, 100), None, "nothing more did fit");
        assert_eq!(
            measure(1000, 100, 100),
            Some(1),
            "the rest is between groups"
        );
        assert!(choice.is_measured(&zones[0]));
        assert!(!choice.is_measured(&zone(1, 2, 100)), "another life");
    }

    #[test]
    fn a_zone_that_could_not_be_emptied_waits_until_something_has_changed() {
        let mut choice = Choice::default();
        let mut info = zone(1, 1, 100);
        choice.pass_over(&info, 5);
        assert_eq!(best(&choice, &[info], &TERMS), None);
        let roomier = Terms { free: 6, ..TERMS };
        assert_eq!(best(&choice, &[info], &roomier), Some(1));
        info.live = 99;
        assert_eq!(best(&choice, &[info], &TERMS), Some(1));
    }
}
