//! Hands that do the work of open stores: whoever steps their workers.
//!
//! Guarantee: whoever they are, stopping gets everything that was submitted done and synced first;
//! where the disk does not manage that in time, whoever still waits is told that the store was
//! closed.
//! Not here: any decision of a worker.
//!
//! In layer order: [`contract`] (what whoever opens stores asks of hands), `clock`, `last_flush`
//! (what a stop waits for), `rounds` (the workers, and whom they wake after a step), [`by_hand`]
//! (a store that its owner steps, on any clock), [`threads`] (four threads for each store, as a
//! drive in production has them), [`crew`] (few threads for any number of stores).

pub mod contract;

mod clock;

mod last_flush;

mod rounds;

pub mod by_hand;

pub mod threads;

pub mod crew;

pub use by_hand::{Hand, Pace};
pub use contract::{AtWork, Hands};
pub use crew::{Crew, Member};
pub use threads::{OwnThreads, Threads};

#[cfg(test)]
mod tests;
