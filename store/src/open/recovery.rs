//! Opening a drive: superblock, manifest, bounded replay of the log, and a fresh start.
//!
//! Guarantee, in this order: the boot number is durable in both slots before this boot writes
//! anything else; the last frame of the manifest and what is replayed past the last known sync are
//! written again byte for byte and synced, since the host may have dropped them after an error it
//! told nobody about, and before any zone is reused that they say is free; the log is sealed at
//! the cut, in a manifest of this boot's own; then the store serves. A power cut at any point
//! leaves a drive that opens the same way again.
//! Time depends on the log since the last flush, not on the amount of data.
//! Not here: telling a torn tail from corruption (`log::scan`).

use std::io::{self, IoSlice};
use std::sync::Arc;

use thiserror::Error;

use super::calls::{self, SoleDisk, Syncs};
use super::erase;
use super::format::FormatError;
use super::settings::{Area, SettingsError};
use super::slots::{self, SlotsError};
use crate::disk::{Disk, PatientDisk};
use crate::engine::config::{Options, Sabotage};
use crate::engine::progress::{LogZone, Progress};
use crate::engine::salt::SaltSource;
use crate::engine::shared::{Parts, Shared};
use crate::engine::writer::Writer;
use crate::entry::Seqno;
use crate::index::memtable::Memtable;
use crate::index::values::ValueReader;
use crate::index::view::View;
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Geometry, ZoneId};
use crate::layout::superblock::{DriveState, Superblock};
use crate::layout::zone_header::ZoneKind;
use crate::limits::BLOCK32;
use crate::log::scan::{Chain, Link, Log, ScanError, Scanner, Values};
use crate::manifest::edit::{Edit, ZoneInfo};
use crate::manifest::journal::{self, ManifestError, PendingFrame};
use crate::manifest::state::{Contradiction, ManifestState};
use crate::run::{BlockCache, BlockReader, Run};
use crate::seal::wrap::{self, Owner, UnwrapError};
use crate::seal::{DataKey, Keys, PinKey};
use crate::upkeep::ledger::{DiskCalls, FreshZone, Ledger, Opening};
use crate::upkeep::rewrap::Rewrap;
use crate::upkeep::space::Space;
use crate::upkeep::worker::Upkeep;

/// Why a drive cannot be opened. Nothing was changed, beyond superblocks being repaired.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No usable superblock.
    #[error(transparent)]
    Slots(#[from] SlotsError),
    /// The manifest cannot be read.
    #[error(
        "{0}; the drive is left as it is: `kinetic drive check` tells what is damaged, and \
         `kinetic drive repair --salvage DIR` saves what can be read"
    )]
    Manifest(#[from] ManifestError),
    /// The log cannot be replayed.
    #[error(
        "{0}; the drive is left as it is: `kinetic drive check` tells what is damaged, and \
         `kinetic drive repair --salvage DIR` saves what can be read"
    )]
    Log(#[from] ScanError),
    /// The disk failed while the drive was made ready.
    #[error("making the drive ready failed: {0}")]
    Disk(#[from] io::Error),
    /// The manifest contradicts itself.
    #[error("{0}")]
    Contradiction(#[from] Contradiction),
    /// No zone is free for the manifest of this boot.
    #[error("the drive has no free zone left for its manifest")]
    NoZone,
    /// It takes a lock PIN to open it.
    #[error("the drive is locked; unlock it with its lock PIN")]
    Locked,
    /// It takes another PIN to open it.
    #[error("the PIN is not the one that the drive was locked with")]
    WrongPin,
    /// Its data key is of no use.
    #[error(
        "the drive's data key is damaged, or protected in a way that this program does not know; \
         if its content may be lost, make it a new drive: kinetic drive format --force"
    )]
    NoKey,
    /// Its settings cannot be made sure of.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An erase was cut short and cannot be finished.
    #[error("finishing an erase failed: {0}")]
    Erase(#[source] FormatError),
}

impl From<UnwrapError> for OpenError {
    fn from(error: UnwrapError) -> Self {
        match error {
            UnwrapError::Locked => Self::Locked,
            UnwrapError::WrongPin => Self::WrongPin,
            UnwrapError::Damaged(_) => Self::NoKey,
        }
    }
}

/// What opening needs beside the disk.
#[derive(Debug)]
pub struct Given<'a> {
    /// What the drive is told.
    pub options: Options,
    /// Random bytes that no other boot gets.
    pub entropy: [u8; 32],
    /// Key of the lock PIN, where one is set.
    pub pin: Option<&'a PinKey>,
}

/// An open drive's workers, and what they share.
#[derive(Debug)]
pub struct Recovered {
    /// What all share.
    pub shared: Shared,
    /// Writes the log.
    pub writer: Writer,
    /// Everything else.
    pub upkeep: Upkeep,
}

/// Opens the drive on a disk.
pub fn recover(disk: Arc<dyn Disk>, given: Given<'_>) -> Result<Recovered, OpenError> {
    let (disk, traffic) = PatientDisk::over(disk);
    let mut salts = SaltSource::new(given.entropy);
    let superblock = unerased(&*disk, &salts)?;
    let key = unlocked(&superblock, given.pin)?;
    let keys = Arc::new(Keys::new(superblock.seal, &key));
    let geometry = superblock.geometry;
    let options = given.options.fitted(&geometry);
    let manifest = journal::read(&*disk, &superblock, &keys)?;
    let mut state = manifest.state;
    let found = find(&*disk, &superblock, &state, (&options, &keys))?;

    let sole = SoleDisk {
        disk: &*disk,
        geometry,
        syncs: syncs(&options),
    };
    let superblock = next_boot(superblock, &sole)?;
    Area::of(&*disk, &superblock).settle(&|| sole.sync())?;
    rewrite_unsure(&manifest.last, &found.chain, &sole)?;
    settle(&mut state, &found, superblock.manifest.zone)?;
    let old_end = unsealed(&mut state, &found, &options)?;
    let runs = runs_of(&state);
    let start = Start {
        keys: &keys,
        state,
        superblock,
        next_frame: manifest.next_number,
    };
    let (ledger, space) = fresh_manifest(start, &mut salts, &sole)?;

    let cache = Arc::new(BlockCache::of_blocks(options.cache_bytes));
    let shared = Shared::new(Parts {
        uuid: ledger.superblock.uuid,
        boot: ledger.superblock.boot,
        reader: BlockReader::new(Arc::clone(&disk), geometry, cache)
            .with_keys(Arc::clone(&keys))
            .at_damage(options.at_damage()),
        values: ValueReader::new(
            Arc::clone(&disk),
            geometry,
            options.checking(),
            Arc::clone(&keys),
        )
        .keeping(options.value_cache_bytes),
        cipher: keys.of_boot(&salts.boot_salt()),
        keys,
        disk,
        traffic,
        geometry,
        options,
        view: View {
            active: Arc::new(found.table),
            frozen: None,
            runs,
        },
        progress: Progress::behind(found.last_group, found.last_seqno),
    });
    let upkeep = Upkeep::new((ledger, space), salts, Rewrap::new(key), &shared);
    let writer = Writer::new(found.last_group, found.last_seqno, found.replayed);
    Ok(Recovered {
        writer: writer.continuing(old_end),
        shared,
        upkeep,
    })
}

fn syncs(options: &Options) -> Syncs {
    if options.has(Sabotage::SkipSync) {
        Syncs::Skipped
    } else {
        Syncs::Done
    }
}

/// The live runs, ready to be searched.
fn runs_of(state: &ManifestState) -> Arc<[Arc<Run>]> {
    let runs = state.runs.iter();
    runs.map(|meta| Arc::new(Run::new(meta.clone()))).collect()
}

/// The superblock of a drive; of an empty one where an erase was cut short.
fn unerased(disk: &dyn Disk, salts: &SaltSource) -> Result<Superblock, OpenError> {
    let superblock = slots::choose(disk)?;
    if superblock.state == DriveState::Serving {
        return Ok(superblock);
    }
    let fresh = SaltSource::new(salts.branch());
    erase::finish(disk, superblock, (fresh, &[])).map_err(OpenError::Erase)?;
    Ok(slots::choose(disk)?)
}

/// The data key of a drive.
fn unlocked(superblock: &Superblock, pin: Option<&PinKey>) -> Result<DataKey, UnwrapError> {
    let owner = Owner {
        uuid: superblock.uuid,
        seal: superblock.seal,
    };
    wrap::unwrap(&superblock.wrapped, pin, &owner)
}

/// What the log holds that no run holds.
struct Found {
    zones: Vec<ZoneInfo>,
    chain: Chain,
    table: Memtable,
    last_seqno: Seqno,
    last_group: u64,
    replayed: u64,
}

/// Reads the log from the replay point on; changes nothing.
fn find(
    disk: &dyn Disk,
    superblock: &Superblock,
    state: &ManifestState,
    (options, keys): (&Options, &Keys),
) -> Result<Found, ScanError> {
    let values = if options.has(Sabotage::IgnoreChecksums) {
        Values::Believed
    } else {
        Values::Verified
    };
    let zones = state.replay_zones();
    let log = Log {
        zones: &zones,
        manifest_boot: superblock.manifest_boot,
        keys,
    };
    let mut scanner = Scanner::new(disk, superblock.geometry, log);
    let chain = scanner.chain(&state.replay, values)?;
    let (table, last_seqno) = replay(&mut scanner, &chain, state.replay.seqno)?;
    let last_group = chain.links.last().map(|link| link.header.number);
    let lengths = chain.links.iter().map(|link| u64::from(link.header.length));
    Ok(Found {
        replayed: lengths.sum(),
        last_group: last_group.unwrap_or(state.replay.group.saturating_sub(1)),
        table,
        last_seqno,
        chain,
        zones,
    })
}

/// Makes the next boot number durable, in both slots.
fn next_boot(mut superblock: Superblock, disk: &SoleDisk<'_>) -> io::Result<Superblock> {
    superblock.boot += 1;
    for _ in 0..2 {
        superblock.sequence += 1;
        disk.write_superblock(&superblock)?;
        disk.sync()?;
    }
    Ok(superblock)
}

/// The memtable that the chain makes, and the last mutation.
fn replay(
    scanner: &mut Scanner<'_>,
    chain: &Chain,
    flushed: Seqno,
) -> Result<(Memtable, Seqno), ScanError> {
    let table = Memtable::default();
    let mut last = flushed;
    for link in &chain.links {
        let records = scanner.records(link)?;
        last = records
            .iter()
            .map(|record| record.entry.seqno)
            .fold(last, Seqno::max);
        table.apply(records.into_iter().map(|record| (record.key, record.entry)));
    }
    Ok((table, last))
}

/// Writes everything that was read and may not be on the disk again, byte for byte, and syncs it:
/// the last frame of the manifest, and groups past the last known sync.
fn rewrite_unsure(last: &PendingFrame, chain: &Chain, disk: &SoleDisk<'_>) -> io::Result<()> {
    disk.write(last.location, &last.bytes)?;
    let unsure = chain
        .links
        .iter()
        .filter(|link| link.header.number > chain.durable_up_to);
    for Link { header, start, .. } in unsure {
        let mut bytes = vec![0; header.length as usize];
        let position = disk.geometry.position(*start);
        // What cannot be read cannot be written again either; its keys will say so.
        if disk.disk.read_at(position, &mut bytes).is_ok() {
            disk.disk.write_at(position, &[IoSlice::new(&bytes)])?;
        }
    }
    disk.sync()
}

/// Seals the log at the cut and drops what nothing refers to: zones behind the cut, run zones
/// without a live run, manifest zones that a cut left behind.
fn settle(state: &mut ManifestState, found: &Found, manifest: ZoneId) -> Result<(), Contradiction> {
    let first = BLOCK32;
    for (place, info) in found.zones.iter().enumerate() {
        let links = &found.chain.links;
        let last = links.iter().rfind(|link| link.zone == place);
        let end = last.map(|link| link.start.offset.saturating_add(link.header.length));
        let start = if info.ordinal == state.replay.ordinal {
            state.replay.offset
        } else {
            first
        };
        match end.unwrap_or(start) {
            // Nothing of it counts, and nothing that was flushed lies in it.
            end if end == first && info.live == 0 => state.apply(&Edit::Free(info.stamp.zone))?,
            end => state.apply(&Edit::Zone(ZoneInfo {
                end: Some(end),
                ..*info
            }))?,
        }
    }
    let unused: Vec<ZoneId> = state
        .zones
        .values()
        .filter(|info| match info.kind {
            ZoneKind::Run => !state.holds_run(info.stamp.zone),
            ZoneKind::Manifest => info.stamp.zone != manifest,
            ZoneKind::Log | ZoneKind::Cold => false,
        })
        .map(|info| info.stamp.zone)
        .collect();
    unused
        .into_iter()
        .try_for_each(|zone| state.apply(&Edit::Free(zone)))
}

/// A deliberate bug: the log goes on where the boot before ended. Takes back that it is sealed.
fn unsealed(
    state: &mut ManifestState,
    found: &Found,
    options: &Options,
) -> Result<Option<(LogZone, u32)>, Contradiction> {
    let last = found.chain.links.last();
    let last = last.filter(|_| options.has(Sabotage::AppendToOldZone));
    let zone = last.and_then(|link| Some((link, found.zones.get(link.zone)?)));
    let Some((link, info)) = zone else {
        return Ok(None);
    };
    state.apply(&Edit::Zone(ZoneInfo { end: None, ..*info }))?;
    let zone = LogZone {
        stamp: info.stamp,
        ordinal: info.ordinal,
    };
    let end = link.start.offset.saturating_add(link.header.length);
    Ok(Some((zone, end)))
}

struct Start<'a> {
    keys: &'a Keys,
    state: ManifestState,
    superblock: Superblock,
    next_frame: u64,
}

/// Moves the manifest to a fresh zone, since no boot appends to another boot's zone.
fn fresh_manifest(
    start: Start<'_>,
    salts: &mut SaltSource,
    disk: &SoleDisk<'_>,
) -> Result<(Ledger, Space), OpenError> {
    let Start {
        keys,
        mut state,
        superblock,
        next_frame,
    } = start;
    let geometry: Geometry = disk.geometry;
    let mut space = Space::new(&geometry, &state);
    let zone = space.take().ok_or(OpenError::NoZone)?;
    let epoch = state.counters.next_epoch;
    state.counters.next_epoch += 1;
    let old = superblock.manifest.zone;
    let stamp = ZoneStamp {
        drive: superblock.drive,
        zone,
        epoch,
        salt: salts.draw(),
    };
    let boot_salt = salts.boot_salt();
    let opening = Opening {
        state,
        superblock,
        boot_salt,
        cipher: keys.of_boot(&boot_salt),
        next_frame,
    };
    for info in opening.state.zones.values() {
        keys.enter(info.stamp, &info.boot_salt);
    }
    let mut ledger = Ledger::open(opening, FreshZone { stamp }, &geometry)?;
    calls::finish(&mut ledger, disk)?;
    space.condemn(old, Vec::new());
    Ok((ledger, space))
}
