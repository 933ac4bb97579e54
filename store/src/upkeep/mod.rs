//! Upkeep: everything that happens behind the writer's back.
//!
//! In layer order: [`space`] (which zones are free), [`ledger`] (one change of the manifest, from
//! edits to durable), [`rewrap`] (another protection of the data key), [`output`] (a run on its way
//! to the disk), [`flush`] and [`merge`] (what goes into it), [`reclaim`] (zones that hold little
//! are emptied), `trouble` (why it cannot go on), [`worker`] (which of these is done next).

pub mod space;

pub mod ledger;

pub mod rewrap;

pub mod output;

pub mod flush;

pub mod merge;

pub mod reclaim;

mod trouble;

pub mod worker;
