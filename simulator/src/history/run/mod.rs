//! Histories: one from its seed to its report, and many of them.
//!
//! In layer order: `story` (how a history goes), `campaign` (many seeds on some threads, and the
//! shortest history that still shows a violation).

mod story;

mod campaign;

pub use campaign::{Campaign, Progress, Verdict, run_all, shortest};
pub use story::run;
