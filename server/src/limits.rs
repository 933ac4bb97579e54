//! Every bound of the server, with its unit.
//!
//! Guarantee: relations between bounds are asserted at compile time. Bounds that clients see (key,
//! value, connections) are the protocol's and live in `kinetic_proto::limits`; those of the disk
//! in `kinetic_store::limits`.

use kinetic_client::limits::REQUEST_OVERHEAD;
use kinetic_proto::limits::{
    MAX_BATCH_SIZE, MAX_CONNECTIONS, MAX_KEY_SIZE, MAX_KEYS_PER_REQUEST, MAX_MESSAGE_SIZE,
    MAX_OPERATIONS_PER_BATCH, MAX_TAG_SIZE, MAX_VALUE_SIZE, MAX_VERSION_SIZE,
};
use kinetic_store::limits::{MAX_COMMIT_OPERATIONS, MAX_ZONE, MIN_ZONE, commit_bytes};

/// Bytes that a connection asks the socket for at once when it does not know of more.
pub const READ_BYTES: usize = 128 << 10;

/// Room below which its read buffer is renewed, as long as less than that has come.
pub const LEAST_READ_BYTES: usize = READ_BYTES / 2;

/// Bytes of answers that one connection may hold unsent. Beyond it nothing is executed until some
/// are sent; requests are still read, up to [`BACKLOG_BYTES`].
pub const UNSENT_BYTES: usize = 4 << 20;

/// Bytes of answers that all connections together may hold unsent before each falls back to
/// [`UNSENT_FLOOR_BYTES`]. What the disk is reading for them by then may still come.
pub const ALL_UNSENT_BYTES: u64 = 256 << 20;

/// Bytes of answers, those that disk reads may bring included, below which a connection goes on
/// even then.
pub const UNSENT_FLOOR_BYTES: usize = 256 << 10;

/// Bytes of requests that one connection may hold unexecuted. Beyond it nothing is read: the
/// peer's TCP window fills, and that is the back-pressure.
pub const BACKLOG_BYTES: usize = 32 << 20;

/// Bytes of requests that a connection may hold even when the drive holds [`BUFFERED_BYTES`].
pub const BACKLOG_FLOOR_BYTES: usize = 256 << 10;

/// Bytes of requests and answers that all connections together may hold before each falls back to
/// [`BACKLOG_FLOOR_BYTES`].
pub const BUFFERED_BYTES: u64 = 256 << 20;

/// Connections that may each complete a frame that is larger than [`BACKLOG_FLOOR_BYTES`] while
/// the drive holds [`BUFFERED_BYTES`]. With one a single connection could keep all others waiting.
pub const FRAME_PERMITS: usize = 32;

/// Seconds that such a connection has for its frame. Then it is closed, for others wait.
pub const FRAME_PERMIT_SECONDS: u64 = 30;

/// Milliseconds after which a connection that waits for room looks for it again.
pub const ROOM_RETRY_MS: u64 = 100;

/// Bytes that a queued request counts at least: what it costs to remember it.
pub const REQUEST_COST_BYTES: usize = 128;

/// Writes of one connection that may wait for the disk.
pub const PENDING_WRITES: usize = 16 << 10;

/// Writes of one connection that may wait until what the store's writer looks up for them is read.
pub const UPCOMING_WRITES: usize = 32;

/// Bytes that they may hold, the last one not counted.
pub const UPCOMING_BYTES: usize = 4 << 20;

/// Keys of a write that are looked for in memory on the connection's own task.
pub const LOOK_AHEAD_INLINE: usize = 64;

/// Keys that are looked up for one of them before other reads have their turn.
pub const LOOK_AHEAD_TURN: usize = 64;

/// Reads of one connection that may wait for the disk.
pub const PENDING_DISK_READS: usize = 16;

/// Threads that read the disk for requests whose answer is not in memory.
pub const DISK_READ_THREADS: usize = 8;

/// Reads of one priority that may wait for one of those threads.
pub const DISK_READ_QUEUE: usize = 1024;

/// More urgent reads that are begun while a less urgent one waits, before it is next.
pub const PASSED_JOBS: usize = 16;

/// Seconds that a TLS handshake may take.
pub const HANDSHAKE_SECONDS: u64 = 10;

/// Bounds by which latencies of requests are counted, in microseconds.
pub const LATENCY_US_BOUNDS: &[u64] = &[
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// Kinds of answers that a connection counts before it adds them to the drive's counters.
pub const TALLY_KINDS: usize = 16;

/// Bytes of the head of a request for metrics.
pub const METRICS_HEAD_BYTES: usize = 8 << 10;

/// Seconds that such a request may take to come, and its answer to be taken.
pub const METRICS_SECONDS: u64 = 5;

/// Connections that may ask for metrics at once.
pub const METRICS_CONNECTIONS: usize = 16;

/// Requests that a connection executes before it looks at its socket again.
pub const TURN_REQUESTS: usize = 256;

/// What a request below NORMAL counts there: such turns are short, so that others have theirs.
pub const LESS_URGENT_COST: usize = 8;

/// What a request about many keys counts there: each may take a hundred times what a GET does.
pub const MANY_KEYS_COST: usize = 16;

/// Bytes of answers after which a connection looks at its socket again.
pub const TURN_ANSWER_BYTES: usize = 1 << 20;

/// Bytes that all batches of a drive may hold together, from their first operation to the answer
/// to their END. An operation beyond it fails its batch.
pub const BATCHES_BYTES: u64 = 128 << 20;

/// Bytes that an operation of a batch counts there beside its fields.
pub const BATCH_OPERATION_COST_BYTES: u64 = 256;

/// Most operations that a batch can be configured to take: one commit of the store.
pub const MOST_BATCH_OPERATIONS: u32 = 4096;

/// Fewest bytes that a batch can be configured to take: one largest operation.
pub const LEAST_BATCH_BYTES: u32 = MAX_VALUE_SIZE + MAX_KEY_SIZE + MAX_VERSION_SIZE + MAX_TAG_SIZE;

/// Most bytes that a batch can be configured to take: half of a largest zone. A drive with smaller
/// zones takes less and reports it.
pub const MOST_BATCH_BYTES: u32 = 32 << 20;

/// Most open batches that a drive can be configured to keep.
pub const MOST_OPEN_BATCHES: u32 = 4096;

/// Values up to this many bytes are copied behind their message; larger ones are sent from where
/// they lie.
pub const COPIED_VALUE_BYTES: usize = 1 << 10;

/// Values up to this many bytes are copied when a write waits with them, so that it does not hold
/// the buffer that they were read into.
pub const KEPT_BY_COPY_BYTES: usize = 16 << 10;

/// Parts of one vectored write; the kernel takes 1,024 at most.
pub const WRITE_PARTS: usize = 256;

/// Seconds that a peer may take no byte of what is sent to it.
pub const WRITE_STALL_SECONDS: u64 = 300;

/// Milliseconds that a closing connection waits for the peer to take its last answer.
pub const LINGER_MS: u64 = 2_000;

/// Bytes that a closing connection reads and throws away, so that the peer gets the last answer.
pub const LINGER_BYTES: usize = 64 << 20;

/// Milliseconds that a stopping server reads on for requests that had arrived by then; a peer that
/// never stops sending must not keep it from stopping.
pub const LAST_READS_MS: u64 = 200;

/// Seconds that a stopping server gives its connections.
pub const DRAIN_SECONDS: u64 = 10;

/// Rounds of PBKDF2-HMAC-SHA256 for a PIN.
pub const PIN_ROUNDS: u32 = 600_000;

/// Most rounds that are read from a disk.
pub const MOST_PIN_ROUNDS: u32 = kinetic_store::limits::MOST_PIN_ROUNDS;

/// Milliseconds that a source waits after its first wrong PIN; twice as long after each more.
pub const FIRST_PIN_DELAY_MS: u64 = 500;

/// Milliseconds that it waits at most: less than the patience of clients.
pub const MOST_PIN_DELAY_MS: u64 = 16_000;

/// Seconds after which the wrong PINs of a source are forgotten.
pub const PIN_MEMORY_SECONDS: u64 = 3600;

/// Sources whose wrong PINs are remembered.
pub const PIN_SOURCES: usize = 4096;

/// Changes (of identities, PINs, lock, set-up) that may wait for the thread that makes them.
pub const CHANGE_QUEUE: usize = 256;

/// Tries of PINs that may wait for their time, of all sources.
pub const DELAYED_PINS: usize = 256;

/// Tries of PINs that may wait for their time, of one source.
pub const DELAYED_PINS_PER_SOURCE: usize = 8;

/// Bytes of the key that an identity signs with.
pub const HMAC_KEY_BYTES: usize = 1024;

/// Scopes of one identity.
pub const SCOPES_PER_IDENTITY: usize = 64;

/// Seconds that stopping the store waits for those who are using it.
pub const LAST_USE_SECONDS: u64 = 30;

/// Days from one scrub to the next, unless told otherwise.
pub const SCRUB_DAYS: u32 = 7;

/// Most days that it can be told.
pub const MOST_SCRUB_DAYS: u32 = 3650;

/// Seconds between two looks at load and temperature of the host.
pub const SAMPLE_SECONDS: u64 = 5;
/// Seconds between two looks at what scrub found, where nobody looks at the host.
pub const TELL_SECONDS: u64 = 60;
/// Connections that were handed over and not begun yet.
pub const GUESTS: usize = 64;

/// Sensors of the host that are looked at.
pub const SENSORS: usize = 64;

/// Milliseconds that accepting pauses when the host has no descriptor left.
pub const ACCEPT_PAUSE_MS: u64 = 100;

/// Lines that the log of messages holds.
pub const MESSAGE_LINES: usize = 256;

/// Bytes of one line of that log; the rest is cut.
pub const MESSAGE_LINE_BYTES: usize = 256;

/// Warnings before the lines of that log.
pub const WARNINGS: usize = 16;

/// Lines in an answer to the log of messages in pages.
pub const MESSAGES_PAGE: usize = 100;

/// Types that one GETLOG may ask for, repetitions included.
pub const LOG_TYPES: usize = 64;

/// Keys that a range reads from the store at once.
pub const RANGE_PAGE: usize = 200;

/// Pages that a range reads before it moves to a thread that may take its time.
pub const RANGE_PAGES_INLINE: usize = 4;

/// Pages that a range reads on such a thread before other reads have their turn.
pub const RANGE_PAGES_TURN: usize = 64;

/// Bytes of entries without their values in one answer, as they are encoded: the rest of a message
/// is for its header and status, and for what is said of entries that are not in it.
pub const LISTED_BYTES: usize = 960 << 10;

/// Keys that a request about several looks up before others have their turn.
pub const KEYS_TURN: usize = 64;

/// Entries that a scan of values asks the store for at once.
pub const SCAN_PAGE: usize = 200;

/// Bytes that such a scan reads before other reads have their turn, the last value not counted.
pub const SCAN_TURN_BYTES: usize = 1 << 20;

/// Bytes that an entry counts there beside its value.
pub const SCAN_ENTRY_BYTES: usize = 1 << 10;

/// Milliseconds between two looks at work that others do for a request.
pub const WAITING_POLL_MS: u64 = 20;

/// Milliseconds that a request for work in the background is given where it says nothing: less
/// than the patience of clients.
pub const BACKGROUND_MS: u64 = 20_000;

/// Operations of one push, nested ones counted.
pub const PUSH_OPERATIONS: usize = 16 << 10;

/// Bytes of the answer to a push that are not its operations.
pub const PUSH_REPLY_HEADROOM: usize = 4 << 10;

/// Pushes that a drive works on at a time. It refuses more, and never lets one wait for another:
/// drives that push to each other would wait for ever.
pub const PUSHES: usize = 1024;

/// Bytes of their requests.
pub const PUSH_REQUEST_BYTES: usize = 64 << 20;

/// Bytes of values that all pushes hold at a time, read and not yet answered by the peer.
pub const PUSHED_BYTES: usize = 64 << 20;

/// Bytes of them that one push holds.
pub const PUSH_BYTES: usize = 8 << 20;

/// Bytes that an operation of a push takes in memory beside its fields, its status included.
pub const PUSH_OPERATION_COST: usize = 512;

/// Bytes of the name of a peer's host: as many as a name can have.
pub const HOST_BYTES: u32 = 255;

/// Bytes that are kept of what a peer says of one operation; the rest is cut.
pub const PEER_TEXT_BYTES: usize = 256;

/// Times that a peer which is busy with other pushes is asked again, after twice as long each time.
pub const BUSY_TRIES: u32 = 8;

/// Milliseconds after which it is asked again for the first time.
pub const BUSY_PAUSE_MS: u64 = 25;

/// Operations of one push that are under way at a time.
pub const PUSH_WINDOW: usize = 64;

/// Values of one push that are read ahead of what is sent.
pub const PUSH_READS: usize = 8;

/// Connections to peers that are kept.
pub const PEER_LINKS: usize = 256;

/// Bytes in flight on one of them: room for all that pushes may have under way at all, so that
/// nothing waits for room there and operations are sent in their order.
pub const LINK_BYTES: usize = 128 << 20;

/// Seconds after which one that nobody uses is closed.
pub const LINK_IDLE_SECONDS: u64 = 60;

/// Milliseconds that a peer has for connection, handshake and hello.
pub const PEER_CONNECT_MS: u64 = 10_000;

/// Milliseconds that a peer has for each operation; then the push gives it up.
pub const PEER_ANSWER_MS: u64 = 30_000;

/// Milliseconds that a peer which could not be reached is not tried again.
pub const PEER_PAUSE_MS: u64 = 500;

/// Milliseconds from one heartbeat to the next.
pub const HEARTBEAT_MS: u64 = 5_000;

/// Milliseconds from the start to the first one.
pub const FIRST_HEARTBEAT_MS: u64 = 1_000;

/// Bytes of a heartbeat: what fits a frame of Ethernet beside the headers of IP and UDP.
pub const HEARTBEAT_BYTES: usize = 1_440;

/// Milliseconds that a stopping server waits for what pushes have under way.
pub const PUSH_STOP_MS: u64 = 3_000;

/// Peers that can be named as those that may be pushed to.
pub const ALLOWED_PEERS: usize = 4096;

/// Times that GETNEXT and GETPREVIOUS look again when the key they found has just gone.
pub const NEIGHBOUR_TRIES: usize = 64;

/// Keys that these pass over, since they may not be read, before they move to a thread that may
/// take its time.
pub const NEIGHBOURS_INLINE: usize = 64;

/// Keys that they pass over on such a thread before other reads have their turn.
pub const NEIGHBOURS_TURN: usize = 4096;

/// Most connections that a drive may be told to keep: as many descriptors as Linux gives one
/// process unless told otherwise.
pub const MOST_CONNECTIONS: u32 = 1 << 20;

const _: () = assert!(FIRST_HEARTBEAT_MS <= HEARTBEAT_MS);
const _: () = assert!(MAX_CONNECTIONS <= MOST_CONNECTIONS);
const _: () = assert!(LESS_URGENT_COST <= TURN_REQUESTS && MANY_KEYS_COST <= TURN_REQUESTS);
const _: () = assert!(FIRST_PIN_DELAY_MS <= MOST_PIN_DELAY_MS);
const _: () = assert!(MOST_PIN_DELAY_MS < PIN_MEMORY_SECONDS * 1000);
const _: () = assert!(PIN_ROUNDS <= MOST_PIN_ROUNDS);
const _: () = assert!(DELAYED_PINS_PER_SOURCE < DELAYED_PINS);
const _: () = assert!(BACKLOG_FLOOR_BYTES <= BACKLOG_BYTES);
const _: () = assert!(LAST_READS_MS + LINGER_MS < DRAIN_SECONDS * 1000);
const _: () = assert!(LAST_READS_MS + PUSH_STOP_MS < DRAIN_SECONDS * 1000);
const _: () = assert!(MAX_VALUE_SIZE as usize <= PUSH_BYTES && PUSH_BYTES <= PUSHED_BYTES);
const _: () = assert!(PUSHED_BYTES + PUSHES * PUSH_WINDOW * REQUEST_OVERHEAD <= LINK_BYTES);
const _: () = assert!(PUSH_OPERATIONS * PUSH_OPERATION_COST < PUSH_REQUEST_BYTES);
const _: () = assert!(MAX_MESSAGE_SIZE as usize <= PUSH_REQUEST_BYTES);
// A status without a text takes 6 bytes at most, and so do the lengths around it, so that the codes
// of all operations fit an answer that names no key any more.
const _: () = assert!(PUSH_OPERATIONS * 32 + PUSH_REPLY_HEADROOM < MAX_MESSAGE_SIZE as usize);
const _: () = assert!(READ_BYTES <= BACKLOG_FLOOR_BYTES);
const _: () = assert!(TURN_ANSWER_BYTES <= UNSENT_BYTES);
const _: () = assert!(UNSENT_FLOOR_BYTES <= UNSENT_BYTES);
const _: () = assert!(UNSENT_BYTES as u64 * 8 <= ALL_UNSENT_BYTES);
const _: () = assert!(MAX_MESSAGE_SIZE as usize + MAX_VALUE_SIZE as usize <= UNSENT_BYTES);
const _: () =
    assert!((WARNINGS + MESSAGE_LINES) * (MESSAGE_LINE_BYTES + 1) < MAX_MESSAGE_SIZE as usize);
// What is not attempted takes eight bytes for each key, and a text of the drive is a sentence.
const _: () =
    assert!(LISTED_BYTES + MAX_KEYS_PER_REQUEST as usize * 16 + 4096 <= MAX_MESSAGE_SIZE as usize);
// Each byte of a line may take six in JSON.
const _: () = assert!(MESSAGES_PAGE * (MESSAGE_LINE_BYTES * 6 + 64) < MAX_VALUE_SIZE as usize);
const _: () = assert!(UPCOMING_WRITES <= PENDING_WRITES && UPCOMING_BYTES <= BACKLOG_BYTES);
const _: () = assert!(LOOK_AHEAD_INLINE <= LOOK_AHEAD_TURN);
const _: () = assert!(LOOK_AHEAD_TURN <= MOST_BATCH_OPERATIONS as usize);
const _: () = assert!(COPIED_VALUE_BYTES <= MAX_VALUE_SIZE as usize);
const _: () = assert!(MAX_OPERATIONS_PER_BATCH <= MOST_BATCH_OPERATIONS);
const _: () = assert!(MOST_BATCH_OPERATIONS as usize <= MAX_COMMIT_OPERATIONS);
// A sequence takes ten bytes at most; the rest of the answer to END is far below half a message.
const _: () = assert!(MOST_BATCH_OPERATIONS * 10 < MAX_MESSAGE_SIZE / 2);
const _: () = assert!(MAX_BATCH_SIZE <= MOST_BATCH_BYTES && LEAST_BATCH_BYTES <= MAX_BATCH_SIZE);
const _: () = assert!(MOST_BATCH_BYTES as u64 <= MAX_ZONE / 2);
const _: () = assert!(MOST_BATCH_BYTES as u64 * 2 <= BATCHES_BYTES);
// The drive with the smallest zones takes a batch of one largest operation at least.
const _: () = assert!(commit_bytes(MIN_ZONE, MOST_BATCH_OPERATIONS) >= LEAST_BATCH_BYTES as u64);
