//! Import and export: a file for each key, many in flight.
//!
//! Guarantees: import says beforehand what it cannot store; export writes nowhere but below its
//! directory. In layer order: `path` (keys as paths), `tree` (writing below a directory), `plan`
//! (what an import will do), `progress`, and the two commands.

mod path;

mod tree;

mod plan;

mod progress;

mod export;
mod import;

pub(crate) use export::export;
pub(crate) use import::import;
pub(crate) use path::SafePath;
pub(crate) use progress::Progress;
pub(crate) use tree::{Existing, Tree};
