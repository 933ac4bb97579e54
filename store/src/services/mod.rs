//! What an open store does beside commits and reads of one key.
//!
//! In layer order: [`ranges`] (reads of several keys), [`secrets`] (what lies outside of zones:
//! settings, and the protection of the data key).

pub mod ranges;

pub mod secrets;
