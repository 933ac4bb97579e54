//! The drive as operations see it: store, names, limits, counters, messages, vitals.
//!
//! In layer order: [`identity`] (what it is called), [`statistics`], [`messages`], [`vitals`],
//! [`opaque`] (bytes in settings), [`pin`] (how PINs are kept), [`settings`], [`medium`] (the store
//! and the settings on the disk), [`mod@unit`] (all of it together).

pub mod identity;

pub mod statistics;

pub mod messages;

pub mod vitals;

pub mod opaque;

pub mod pin;

pub mod settings;

pub mod medium;

pub mod unit;

pub use medium::{LockError, Means, Medium, MediumError, NewPin, Open, Unchanged};
pub use settings::Settings;
pub use unit::{Device, Policy, Ports, PowerLevel};
