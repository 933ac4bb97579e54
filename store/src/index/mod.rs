//! The index: what is stored under which key, newest first.
//!
//! In layer order: [`values`] (reading what entries refer to), [`memtable`] (mutations since the
//! last flush), [`view`] (memtables and runs as one read sees them), [`stepped`] (what scans had to
//! step over), [`merged`] (all in key order).
//! Not here: how runs lie on the disk (`run`), and who replaces a view (`engine`, `upkeep`).

pub mod values;

pub mod memtable;

pub mod view;

pub mod stepped;

pub mod merged;
