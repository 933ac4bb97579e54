//! The disk engine of a Kinetic drive: one log and one index on one flat disk.
//!
//! Guarantee: what was acknowledged as durable survives a kill and a power cut; a batch is there
//! whole or not at all; nothing is served that was not written. The logic spawns no thread and
//! reads no clock and no randomness, so that a simulation can drive it from a seed.
//!
//! In layer order, each file importing only what stands above it here: bounds; bytes on the disk
//! (`layout`, `run`, `log`, `manifest`), how they are kept in memory (`cache`) and sealed (`seal`);
//! what is known in memory (`index`); the workers (`engine`, `upkeep`); opening (`open`); looking
//! without opening (`survey`); the whole ([`Store`]); who does its work ([`hands`]).
//! `docs/FORMAT.md` has the disk format.

pub mod limits;

pub mod effort;

pub mod disk;

pub mod layout;

pub mod cache;

pub mod seal;

pub mod entry;

pub mod error;

pub mod run;

pub mod manifest;

pub mod log;

pub mod index;

pub mod engine;

pub mod upkeep;

pub mod open;

pub mod scrub;

pub mod survey;

mod bells;

pub mod store;

pub mod services;

pub mod hands;

pub use bells::Listener;
pub use effort::Effort;
pub use engine::commit::{Commit, Completion, Durability, Expected, Mutation, Priority};
pub use engine::config::{Options, Sabotage};
pub use engine::counters::{Histogram, HistogramFigures};
pub use engine::queue::{Lane, SubmitError, Ticket};
pub use engine::writer::{Need, Step};
pub use entry::Attributes;
pub use error::{CommitError, CommitFailure, ReadError};
pub use hands::{AtWork, Crew, Hand, Hands, OwnThreads, Pace, Threads};
pub use layout::superblock::Seal;
pub use open::erase::{EraseOptions, erase};
pub use open::format::{FormatError, FormatOptions, Probe, format, format_as, probe};
pub use open::grow::{GrowError, Growth, grow, growth};
pub use open::recovery::OpenError;
pub use open::repair::{Mend, RepairError, mend, mendable};
pub use open::settings::{
    Kept, SettingsError, read_settings, settings_before_erase, write_settings,
};
pub use open::slots::{SlotsError, kdf_of};
pub use run::{Direction, Gap};
pub use scrub::report::{ScrubFinding, ScrubStatus};
pub use seal::{Kdf, PinKey, Protection};
pub use services::figures::{CacheFigures, Figures};
pub use services::ranges::{Entries, KeyRange, Keys, Neighbour, Page};
pub use store::{Health, Metadata, Object, Status, Store};
pub use survey::{Survey, SurveyError};
pub use upkeep::rewrap::ProtectError;

#[cfg(test)]
mod tests;
