//! Moving bytes between a session and a socket: one task for each connection.
//!
//! Guarantees: requests that many tasks make at a time leave in one write; nothing waits for a
//! peer that does not read, or does not answer, while the other direction moves; all queues are
//! bounded by the budget of bytes. The only part of the crate that names sockets and the clock.
//! Not here: what the bytes mean ([`crate::core`]).
//!
//! In layer order: `tls` (the handshake), `shared` (between handles and the task), `driver` (the
//! task), `connection` (the handle, and how a connection is made), `batch` (a conversation of
//! several requests).

mod tls;

mod shared;

mod driver;

mod connection;

mod batch;

pub(crate) use batch::{Opening, Whole};
pub(crate) use connection::{Channel, Connection};
