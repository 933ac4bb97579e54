//! What the drive counts since its start.
//!
//! In layer order: [`requests`] (by type: how many, how long, with what answer), [`incidents`]
//! (connections, wrong signatures, wrong PINs).
//! Not here: what the store counts, and who is shown what (`ops::get_log`, `exposition`).

pub mod requests;

pub mod incidents;

pub use incidents::{Incident, Incidents};
pub use requests::{Answered, RequestFigures, Statistics, Tally};
