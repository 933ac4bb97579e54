//! Every bound of the command, by name.
//!
//! Guarantees: the relations between them hold at compile time. Not here: the limits of a drive,
//! which it reports.

/// Bytes of a new image unless told otherwise: sparse, so it takes only what is written.
pub(crate) const DEFAULT_IMAGE_BYTES: u64 = 16 << 30;

/// Files or keys in flight during import and export, unless told otherwise.
pub(crate) const DEFAULT_JOBS: usize = 32;

/// Most files or keys in flight; each may hold a value of 1 MiB.
pub(crate) const MAX_JOBS: usize = 1024;

/// Longest file name of the file systems we know, in bytes.
pub(crate) const MAX_FILE_NAME_BYTES: usize = 255;

/// Longest name that is made of the hexadecimal digits of a key, in bytes.
pub(crate) const HEX_NAME_BYTES: usize = 200;

/// Attempts at a temporary name that nobody has.
pub(crate) const TEMPORARY_NAMES: u32 = 16;

/// Most connections of a benchmark.
pub(crate) const MAX_BENCH_CONNECTIONS: usize = 1024;

/// Most requests in flight on a connection of a benchmark.
pub(crate) const MAX_BENCH_DEPTH: usize = 65_536;

/// Longest latency that a benchmark tells apart, in nanoseconds.
pub(crate) const MAX_LATENCY_NS: u64 = 120_000_000_000;

/// Digits to which latencies are exact.
pub(crate) const LATENCY_DIGITS: u8 = 3;

/// Longest key file, in bytes.
pub(crate) const MAX_KEY_FILE_BYTES: u64 = 64 << 10;

/// Longest line of a batch's file, in bytes: a value of 1 MiB in hexadecimal digits, and its key.
pub(crate) const MAX_BATCH_LINE_BYTES: u64 = 4 << 20;

/// Longest file with an access control list, in bytes.
pub(crate) const MAX_ACL_FILE_BYTES: u64 = 4 << 20;

/// Most bytes of a capture that are read: more than any PDU, written as hexadecimal digits.
pub(crate) const MAX_PDU_BYTES: u64 = 64 << 20;

/// Most keys of one request to push.
pub(crate) const MAX_PUSHED_KEYS: usize = 1024;

/// Bytes of keys in one request to push, from which on it is sent: far below a message.
pub(crate) const PUSHED_KEY_BYTES: usize = 256 << 10;

/// Most requests to push that are under way.
pub(crate) const MAX_PUSHES: usize = 128;

/// Seconds after which a drive that scans its medium is to answer what it has.
pub(crate) const SCAN_QUANTUM_SECONDS: u64 = 5;

/// Milliseconds between two looks for new messages of a drive.
pub(crate) const FOLLOW_MS: u64 = 1000;

/// Bytes of a key that is made to be known to nobody.
pub(crate) const RANDOM_KEY_BYTES: usize = 32;

/// Drives that are told apart when their heartbeats are listened for.
pub(crate) const MAX_DISCOVERED: usize = 100_000;

const _: () = assert!(DEFAULT_JOBS <= MAX_JOBS);
const _: () = assert!(HEX_NAME_BYTES.is_multiple_of(2) && HEX_NAME_BYTES < MAX_FILE_NAME_BYTES);
