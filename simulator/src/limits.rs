//! Every bound of simulated drives, with its unit.

/// Bytes of a simulated drive unless told otherwise: nominal, it costs what is written.
pub const CAPACITY: u64 = 4_000_000_000_000;
/// Bytes of a sparse platter that are mapped together, when the first of them is written. A zone of
/// a large drive, so that a zone that is discarded gives its memory back.
pub const EXTENT: u64 = 64 << 20;
/// The same as lengths in memory are counted.
pub const EXTENT_LEN: usize = 64 << 20;
/// What of an extent is written, or was never, in bytes; a page of the host.
pub const PAGE: usize = 4096;

/// Threads that do the work of all stores of a process.
pub const CREW_THREADS: usize = 2;
/// Threads of the runtime that all drives of a process share, at least and at most; as many as the
/// machine has processors between these.
pub const RUNTIME_THREADS: (usize, usize) = (2, 4);
/// Threads of it that may wait for disks.
pub const DISK_THREADS: usize = 64;
/// Drives that are opened at a time.
pub const OPENINGS: usize = 4;
/// Requests of a drive that may wait for its disk at a time.
pub const READS: usize = 2;

/// Memtable size of a simulated drive, in bytes.
pub const MEMTABLE_BYTES: u64 = 4 << 20;
/// Log of a simulated drive before a flush, in bytes.
pub const LOG_BYTES: u64 = 32 << 20;
/// Memory of a simulated drive for blocks of runs, in bytes.
pub const CACHE_BYTES: u64 = 4 << 20;
/// Memory of a simulated drive for values that were read, in bytes: none, its platter is memory.
pub const VALUE_CACHE_BYTES: u64 = 0;
/// Rounds for PINs of a simulated drive: few, so that tests with PINs are quick.
pub const PIN_ROUNDS: u32 = 100;
/// How long a drive that is stopped waits for its connections, in milliseconds.
pub const DRAIN_MS: u64 = 2000;
/// Pause after a connection that could not be accepted, in milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 20;
/// Drives of a chassis at most.
pub const CHASSIS: usize = 4096;

const _: () = assert!(EXTENT_LEN as u64 == EXTENT && EXTENT_LEN.is_multiple_of(PAGE * 64));
const _: () = assert!(RUNTIME_THREADS.0 <= RUNTIME_THREADS.1 && OPENINGS <= DISK_THREADS);
