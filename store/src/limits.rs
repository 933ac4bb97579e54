//! Every bound of the engine, with its unit.
//!
//! Guarantee: relations between bounds are asserted at compile time, so that a changed number
//! that breaks another one does not build. Limits of the protocol (what a client may send) are
//! not here: the engine refuses what its formats cannot hold, the server what it promised.

/// Tries of a read before the disk's error counts.
pub const READ_TRIES: u32 = 3;

/// Bounds by which groups are counted by their commits.
pub const GROUP_COMMITS_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/// Bounds by which groups are counted by their bytes.
pub const GROUP_BYTES_BOUNDS: &[u64] = &[
    1 << 9,
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
];
/// Bounds by which syncs are counted, in microseconds.
pub const SYNC_US_BOUNDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// Unit of alignment on the disk and of everything that is synced apart, in bytes.
pub const BLOCK: u64 = 4096;

/// [`BLOCK`] as offsets inside a zone are counted.
pub const BLOCK32: u32 = 4096;
/// [`BLOCK`] as lengths in memory are counted.
pub const BLOCK_LEN: usize = 4096;

/// Longest key that the formats hold, in bytes.
pub const MAX_KEY: usize = 4096;
/// Longest entry version that the formats hold, in bytes.
pub const MAX_VERSION: usize = 4096;
/// Longest tag that the formats hold, in bytes.
pub const MAX_TAG: usize = 4096;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 1 << 20;

/// Smallest drive, in bytes; a smaller disk is refused at format.
pub const MIN_CAPACITY: u64 = 256 << 20;
/// Fewest zones of a drive, the zone of the superblocks included.
pub const MIN_ZONES: u32 = 64;
/// Smallest zone of a real drive, in bytes.
pub const MIN_ZONE: u64 = 4 << 20;
/// Largest zone, in bytes.
pub const MAX_ZONE: u64 = 64 << 20;
/// Smallest zone that the format allows at all; only tests use zones below [`MIN_ZONE`].
pub const MIN_TEST_ZONE: u64 = 64 << 10;
/// Bytes that the manifest's snapshot needs for each zone at most: the zone itself and an extent
/// of a run in it.
pub const SNAPSHOT_PER_ZONE: u64 = 96;
/// Zones that a drive is cut into at least where capacity allows larger ones.
pub const ZONES_WANTED: u64 = 1024;

/// Bytes of a value that are sealed together, so that a part of it can be read.
pub const SEAL_CHUNK: usize = 64 << 10;
/// Bytes by which sealing lengthens what is sealed.
pub const SEAL_TAG: usize = 16;

/// Most rounds of PBKDF2 that are done for a PIN, whatever a disk asks for: what ends in a minute.
pub const MOST_PIN_ROUNDS: u32 = 10_000_000;

/// Bytes that the writer keeps for sealing from one group to the next.
pub const SEAL_BUFFER: usize = 8 << 20;

/// Bytes of a slot for settings where zones are at least [`MIN_ZONE`].
pub const SETTINGS_SLOT: u64 = 3 << 19;
/// Where the first slot for settings starts, in bytes from the start of such a disk.
pub const SETTINGS_FIRST: u64 = 512 << 10;
/// Where the second one starts.
pub const SETTINGS_SECOND: u64 = 2 << 20;

/// Most mutations of one commit (a batch).
pub const MAX_COMMIT_OPERATIONS: usize = 4096;
/// Bytes that a mutation takes in a group beside key, version, tag and value, at most, with one tag
/// of its value's seal; each further 64 KiB of value take another one.
pub const MUTATION_BYTES: u64 = 128;
/// The writer stops coalescing commits into one group at this many bytes.
pub const GROUP_TARGET: u64 = 4 << 20;
/// A group of several values that have at least this many bytes on average starts and ends on a
/// block, so that the disk may write it past the page cache. Measured: past the cache, many 64 KiB
/// values go in twice as fast; through it, 4 KiB values and lone large ones do.
pub const LARGE_VALUE: usize = 32 << 10;

/// Bytes of a block of a run that its builder aims at.
pub const RUN_BLOCK_TARGET: usize = 8 << 10;
/// Largest block of a run: one largest entry still fits one.
pub const RUN_BLOCK_MAX: usize = 64 << 10;
/// Leaves below one filter.
pub const LEAVES_PER_FILTER: usize = 64;
/// Bits of filter for each key.
pub const FILTER_BITS_PER_KEY: usize = 10;
/// Bytes at the end of a zone that a run of usual keys leaves unused at most: what ends it, which
/// is an open leaf, a filter and an open node of each level, goes into one zone. Of keys that share
/// a prefix of KiB, nodes have few children and there are many levels: some more is left then.
pub const RUN_SLACK: u64 = 64 << 10;
/// Bytes that a flush or a merge writes in one step.
pub const RUN_WRITE: usize = 1 << 20;

/// Runs of one level that make a merge due.
pub const MERGE_FANOUT: usize = 4;

/// Merges that putting the index in order takes at most, where damaged runs lie between.
pub const OPTIMIZE_MERGES: u32 = 8;

/// Times that it looks for zones that have died meanwhile before it is called done.
pub const OPTIMIZE_LOOKS: u32 = 8;

/// One tombstone among so many entries of all runs makes a merge of all due.
pub const TOMBSTONE_SHARE: u64 = 4;

/// While space is short, one entry of newer runs for so many of the oldest run makes a merge of all
/// due: what died since the last one is not known before.
pub const HIDDEN_SHARE: u64 = 4;

/// Share of all zones, in thousandths, that reclaim keeps free beyond the reserve.
pub const FREE_SHARE: u64 = 16;
/// Zones that it keeps free beyond the reserve at least.
pub const FREE_ZONES: usize = 4;
/// Bytes of values that reclaim collects before it writes them.
pub const RECLAIM_WRITE: usize = 1 << 20;
/// Bytes of copies after which reclaim syncs them.
pub const RECLAIM_SYNC: usize = 16 << 20;
/// Moves that reclaim hands to the writer at a time.
pub const RECLAIM_MOVES: usize = 512;
/// Bytes of their records, the last one not counted.
pub const RECLAIM_MOVES_BYTES: usize = 128 << 10;
/// Entries that reclaim looks up in one step.
pub const RECLAIM_LOOKUPS: usize = 64;
/// Bytes of values that reclaim reads in one step, the last one not counted.
pub const RECLAIM_READ: usize = 256 << 10;
/// Of a zone's room, reclaim leaves so many of 16 parts alone when they are alive.
pub const WORTH_PARTS: u64 = 14;
/// The same where commits wait for room.
pub const WORTH_PARTS_PRESSED: u64 = 15;
/// The same where nobody needs room and a client asks for it: eleven bytes copied for five gained.
pub const WORTH_PARTS_ASKED: u64 = 11;
/// Microseconds that reclaim waits for the writer before it gives up what it was about.
pub const RECLAIM_PATIENCE_US: u64 = 10_000_000;

/// Microseconds between the end of a round of scrub and the beginning of the next one.
pub const SCRUB_EVERY_US: u64 = 7 * 24 * 3_600_000_000;
/// Microseconds from opening to the first round, at most: the last one may have been long ago.
pub const SCRUB_FIRST_US: u64 = 3_600_000_000;
/// Bytes a second that scrub reads.
pub const SCRUB_PACE: u64 = 32 << 20;
/// It reads so many times slower while others use the disk.
pub const SCRUB_BUSY_PARTS: u64 = 8;
/// Bytes that it may read at once after a rest, at least.
pub const SCRUB_BURST: u64 = 1 << 20;
/// Findings that it remembers; more are only counted.
pub const SCRUB_FINDINGS: usize = 256;

/// Memtable bytes at which a flush is due.
pub const MEMTABLE_BYTES: u64 = 32 << 20;
/// Log bytes since the replay point at which a flush is due.
pub const LOG_BYTES: u64 = 256 << 20;
/// Bytes that run blocks may hold in memory.
pub const CACHE_BYTES: u64 = 32 << 20;
/// Bytes that small values may hold in memory.
pub const VALUE_CACHE_BYTES: u64 = 64 << 20;
/// Largest value that is kept in memory.
pub const KEPT_VALUE: u32 = 16 << 10;
/// Bytes of one that is kept, usually.
pub const USUAL_VALUE: u64 = 4 << 10;
/// Written but not synced bytes at which the writer waits for a sync.
pub const UNSYNCED_BYTES: u64 = 32 << 20;
/// Age in microseconds at which unsynced writes are synced.
pub const UNSYNCED_AGE_US: u64 = 1_000_000;
/// Bytes of keys, metadata and values that commits waiting in the queue may hold, one commit and
/// [`LANE_TURN`] for each lane not counted: nobody is kept out for good.
pub const QUEUE_BYTES: u64 = 32 << 20;
/// Bytes that a waiting commit counts there beside its own: what it costs to remember it.
pub const COMMIT_COST: u64 = 128;
/// Bytes of commits that a lane may take in its turn before the next one has its own.
pub const LANE_TURN: u64 = 128 << 10;
/// Priorities that a commit may have.
pub const PRIORITIES: usize = 9;
/// Bytes that more urgent lanes may take while a less urgent one waits, before it is let through
/// for [`LANE_TURN`].
pub const PASSED_BYTES: u64 = 16 * LANE_TURN;
/// Of so many times that lanes are told of room, one time all are asked in turn, however urgent.
pub const ROOM_IN_TURN: u64 = 8;
/// Log zones that are allocated ahead of the writer.
pub const READY_LOG_ZONES: usize = 4;
/// Bytes of log zones that are allocated ahead of the writer.
pub const READY_LOG_BYTES: u64 = 64 << 20;
/// Waiting commits of at most this many bytes, not several with large values, are done on the
/// thread that asks: that is a copy to the page cache, cheaper than waking another thread.
pub const INLINE_COMMIT: u64 = 128 << 10;
/// Groups that a thread writes for itself and others before it leaves the rest to the writer's.
pub const INLINE_STEPS: usize = 2;
/// Tombstones that a read steps over before it must go where waiting is allowed.
pub const INLINE_TOMBSTONES: usize = 1000;
/// Tombstones that a turn of a scan steps over before others have theirs: some ten milliseconds.
pub const TURN_TOMBSTONES: usize = 1 << 15;
/// Of a scan, what it steps over counts from so many tombstones on, and by so many.
pub const SCAN_TOMBSTONES: usize = 1000;
/// A merge of everything is due once scans have stepped over one tombstone for so many entries that
/// it would read: then they have lost as much time as it takes, or an eighth of that.
pub const SCAN_SHARE: u64 = 8;
/// Keys up to this length lie in the memtable's nodes themselves, in bytes: a UUID in text and a
/// short prefix. Searching a node then touches neighbouring memory only.
pub const INLINE_KEY: usize = 40;
/// Keys that a scan copies from a memtable under one lock.
pub const SCAN_CHUNK: usize = 64;
/// Microseconds before a failed write of the manifest is tried again.
pub const RETRY_US: u64 = 500_000;

/// Bytes of keys, versions, tags and values that every commit of at most so many mutations may have
/// on a drive with zones of this size: half a zone, less what the formats add.
#[must_use]
pub const fn commit_bytes(zone_size: u64, mutations: u32) -> u64 {
    let half = zone_size / 2;
    let tags = half / SEAL_CHUNK as u64 * SEAL_TAG as u64;
    half.saturating_sub(3 * BLOCK + tags + mutations as u64 * MUTATION_BYTES)
}

const _: () = assert!(BLOCK32 as u64 == BLOCK && BLOCK_LEN as u64 == BLOCK);
const _: () = assert!(SETTINGS_FIRST + SETTINGS_SLOT <= SETTINGS_SECOND);
const _: () =
    assert!(SETTINGS_SECOND + SETTINGS_SLOT <= MIN_ZONE && MIN_TEST_ZONE <= SETTINGS_FIRST);
const _: () = assert!(SEAL_BUFFER as u64 >= GROUP_TARGET);
// A group holds a turn of many lanes, and the queue several groups of a single one.
const _: () = assert!(LANE_TURN * 32 <= GROUP_TARGET && GROUP_TARGET * 4 <= QUEUE_BYTES / 2);
// The eight levels that may be let through between two turns of the most urgent one leave it most.
const _: () = assert!(PASSED_BYTES >= (PRIORITIES as u64 - 1) * LANE_TURN * 2);
// One commit, which half a zone bounds, at most doubles the queue.
const _: () = assert!(MAX_ZONE / 2 <= QUEUE_BYTES);
const _: () = assert!(MIN_CAPACITY == MIN_ZONE * MIN_ZONES as u64);
const SEALED_VALUE: usize = MAX_VALUE + MAX_VALUE.div_ceil(SEAL_CHUNK) * SEAL_TAG;
const _: () =
    assert!((SEALED_VALUE + MAX_KEY + MAX_VERSION + MAX_TAG) as u64 + 2 * BLOCK < MIN_ZONE / 2);
const _: () = assert!(USUAL_VALUE <= KEPT_VALUE as u64);
const _: () = assert!(RUN_BLOCK_MAX > MAX_KEY + MAX_VERSION + MAX_TAG + RUN_BLOCK_TARGET);
const _: () = assert!(MAX_ZONE <= u32::MAX as u64);
const _: () = assert!(WORTH_PARTS_ASKED < WORTH_PARTS && WORTH_PARTS < WORTH_PARTS_PRESSED);
const _: () = assert!(WORTH_PARTS_PRESSED < 16);
const _: () = assert!(LARGE_VALUE >= 2 * BLOCK_LEN);
const _: () = assert!(SCAN_TOMBSTONES <= INLINE_TOMBSTONES && INLINE_TOMBSTONES < TURN_TOMBSTONES);
