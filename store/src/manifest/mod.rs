//! The manifest: which zones hold what, which runs are live, and where replay starts.
//!
//! In layer order: [`edit`] (one change), [`state`] (what all edits add up to), [`frame`] (edits
//! that become true together, on disk), [`journal`] (the manifest zone that is written now, and
//! how it is read back).
//! Not here: who decides on edits (`upkeep`).

pub mod edit;

pub mod state;

pub mod frame;

pub mod journal;
