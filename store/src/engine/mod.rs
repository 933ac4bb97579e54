//! The engine at work: commits come in, groups go to the log, syncs make them durable.
//!
//! In layer order: [`config`] (what a drive may be told), [`salt`] (secrets of zones),
//! [`counters`], [`commit`] (what is asked of the store), [`queue`] (commits waiting, lane by
//! lane), [`moves`] (what reclaim asks for), [`progress`] (what is written, what is durable, who
//! waits), [`shared`] (what all workers and reads see), [`writer`] and [`syncer`] (workers, one
//! step at a time).
//! Not here: flush, merge and the manifest (`upkeep`), opening (`open`), threads (`threads`).

pub mod config;

pub mod salt;

pub mod counters;

pub mod commit;

pub mod queue;

pub mod moves;

pub mod progress;

pub mod shared;

pub mod writer;

pub mod syncer;
