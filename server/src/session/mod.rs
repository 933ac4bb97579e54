//! One connection's side of the protocol, without a socket and without a clock: frames come in,
//! effects go out as values.
//!
//! In layer order: [`manner`] (how a request wants to be done), [`reply`] (the way back),
//! [`batches`] (those that are open), [`unsolicited`] (hello and farewell), [`conversation`] (the
//! checks, and what to do), [`fuzz`].

pub mod manner;

pub mod reply;

pub mod batches;

pub mod unsolicited;

pub mod conversation;

pub mod fuzz;

pub use conversation::{Drive, Session, Step};
