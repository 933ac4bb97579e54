//! Upkeep: everything that happens behind the writer's back.
//!
//! In layer order: [`space`] (which zones are free), [`ledger`] (one change of the manifest, from
//! edits to durable), [`rewrap`] (another protection of the data key), [`output`] (a run on its way
//! to the disk), [`flush`] and [`merge`] (what goes into it), `trouble` (why it cannot go on),
//! [`worker`] (which of these is done next).
//! Not here: reclaim of log zones that still hold live values.

pub mod space;

pub mod ledger;

pub mod rewrap;

pub mod output;

pub mod flush;

pub mod merge;

mod trouble;

pub mod worker;
