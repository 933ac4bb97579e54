//! What a seed decides beforehand: the drive's size and options, and what goes wrong with it.
//!
//! Guarantee: everything is so small that flushes, merges and moves of the manifest happen all
//! the time, and that a zone is left every few groups; some drives are so small that they fill up.
//! A history goes on until it has seen a least number of operations, crashes and kinds of faults.

use kinetic_store::{Options, Sabotage, Seal};

use super::atlas::{Call, Fault, Moment, Purpose};
use crate::disk::SectorSize;
use crate::rng::Rng;

/// Bytes of values that a drive of the smallest size can take, about.
const FILLED: u64 = 48 * (60 << 10);

/// What goes wrong in the end of some histories, after which less is known of what must be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastAct {
    /// Nothing.
    Calm,
    /// Bits flip anywhere.
    Rot,
    /// Syncs are said to be done and are not.
    Lies,
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
    /// A write of settings or a change of the lock PIN.
    Secrets,
    /// The next but some calls of this kind.
    Call(Call, Moment),
}

/// What a history has to see before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goals {
    pub(super) operations: u64,
    pub(super) crashes: u64,
    pub(super) kinds: usize,
}

/// What a seed decides beforehand.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) zone_size: u32,
    pub(super) zones: u64,
    pub(super) sectors: SectorSize,
    pub(super) options: Options,
    pub(super) keys: u64,
    /// Lanes that share the queue with the store's own.
    pub(super) lanes: u64,
    /// What goes wrong beside power cuts and kills.
    pub(super) weather: Vec<Fault>,
    pub(super) last_act: LastAct,
    pub(super) goals: Goals,
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
        let small = rng.chance(1, 16);
        let zones = if small { 64 } else { 128 + rng.below(16) };
        let options = Options {
            memtable_bytes: pick(rng, &[1 << 10, 3 << 10, 8 << 10, 20 << 10], 4 << 10),
            log_bytes: pick(rng, &[12 << 10, 64 << 10, 256 << 10], 64 << 10),
            cache_bytes: pick(rng, &[0, 16 << 10, 1 << 20], 64 << 10),
            value_cache_bytes: pick(rng, &[0, 0, 64 << 10], 0),
            unsynced_bytes: pick(rng, &[8 << 10, 64 << 10, 1 << 20], 64 << 10),
            unsynced_age_us: pick(rng, &[50_000, 300_000, 1_000_000], 1_000_000),
            queue_bytes: pick(rng, &[8 << 10, 1 << 20], 1 << 20),
            // Reclaim always finds something to do on most drives.
            free_share: pick(rng, &[16, 500, 1000, 1000], 1000),
            scrub_every_us: pick(rng, &[0, 100_000, 3_000_000], 0),
            scrub_pace: pick(rng, &[100_000, 10_000_000], 100_000),
            // Few keys are ever stepped over.
            scan_tombstones: 20,
            sabotage,
        };
        let zone_sizes: &[u32] = if small {
            &[64 << 10]
        } else {
            &[64 << 10, 64 << 10, 128 << 10]
        };
        let (keys, operations) = if small {
            (400, 1500)
        } else {
            (pick(rng, &[6, 40, 150], 40), 500 + rng.below(100))
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
            lanes: pick(rng, &[0, 1, 3], 1),
            filled,
            weather: Self::weather(rng),
            last_act: match rng.below(20) {
                0 | 1 => LastAct::Rot,
                2 => LastAct::Lies,
                _ => LastAct::Calm,
            },
            goals: Goals {
                operations,
                crashes: 3,
                kinds: 5,
            },
            large_per_mille: if small { 900 } else { 40 },
            // A seal cannot be ignored: that bug is one of plain drives.
            seal: if sabotage == Sabotage::IgnoreChecksums || rng.chance(1, 5) {
                Seal::Plain
            } else {
                Seal::Sealed
            },
        }
    }

    /// Half of all kinds of faults.
    fn weather(rng: &mut Rng) -> Vec<Fault> {
        let mut kinds = Fault::STRICT.to_vec();
        kinds.retain(|_| rng.chance(1, 2));
        kinds
    }

    /// Bytes of the disk.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.zone_size) * self.zones
    }

    /// Bytes of values with which the drive may not be full yet.
    pub(super) fn half_filled(&self) -> u64 {
        FILLED / 2
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
            Prey::Flush,
            Prey::Merge,
            Prey::Reclaim,
            Prey::ManifestMove,
            Prey::ZoneSwitch,
            Prey::Secrets,
        ];
        match rng.below(10) {
            0..4 => Prey::Nothing,
            4..6 => pick(rng, &all, Prey::Nothing),
            _ => {
                let call = pick(rng, &PREY, Call::Write(Purpose::Group));
                let moment = pick(rng, &[Moment::Within, Moment::Behind], Moment::Within);
                Prey::Call(call, moment)
            }
        }
    }
}

/// Calls that runs of the process are stopped at. Those of reclaim come seldom by themselves.
const PREY: [Call; 22] = [
    Call::Write(Purpose::FirstSlot),
    Call::Sync(Purpose::FirstSlot),
    Call::Write(Purpose::SecondSlot),
    Call::Sync(Purpose::SecondSlot),
    Call::Write(Purpose::Frame),
    Call::Sync(Purpose::Frame),
    Call::Write(Purpose::FreeingFrame),
    Call::Sync(Purpose::FreeingFrame),
    Call::Write(Purpose::ZoneHeader),
    Call::Write(Purpose::FirstGroup),
    Call::Write(Purpose::Group),
    Call::Sync(Purpose::Group),
    Call::Write(Purpose::Moves),
    Call::Write(Purpose::Moves),
    Call::Sync(Purpose::Moves),
    Call::Write(Purpose::Cold),
    Call::Write(Purpose::Cold),
    Call::Sync(Purpose::Cold),
    Call::Write(Purpose::FlushedRun),
    Call::Sync(Purpose::FlushedRun),
    Call::Write(Purpose::MergedRun),
    Call::Sync(Purpose::MergedRun),
];

/// Calls that the opening of a drive is stopped at.
pub(super) const OPENING_PREY: [Call; 9] = [
    Call::Write(Purpose::FirstSlot),
    Call::Write(Purpose::SecondSlot),
    Call::Sync(Purpose::SecondSlot),
    Call::Write(Purpose::Settings),
    Call::Sync(Purpose::Settings),
    Call::Write(Purpose::Frame),
    Call::Write(Purpose::Group),
    Call::Write(Purpose::Group),
    Call::Sync(Purpose::Group),
];

/// One of `choices`.
pub(super) fn pick<T: Copy>(rng: &mut Rng, choices: &[T], otherwise: T) -> T {
    rng.choose(choices).copied().unwrap_or(otherwise)
}
