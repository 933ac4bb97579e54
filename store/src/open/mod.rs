//! How a disk becomes a drive, and a drive an open store.
//!
//! In layer order: [`calls`] (disk calls before the store is shared), [`format`](mod@format) (an
//! empty drive), [`slots`] (which superblock counts), [`recovery`] (everything up to serving).

pub mod calls;

pub mod format;

pub mod slots;

pub mod recovery;
