//! The upkeep worker: which of all that upkeep does comes next.
//!
//! In layer order: `state` (what it holds), `changes` (of the manifest), `zones` (given out and
//! freed), `optimize` (on demand), `runs` (flushes and merges), `steps` (what comes first).

mod state;

mod changes;

mod zones;

mod optimize;

mod runs;

mod steps;

pub use state::{UnderWay, Upkeep};
