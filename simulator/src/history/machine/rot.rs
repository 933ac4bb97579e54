//! Rot in a known place, of which it is known exactly what it may cost.
//!
//! Guarantee: a value costs its key and nothing else; a block of a run costs the keys that it may
//! hold, and no older value shows instead; a frame or a group that something behind it proves to
//! be durable makes the drive refuse to open and changes nothing; one of two good superblocks or
//! copies of settings costs nothing and is repaired. What was flipped flips back, so that the
//! history goes on as if nothing had happened.
//! Not here: rot anywhere (`faults`), after which less is known.

use kinetic_store::disk::Disk as _;
use kinetic_store::layout::settings::{Place, SettingsHeader, WIDTH};
use kinetic_store::layout::superblock::{Slot, Superblock};
use kinetic_store::{Effort, OpenError, ReadError, Store};

use super::state::Machine;
use crate::history::atlas::{Fault, Purpose};
use crate::history::content::key;
use crate::history::model::Loss;
use crate::history::violation::{Broken, Promise};
use crate::history::watch::Written;

/// Bytes of a block of the disk.
const BLOCK: u64 = 4096;
/// Bytes of a superblock.
const SUPERBLOCK: u64 = 256;
/// Point reads that follow rot in a run.
const READS: usize = 12;

/// A bit that was flipped.
#[derive(Clone, Copy, Debug)]
struct Flipped {
    offset: u64,
    bit: u8,
}

impl Machine {
    /// Lets a value or a run rot for a moment, and reads.
    pub(in crate::history) fn look_at_rot(&mut self) -> Result<(), Broken> {
        if self.is_stopped() || self.is_damaged() {
            return Ok(());
        }
        if self.has(Fault::RotInValue) && self.rng.chance(1, 2) {
            self.rot_in_value()
        } else if self.has(Fault::RotInRun) {
            self.rot_in_run()
        } else {
            Ok(())
        }
    }

    fn flip(&mut self, offset: u64, length: u64) -> Flipped {
        let flipped = Flipped {
            offset: offset + self.rng.below(length),
            bit: u8::try_from(self.rng.below(8)).unwrap_or_default(),
        };
        self.disk.flip_bit(flipped.offset, flipped.bit);
        flipped
    }

    fn flip_back(&self, flipped: Flipped) {
        self.disk.flip_bit(flipped.offset, flipped.bit);
    }

    fn rot_in_value(&mut self) -> Result<(), Broken> {
        let stored = self.model.visible().keys().cloned().collect::<Vec<_>>();
        let Some(key) = self.rng.choose(&stored).cloned() else {
            return Ok(());
        };
        let store = self.store()?;
        let Some((offset, length)) = store.place_of(&key) else {
            return Ok(());
        };
        let flipped = self.flip(offset, length);
        self.happened(Fault::RotInValue);
        let read = store.get_from_medium(&key);
        let plain = store.get(&key, Effort::Disk).map(|object| object.value);
        let metadata = store.metadata(&key, Effort::Disk);
        self.flip_back(flipped);
        if !matches!(read, Err(ReadError::Unreadable(_))) || metadata.is_err() {
            let read = read.map(|object| object.metadata);
            return Broken::found(
                Promise::Damage,
                format!("a rotten value reads as {read:?}, its metadata as {metadata:?}"),
            );
        }
        let whole = match store.get_from_medium(&key) {
            Ok(whole) => whole.value,
            Err(error) => {
                return Broken::found(Promise::Damage, format!("it is whole again: {error}"));
            }
        };
        // What was read while it was sound may be kept in memory.
        let may_be_kept = self.plan.options.value_cache_bytes > 0;
        match plain {
            Err(ReadError::Unreadable(_)) => Ok(()),
            Ok(value) if may_be_kept && value == whole => Ok(()),
            other => Broken::found(
                Promise::Damage,
                format!("a rotten value reads as {other:?}"),
            ),
        }
    }

    fn rot_in_run(&mut self) -> Result<(), Broken> {
        let is_run =
            |written: &Written| matches!(written.purpose, Purpose::FlushedRun | Purpose::MergedRun);
        let mut runs = self.watched.written();
        runs.retain(is_run);
        let Some(Written { offset, length, .. }) = self.rng.choose(&runs).copied() else {
            return Ok(());
        };
        let flipped = self.flip(offset, length);
        let seen = self.store()?.status().damage_seen;
        // What cannot be read is excused now; what is shown must be right, and no older.
        self.rotten_run = true;
        for _ in 0..READS {
            self.look()?;
        }
        self.rotten_run = false;
        if self.store()?.status().damage_seen > seen {
            self.happened(Fault::RotInRun);
        }
        self.flip_back(flipped);
        Ok(())
    }

    /// Lets something rot while the machine is off. Gives back a store where the drive has opened
    /// all the same, since what rotted does not count any more.
    pub(super) fn rot_while_off(&mut self) -> Result<Option<Store>, Broken> {
        if self.loss >= Loss::Rotten || self.secrets.erased.is_some() {
            return Ok(None);
        }
        match self.rng.below(8) {
            0 if self.has(Fault::RotInFrame) => self.rot_in_frame(),
            1 if self.has(Fault::RotInGroup) => self.rot_in_group(),
            2 if self.has(Fault::RotInSuperblock) => {
                self.rot_in_superblock();
                Ok(None)
            }
            3 if self.has(Fault::RotInSettings) => {
                self.rot_in_settings();
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Writes that are on the disk still, byte for byte in their heads.
    fn still_there(&self, written: &Written) -> bool {
        let mut head = [0; crate::history::watch::HEAD];
        let length = usize::try_from(written.length).unwrap_or(usize::MAX);
        let length = length.min(head.len());
        let found = head.get_mut(..length);
        let read = found.map(|head| self.watched.read_at(written.offset, head).is_ok());
        read == Some(true) && head.get(..length) == written.head.get(..length)
    }

    fn rot_in_frame(&mut self) -> Result<Option<Store>, Broken> {
        let is_frame = |it: &Written| {
            matches!(it.purpose, Purpose::Frame | Purpose::FreeingFrame) && it.synced
        };
        let mut frames = self.watched.written();
        frames.retain(is_frame);
        // One that another one follows in its zone.
        let zone = u64::from(self.plan.zone_size);
        let next = |one: &Written, two: &Written| {
            two.number() == one.number() + 1 && two.offset / zone == one.offset / zone
        };
        let followed = frames.iter().filter(|one| {
            let follows = |two: &&Written| next(one, two) && self.still_there(two);
            self.still_there(one) && frames.iter().any(|two| follows(&two))
        });
        let followed: Vec<Written> = followed.copied().collect();
        self.rot_in_proven(&followed, Fault::RotInFrame)
    }

    fn rot_in_group(&mut self) -> Result<Option<Store>, Broken> {
        let is_group =
            |it: &Written| matches!(it.purpose, Purpose::FirstGroup | Purpose::Group) && it.synced;
        let mut groups = self.watched.written();
        groups.retain(|written| is_group(written) && self.still_there(written));
        let proven = groups.iter().map(Written::durable_up_to).max();
        groups.retain(|group| Some(group.number()) <= proven);
        self.rot_in_proven(&groups, Fault::RotInGroup)
    }

    /// Rot in one of these, each of which the drive knows to have been durable.
    fn rot_in_proven(&mut self, proven: &[Written], fault: Fault) -> Result<Option<Store>, Broken> {
        let Some(written) = self.rng.choose(proven).copied() else {
            return Ok(None);
        };
        let flipped = self.flip(written.offset, written.verified_length());
        self.watched.guard(flipped.offset);
        let writes = self.disk.counts().writes;
        let opened = self.open();
        match opened {
            Ok(store) => {
                // It does not count any more; where it was not overwritten, it is made whole.
                if !self.watched.was_written_over() {
                    self.flip_back(flipped);
                }
                return Ok(Some(store));
            }
            Err(OpenError::Log(_) | OpenError::Manifest(_)) => self.happened(fault),
            Err(error) => {
                return Broken::found(Promise::Damage, format!("{fault:?} is told as: {error}"));
            }
        }
        if self.disk.counts().writes != writes {
            return Broken::found(Promise::LeftAlone, format!("{fault:?}"));
        }
        self.flip_back(flipped);
        Ok(None)
    }

    fn rot_in_superblock(&mut self) {
        let slots = [Slot::First, Slot::Second];
        let [first, second] = slots.map(|slot| {
            let block = self.durable(slot.position(), BLOCK);
            Superblock::decode(&block).ok()
        });
        // Where they name different manifests, a change was cut short, and the newer one counts.
        let alike = match (&first, &second) {
            (Some(first), Some(second)) => {
                (first.manifest, first.state, &first.wrapped)
                    == (second.manifest, second.state, &second.wrapped)
            }
            _ => false,
        };
        if let (true, Some(slot)) = (alike, self.rng.choose(&slots).copied()) {
            self.flip(slot.position(), SUPERBLOCK);
            self.happened(Fault::RotInSuperblock);
        }
    }

    fn rot_in_settings(&mut self) {
        let Ok(superblock) = kinetic_store::open::slots::choose(&*self.watched) else {
            return;
        };
        let slots = [Slot::First, Slot::Second].map(|slot| Place::of(slot, &superblock.geometry));
        let [first, second] = slots.map(|place| {
            let mut bytes = self.durable(place.position, place.length);
            let length = SettingsHeader::peek(&bytes).map_or(0, |header| header.length);
            bytes.truncate(WIDTH + usize::try_from(length).unwrap_or_default());
            SettingsHeader::verified(&bytes).map(<[u8]>::to_vec)
        });
        let alike = first.is_some() && first == second;
        if let (true, Some(place)) = (alike, self.rng.choose(&slots).copied()) {
            let length = first.map_or(0, |settings| settings.len());
            self.flip(place.position, (WIDTH + length) as u64);
            self.happened(Fault::RotInSettings);
        }
    }

    /// What lies here, if a power cut would leave just that; a copy that is being written is none.
    fn durable(&self, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let mut seen = bytes.clone();
        let durable = self.disk.read_durable(offset, &mut bytes);
        let read = self.watched.read_at(offset, &mut seen);
        if durable.is_err() || read.is_err() || seen != bytes {
            bytes.clear();
        }
        bytes
    }

    /// Keys that are read in a history.
    pub(super) fn any_key(&mut self) -> bytes::Bytes {
        let number = self.rng.below(self.plan.keys);
        key(number)
    }
}
