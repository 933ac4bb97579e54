//! Rules of the engine that a single scene can break, each played on a simulated disk.
//!
//! Guarantee: every scene names its rule, and fails where an engine without that rule would fail.
//! Not here: what only many scenes together show (`tests/simulation`).

mod drive;

mod recovery;

mod bounds;
