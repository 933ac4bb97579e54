//! The requests of locks, identities, media scans, batches, pushes and extensions, as a drive sees
//! them.

mod acl_log;
mod batches;
mod extended;
mod kinds;
mod locks;
mod manner;
mod media;
mod pushes;
mod security;
