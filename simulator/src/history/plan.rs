//! What a seed decides beforehand: the drive's size and options, and what goes wrong with it.
//!
//! Guarantee: everything is so small that flushes, merges and moves of the manifest happen all
//! the time, and that a zone is left every few groups; some drives are so small that they fill up.

use kinetic_store::{Options, Sabotage, Seal};

use crate::disk::SectorSize;
use crate::rng::Rng;

/// Bytes of values that a drive of the smallest size can take, about.
const FILLED: u64 = 48 * (60 << 10);

/// What goes wrong beside power cuts and kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// Syncs fail.
    Syncs,
    /// The host has no room for writes.
    Host,
    /// Both.
    SyncsAndHost,
    /// Sectors cannot be read for a while.
    Reads,
    /// Bits flip.
    Rot,
}

/// How a run of the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Power fails between calls.
    Cut,
    /// Power fails in a call.
    CutInCall,
    /// The process is killed between calls.
    Kill,
    /// The process is killed in a call.
    KillInCall,
}

/// A situation that a run of the process waits for, to be stopped in its midst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prey {
    /// None: the stop comes when it comes.
    Nothing,
    Flush,
    Merge,
    Reclaim,
    ManifestMove,
    ZoneSwitch,
}

/// What a seed decides beforehand.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) zone_size: u32,
    pub(super) zones: u64,
    pub(super) sectors: SectorSize,
    pub(super) options: Options,
    pub(super) keys: u64,
    pub(super) trouble: Trouble,
    /// Actions of the whole history.
    pub(super) actions: u64,
    /// Bytes of values that are put before anything goes wrong.
    pub(super) filled: u64,
    /// Of a thousand values, so many are as large as a group allows.
    pub(super) large_per_mille: u64,
    /// How the drive is sealed.
    pub(super) seal: Seal,
}

impl Plan {
    /// The plan of a history.
    pub(super) fn draw(rng: &mut Rng, sabotage: Sabotage) -> Self {
        let troubles = [
            Trouble::None,
            Trouble::None,
            Trouble::None,
            Trouble::None,
            Trouble::Syncs,
            Trouble::Syncs,
            Trouble::Host,
            Trouble::SyncsAndHost,
            Trouble::Reads,
            Trouble::Rot,
        ];
        let trouble = pick(rng, &troubles, Trouble::None);
        let small = rng.chance(1, 16);
        let zones = if small { 64 } else { 128 + rng.below(16) };
        let options = Options {
            memtable_bytes: pick(rng, &[1 << 10, 3 << 10, 8 << 10, 20 << 10], 4 << 10),
            log_bytes: pick(rng, &[12 << 10, 64 << 10, 256 << 10], 64 << 10),
            cache_bytes: pick(rng, &[0, 16 << 10, 1 << 20], 64 << 10),
            unsynced_bytes: pick(rng, &[8 << 10, 64 << 10, 1 << 20], 64 << 10),
            unsynced_age_us: pick(rng, &[50_000, 300_000, 1_000_000], 1_000_000),
            queue_bytes: pick(rng, &[8 << 10, 1 << 20], 1 << 20),
            // Reclaim always finds something to do on most drives.
            free_share: pick(rng, &[16, 500, 1000, 1000], 1000),
            // Nobody steps scrub yet.
            scrub_every_us: 0,
            scrub_pace: kinetic_store::limits::SCRUB_PACE,
            sabotage,
        };
        let zone_sizes: &[u32] = if small {
            &[64 << 10]
        } else {
            &[64 << 10, 64 << 10, 128 << 10]
        };
        let (keys, actions) = if small {
            (400, 5000)
        } else {
            (pick(rng, &[6, 40, 150], 40), 150 + rng.below(650))
        };
        // Of what puts may take: three quarters, nine tenths, or all until they are refused.
        let share = pick(rng, &[75, 90, 200], 90);
        let filled = if small { share * (FILLED / 100) } else { 0 };
        let sectors = [SectorSize::Small, SectorSize::Large];
        Self {
            zone_size: pick(rng, zone_sizes, 64 << 10),
            zones,
            sectors: pick(rng, &sectors, SectorSize::Small),
            options,
            keys,
            filled,
            trouble,
            actions,
            large_per_mille: if small { 900 } else { 40 },
            // A seal cannot be ignored: that bug is one of plain drives.
            seal: if sabotage == Sabotage::IgnoreChecksums || rng.chance(1, 5) {
                Seal::Plain
            } else {
                Seal::Sealed
            },
        }
    }

    /// Bytes of the disk.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.zone_size) * self.zones
    }

    /// How the next run of the process ends.
    pub(super) fn ending(rng: &mut Rng) -> Ending {
        let endings = [
            Ending::Cut,
            Ending::CutInCall,
            Ending::CutInCall,
            Ending::Kill,
            Ending::KillInCall,
        ];
        pick(rng, &endings, Ending::Cut)
    }

    /// What the next run of the process waits for.
    pub(super) fn prey(rng: &mut Rng) -> Prey {
        let all = [
            Prey::Nothing,
            Prey::Nothing,
            Prey::Nothing,
            Prey::Nothing,
            Prey::Flush,
            Prey::Merge,
            Prey::Reclaim,
            Prey::Reclaim,
            Prey::ManifestMove,
            Prey::ZoneSwitch,
        ];
        pick(rng, &all, Prey::Nothing)
    }
}

/// One of `choices`.
pub(super) fn pick<T: Copy>(rng: &mut Rng, choices: &[T], otherwise: T) -> T {
    rng.choose(choices).copied().unwrap_or(otherwise)
}
