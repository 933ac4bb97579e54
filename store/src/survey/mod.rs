//! A survey: what is on a disk, looked at without writing a byte of it.
//!
//! What it is: the same slots, manifest, log, runs and values that opening and serving read, read
//! by whoever does not mean to serve them: to show them, to check all of them, to save what can be
//! read of a drive that does not open any more.
//!
//! Guarantees: nothing is ever written, whatever is found; damage ends a survey nowhere that it
//! need not; what is given out has verified. Memory is bounded by the log behind the replay point,
//! the manifest and one leaf of each run. What damage makes uncertain is said to be: an entry is
//! given out as certain only where every newer source of its key could be read.
//!
//! Not here: mending (`open::repair`), what is told to people (`kinetic drive`), watching an open
//! drive, which goes on changing.
//!
//! In layer order: [`look`] (slots, key and manifest), [`log`] (the log as far as it verifies),
//! [`report`] (figures of a drive), [`walk`] (all keys, newest first, with what is missing),
//! [`books`] (the manifest against itself), [`check`] (everything against everything), [`salvage`]
//! (every value that can be read).

pub mod look;

pub mod log;

pub mod report;

pub mod walk;

pub mod books;

pub mod check;

pub mod salvage;

pub use books::ZoneFault;
pub use check::{Depth, Finding, Tally, Told};
pub use look::{Hidden, Survey, SurveyError};
pub use report::Report;
pub use salvage::{Certainty, Loss, Salvage, Salvaged};
