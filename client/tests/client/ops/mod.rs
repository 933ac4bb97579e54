//! The requests of locks, identities, media scans and batches, as a drive sees them.

mod acl_log;
mod batches;
mod locks;
mod manner;
mod media;
mod security;
