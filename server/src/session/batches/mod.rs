//! Batches: operations that wait until END_BATCH commits all of them.
//!
//! Bounded in number, operations, deletes and bytes, and so is what the batches of all connections
//! hold together, up to the answer to their END.
//!
//! In layer order: [`batch`] (one of them), [`account`] (all of a drive), [`open`] (those of a
//! connection).

pub mod batch;

pub mod account;

pub mod open;

pub use account::Account;
pub use batch::{End, Ended, Member};
pub use open::{Batches, OverLimit};

#[cfg(test)]
mod tests;
