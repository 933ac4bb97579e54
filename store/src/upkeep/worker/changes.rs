//! Changes of the manifest: how one begins.
//!
//! Guarantee: one at a time; where the manifest's zone is full, it moves before anything else is
//! changed.

use super::state::{After, Upkeep};
use crate::engine::progress::{Checked, Checkup};
use crate::engine::shared::Shared;
use crate::engine::writer::Step;
use crate::layout::checksum::ZoneStamp;
use crate::manifest::edit::Edit;
use crate::upkeep::ledger::FreshZone;
use crate::upkeep::trouble::{Trouble, no_zone};

impl Upkeep {
    /// Begins a change of the manifest; moves it to a fresh zone where its own is full.
    pub(super) fn change(
        &mut self,
        edits: &[Edit],
        after: After,
        shared: &Shared,
    ) -> Result<Step, Trouble> {
        self.after = after;
        if self.ledger.begin(edits)? {
            return Ok(Step::Worked);
        }
        self.must_move = true;
        self.move_manifest(shared)
    }

    /// Moves the manifest to a fresh zone. Where none is free this is tried again: nothing else
    /// may be changed before.
    pub(super) fn move_manifest(&mut self, shared: &Shared) -> Result<Step, Trouble> {
        let stamp = self.fresh(shared).ok_or_else(no_zone)?;
        self.ledger.move_to(FreshZone { stamp })?;
        self.must_move = false;
        Ok(Step::Worked)
    }

    /// Looks whether superblocks and manifest can be read back, as scrub asked, and begins to write
    /// again what cannot: the slots now, the manifest as the next change.
    pub(super) fn check_up(&mut self, shared: &Shared) -> Step {
        let disk = &*shared.disk;
        let lost = self.ledger.lost_slots(disk);
        self.must_move |= !self.ledger.is_readable(disk);
        if let Some(slot) = lost.first() {
            self.after = After::Nothing;
            self.ledger.repair(*slot);
        }
        shared.progress().checkup = Checkup::Done(Checked {
            lost_slots: lost.len(),
            lost_manifest: self.must_move,
        });
        Step::Worked
    }

    /// A free zone in a new life.
    pub(super) fn fresh(&mut self, shared: &Shared) -> Option<ZoneStamp> {
        let zone = self.space.take()?;
        let epoch = self.ledger.state.counters.next_epoch;
        self.ledger.state.counters.next_epoch += 1;
        let drive = self.ledger.superblock.drive;
        debug_assert!(zone.0 < shared.geometry.zones);
        Some(ZoneStamp {
            drive,
            zone,
            epoch,
            salt: self.salts.draw(),
        })
    }
}
