//! Reclaim: zones that still hold some live values are emptied, so that they can be freed.
//!
//! Guarantee: a value is moved by copying it to a cold zone, syncing that, and then logging a move
//! that is done only where the key still refers to the old place. No zone is freed here: a zone is
//! free once no run and no memtable refers to it, however that came about.
//!
//! In layer order: [`choice`] (which zone pays), [`outlook`] (what is seen of the rest), [`walk`]
//! (what a zone holds), [`batch`] (values on their way to a cold zone), [`cold`] (the cold zones of
//! this boot), [`selection`] (which zone is next), `job` (a zone that is being emptied), [`round`]
//! (one step after the other).
//! Not here: the writer's part (`engine::moves`), how free zones are shared out (`worker`).

pub mod choice;

pub mod outlook;

pub mod walk;

pub mod batch;

pub mod cold;

pub mod selection;

mod job;

pub mod round;
