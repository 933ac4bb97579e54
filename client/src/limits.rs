//! Every bound of the client, by name.
//!
//! Guarantees: the relations between them hold at compile time. Not here: the limits of a drive,
//! which it reports in its hello.

use kinetic_proto::limits::{MAX_DIGEST_PARTS, MAX_DISCARDED_VALUE_SIZE, MAX_MESSAGE_SIZE};

#[doc(no_inline)]
pub use kinetic_proto::limits::{MAX_KEY_SIZE, MAX_VALUE_SIZE};

/// Where a drive listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 8123;

/// Where a drive listens for TLS unless told otherwise.
pub const DEFAULT_TLS_PORT: u16 = 8443;

/// What a request counts for beside its key and value, in bytes: its place in the queues.
pub const REQUEST_OVERHEAD: usize = 512;

/// Bytes of requests in flight, unless configured: callers wait beyond that.
pub const DEFAULT_IN_FLIGHT_BYTES: usize = 64 << 20;

/// Bytes that are encoded and not yet written; further requests wait unencoded.
pub const WRITE_BACKLOG_BYTES: usize = 4 << 20;

/// Values up to this many bytes are copied behind their message: cheaper than a segment of
/// their own. Longer ones are never copied.
pub const COPIED_VALUE_BYTES: usize = 1 << 10;

/// Room for the messages of one write, made at a time.
pub const MESSAGE_ROOM_BYTES: usize = 16 << 10;

/// Segments handed to one write.
pub const SEGMENTS_PER_WRITE: usize = 128;

/// Room made in the read buffer at a time, unless a frame needs more.
pub const READ_BYTES: usize = 64 << 10;

/// Room below which the read buffer is renewed, as long as less than that has come.
pub const LEAST_READ_BYTES: usize = 8 << 10;

/// Reads before other tasks get their turn.
pub const READS_PER_TURN: usize = 16;

/// Milliseconds that a connection which cannot be written to is still read from, for the reason
/// that the drive may have given.
pub const LAST_WORDS_MS: u64 = 1000;

/// Milliseconds from the first packet to the hello, unless configured.
pub const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 10_000;

/// Bytes of a key that the text of an error shows.
pub const SHOWN_KEY_BYTES: usize = 64;

/// Milliseconds after which a drive that counts or sums up is to answer what it has, at most.
pub const EXTENSION_QUANTUM_MS: u64 = 10_000;

/// Bytes of keys in one request about several, each with its tag and length.
pub const KEY_LIST_BYTES: usize = 960 << 10;

/// Entries in each of the parts that two drives are compared by first.
pub const COMPARE_FIRST: u32 = 4096;

/// The same where values are compared, which takes a drive longer.
pub const COMPARE_FIRST_VALUES: u32 = 256;

/// Parts that a part which differs is parted into; an answer holds them all.
pub const COMPARE_FAN_OUT: u64 = 64;

/// Entries of a part that are compared one by one; an answer holds them all.
pub const COMPARE_LEAF: u64 = 128;

/// The longest time-out; a longer one is shortened to it.
pub const MAX_TIMEOUT_MS: u64 = 365 * 24 * 3600 * 1000;

/// Milliseconds that an erase may take, unless its request says otherwise.
pub const ERASE_TIMEOUT_MS: u64 = 180_000;

/// Milliseconds that a push of a replication may take, unless it says otherwise: the drive waits
/// for others meanwhile.
pub const PUSH_TIMEOUT_MS: u64 = 120_000;

/// Milliseconds by which a drive is told less than the time of a push, so that its answer comes in
/// time; less of a short one.
pub const PUSH_GRACE_MS: u64 = 2_000;

/// Bytes of one request of a replication at which no more keys are added to it: half of a message.
pub const PUSH_REQUEST_BYTES: usize = 512 << 10;

/// Bytes that each operation counts there beside its key: the name of its peer, and its status.
pub const PUSH_OVERHEAD: usize = 320;

/// Keys of one push of a replication, unless it says otherwise.
pub const PUSHED_KEYS: usize = 64;

/// Pushes of a replication that are under way at a time, unless it says otherwise.
pub const PUSHES_UNDER_WAY: usize = 8;

/// Milliseconds from a call to its answer, unless configured.
pub const DEFAULT_REQUEST_TIMEOUT_MS: u64 = 30_000;

/// The multicast group to which drives announce themselves.
pub const HEARTBEAT_GROUP: std::net::Ipv4Addr = std::net::Ipv4Addr::new(239, 1, 2, 3);

/// The UDP port there.
pub const HEARTBEAT_PORT: u16 = 8123;

/// Bytes of a heartbeat: as many as a datagram can have.
pub const HEARTBEAT_BYTES: usize = 64 << 10;

/// Interfaces of a heartbeat that are kept.
pub const HEARTBEAT_INTERFACES: usize = 256;

/// Characters of each of its texts that are kept.
pub const HEARTBEAT_TEXT_CHARS: usize = 256;

const _: () = {
    assert!(COPIED_VALUE_BYTES < MESSAGE_ROOM_BYTES);
    assert!(MESSAGE_ROOM_BYTES < WRITE_BACKLOG_BYTES);
    assert!(DEFAULT_REQUEST_TIMEOUT_MS <= ERASE_TIMEOUT_MS);
    assert!(ERASE_TIMEOUT_MS <= MAX_TIMEOUT_MS);
    assert!(DEFAULT_REQUEST_TIMEOUT_MS <= PUSH_TIMEOUT_MS && PUSH_TIMEOUT_MS <= MAX_TIMEOUT_MS);
    assert!(EXTENSION_QUANTUM_MS < DEFAULT_REQUEST_TIMEOUT_MS);
    assert!(KEY_LIST_BYTES + 4096 <= MAX_MESSAGE_SIZE as usize);
    assert!(COMPARE_FAN_OUT * 2 < MAX_DIGEST_PARTS as u64);
    assert!(COMPARE_LEAF < MAX_DIGEST_PARTS as u64);
    assert!(LEAST_READ_BYTES <= READ_BYTES);
    assert!(WRITE_BACKLOG_BYTES <= DEFAULT_IN_FLIGHT_BYTES);
    assert!(DEFAULT_IN_FLIGHT_BYTES <= u32::MAX as usize);
    // The largest request fits the least budget, see Config::in_flight_bytes.
    assert!(
        MAX_MESSAGE_SIZE as usize + MAX_DISCARDED_VALUE_SIZE as usize <= DEFAULT_IN_FLIGHT_BYTES
    );
};
