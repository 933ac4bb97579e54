//! The protocol of one connection as a state machine: no socket, no clock, no task.
//!
//! Guarantees: whoever drives it with the same calls gets the same bytes and the same events;
//! time is an argument, the span since the connection was made; effects are values. Not here:
//! moving bytes (`net`), and what the bodies of requests mean ([`crate::ops`]).
//!
//! In layer order: `capabilities` (what a drive can beyond the protocol), `request` (what goes in
//! and comes out), `hello` (how a drive greets), `outgoing` (bytes to be written), `session`
//! (sequences, signatures, deadlines).

mod capabilities;

mod request;

mod hello;

mod outgoing;

mod session;

pub use capabilities::{CAPABILITIES_LOG, Capabilities};
pub use hello::Hello;
pub use outgoing::Outgoing;
pub use request::{Hints, Manner, Patience, Reply, Request, Special};
pub use session::{Event, Session, Signer};
