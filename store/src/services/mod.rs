//! What an open store does beside commits and reads of one key.
//!
//! In layer order: [`ranges`] (reads of several keys), [`secrets`] (what lies outside of zones:
//! settings, and the protection of the data key), [`checks`] (everything against the medium),
//! [`ahead`] (what the writer will look up), [`figures`] (what it has counted).

pub mod ranges;

pub mod secrets;

pub mod checks;

pub mod ahead;

pub mod figures;
