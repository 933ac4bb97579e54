//! The drive as operations see it: store, names, limits, counters, messages, vitals.
//!
//! In layer order: [`identity`] (what it is called), [`statistics`], [`messages`], [`vitals`],
//! [`medium`] (the life of the store), [`mod@unit`] (all of it together).

pub mod identity;

pub mod statistics;

pub mod messages;

pub mod vitals;

pub mod medium;

pub mod unit;

pub use medium::{Medium, MediumError, Open};
pub use unit::{Device, Ports};
