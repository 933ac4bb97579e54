//! How a disk becomes a drive, and a drive an open store.
//!
//! In layer order: [`calls`] (disk calls before the store is shared), [`slots`] (which superblock
//! counts), [`settings`] (what the server keeps on the drive), [`repair`](mod@repair) (slots from
//! each other), [`grow`](mod@grow) (more zones for a longer disk), [`format`](mod@format) (an empty
//! drive), [`erase`](mod@erase) (an empty drive of an old one), [`recovery`] (everything up to
//! serving).

pub mod calls;

pub mod slots;

pub mod settings;

pub mod repair;

pub mod grow;

pub mod format;

pub mod erase;

pub mod recovery;
