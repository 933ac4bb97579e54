//! Commits that wait for the writer.
//!
//! In layer order: [`lane`] (sources of commits, and places in them), [`levels`] (which lanes are
//! how urgent), [`turns`] (whose commit is next), [`admission`] (who may queue one now, and who is
//! told when there is room).
//! Not here: what the writer makes of commits (`writer`).

pub mod lane;

pub mod levels;

pub mod turns;

pub mod admission;

pub use admission::{Queue, SubmitError};
pub use lane::{Lane, Ticket};
pub use turns::Queued;
