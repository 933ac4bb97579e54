//! The requests of locks, identities and batches, as a drive sees them.

mod acl_log;
mod batches;
mod locks;
mod security;
