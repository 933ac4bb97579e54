//! The drive as operations see it: store, names, limits, counters, messages, vitals.
//!
//! In layer order: [`identity`] (what it is called), [`statistics`], [`messages`], [`vitals`],
//! [`mod@unit`] (all of it together).

pub mod identity;

pub mod statistics;

pub mod messages;

pub mod vitals;

pub mod unit;

pub use unit::{Device, Ports};
