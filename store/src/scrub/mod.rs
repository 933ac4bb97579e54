//! Scrub: reads everything from the medium before somebody needs it, and says what is damaged.
//!
//! Guarantee: a worker of bounded steps, at most one read of a block or value each, that holds a
//! view no longer than that, so that no zone waits for it. It goes through all runs together in the
//! order of keys: a key outlives the runs that hold it, so that the place where a round stands
//! means the same after any flush or merge, each value is met with the key that it costs, and a
//! round ends whatever is written meanwhile. The price is that short values, which lie in the order
//! of writing, are read one by one.
//! Not here: repair of anything but slots and the manifest, for which there is a second copy.
//!
//! In layer order: [`report`] (what was counted and found), [`pace`] (how fast), [`walk`] (through
//! one run), [`round`] (the worker).

pub mod report;

mod pace;

mod walk;

pub mod round;
