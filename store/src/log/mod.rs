//! The log: one chain of commit groups over the log zones.
//!
//! In layer order: [`record`] (metadata of one mutation), [`group`] (header, metadata of all,
//! then the values), [`scan`] (reads the chain back and tells a torn tail from corruption).
//! Not here: who writes groups and when (`engine::writer`), and what is done with what was read
//! (`open::recovery`).

pub mod record;

pub mod group;

pub mod scan;
