//! One connection's side of the protocol, without a socket and without a clock: frames come in,
//! effects go out as values.
//!
//! In layer order: [`reply`] (the way back), [`batches`] (those that are open), [`unsolicited`]
//! (hello and farewell), [`conversation`] (the checks, and what to do), [`fuzz`].

pub mod reply;

pub mod batches;

pub mod unsolicited;

pub mod conversation;

pub mod fuzz;

pub use conversation::{Drive, Session, Step};
