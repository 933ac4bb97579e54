//! One change of the manifest, from edits to durable, one disk call a step.
//!
//! Guarantee: a frame is written only when the one before it is synced. When the manifest zone is
//! full, a snapshot goes to a fresh zone, and the old zone is free only after both superblock
//! slots name the new one, each synced. A write that fails is repeated with the same bytes at the
//! same place.
//! Not here: what the change is for (`worker`).

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::disk::Disk;
use crate::engine::counters::Counters;
use crate::engine::shared::Shared;
use crate::entry::Seqno;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Location, ZoneId};
use crate::layout::superblock::{Seal, Slot, Superblock};
use crate::layout::wrapped_key::WrappedKey;
use crate::layout::zone_header::{ZoneHeader, ZoneKind};
use crate::manifest::edit::{Edit, ZoneInfo};
use crate::manifest::journal::{self, Journal, PendingFrame};
use crate::manifest::state::{Contradiction, ManifestState};
use crate::seal::Cipher;

/// The manifest as it will be once the change that is under way is durable.
#[derive(Debug)]
pub struct Ledger {
    /// What all edits add up to, those under way included.
    pub state: ManifestState,
    /// The superblock as last written.
    pub superblock: Superblock,
    journal: Journal,
    boot_salt: [u8; 16],
    under_way: Option<Change>,
}

#[derive(Debug)]
struct Change {
    stage: Stage,
    /// None where only superblocks change.
    frame: Option<PendingFrame>,
    /// The zone of the old manifest, where the change moves it.
    moved_from: Option<ZoneId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Writes the header of a fresh manifest zone.
    Header,
    Frame,
    Sync,
    /// Writes a superblock slot; so many are left, this one included.
    Superblock(u8),
    SyncSuperblock(u8),
}

/// A zone for the manifest to move to.
#[derive(Debug, Clone, Copy)]
pub struct FreshZone {
    /// The zone and its new life.
    pub stamp: ZoneStamp,
}

/// What a step of a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// More steps are needed.
    Working,
    /// The change is on the disk. The zone of the old manifest is free, where there was one.
    Durable(Option<ZoneId>),
}

/// What the ledger is made of when a boot begins.
#[derive(Debug)]
pub struct Opening {
    /// What recovery found.
    pub state: ManifestState,
    /// The superblock of this boot.
    pub superblock: Superblock,
    /// The random bits of this boot for zone headers.
    pub boot_salt: [u8; 16],
    /// The key of this boot.
    pub cipher: Arc<Cipher>,
    /// Number of the next frame.
    pub next_frame: u64,
}

impl Ledger {
    /// A ledger that moves the manifest to a fresh zone as its first change.
    pub fn open(
        opening: Opening,
        fresh: FreshZone,
        shared: &crate::layout::geometry::Geometry,
    ) -> Result<Self, Contradiction> {
        let Opening {
            state,
            superblock,
            boot_salt,
            cipher,
            next_frame,
        } = opening;
        let journal = Journal::new(fresh.stamp, (superblock.boot, cipher), next_frame, shared);
        let mut ledger = Self {
            state,
            superblock,
            journal,
            boot_salt,
            under_way: None,
        };
        ledger.move_to(fresh)?;
        Ok(ledger)
    }

    /// Whether a change is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the change under way moves the manifest to a fresh zone.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let change = self.under_way.as_ref();
        change.is_some_and(|change| change.moved_from.is_some())
    }

    /// Begins a change. Gives back `false` when the manifest zone is full: the state has changed,
    /// and the caller must [`move_to`](Self::move_to) a fresh zone to make it durable.
    pub fn begin(&mut self, edits: &[Edit]) -> Result<bool, Contradiction> {
        for edit in edits {
            self.state.apply(edit)?;
        }
        let Some(frame) = self.journal.frame(edits) else {
            return Ok(false);
        };
        self.under_way = Some(Change {
            stage: Stage::Frame,
            frame: Some(frame),
            moved_from: None,
        });
        Ok(true)
    }

    /// Begins to move the manifest to a fresh zone, with a snapshot of the state.
    pub fn move_to(&mut self, fresh: FreshZone) -> Result<(), Contradiction> {
        let old = self.superblock.manifest.zone;
        self.superblock.manifest_boot_salt = self.boot_salt;
        let info = manifest_zone(&self.superblock, fresh.stamp);
        self.state.apply(&Edit::Zone(info))?;
        self.state.apply(&Edit::Free(old))?;
        let number = self.journal.next_number();
        self.journal = self.journal.moved_to(fresh.stamp);
        self.superblock.manifest = fresh.stamp;
        self.superblock.manifest_boot = self.superblock.boot;
        self.superblock.first_frame = number;
        let frame = self.journal.frame(&self.state.snapshot());
        let frame = frame.ok_or(Contradiction::SnapshotTooLarge)?;
        self.under_way = Some(Change {
            stage: Stage::Header,
            frame: Some(frame),
            moved_from: Some(old),
        });
        Ok(())
    }

    /// Begins to write this key into both superblock slots, instead of the one that is there.
    pub fn rewrap(&mut self, wrapped: WrappedKey) {
        self.superblock.wrapped = wrapped;
        self.under_way = Some(Change {
            stage: Stage::Superblock(2),
            frame: None,
            moved_from: None,
        });
    }

    /// Begins to write both superblock slots again, the lost one first: the other one stays whole
    /// meanwhile.
    pub fn repair(&mut self, lost: Slot) {
        if Slot::of(self.superblock.sequence + 1) != lost {
            self.superblock.sequence += 1;
        }
        self.under_way = Some(Change {
            stage: Stage::Superblock(2),
            frame: None,
            moved_from: None,
        });
    }

    /// The slots that do not hold what was written there last. No change may be under way.
    #[must_use]
    pub fn lost_slots(&self, disk: &dyn Disk) -> Vec<Slot> {
        let newest = self.superblock.sequence;
        let sound = |slot: Slot| {
            let sequence = match Slot::of(newest) == slot {
                true => newest,
                false => newest - 1,
            };
            let expected = Superblock {
                sequence,
                ..self.superblock.clone()
            };
            matches!(Superblock::read(disk, slot), Ok(Ok(found)) if found == expected)
        };
        let slots = [Slot::First, Slot::Second].into_iter();
        slots.filter(|slot| !sound(*slot)).collect()
    }

    /// Whether the manifest can be read back up to its last frame. No change may be under way.
    #[must_use]
    pub fn is_readable(&self, disk: &dyn Disk) -> bool {
        let next = journal::next_number(disk, &self.superblock);
        next.is_ok_and(|next| next == self.journal.next_number())
    }

    /// Does the next disk call of the change under way. A failed call is repeated by the next
    /// step, but a failed sync makes the drive read-only.
    pub fn step(&mut self, disk: &dyn DiskCalls) -> io::Result<Advance> {
        let Some(change) = &mut self.under_way else {
            return Ok(Advance::Durable(None));
        };
        let moved = change.moved_from.is_some();
        change.stage = match change.stage {
            Stage::Header => {
                let stamp = self.superblock.manifest;
                let header = zone_header(
                    &manifest_zone(&self.superblock, stamp),
                    self.superblock.seal,
                );
                disk.write(
                    Location {
                        zone: stamp.zone,
                        offset: 0,
                    },
                    &header.encode(),
                )?;
                Stage::Frame
            }
            Stage::Frame => {
                if let Some(frame) = &change.frame {
                    disk.write(frame.location, &frame.bytes)?;
                }
                Stage::Sync
            }
            Stage::Sync => {
                disk.sync()?;
                if let Some(frame) = &change.frame {
                    self.journal.advance(frame);
                }
                if !moved {
                    self.under_way = None;
                    return Ok(Advance::Durable(None));
                }
                Stage::Superblock(2)
            }
            Stage::Superblock(left) => {
                let next = Superblock {
                    sequence: self.superblock.sequence + 1,
                    ..self.superblock.clone()
                };
                disk.write_superblock(&next)?;
                self.superblock = next;
                Stage::SyncSuperblock(left - 1)
            }
            Stage::SyncSuperblock(left) => {
                disk.sync()?;
                if left == 0 {
                    let old = change.moved_from;
                    self.under_way = None;
                    return Ok(Advance::Durable(old));
                }
                Stage::Superblock(left)
            }
        };
        Ok(Advance::Working)
    }
}

/// A manifest zone of the boot that writes.
fn manifest_zone(superblock: &Superblock, stamp: ZoneStamp) -> ZoneInfo {
    ZoneInfo {
        kind: ZoneKind::Manifest,
        stamp,
        boot: superblock.boot,
        boot_salt: superblock.manifest_boot_salt,
        ordinal: 0,
        end: None,
        live: 0,
        born: Seqno(0),
    }
}

/// The header of a zone.
#[must_use]
pub fn zone_header(info: &ZoneInfo, seal: Seal) -> ZoneHeader {
    let ZoneStamp {
        drive, zone, epoch, ..
    } = info.stamp;
    ZoneHeader {
        kind: info.kind,
        drive,
        zone,
        epoch,
        boot: info.boot,
        boot_salt: info.boot_salt,
        seal,
    }
}

/// The disk calls of a ledger: with the one mutex of all syncs while the store is open, without
/// it while it opens.
pub trait DiskCalls {
    /// Writes at a place of a zone.
    fn write(&self, location: Location, bytes: &[u8]) -> io::Result<()>;
    /// Writes the next superblock slot.
    fn write_superblock(&self, superblock: &Superblock) -> io::Result<()>;
    /// Makes all of it durable.
    fn sync(&self) -> io::Result<()>;
}

impl DiskCalls for Shared {
    fn write(&self, location: Location, bytes: &[u8]) -> io::Result<()> {
        self.disk
            .write_at(self.geometry.position(location), &[IoSlice::new(bytes)])?;
        Counters::add(&self.counters.manifest_bytes, bytes.len() as u64);
        Ok(())
    }

    fn write_superblock(&self, superblock: &Superblock) -> io::Result<()> {
        superblock.write(&*self.disk)
    }

    fn sync(&self) -> io::Result<()> {
        Self::sync(self)
    }
}
