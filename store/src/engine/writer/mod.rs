//! The writer: what goes into the log, and in which groups.
//!
//! In layer order: `step` (what a step of a worker came to), `group` (commits and moves that are
//! written together), `log` (the end of the log).

mod step;

mod group;

mod log;

pub use log::Writer;
pub use step::{Need, Step};
