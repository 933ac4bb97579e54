//! Zones: who gets the next ones, and which are free again.
//!
//! Guarantee: what the reserve keeps back is given to nobody else. A zone is freed once the
//! manifest counts nothing in it, the log has gone past it and no memtable refers to it.

use std::io;
use std::sync::atomic::Ordering;

use super::state::{After, Upkeep};
use crate::engine::config::{Sabotage, ready_zones};
use crate::engine::progress::LogZone;
use crate::engine::shared::Shared;
use crate::engine::writer::Step;
use crate::entry::Seqno;
use crate::layout::geometry::{Location, ZoneId};
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK32, RETRY_US};
use crate::manifest::edit::{Edit, ZoneInfo};
use crate::run::ZoneRoom;
use crate::upkeep::ledger::zone_header;
use crate::upkeep::reclaim::outlook::Outlook;
use crate::upkeep::trouble::{Trouble, no_zone};

impl Upkeep {
    pub(super) fn allocate(
        &mut self,
        kind: ZoneKind,
        count: usize,
        shared: &Shared,
    ) -> Result<Step, Trouble> {
        let mut infos = Vec::with_capacity(count);
        // Whatever will lie in it is written later, under a greater number.
        let born = Seqno(shared.progress().written_seqno.0 + 1);
        for _ in 0..count {
            let stamp = self.fresh(shared).ok_or_else(no_zone)?;
            let counters = &mut self.ledger.state.counters;
            let ordinal = if kind == ZoneKind::Log {
                counters.next_ordinal
            } else {
                0
            };
            counters.next_ordinal += u64::from(kind == ZoneKind::Log);
            shared.keys.enter(stamp, &self.salts.boot_salt());
            infos.push(ZoneInfo {
                kind,
                stamp,
                boot: shared.boot,
                boot_salt: self.salts.boot_salt(),
                ordinal,
                end: None,
                live: 0,
                born,
            });
        }
        let edits: Vec<Edit> = infos
            .iter()
            .map(|info| Edit::Zone(*info))
            .chain([Edit::Counters(self.ledger.state.counters)])
            .collect();
        infos.reverse();
        self.change(&edits, After::Allocated(infos), shared)
    }

    pub(super) fn write_header(&mut self, shared: &Shared, info: ZoneInfo) -> Result<(), Trouble> {
        let header = zone_header(&info, shared.cipher.seal());
        let location = Location {
            zone: info.stamp.zone,
            offset: 0,
        };
        let block = header.encode();
        let position = shared.geometry.position(location);
        shared
            .disk
            .write_at(position, &[io::IoSlice::new(&block)])?;
        self.headers.pop();
        let room = ZoneRoom {
            stamp: info.stamp,
            next: BLOCK32,
            end: shared.geometry.zone_size,
        };
        match info.kind {
            ZoneKind::Log => {
                let zone = LogZone {
                    stamp: info.stamp,
                    ordinal: info.ordinal,
                };
                let mut progress = shared.progress();
                progress.ready.push_back(zone);
                progress.exhausted = false;
            }
            ZoneKind::Cold => self.reclaim.give_room(room),
            ZoneKind::Run | ZoneKind::Manifest => self.spare.push(room),
        }
        Ok(())
    }

    /// How many log zones to allocate now. Sets the flags that tell the writer that the drive is
    /// full, for puts or for everything, or that commits have to wait until room is made.
    pub(super) fn log_zones_due(&mut self, shared: &Shared) -> Option<usize> {
        let free = self.space.free();
        let short = free <= self.reserve.put;
        let outlook = Outlook::new(&self.ledger.state, (self.reserve, free), shared, 0);
        // Once it is full, only what reclaim finds counts: deletes must not wait for each flush.
        let was_full = shared.space.full.load(Ordering::Relaxed);
        let hope =
            short && (!was_full && self.frees_soon(shared) || self.may_reclaim(shared, &outlook));
        let space = &shared.space;
        space.full.store(short && !hope, Ordering::Relaxed);
        self.let_go |= space.pressed.swap(hope, Ordering::Relaxed) && !hope;
        let moves = shared.moves.is_waiting();
        let mut progress = shared.progress();
        let ready = progress.ready.len();
        let wanted = ready_zones(&shared.geometry).saturating_sub(ready);
        let count = match wanted.min(free.saturating_sub(self.reserve.put)) {
            0 if ready == 0 && free > self.reserve.delete && (moves || !hope) => 1,
            count => count,
        };
        let dry = count == 0 && ready == 0;
        progress.next_ordinal = dry.then_some(self.ledger.state.counters.next_ordinal);
        if dry && hope && !moves {
            // Nobody else gets anything to do before reclaim has made room.
            progress.exhausted = false;
        } else if dry && !progress.exhausted {
            // A flush moves the replay point, and the log behind it may turn out to be dead.
            let view = shared.view();
            let more = view.frozen.is_some() || self.flush.is_some() || self.merge.is_some();
            progress.freeze_wanted |= !view.active.is_empty();
            progress.exhausted = !more && view.active.is_empty();
        } else if !dry {
            progress.exhausted = false;
        }
        (count > 0).then_some(count)
    }

    /// Whether reclaim can make room. While a run is damaged it would take room instead: what that
    /// run refers to, and what it hides, stays where it is, whatever is moved.
    fn may_reclaim(&self, shared: &Shared, outlook: &Outlook<'_>) -> bool {
        self.reclaim.is_busy() || self.is_sound() && self.reclaim.has_hope(shared, outlook)
    }

    /// Whether zones may become free by what is under way already.
    fn frees_soon(&self, shared: &Shared) -> bool {
        let at_work = self.flush.is_some() || self.merge.is_some();
        at_work
            || shared.view().frozen.is_some()
            || self.space.available() > self.space.free()
            || !self.idle_zones(shared).is_empty()
    }

    pub(super) fn seal_edits(&self, zone: ZoneId, end: u32) -> Vec<Edit> {
        if end == BLOCK32 {
            return vec![Edit::Free(zone)];
        }
        let info = self.ledger.state.zones.get(&zone);
        info.map(|info| {
            Edit::Zone(ZoneInfo {
                end: Some(end),
                ..*info
            })
        })
        .into_iter()
        .collect()
    }

    /// Frees zones that nothing needs; on a full drive, looks for values that died unnoticed.
    pub(super) fn tidy_up(&mut self, shared: &Shared, now: u64) -> Result<Step, Trouble> {
        let zones = self.idle_zones(shared);
        if !zones.is_empty() {
            let edits: Vec<Edit> = zones.iter().map(|zone| Edit::Free(*zone)).collect();
            return self.change(&edits, After::Freed(zones), shared);
        }
        let full = shared.space.full.load(Ordering::Relaxed);
        let view = shared.view();
        if full && now >= self.freeze_again_at && !view.active.is_empty() {
            self.freeze_again_at = now.saturating_add(RETRY_US);
            shared.progress().freeze_wanted = true;
            return Ok(Step::Worked);
        }
        Ok(Step::Idle)
    }

    /// Zones that nothing needs any more.
    pub(super) fn idle_zones(&self, shared: &Shared) -> Vec<ZoneId> {
        let used = |zone: ZoneId| {
            let spare = self.spare.iter().any(|room| room.stamp.zone == zone);
            spare || self.quarantine.contains(&zone) || self.reclaim.pins(zone)
        };
        let state = &self.ledger.state;
        let idle_runs = state
            .zones
            .values()
            .filter(|info| info.kind == ZoneKind::Run);
        let idle_runs = idle_runs.map(|info| info.stamp.zone);
        let idle_runs = idle_runs.filter(|zone| !used(*zone) && !state.holds_run(*zone));
        let dead = self.dead_zones(shared).into_iter();
        let dead = dead.filter(|zone| !used(*zone));
        idle_runs.chain(dead).collect()
    }

    /// Zones of values to which neither runs nor memtables refer, and which take no more writes.
    fn dead_zones(&self, shared: &Shared) -> Vec<ZoneId> {
        let state = &self.ledger.state;
        let early = shared.options.has(Sabotage::FreeEarly);
        let filling = shared.progress().ready.len() as u64 + 1;
        let is_past = |info: &ZoneInfo| match info.kind {
            // A deliberate bug: what only memtables refer to does not count.
            ZoneKind::Log if early => info.ordinal + filling < state.counters.next_ordinal,
            ZoneKind::Cold if early => self.reclaim.is_closed(info.stamp.zone),
            _ => self.reclaim.is_settled(info, state),
        };
        let zones = state.zones.values();
        let dead = zones.filter(|info| info.live == 0 && is_past(info));
        dead.map(|info| info.stamp.zone).collect()
    }
}
